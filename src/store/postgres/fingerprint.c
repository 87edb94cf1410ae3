/*
 * What is the same only while nothing was committed: the server, its history, and which transactions
 * a snapshot sees. Every change takes a transaction's number, but for sequences that go on inside
 * what they have logged ahead; their values are in it, too. Backup compares it before a dump.
 */
#include <store/postgres/internal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A server that does not let everybody see its control data cannot be told from another. */
static const char question[] =
    "SELECT concat_ws(' ', (SELECT system_identifier FROM pg_control_system()), "
    "(SELECT timeline_id FROM pg_control_checkpoint()), "
    "(SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()), "
    "md5(txid_current_snapshot()::text || coalesce((SELECT string_agg("
    "format('%s.%s %s', schemaname, sequencename, last_value), ',' "
    "ORDER BY schemaname, sequencename) FROM pg_catalog.pg_sequences), '')))";

int bk__pg_fingerprint(struct bk__pg_link *link, char ret[BK__FINGERPRINT_SIZE]) {
    char *text = NULL;
    int rc = bk__pg_text(link, question, NULL, &text);
    snprintf(ret, BK__FINGERPRINT_SIZE, "%s", rc == 0 ? text : "");
    free(text);
    return rc;
}

int bk__postgres_fingerprint(struct bk__store *store, char ret[BK__FINGERPRINT_SIZE]) {
    return bk__pg_fingerprint(&((struct bk__postgres *)store)->link, ret);
}
