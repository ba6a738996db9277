#include "trainer/feed.h"

#include <stdlib.h>
#include <string.h>

/* What a batch consists of, by position. */
enum { X, Y, WEIGHT, SAMPLE, N_PARTS, N_PLACES = 2 };

typedef struct place {
    const void *host[N_PARTS]; /* the loader's, or pinned */
    void *device[N_PARTS];     /* GPU only */
} place;

struct ty_feed {
    ty_device *dev;
    size_t row_bytes[N_PARTS];
    int64_t rows;
    bool copies;
    int sent, turned; /* index of the place, modulo N_PLACES */
    place places[N_PLACES];
};

/* Bytes of one row of an input of the graph. */
static size_t row_bytes(const ty_graph *graph, int value) {
    const ty_value *v = &graph->values[value];
    return (size_t)(ty_shape_count(v->shape) / graph->rows) * ty_dtype_bytes(v->dtype);
}

/* Host memory is written by send alone, so that everybody else sees it const. */
static ty_status open_part(ty_ctx *ctx, ty_feed *feed, place *to, int part) {
    const size_t bytes = feed->row_bytes[part] * (size_t)feed->rows;
    void *pinned = NULL;
    TY_TRY(ty_device_alloc_host(ctx, feed->dev, bytes, &pinned));
    to->host[part] = pinned;
    return ty_device_alloc(ctx, feed->dev, bytes, &to->device[part]);
}

static ty_status open_places(ty_ctx *ctx, ty_feed *feed) {
    for (int i = 0; i < N_PLACES; i++)
        for (int part = 0; part < N_PARTS; part++)
            TY_TRY(open_part(ctx, feed, &feed->places[i], part));
    return TY_OK;
}

ty_status ty_feed_open(ty_ctx *ctx, ty_device *dev, const ty_graph *graph, int64_t rows,
                       ty_feed **out) {
    ty_feed *feed = calloc(1, sizeof *feed);
    if (!feed)
        return ty_fail_nomem(ctx, "the way of batches");
    *feed = (ty_feed){.dev = dev,
                      .rows = rows,
                      .copies = ty_device_describe(dev)->kind != TY_DEVICE_IS_CPU,
                      .row_bytes = {[X] = row_bytes(graph, graph->x),
                                    [Y] = row_bytes(graph, graph->target),
                                    [WEIGHT] = sizeof(float),
                                    [SAMPLE] = sizeof(int64_t)}};
    const ty_status st = feed->copies ? open_places(ctx, feed) : TY_OK;
    if (st != TY_OK) {
        ty_feed_close(feed);
        return st;
    }
    *out = feed;
    return TY_OK;
}

static void *writable(const void *pinned) {
    void *memory;
    memcpy(&memory, &pinned, sizeof memory);
    return memory;
}

void ty_feed_close(ty_feed *feed) {
    if (!feed)
        return;
    for (int i = 0; i < N_PLACES && feed->copies; i++) {
        for (int part = 0; part < N_PARTS; part++) {
            ty_device_free(feed->dev, feed->places[i].device[part]);
            ty_device_free_host(feed->dev, writable(feed->places[i].host[part]));
        }
    }
    free(feed);
}

bool ty_feed_copies(const ty_feed *feed) {
    return feed->copies;
}

static ty_status copy_part(ty_ctx *ctx, const ty_feed *feed, const place *to, int part,
                           const void *from) {
    const size_t bytes = feed->row_bytes[part] * (size_t)feed->rows;
    memcpy(writable(to->host[part]), from, bytes);
    return ty_device_copy(ctx, feed->dev, TY_QUEUE_COPY_IN, TY_COPY_IN, to->device[part],
                          to->host[part], bytes);
}

ty_status ty_feed_send(ty_ctx *ctx, ty_feed *feed, const ty_batch *batch) {
    const void *const parts[N_PARTS] = {
        [X] = batch->x, [Y] = batch->y, [WEIGHT] = batch->weight, [SAMPLE] = batch->sample};
    feed->sent = (feed->sent + 1) % N_PLACES;
    place *to = &feed->places[feed->sent];
    if (!feed->copies) {
        memcpy(to->host, parts, sizeof parts);
        return TY_OK;
    }
    for (int part = 0; part < N_PARTS; part++)
        TY_TRY(copy_part(ctx, feed, to, part, parts[part]));
    return TY_OK;
}

ty_status ty_feed_turn(ty_ctx *ctx, ty_feed *feed) {
    feed->turned = feed->sent;
    return ty_device_order(ctx, feed->dev, TY_QUEUE_COPY_IN, TY_QUEUE_COMPUTE);
}

static ty_status part_rows(ty_ctx *ctx, const ty_feed *feed, const ty_plan *plan, int part,
                           void *to, int64_t first_row) {
    const place *from = &feed->places[feed->turned];
    const size_t skip = feed->row_bytes[part] * (size_t)first_row;
    const void *base = feed->copies ? from->device[part] : from->host[part];
    return ty_device_copy(ctx, plan->dev, TY_QUEUE_COMPUTE,
                          feed->copies ? TY_COPY_WITHIN : TY_COPY_IN, to, (const char *)base + skip,
                          feed->row_bytes[part] * (size_t)plan->graph->rows);
}

ty_status ty_feed_rows(ty_ctx *ctx, const ty_feed *feed, const ty_plan *plan, int64_t first_row) {
    const ty_graph *graph = plan->graph;
    void *const to[N_PARTS] = {[X] = plan->values[graph->x].data,
                               [Y] = plan->values[graph->target].data,
                               [WEIGHT] = plan->values[graph->weight].data,
                               [SAMPLE] = plan->sample_ids};
    for (int part = 0; part < N_PARTS; part++)
        TY_TRY(part_rows(ctx, feed, plan, part, to[part], first_row));
    return TY_OK;
}

const float *ty_feed_weights(const ty_feed *feed) {
    return feed->places[feed->turned].host[WEIGHT];
}

const void *ty_feed_targets(const ty_feed *feed) {
    return feed->places[feed->turned].host[Y];
}
