import { BotkeepError, Keeper } from "botkeep";

const OWNERS = new Set([42]); // the users who may
const keeper = await Keeper.open({ database: "bot.db" });

/** What the bot answers to /backup list, create, or restore NAME [yes]. */
const backupCommand = async (user = 0, verb = "", name = "", sure = "") => {
  if (!OWNERS.has(user)) return "❌ Only the bot's owners may use this command.";
  try {
    if (verb === "list") {
      const found = await keeper.backup.list({ limit: 10 });
      const lines = found.backups.map((each) => `${each.name} (${each.bytes} bytes)`);
      return [`📦 ${found.total} in all, the newest:`, ...lines].join("\n");
    }
    if (verb === "create") {
      const made = await keeper.backup.create({ note: `for user ${user}` });
      return `✅ ${made.name}, ${made.bytes} bytes, verified`;
    }
    if (verb === "restore" && name !== "" && sure !== "yes") {
      return `⚠️ This replaces all data. To go on: /backup restore ${name} yes`;
    }
    if (verb === "restore" && name !== "") {
      const done = await keeper.backup.restore({ name });
      return `✅ ${done.message} The way back: ${done.pre_restore}`;
    }
  } catch (error) {
    if (!(error instanceof BotkeepError)) throw error;
    return `❌ ${error.message}`.slice(0, 1900); // Discord takes 2000 characters, Telegram 4096
  }
  return "Say: /backup list, create, or restore NAME";
};

console.log(await backupCommand(7, "list"));
const made = await backupCommand(42, "create");
console.log(made);
const name = made.split(" ")[1]?.replace(",", "") ?? "";
console.log(await backupCommand(42, "list"));
console.log(await backupCommand(42, "restore", name));
console.log(await backupCommand(42, "restore", name, "yes"));
await keeper.shutdown(10_000);
