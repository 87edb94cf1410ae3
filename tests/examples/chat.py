import asyncio
from botkeep import BotkeepError, Keeper

OWNERS = {42}  # the users who may


async def backup_command(keeper: Keeper, user: int, *words: str) -> str:
    """What the bot answers to /backup list, create, or restore NAME [yes]."""
    if user not in OWNERS:
        return "❌ Only the bot's owners may use this command."
    try:
        match words:  # Python 3.10
            case ["list"]:
                found = await keeper.backup.list(limit=10)
                lines = [f"{each['name']} ({each['bytes']} bytes)" for each in found["backups"]]
                return "\n".join([f"📦 {found['total']} in all, the newest:", *lines])
            case ["create"]:
                made = await keeper.backup.create(note=f"for user {user}")
                return f"✅ {made['name']}, {made['bytes']} bytes, verified"
            case ["restore", name]:
                return f"⚠️ This replaces all data. To go on: /backup restore {name} yes"
            case ["restore", name, "yes"]:
                done = await keeper.backup.restore(name=name)
                return f"✅ {done['message']} The way back: {done['pre_restore']}"
            case _:
                return "Say: /backup list, create, or restore NAME"
    except BotkeepError as error:
        return f"❌ {error.message}"[:1900]  # Discord takes 2000 characters, Telegram 4096


async def main() -> None:
    async with Keeper(database="bot.db") as keeper:
        print(await backup_command(keeper, 7, "list"))
        made = await backup_command(keeper, 42, "create")
        print(made)
        name = made.split()[1].rstrip(",")
        print(await backup_command(keeper, 42, "list"))
        print(await backup_command(keeper, 42, "restore", name))
        print(await backup_command(keeper, 42, "restore", name, "yes"))


asyncio.run(main())
