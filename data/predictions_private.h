/* What predictions*.c share. */
#ifndef TY_DATA_PREDICTIONS_PRIVATE_H
#define TY_DATA_PREDICTIONS_PRIVATE_H

#include "data/predictions.h"

/* One format. */
typedef struct ty_predictions_writer {
    ty_status (*open)(ty_ctx *ctx, ty_predictions *to); /* to->fd is an empty file, or stdout */
    ty_status (*block)(ty_ctx *ctx, ty_predictions *to, int slot, int64_t first, int64_t n,
                       const float *outputs);
    ty_status (*flush)(ty_ctx *ctx, ty_predictions *to, int n_slots); /* NULL: nothing to do */
    void (*close)(ty_predictions *to);
} ty_predictions_writer;

struct ty_predictions {
    ty_predictions_options options;
    const ty_data_info *info;
    const ty_predictions_writer *writer;
    ty_arena arena;
    const char *name; /* for messages */
    char *temp;       /* NULL: standard output */
    int fd;           /* -1: closed */
    bool is_unread, is_published;
    void *self; /* the writer's, in the arena */
};

extern const ty_predictions_writer ty_predictions_text, ty_predictions_hdf5;

/* The class of the largest logit; of equal ones the first. */
int64_t ty_predictions_class(const float *logits, int64_t n);

#endif
