#include <botkeep.h>
#include <stdio.h>

/* The done event of an operation that went well; else says why not, and gives NULL. */
static char *call(bk_keeper *k, const char *operation, const char *args) {
    char *done = bk_call(k, operation, args);
    if (bk_pick_number(done, "ok", 0) == 1) {
        return done;
    }
    char *why = bk_pick_text(done, "error.message");
    fprintf(stderr, "%s\n", why ? why : bk_last_error());
    bk_free(why);
    bk_free(done);
    return NULL;
}

/* Prints the value at a path of a JSON text. */
static void show(const char *before, const char *json, const char *path) {
    char *text = bk_pick_text(json, path);
    printf("%s%s\n", before, text ? text : "-");
    bk_free(text);
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
    char *key =
        call(owner, "backup.key", "{\"to\":\"secret.key\",\"kind\":\"recipient\"}");
    char *public_key = bk_pick_text(key, "result.public");
    end(owner);

    /* The bot writes backups for the public key, and cannot read them. */
    bk_keeper *bot = keeper("backup.recipient", public_key, "true");
    char *made = call(bot, "backup.create", NULL);
    char *name = bk_pick_text(made, "result.name");
    char *kind = bk_pick_text(made, "result.encryption");
    printf("%s is encrypted for a %s\n", name, kind);
    char *sealed = call(bot, "backup.verify", NULL);
    show("verified without the key: ", sealed, "result.backups[0].depth");
    end(bot);

    /* Whoever has the secret file reads them. */
    owner = keeper("backup.key.file", "secret.key", "false");
    char *full = call(owner, "backup.verify", NULL);
    show("verified with the key: ", full, "result.backups[0].depth");
    snprintf(args, sizeof args, "{\"name\":\"%s\",\"to\":\"look.db\"}", name);
    char *look = call(owner, "backup.restore", args);
    show("", look, "result.message");
    end(owner);
    int good = made && sealed && full && look;
    bk_free(key);
    bk_free(public_key);
    bk_free(made);
    bk_free(name);
    bk_free(kind);
    bk_free(sealed);
    bk_free(full);
    bk_free(look);
    return good ? 0 : 1;
}
