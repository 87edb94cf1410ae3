/*
 * The process whose clock tests/clock/run sets: one operation of a keeper.
 * Not a test: it says nothing about what it finds. See tests/support/drive.h.
 */
#include "drive.h"

int main(int argc, char **argv) {
    return drive(argc, argv);
}
