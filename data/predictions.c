/* Opening, publishing and giving up a file of predictions. */
#include "data/predictions_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/maths.h"

const char *const ty_predictions_formats[] = {"csv", "jsonl", "hdf5", NULL};

static const ty_predictions_writer *const writers[TY_PREDICTIONS_FORMATS] = {
    [TY_PREDICTIONS_CSV] = &ty_predictions_text,
    [TY_PREDICTIONS_JSONL] = &ty_predictions_text,
    [TY_PREDICTIONS_HDF5] = &ty_predictions_hdf5};

bool ty_predictions_format_of(const char *path, ty_predictions_format *out) {
    static const struct {
        const char *ending;
        ty_predictions_format format;
    } endings[] = {{".csv", TY_PREDICTIONS_CSV},
                   {".jsonl", TY_PREDICTIONS_JSONL},
                   {".ndjson", TY_PREDICTIONS_JSONL},
                   {".h5", TY_PREDICTIONS_HDF5},
                   {".hdf5", TY_PREDICTIONS_HDF5}};
    const size_t length = strlen(path);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        const size_t bytes = strlen(endings[i].ending);
        if (length > bytes && strcmp(path + length - bytes, endings[i].ending) == 0) {
            *out = endings[i].format;
            return true;
        }
    }
    return false;
}

int64_t ty_predictions_class(const float *logits, int64_t n) {
    int64_t best = 0;
    for (int64_t k = 1; k < n; k++)
        if (logits[k] > logits[best])
            best = k;
    return best;
}

void ty_predictions_softmax(const float *logits, int64_t n, float *out) {
    const float max = logits[ty_predictions_class(logits, n)];
    double sum = 0;
    for (int64_t k = 0; k < n; k++)
        sum += ty_maths_exp_negative((double)logits[k] - (double)max);
    for (int64_t k = 0; k < n; k++)
        out[k] = (float)(ty_maths_exp_negative((double)logits[k] - (double)max) / sum);
}

/* --- opening ---------------------------------------------------------------------------------- */

static ty_status check(ty_ctx *ctx, const ty_predictions_options *o, const ty_data_info *info) {
    const bool is_hdf5 = o->format == TY_PREDICTIONS_HDF5;
    if (!info->is_classification && (o->has_probabilities || o->has_logits))
        return ty_fail(ctx, TY_ERR_ARG,
                       "the model predicts numbers: there are no probabilities or logits of them");
    if (is_hdf5 && !o->path)
        return ty_fail(ctx, TY_ERR_ARG, "HDF5 cannot be written to standard output");
    if (is_hdf5 && o->n_keep > 0)
        return ty_fail(ctx, TY_ERR_ARG, "columns can be kept in CSV and JSONL, not in HDF5");
    return TY_OK;
}

static ty_status start(ty_ctx *ctx, ty_predictions *to) {
    const char *path = to->options.path;
    if (path) {
        TY_TRY(ty_file_sweep_temps(ctx, path));
        TY_TRY(ty_file_open_temp(ctx, path, &to->arena, &to->temp, &to->fd));
    } else {
        to->fd = 1;
    }
    return to->writer->open(ctx, to);
}

ty_status ty_predictions_open(ty_ctx *ctx, const ty_predictions_options *options,
                              ty_predictions **out) {
    TY_TRY(check(ctx, options, ty_dataset_info(options->samples)));
    ty_predictions *to = calloc(1, sizeof *to);
    if (!to)
        return ty_fail_nomem(ctx, "predictions");
    to->options = *options;
    to->info = ty_dataset_info(options->samples);
    to->writer = writers[options->format];
    to->name = options->path ? options->path : "standard output";
    to->fd = -1;
    const ty_status st = start(ctx, to);
    if (st != TY_OK) {
        ty_predictions_close(ctx, to);
        return st;
    }
    *out = to;
    return TY_OK;
}

/* --- rows ------------------------------------------------------------------------------------- */

ty_status ty_predictions_block(ty_ctx *ctx, ty_predictions *to, int slot, int64_t first, int64_t n,
                               const float *outputs) {
    return to->writer->block(ctx, to, slot, first, n, outputs);
}

ty_status ty_predictions_flush(ty_ctx *ctx, ty_predictions *to, int n_slots) {
    return to->writer->flush ? to->writer->flush(ctx, to, n_slots) : TY_OK;
}

bool ty_predictions_is_unread(const ty_predictions *to) {
    return to->is_unread;
}

/* --- the end ---------------------------------------------------------------------------------- */

ty_status ty_predictions_publish(ty_ctx *ctx, ty_predictions *to) {
    if (!to->temp)
        return TY_OK;
    TY_TRY(ty_file_sync(ctx, to->temp, to->fd));
    const int fd = to->fd;
    to->fd = -1;
    TY_TRY(ty_file_close(ctx, to->temp, fd));
    TY_TRY(ty_file_publish(ctx, to->temp, to->options.path));
    to->is_published = true;
    return TY_OK;
}

void ty_predictions_close(ty_ctx *ctx, ty_predictions *to) {
    if (!to)
        return;
    if (to->temp && to->fd >= 0)
        (void)ctx->io->close(ctx->io->self, to->fd);
    if (to->temp && !to->is_published)
        (void)ctx->io->unlink(ctx->io->self, to->temp);
    if (to->self)
        to->writer->close(to);
    ty_arena_clear(&to->arena);
    free(to);
}
