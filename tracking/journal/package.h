/* A model that can leave: a folder inside the run's with all its files. Once it is told nothing in it
 * changes, so its record names each file with what it weighs and what it hashes to. */
#ifndef TY_TRACKING_JOURNAL_PACKAGE_H
#define TY_TRACKING_JOURNAL_PACKAGE_H

#include "tracking/journal/record.h"

enum { TY_PACKAGE_MAX_FILES = 1000, TY_PACKAGE_MAX_DEPTH = 8 };

/* Completes a PACKAGE record whose folder is as the event told it: the folder becomes relative to
 * run_folder, its files are listed. In arena.
 * Errors: TY_ERR_ARG a folder outside of the run's, no files, too many, a name that no artifact may
 * have; TY_ERR_NOT_FOUND, TY_ERR_IO. */
ty_status ty_package_take_in(ty_ctx *ctx, const char *run_folder, ty_arena *arena,
                             ty_track_record *record) TY_MUST_USE;

#endif
