/* Batches on their way to the device. On a GPU a batch is copied into pinned memory and from there on
 * the COPY_IN queue into one of two places, so that the next one travels while this one is computed
 * on. On the CPU rows are read where the loader put them. */
#ifndef TY_TRAINER_FEED_H
#define TY_TRAINER_FEED_H

#include "data/data.h"
#include "trainer/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_feed ty_feed;

/* rows: of one batch. graph: whose inputs the batches are; borrowed, as dev is.
 * Errors: TY_ERR_NOMEM, TY_ERR_DEVICE. */
ty_status ty_feed_open(ty_ctx *ctx, ty_device *dev, const ty_graph *graph, int64_t rows,
                       ty_feed **out) TY_MUST_USE;
void ty_feed_close(ty_feed *feed); /* accepts NULL */

/* Whether send copies: its batch may be given back to the loader at once, and the next may be sent
 * while this one is in use. */
bool ty_feed_copies(const ty_feed *feed);

/* Starts a batch on its way. Two batches after a batch was turned to, its place is used again: all
 * work that reads it has to be done by then. */
ty_status ty_feed_send(ty_ctx *ctx, ty_feed *feed, const ty_batch *batch) TY_MUST_USE;

/* From now on rows come from the batch that was sent last; work queued on COMPUTE waits for it. */
ty_status ty_feed_turn(ty_ctx *ctx, ty_feed *feed) TY_MUST_USE;

/* Queues the copy of the plan's rows, from first_row of the batch on, into its inputs. Any lane. */
ty_status ty_feed_rows(ty_ctx *ctx, const ty_feed *feed, const ty_plan *plan,
                       int64_t first_row) TY_MUST_USE;

/* Of the batch turned to, on the host: [rows] sample weights; y as the loader had it. */
const float *ty_feed_weights(const ty_feed *feed);
const void *ty_feed_targets(const ty_feed *feed);

#ifdef __cplusplus
}
#endif
#endif
