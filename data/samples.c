/* Restoring a training's view of its samples, and opening files in it. */
#include "data/samples.h"

#include <stdlib.h>
#include <string.h>

#include "data/samples_csv.h"
#include "data/set.h"

/* --- what a sample is ------------------------------------------------------------------------- */

static void describe(ty_dataset *set, const ty_fitted *fitted) {
    ty_fitted_describe(fitted, &set->info);
    set->content.is_classification = fitted->is_classification;
    set->content.n_outputs = fitted->n_outputs;
}

static ty_status restore(ty_ctx *ctx, const char *state, ty_dataset *set) {
    uint8_t digest[TY_SHA256_BYTES];
    set->fitted = ty_arena_alloc(&set->arena, sizeof *set->fitted);
    set->state = ty_arena_string(&set->arena, state);
    if (!set->fitted || !set->state)
        return ty_fail_nomem(ctx, "the state of the training's data");
    TY_TRY(ty_fitted_read(ctx, state, &set->arena, set->fitted));
    TY_TRY(ty_sha256_of(ctx, state, strlen(state), digest));
    describe(set, set->fitted);
    ty_sha256_to_hex(digest, set->info.fingerprint);
    set->info.name = set->info.source = "the training's data";
    return TY_OK;
}

ty_status ty_dataset_restore(ty_ctx *ctx, const char *state, ty_dataset **out) {
    ty_dataset *set = calloc(1, sizeof *set);
    if (!set)
        return ty_fail_nomem(ctx, "a data set");
    const ty_status st = restore(ctx, state, set);
    if (st != TY_OK) {
        ty_dataset_close(set);
        return st;
    }
    *out = set;
    return TY_OK;
}

/* --- files ------------------------------------------------------------------------------------ */

static void add_shape(ty_text *out, bool is_u8, int rank, const int64_t dims[]) {
    ty_text_addf(out, "%s [", is_u8 ? "u8" : "f32");
    for (int d = 0; d < rank; d++)
        ty_text_addf(out, "%s%lld", d ? "," : "", (long long)dims[d]);
    ty_text_add(out, "]");
}

/* The file's own shape against the training's. */
static ty_status check_shape(ty_ctx *ctx, const char *path, const ty_content *content,
                             const ty_fitted *fitted) {
    if (content->x_is_u8 == fitted->x_is_u8 && content->x_rank == fitted->x_rank &&
        memcmp(content->x_dims, fitted->x_dims, sizeof content->x_dims) == 0)
        return TY_OK;
    ty_text text = {0};
    ty_text_add(&text, "the model wants samples ");
    add_shape(&text, fitted->x_is_u8, fitted->x_rank, fitted->x_dims);
    ty_text_add(&text, ", the file has ");
    add_shape(&text, content->x_is_u8, content->x_rank, content->x_dims);
    const ty_status st = ty_fail(ctx, TY_ERR_DATA, "%s: %s", path, ty_text_string(&text));
    ty_text_clear(&text);
    return st;
}

static ty_status open_arrays(ty_ctx *ctx, const ty_fitted *fitted,
                             const ty_samples_options *options, ty_dataset *set) {
    if (!set->reader->open_samples)
        return ty_fail(ctx, TY_ERR_DATA, "%s: samples cannot be read from %s", options->path,
                       set->reader->format);
    if (fitted->columns)
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s is %s, but the model was trained on columns of a table: want CSV",
                       options->path, set->reader->format);
    if (options->n_keep > 0)
        return ty_fail(ctx, TY_ERR_ARG, "%s is %s: columns can be kept of CSV only", options->path,
                       set->reader->format);
    TY_TRY(set->reader->open_samples(ctx, options->features, options->path, &set->content));
    return check_shape(ctx, options->path, &set->content, fitted);
}

static ty_status choose_reader(ty_ctx *ctx, const ty_samples_options *options, ty_dataset *set) {
    const ty_data_config any = {0};
    const ty_data_place place = {.path = options->path, .source = options->path};
    struct stat info;
    set->reader = &ty_samples_csv;
    if (strcmp(options->path, "-") == 0)
        return TY_OK;
    TY_TRY(ty_file_stat(ctx, options->path, &info));
    if (S_ISDIR(info.st_mode))
        return ty_fail(ctx, TY_ERR_DATA, "%s is a folder, want a file", options->path);
    TY_TRY(ty_reader_choose(ctx, &any, &place, &set->reader));
    if (set->reader == &ty_reader_csv)
        set->reader = &ty_samples_csv;
    return TY_OK;
}

static ty_status open_file(ty_ctx *ctx, const ty_fitted *fitted, const ty_samples_options *options,
                           ty_dataset *set) {
    set->content.arena = &set->arena;
    set->shuffle_window = TY_AUTO;
    describe(set, fitted);
    const bool is_stream = strcmp(options->path, "-") == 0;
    set->info.source = set->info.name =
        is_stream ? "standard input" : ty_arena_string(&set->arena, options->path);
    if (!set->info.source)
        return ty_fail_nomem(ctx, "a path");
    TY_TRY(choose_reader(ctx, options, set));
    const bool is_csv = set->reader == &ty_samples_csv;
    TY_TRY(is_csv ? ty_samples_csv_open(ctx, fitted, options, &set->content)
                  : open_arrays(ctx, fitted, options, set));
    const int64_t n = set->content.count[TY_SPLIT_TEST];
    set->content.x_count = fitted->x_count;
    set->info.count[TY_SPLIT_TEST] = n;
    set->map[TY_SPLIT_TEST] = (ty_split_map){.part = TY_SPLIT_TEST, .count = n};
    set->wants_finite = !is_csv && !fitted->x_is_u8;
    return TY_OK;
}

ty_status ty_samples_open(ty_ctx *ctx, const ty_dataset *fitted, const ty_samples_options *options,
                          ty_dataset **out) {
    if (!fitted->fitted || options->n_keep > TY_SAMPLES_MAX_KEPT)
        return ty_fail(ctx, TY_ERR_ARG, "want a restored data set and at most %d columns to keep",
                       TY_SAMPLES_MAX_KEPT);
    ty_dataset *set = calloc(1, sizeof *set);
    if (!set)
        return ty_fail_nomem(ctx, "a file's samples");
    const ty_status st = open_file(ctx, fitted->fitted, options, set);
    if (st != TY_OK) {
        ty_dataset_close(set);
        return st;
    }
    *out = set;
    return TY_OK;
}

const char *ty_samples_kept(const ty_dataset *set, int64_t index, int column) {
    return ty_samples_csv_kept(&set->content, index, column);
}
