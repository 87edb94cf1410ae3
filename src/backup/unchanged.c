/*
 * Telling that nothing changed since the newest verified backup: it is whole in the folder, was made of
 * the same database with the same settings, and the store's fingerprint is the one noted with it.
 * Not the comparison of whole states: make.c does that after a snapshot. create.c calls it.
 */
#include <backup/unchanged.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/buf.h>
#include <base/json.h>
#include <base/text.h>
#include <core/config.h>
#include <core/job.h>
#include <backup/catalogue/catalogue.h>
#include <backup/seal/encryption.h>
#include <backup/make.h>
#include <backup/record.h>
#include <backup/set/set.h>

bool bk__unchanged_skips(const char *kind) {
    static const char *const kinds[] = {"auto", "startup", "shutdown", "pre_migration"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kind, kinds[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* A sum, because a URL may be long; without its password, which names no other store and must not be
   guessed from what lies in state.dir. */
static bool sum_settings(struct bk__job *job, const struct bk__make *request,
                         const struct bk__set *stores, char ret[BK__SHA256_HEX]) {
    struct bk__buf text = {0};
    bool ok = true;
    bk__buf_printf(&text, "compress=%s\n", request->compress);
    if (stores->count > 1) {
        bk__buf_printf(&text, "set=%s\n",
                       bk__config_text(bk__job_config(job), BK__OPT_BACKUP_SET));
    }
    for (size_t i = 0; ok && i < stores->count; i++) {
        char *url = bk__text_redact(stores->stores[i].site.url);
        ok = url != NULL;
        bk__buf_printf(&text, "%s=%s\n", stores->stores[i].site.name, ok ? url : "");
        free(url);
    }
    char *all = bk__buf_take(&text);
    ok = ok && all != NULL;
    if (ok) {
        bk__hash_bytes(all, strlen(all), ret);
    }
    free(all);
    return ok;
}

/* Encrypted as one made now would be, with the same key; a key that cannot be used now is for
   making a backup to tell. */
static bool is_encrypted_alike(struct bk__job *job, const struct bk__manifest *manifest) {
    struct bk__seal seal = {0};
    struct bk__seal_facts facts;
    if (!bk__encryption_wanted(bk__job_config(job))) {
        return manifest->encryption == BK__KEY_NONE;
    }
    bool alike = bk__encryption_begin(job, &seal) == 0 &&
                 bk__seal_facts(seal.header, &facts) == NULL &&
                 facts.mode == manifest->encryption &&
                 strcmp(facts.key_id, manifest->key_id) == 0;
    bk__seal_wipe(&seal);
    return alike;
}

/* The noted backup must be the newest verified one of its kind, a set or not; the catalogue has looked whether its archive is
   there with its size. */
static bool take_newest(const char *dir, const struct bk__set *stores,
                        struct json_object *state, struct bk__manifest *ret) {
    bool is_set = stores->count > 1;
    struct bk__catalogue catalogue;
    bool found = false;
    if (bk__catalogue_load(dir, &catalogue) != 0) {
        return false;
    }
    for (size_t i = 0; i < catalogue.count; i++) {
        struct bk__manifest *item = &catalogue.items[i];
        if (!item->verified || (item->part_count > 0) != is_set) {
            continue;
        }
        found = bk__name_same_stem(item->name, bk__json_text(state, "name", "")) &&
                strcmp(item->sha256, bk__json_text(state, "sha256", "")) == 0;
        if (found) {
            *ret = *item;
            *item = (struct bk__manifest){0};
        }
        break;
    }
    bk__catalogue_free(&catalogue);
    return found;
}

/* Each store learns what was noted of it. */
static void take_noted(struct json_object *state, struct bk__set *stores) {
    struct json_object *noted = bk__json_member(state, BK__RECORD_FINGERPRINTS);
    for (size_t i = 0; i < stores->count; i++) {
        struct bk__set_store *store = &stores->stores[i];
        snprintf(store->noted, sizeof store->noted, "%s",
                 bk__json_text(noted, store->site.name, ""));
    }
}

void bk__unchanged_load(struct bk__job *job, const char *dir,
                        const struct bk__make *request, struct bk__set *stores,
                        struct bk__unchanged *ret) {
    *ret = (struct bk__unchanged){0};
    struct json_object *record = bk__record_load(job);
    struct json_object *state = bk__record_state(job, record, stores);
    if (sum_settings(job, request, stores, ret->settings) && state != NULL &&
        strcmp(bk__json_text(state, "settings", ""), ret->settings) == 0) {
        ret->known = take_newest(dir, stores, state, &ret->manifest) &&
                     is_encrypted_alike(job, &ret->manifest);
        take_noted(state, stores);
    }
    json_object_put(record);
}

void bk__unchanged_clear(struct bk__unchanged *unchanged) {
    bk__manifest_clear(&unchanged->manifest);
}

bool bk__unchanged_is_noted(const struct bk__set_store *store) {
    return store->noted[0] != '\0' && strcmp(store->fingerprint, store->noted) == 0;
}

bool bk__unchanged_by_fingerprint(const struct bk__unchanged *unchanged,
                                  struct bk__set *stores) {
    bool same = unchanged->known;
    for (size_t i = 0; same && i < stores->count; i++) {
        struct bk__set_store *one = &stores->stores[i];
        same = one->store != NULL && one->noted[0] != '\0' &&
               one->store->driver->fingerprint != NULL &&
               one->store->driver->fingerprint(one->store, one->fingerprint) == 0 &&
               bk__unchanged_is_noted(one);
    }
    return same;
}
