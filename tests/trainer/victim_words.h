/* Where each rank is to have said why it fails before the job ends: mpirun ends all with the first that does.
 * FOLDER/said.R is there once rank R has said all that it will. */
#ifndef TY_TESTS_TRAINER_VICTIM_WORDS_H
#define TY_TESTS_TRAINER_VICTIM_WORDS_H

#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "trainer/comm.h"

static inline const char *victim_words_path(const char *folder, int rank, char path[512]) {
    (void)snprintf(path, 512, "%s/said.%d", folder, rank);
    return path;
}

static inline void victim_has_said(const char *folder, int rank) {
    char path[512];
    FILE *file = fopen(victim_words_path(folder, rank, path), "w");
    if (file)
        (void)fclose(file);
}

static inline bool victims_have_said(const char *folder, const ty_comm *comm) {
    char path[512];
    for (int rank = 0; rank < ty_comm_size(comm); rank++) {
        if (access(victim_words_path(folder, rank, path), F_OK) != 0 &&
            !ty_comm_is_gone(comm, rank))
            return false;
    }
    return true;
}

/* Until all who live have, at most 5 s for one that is stopped, and then until mpirun has passed it on. */
static inline void victim_waits_for_words(const char *folder, const ty_comm *comm) {
    const struct timespec look = {.tv_nsec = 10000000}, passing = {.tv_nsec = 700000000};
    victim_has_said(folder, ty_comm_rank(comm));
    for (int i = 0; i < 500 && !victims_have_said(folder, comm); i++)
        (void)nanosleep(&look, NULL);
    (void)nanosleep(&passing, NULL);
}

#endif
