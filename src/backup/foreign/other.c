/*
 * The table of what other programs' files begin with. What stands in a text of SQL is looked for in all of
 * its beginning: some dumps put a comment first. Called by unpack.c.
 */
#include <backup/foreign/other.h>

#include <string.h>

struct beginning {
    size_t at;
    const char *bytes;
    size_t size;
    const char *name;
};

#define BYTES(text) text, sizeof(text) - 1

static const struct beginning beginnings[] = {
    {0, BYTES("\x6d\xe2\x99\x81"), "an archive of mongodump"},
    {0, BYTES("*2\r\n$6\r\nSELECT\r\n"), "an append-only file of Redis"},
    {8, BYTES("DUCK"), "a database of DuckDB"},
    {0, BYTES("TAPE"), "a backup of Microsoft SQL Server"},
    {0, BYTES("H:2,block:"), "a database of H2"},
    {0, BYTES("BKSEAL"), "an encrypted archive of botkeep without its manifest"},
    {0, BYTES("BKDELTA1"), "an archive of changes of botkeep without its manifest"},
    {0, BYTES("-----BEGIN PGP MESSAGE"), "encrypted with PGP"},
    {0, BYTES("age-encryption.org/"), "encrypted with age"},
    {0, BYTES("-----BEGIN AGE ENCRYPTED"), "encrypted with age"},
    {0, BYTES("Salted__"), "encrypted with openssl"},
    {0, BYTES("\x1f\x8b"), "packed with gzip a second time"},
    {0, BYTES("\x28\xb5\x2f\xfd"), "packed with zstd a second time"},
    {0, BYTES("BZh"), "packed with bzip2"},
    {0, BYTES("\xfd\x37zXZ"), "packed with xz"},
    {0, BYTES("\x04\x22\x4d\x18"), "packed with lz4"},
    {0, BYTES("PK\x03\x04"), "a ZIP archive"},
    {0, BYTES("7z\xbc\xaf\x27\x1c"), "a 7-Zip archive"},
    {0, BYTES("Rar!\x1a\x07"), "a RAR archive"}};

static const struct {
    const char *mark, *name;
} texts[] = {{"-- MySQL dump ", "a dump of MySQL"},
             {"-- MariaDB dump ", "a dump of MariaDB"},
             {"-- phpMyAdmin SQL Dump", "a dump of MySQL, made by phpMyAdmin"},
             {"-- Adminer ", "a dump made by Adminer"},
             {"-- HeidiSQL ", "a dump made by HeidiSQL"}};

const char *bk__other_name(const unsigned char *bytes, size_t size) {
    for (size_t i = 0; i < sizeof beginnings / sizeof *beginnings; i++) {
        const struct beginning *one = &beginnings[i];
        if (size >= one->at + one->size &&
            memcmp(bytes + one->at, one->bytes, one->size) == 0) {
            return one->name;
        }
    }
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (memmem(bytes, size, texts[i].mark, strlen(texts[i].mark)) != NULL) {
            return texts[i].name;
        }
    }
    return NULL;
}
