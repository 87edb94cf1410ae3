/*
 * The fuzzer of the manifest parser: any bytes beside an archive. What it checks beside memory:
 * what is accepted agrees with itself and comes back from its own printing. tests/fuzz/run runs it.
 */
#include <backup/catalogue/manifest.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool good) {
    if (!good) {
        abort();
    }
}

static void compare(const struct bk__manifest *a, const struct bk__manifest *b) {
    need(strcmp(a->name, b->name) == 0 && strcmp(a->kind, b->kind) == 0);
    need(strcmp(a->sha256, b->sha256) == 0 && strcmp(a->store, b->store) == 0);
    need(strcmp(a->archive_sha256, b->archive_sha256) == 0);
    need(a->created_ms == b->created_ms && a->verified_ms == b->verified_ms);
    need(a->sequence == b->sequence && a->bytes == b->bytes && a->pages == b->pages);
    need(a->database_bytes == b->database_bytes && a->page_size == b->page_size);
    need(bk__form_same(&a->form, &b->form) && a->verified == b->verified);
    need(a->encryption == b->encryption && strcmp(a->key_id, b->key_id) == 0);
    need((a->note == NULL) == (b->note == NULL));
    need(a->note == NULL || strcmp(a->note, b->note) == 0);
}

static void accepted(const struct bk__manifest *m) {
    struct bk__manifest again;
    char why[64];
    char kind[BK__KIND_SIZE];
    struct bk__form form;
    need(bk__name_parse(m->name, kind, &form));
    bool set = bk__form_is_set(&form);
    need((set || strcmp(kind, m->kind) == 0) && bk__form_same(&form, &m->form));
    need((m->part_count > 0) == set);
    for (size_t i = 0; i < m->part_count; i++) {
        const struct bk__manifest *part = &m->parts[i];
        need(strchr(part->name, '/') == NULL && strchr(part->part, '/') == NULL);
        need(part->name[0] != '\0' || part->error != NULL);
    }
    bool paged = strcmp(form.content, "db") == 0 || strcmp(form.content, "delta") == 0;
    need(!paged || (m->pages > 0 && m->page_size > 0 &&
                    m->pages * m->page_size == m->database_bytes));
    need(m->sequence >= (m->adopted == NULL) && m->sequence <= BK__SEQUENCE_LIMIT &&
         m->bytes > 0);
    bool plain = form.compression == BK__PLAIN && !form.encrypted;
    bool several = strcmp(form.content, "delta") == 0 || bk__form_is_folder(&form);
    need(!plain || several || m->bytes == m->database_bytes);
    char *text = bk__manifest_print(m);
    need(text != NULL && bk__manifest_parse(text, &again, why, sizeof why));
    compare(m, &again);
    bk__manifest_clear(&again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bk__manifest m;
    char why[64] = "";
    char *text = malloc(size + 1);
    need(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    if (bk__manifest_parse(text, &m, why, sizeof why)) {
        accepted(&m);
        bk__manifest_clear(&m);
    } else {
        need(why[0] != '\0');
    }
    free(text);
    return 0;
}
