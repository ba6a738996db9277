/* Images by step, as MLflow's UI shows them with a slider: what is taken for what and, where samples
 * are images, the worst mistakes, and at step 0 some of what is trained on. Few, because each is two
 * files, that a server is sent one by one: of an evaluation whose step is at least twice that of the
 * picture before, and of a complete run's last one. */
#ifndef TY_CLI_PICTURES_GALLERY_H
#define TY_CLI_PICTURES_GALLERY_H

#include "tracking/tracking.h"
#include "trainer/trainer.h"

typedef struct gallery {
    ty_ctx *ctx;
    const ty_trainer *trainer;
    const ty_dataset *data;
    const char *folder;  /* the run's artifacts/images */
    ty_observer tracker; /* hears of the files */
    int64_t newest;      /* step of the newest picture of an evaluation; -1: there is none */
    int64_t evaluated;   /* step of the newest evaluation of this sitting; -1 */
    bool has_failed;     /* said once */
} gallery;

/* g is the caller's and lives as long as its observer; all but g is borrowed. A run that goes on
 * goes by the pictures that are there, and draws none again. Rank 0 only. */
void gallery_init(gallery *g, ty_ctx *ctx, const ty_trainer *trainer, const ty_dataset *data,
                  const char *folder, ty_observer tracker);
ty_observer gallery_observer(gallery *g);

/* The run is complete: the last evaluation is shown, before another one takes its place. */
void gallery_finish(gallery *g); /* accepts a zeroed one */

/* Whether an evaluation has a picture, where the newest one is of that step, or -1. */
bool gallery_is_due(int64_t step, int64_t newest);

/* "mistakes+step+211+timestamp+1790000000000+z0123...": what MLflow's UI reads; key has no
 * slash. (The % that it took before does not pass its own proxy: %20 becomes a space there.) The
 * name's last part is a hash of the rest. In arena; NULL: no memory. */
char *gallery_name(ty_arena *arena, const char *key, int64_t step, int64_t time_ns);

#endif
