/*
 * What a set's manifest says of it all: parts together, where and how it was made, what failed.
 * Not what it says of a part: that is the making's of each. Called by set.c.
 */
#include <backup/set/setting.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <botkeep.h>
#include <base/json.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <backup/catalogue/catalogue.h>

/* What Node calls this machine, as readers of such manifests expect it. */
static const char *arch(const struct utsname *system) {
    return strcmp(system->machine, "x86_64") == 0    ? "x64"
           : strcmp(system->machine, "aarch64") == 0 ? "arm64"
                                                     : system->machine;
}

static struct json_object *about(const struct bk__setting *s) {
    struct utsname system = {0};
    uname(&system); /* what it does not tell is empty */
    struct json_object *whole = bk__json_object();
    struct json_object *where = bk__json_object();
    struct json_object *how = bk__json_object();
    bool ok = whole != NULL && where != NULL && how != NULL &&
              bk__json_add_text(where, "node_version", NULL) && /* whoever the host is */
              bk__json_add_text(where, "platform", "linux") &&
              bk__json_add_text(where, "arch", arch(&system)) &&
              bk__json_add_text(where, "release", system.release) &&
              bk__json_add_text(where, "botkeep_version", bk_version()) &&
              bk__json_add_bool(how, "compression_enabled",
                                strcmp(s->request->compress, "none") != 0) &&
              bk__json_add_int(
                  how, "retention_days",
                  bk__config_int(bk__job_config(s->job), BK__OPT_BACKUP_KEEP_DAYS));
    ok = bk__json_put(whole, "system", where) && ok;
    ok = bk__json_put(whole, "config", how) && ok;
    if (ok) {
        return whole;
    }
    json_object_put(whole);
    return NULL;
}

/* What the set and its parts share, and why one that failed is none. */
static int describe_parts(struct bk__setting *s) {
    for (size_t i = 0; i < s->count; i++) {
        const struct bk__set_store *store = &s->stores[i];
        struct bk__manifest *part = &s->facts.parts[i];
        const struct bk__store_driver *driver =
            store->store != NULL ? store->store->driver
                                 : bk__store_driver_for(store->site.url);
        snprintf(part->part, sizeof part->part, "%s", store->site.name);
        snprintf(part->store, sizeof part->store, "%s",
                 driver != NULL ? driver->name : "unknown");
        snprintf(part->set, sizeof part->set, "%s", s->facts.name);
        part->sequence = s->facts.sequence;
        part->error = store->rc == 0 ? NULL : strdup(store->why);
        if (store->rc != 0 && part->error == NULL) {
            return bk__fail_memory();
        }
    }
    return 0;
}

/* Sizes together, and one sum over the sums: lines as sha256sum prints them. */
static int add_up(struct bk__manifest *set) {
    struct bk__hash *images = bk__hash_new();
    struct bk__hash *archives = bk__hash_new();
    bool ok = images != NULL && archives != NULL;
    for (size_t i = 0; ok && i < set->part_count; i++) {
        const struct bk__manifest *part = &set->parts[i];
        if (part->name[0] == '\0') {
            continue;
        }
        char line[BK__SHA256_HEX + BK__NAME_SIZE + 4];
        set->bytes += part->bytes;
        set->database_bytes += part->database_bytes;
        snprintf(line, sizeof line, "%s  %s\n", part->sha256, part->part);
        bk__hash_add(images, line, strlen(line));
        snprintf(line, sizeof line, "%s  %s\n", part->archive_sha256, part->name);
        bk__hash_add(archives, line, strlen(line));
    }
    if (!ok) {
        bk__hash_drop(images);
        bk__hash_drop(archives);
        return bk__fail_memory();
    }
    bk__hash_end(images, set->sha256);
    bk__hash_end(archives, set->archive_sha256);
    return 0;
}

/* All parts were sealed by the same settings; the set itself is a folder or a tar of them. */
static void note_encryption(struct bk__manifest *set) {
    const struct bk__manifest *part = bk__manifest_part(set, NULL);
    if (part != NULL) {
        set->encryption = part->encryption;
        memcpy(set->key_id, part->key_id, sizeof set->key_id);
    }
}

int bk__setting_facts(struct bk__setting *s) {
    struct bk__manifest *facts = &s->facts;
    int rc = bk__catalogue_next(s->folder->path, &facts->sequence);
    if (rc == 0) {
        rc = describe_parts(s);
    }
    if (rc == 0) {
        rc = add_up(facts);
    }
    if (rc != 0) {
        return rc;
    }
    note_encryption(facts);
    const char *text = s->request->note;
    bool partial = bk__manifest_is_partial(facts);
    facts->note = text == NULL ? NULL : strdup(text);
    facts->error = partial ? bk__setting_failed(s) : NULL;
    facts->tables = bk__json_object();
    facts->about = about(s);
    facts->verified = !partial;
    facts->verified_ms = bk__job_wall(s->job);
    facts->snapshot_ms = s->packing - s->began;
    facts->verify_ms = bk__job_mono(s->job) - s->packing;
    facts->total_ms = facts->snapshot_ms + facts->verify_ms;
    snprintf(facts->kind, sizeof facts->kind, "%s", s->request->kind);
    snprintf(facts->store, sizeof facts->store, "set");
    bool ok = facts->tables != NULL && facts->about != NULL &&
              (text == NULL || facts->note != NULL) && (!partial || facts->error != NULL);
    return ok ? 0 : bk__fail_memory();
}
