/* A run of the embedded store that was there before us: its artifacts lie where whoever made it wants
 * them, so what we publish appears there, too. */
#ifndef TY_TRACKING_STORE_GUEST_H
#define TY_TRACKING_STORE_GUEST_H

#include "tracking/store/store.h"

/* Makes an artifact of run_folder ("artifacts/..."; NULL: all there are) one of the run in the
 * store. What cannot be done is logged: it still lies in run_folder. */
void ty_guest_publish(ty_ctx *ctx, ty_store *store, const char *run_id, const char *run_folder,
                      const char *artifact);

#endif
