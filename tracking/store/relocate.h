/* A folder with its store may be moved, copied or mounted elsewhere; MLflow finds artifacts by
 * absolute paths. */
#ifndef TY_TRACKING_STORE_RELOCATE_H
#define TY_TRACKING_STORE_RELOCATE_H

#include "tracking/store/store.h"

/* Points runs whose folders lie under <folder>/runs and <folder>/sweeps, and the places derived from theirs, at where
 * they are now. Runs of others are left alone. A quick look decides whether there is anything to do
 * unless is_thorough.
 * Errors: as the store's. */
ty_status ty_relocate(ty_ctx *ctx, ty_store *store, const char *folder,
                      bool is_thorough) TY_MUST_USE;

/* Calls visit for every run folder with a journal, <folder>/runs/<experiment>/<run>, in the order
 * of their names. Paths are absolute and valid during the visit. */
ty_status ty_each_run(ty_ctx *ctx, const char *folder,
                      ty_status (*visit)(ty_ctx *ctx, void *self, const char *run_folder),
                      void *self) TY_MUST_USE;

/* The same of the runs that are sweeps themselves, <folder>/sweeps/<name>; and of both, those first: they
 * stand above the others. */
ty_status ty_each_sweep(ty_ctx *ctx, const char *folder,
                        ty_status (*visit)(ty_ctx *ctx, void *self, const char *run_folder),
                        void *self) TY_MUST_USE;
ty_status ty_each_journal(ty_ctx *ctx, const char *folder,
                          ty_status (*visit)(ty_ctx *ctx, void *self, const char *run_folder),
                          void *self) TY_MUST_USE;

/* What a journal's first record says of who it is. */
typedef struct ty_run_ids {
    char run_id[33];
    char journal_id[33]; /* under which the store notes how much of the journal it has */
    bool is_guest;       /* the run was there before, and is not the journal's alone */
} ty_run_ids;

void ty_run_ids_read(const ty_track_record *run, ty_run_ids *out);

/* Errors: TY_ERR_INTEGRITY, TY_ERR_IO. */
ty_status ty_run_ids_of(ty_ctx *ctx, const char *run_folder, ty_run_ids *out) TY_MUST_USE;

#endif
