/*
 * One operation in a process of its own, for tests that kill it or make its system calls fail.
 * Not a test itself: tests/kill/driver.c and tests/fault/driver.c are this with a main().
 */
#ifndef BK_TESTS_DRIVE_H
#define BK_TESTS_DRIVE_H

/*
 * PROGRAM OPERATION ARGS OPTION=VALUE...: opens a keeper with these options, runs the operation
 * ("-": only opens), prints its done event, shuts down. 0, 1 when it failed, 2 when the keeper did
 * not open (its error is printed as a done event, too), 64 on wrong arguments.
 */
int drive(int argc, char **argv);

#endif
