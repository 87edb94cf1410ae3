#include <botkeep.h>
#include <stdio.h>

static char *call(bk_keeper *k, const char *operation, const char *args,
                  const char *show) {
    char *done = bk_call(k, operation, args);
    int good = bk_pick_number(done, "ok", 0) == 1;
    char *text = bk_pick_text(done, good ? show : "error.message");
    printf("%s: %s\n", operation, text ? text : bk_last_error());
    bk_free(done);
    if (good) {
        return text;
    }
    bk_free(text);
    return NULL;
}

/* A keeper with one more option; track: it is the bot, not a tool. */
static bk_keeper *keeper(const char *option, const char *value, const char *track) {
    bk_keeper *k = bk_new();
    if (bk_set(k, "database", "bot.db") < 0 || bk_set(k, "run.track", track) < 0 ||
        bk_set(k, option, value) < 0 || bk_open(k) < 0) {
        fprintf(stderr, "%s\n", bk_last_error());
    }
    return k;
}

static void end(bk_keeper *k) {
    bk_shutdown(k, 10000);
    bk_close(k);
}

int main(void) {
    char args[256];

    /* Once, on the owner's machine: botkeep backup key --to secret.key --kind recipient */
    bk_keeper *owner = keeper("backup.dir", "backups", "false");
    bk_free(call(owner, "migrate.up", NULL, "result.current"));
    char *public_key =
        call(owner, "backup.key", "{\"to\":\"secret.key\",\"kind\":\"recipient\"}",
             "result.public");
    end(owner);

    /* The bot writes backups for the public key, and cannot read them. */
    bk_keeper *bot = keeper("backup.recipient", public_key ? public_key : "", "true");
    char *name = call(bot, "backup.create", NULL, "result.name");
    bk_free(call(bot, "backup.verify", NULL, "result.backups[0].depth"));
    end(bot);

    /* Whoever has the secret file reads them. */
    owner = keeper("backup.key.file", "secret.key", "false");
    bk_free(call(owner, "backup.verify", NULL, "result.backups[0].depth"));
    snprintf(args, sizeof args, "{\"name\":\"%s\",\"to\":\"look.db\"}", name ? name : "");
    char *said = call(owner, "backup.restore", args, "result.message");
    end(owner);
    int status = said ? 0 : 1;
    bk_free(public_key);
    bk_free(name);
    bk_free(said);
    return status;
}
