"""typed.py: how a typed bot uses the package; mypy --strict reads it, nobody runs it."""
import pathlib
from typing import List, Optional

from botkeep import BusyError, Job, Keeper, Progress
from botkeep.operations import BackupKeyResult


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


def restored(keeper: Keeper, where: pathlib.Path, key: BackupKeyResult) -> Optional[str]:
    """Paths are paths, what may be missing is asked for, and None is an option that is not set."""
    made = keeper.backup.create(note=None).result()
    pruned: List[str] = made["pruned"]
    keeper.backup.restore(name=made["name"], to=where).result()
    Keeper(database=where, backup_recipient=key["public"]).close()
    return made.get("note", pruned[0] if pruned else None)
