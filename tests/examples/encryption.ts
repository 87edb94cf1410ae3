import { Keeper } from "botkeep";

// Once, on the owner's machine: botkeep backup key --to secret.key --kind recipient
const maker = await Keeper.open({ database: "bot.db", run_track: false });
const key = await maker.backup.key({ to: "secret.key", kind: "recipient" });
await maker.shutdown(10_000);

// The bot writes backups for the public key, and cannot read them.
const bot = await Keeper.open({ database: "bot.db", backup_recipient: key.public });
const made = await bot.backup.create();
console.log(made.name, "is encrypted for a", made.encryption);
console.log("verified without the key:", (await bot.backup.verify()).backups[0]?.depth);
await bot.shutdown(10_000);

// Whoever has the secret file reads them.
const owner = await Keeper.open({ database: "bot.db", backup_key_file: "secret.key", run_track: false });
console.log("verified with the key:", (await owner.backup.verify()).backups[0]?.depth);
console.log((await owner.backup.restore({ name: made.name, to: "look.db" })).message);
await owner.shutdown(10_000);
