"""typed.py: how a typed bot uses the package; mypy --strict reads it, nobody runs it."""
from typing import List, Optional

from botkeep import BusyError, Job, Keeper, Progress


async def main(steps: List[Progress]) -> Optional[str]:
    async with Keeper(database="bot.db", backup_keep=7, backup_compress="gzip") as keeper:
        job = keeper.backup.create(kind="manual").on_progress(steps.append)
        try:
            result = await job
        except BusyError as error:
            return error.message
        rows: int = result["bytes"] + keeper.health_now()["uptime_ms"]
        names: List[str] = [each["name"] for each in (await keeper.backup.list())["backups"]]
        async for step in job.progress():
            rows += step.done
        with keeper.operation("/backup") as number:
            keeper.report("gateway", "healthy", ttl=number)
        return names[0] if rows else None


def untyped_name(keeper: Keeper) -> "Job[object]":
    return keeper.run("backup.list", {"limit": 1})
