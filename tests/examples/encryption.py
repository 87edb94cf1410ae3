from botkeep import Keeper

# Once, on the owner's machine: botkeep backup key --to secret.key --kind recipient
with Keeper(database="bot.db", run_track=False) as owner:
    public = owner.backup.key(to="secret.key", kind="recipient").result()["public"]

# The bot writes backups for the public key, and cannot read them.
with Keeper(database="bot.db", backup_recipient=public) as bot:
    made = bot.backup.create().result()
    print(made["name"], "is encrypted for a", made["encryption"])
    print("verified without the key:", bot.backup.verify().result()["backups"][0]["depth"])

# Whoever has the secret file reads them.
with Keeper(database="bot.db", backup_key_file="secret.key", run_track=False) as owner:
    print("verified with the key:", owner.backup.verify().result()["backups"][0]["depth"])
    print(owner.backup.restore(name=made["name"], to="look.db").result()["message"])
