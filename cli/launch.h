/* `-n N`: this process stays the parent and starts the ranks through mpirun.
 *
 * mpirun gets a process group of its own, so that Ctrl-C reaches us alone: we turn it, and SIGTERM,
 * into SIGUSR1, which mpirun forwards without ending the job (on SIGINT it would kill everybody
 * after two seconds), and answer with the code of the signal that came. Whether there is a terminal
 * and how wide is passed on in the environment. */
#ifndef TY_CLI_LAUNCH_H
#define TY_CLI_LAUNCH_H

#include "cli/cli.h"

enum { LAUNCH_MAX_RANKS = 1024 };

/* This very program, also where its file was replaced or deleted since: for a child of ours to become. */
#define LAUNCH_SELF "/proc/self/exe"

/* Where this program lies, for its argv[0] and for mpirun; a file that was replaced is its successor's
 * place. In arena; NULL: no memory, or no such place. */
char *launch_path(ty_arena *arena);

/* Runs this very command line on n ranks and returns the job's status.
 * Errors: TY_ERR_COMM where mpirun is missing, naming the package. */
ty_status launch_ranks(cli *app, int n) TY_MUST_USE;

/* The same with --enable-recovery: a rank that dies does not end the others. mpirun says nothing about
 * the end then, rank 0 has to.
 * Errors: TY_ERR_COMM also where it did not. */
ty_status launch_surviving_ranks(cli *app, int n) TY_MUST_USE;

/* Rank 0's word about the end, for a parent of that kind; does nothing where there is none. */
void launch_tell_outcome(ty_ctx *ctx, ty_status st);

#endif
