#include "cli/models/shards.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const endings[TY_PREDICTIONS_FORMATS] = {[TY_PREDICTIONS_CSV] = ".csv",
                                                            [TY_PREDICTIONS_JSONL] = ".jsonl",
                                                            [TY_PREDICTIONS_HDF5] = ".h5"};

static bool is_folder(ty_ctx *ctx, const char *path) {
    struct stat info;
    return ty_file_exists(ctx, path) && ty_file_stat(ctx, path, &info) == TY_OK &&
           S_ISDIR(info.st_mode);
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_same_file(ty_ctx *ctx, const char *a, const char *b) {
    struct stat left, right;
    return ty_file_exists(ctx, a) && ty_file_exists(ctx, b) &&
           ty_file_stat(ctx, a, &left) == TY_OK && ty_file_stat(ctx, b, &right) == TY_OK &&
           left.st_dev == right.st_dev && left.st_ino == right.st_ino;
}

/* --- inputs ----------------------------------------------------------------------------------- */

typedef struct list {
    ty_arena *arena;
    const char *output; /* as given; NULL: standard output */
    shard *v;
    int64_t n, capacity;
} list;

static ty_status add_input(ty_ctx *ctx, list *to, const char *input) {
    if (to->n == to->capacity) {
        const int64_t capacity = to->capacity ? to->capacity * 2 : 16;
        shard *larger = ty_arena_array(to->arena, (size_t)capacity, sizeof *larger);
        if (!larger)
            return ty_fail_nomem(ctx, "the list of inputs");
        if (to->n > 0)
            memcpy(larger, to->v, (size_t)to->n * sizeof *larger);
        to->v = larger;
        to->capacity = capacity;
    }
    to->v[to->n++] = (shard){.input = input};
    return TY_OK;
}

/* The files of a folder, sorted by name; hidden ones and folders are none of them. */
static ty_status add_folder(ty_ctx *ctx, list *to, const char *folder) {
    char **names = NULL;
    size_t n = 0;
    const int64_t before = to->n;
    TY_TRY(ty_dir_list(ctx, folder, to->arena, &names, &n));
    for (size_t i = 0; i < n; i++) {
        const char *path = ty_path_join(to->arena, folder, names[i]);
        if (!path)
            return ty_fail_nomem(ctx, "the list of inputs");
        if (names[i][0] != '.' && !is_folder(ctx, path))
            TY_TRY(add_input(ctx, to, path));
    }
    return to->n > before ? TY_OK : ty_fail(ctx, TY_ERR_DATA, "%s has no files", folder);
}

static ty_status add_word(ty_ctx *ctx, list *to, const char *word) {
    if (strcmp(word, "-") == 0 || !is_folder(ctx, word))
        return add_input(ctx, to, word);
    if (to->output && is_same_file(ctx, word, to->output))
        return ty_fail(
            ctx, TY_ERR_ARG,
            "--output %s is the folder of the inputs: what is written there would be taken "
            "for one",
            to->output);
    return add_folder(ctx, to, word);
}

static ty_status gather(cli *app, list *to) {
    const args *a = &app->args;
    for (int i = 0; i < a->n_options; i++)
        if (strcmp(a->option[i].row->name, "input") == 0)
            TY_TRY(add_word(&app->ctx, to, a->option[i].value));
    if (to->n == 0)
        return ty_fail(&app->ctx, TY_ERR_ARG,
                       "--input is missing: a file, several, a folder of them, or - for standard "
                       "input");
    for (int i = 1; i < a->n_operands; i++)
        TY_TRY(add_word(&app->ctx, to, a->operand[i]));
    for (int64_t i = 0; i < to->n && to->n > 1; i++)
        if (strcmp(to->v[i].input, "-") == 0)
            return ty_fail(&app->ctx, TY_ERR_ARG, "standard input has to be the only input");
    return TY_OK;
}

/* --- outputs ---------------------------------------------------------------------------------- */

static ty_status choose_format(cli *app, const char *output, ty_predictions_format *out) {
    const char *name = args_value(&app->args, "format");
    for (int i = 0; name && ty_predictions_formats[i]; i++) {
        if (strcmp(ty_predictions_formats[i], name) == 0) {
            *out = (ty_predictions_format)i;
            return TY_OK;
        }
    }
    if (name)
        return ty_fail(&app->ctx, TY_ERR_ARG, "--format is \"%s\", want csv, jsonl or hdf5", name);
    *out = TY_PREDICTIONS_CSV;
    if (!output || ty_predictions_format_of(output, out))
        return TY_OK;
    return ty_fail(
        &app->ctx, TY_ERR_ARG,
        "--output %s ends in none of .csv, .jsonl, .ndjson, .h5 and .hdf5: --format says "
        "what it is",
        output);
}

/* The input's name without the endings of data files: part-07 of part-07.csv.gz. */
static char *stem_of(ty_arena *arena, const char *input) {
    static const char *const known[] = {".gz",   ".csv", ".tsv",   ".txt", ".h5",
                                        ".hdf5", ".idx", ".ubyte", NULL};
    const char *name = strcmp(input, "-") == 0 ? "stdin" : base_name(input);
    size_t length = strlen(name);
    for (int i = 0; known[i]; i++) {
        const size_t bytes = strlen(known[i]);
        if (length > bytes && strncmp(name + length - bytes, known[i], bytes) == 0)
            length -= bytes;
    }
    return ty_arena_string_n(arena, name, length);
}

static ty_status name_output(ty_ctx *ctx, ty_arena *arena, const char *folder, shard *s) {
    const char *stem = stem_of(arena, s->input);
    const char *name = stem ? ty_arena_printf(arena, "%s%s", stem, endings[s->format]) : NULL;
    s->output = name ? ty_path_join(arena, folder, name) : NULL;
    return s->output ? TY_OK : ty_fail_nomem(ctx, "an output's name");
}

static int by_output(const void *a, const void *b) {
    return strcmp(((const shard *)a)->output, ((const shard *)b)->output);
}

static ty_status check_outputs(ty_ctx *ctx, const list *all) {
    shard *sorted = ty_arena_array(all->arena, (size_t)all->n, sizeof *sorted);
    if (!sorted)
        return ty_fail_nomem(ctx, "the list of outputs");
    memcpy(sorted, all->v, (size_t)all->n * sizeof *sorted);
    qsort(sorted, (size_t)all->n, sizeof *sorted, by_output);
    for (int64_t i = 0; i < all->n; i++) {
        if (i > 0 && by_output(&sorted[i - 1], &sorted[i]) == 0)
            return ty_fail(ctx, TY_ERR_ARG, "%s and %s would both become %s", sorted[i - 1].input,
                           sorted[i].input, sorted[i].output);
        if (strcmp(sorted[i].input, "-") != 0 &&
            is_same_file(ctx, sorted[i].input, sorted[i].output))
            return ty_fail(ctx, TY_ERR_ARG, "%s would overwrite its own input", sorted[i].output);
    }
    return TY_OK;
}

/* Into a folder, each under its own name. */
static ty_status use_folder(cli *app, list *all, const char *folder) {
    ty_predictions_format format, unused;
    if (!is_folder(&app->ctx, folder) && ty_predictions_format_of(folder, &unused))
        return ty_fail(&app->ctx, TY_ERR_ARG,
                       "--output %s is the name of one file, but there are %lld inputs: want a "
                       "folder",
                       folder, (long long)all->n);
    TY_TRY(choose_format(app, NULL, &format));
    for (int64_t i = 0; i < all->n; i++) {
        all->v[i].format = format;
        TY_TRY(name_output(&app->ctx, all->arena, folder, &all->v[i]));
    }
    return check_outputs(&app->ctx, all);
}

ty_status shards_plan(cli *app, ty_arena *arena, shards *out) {
    const char *output = args_value(&app->args, "output");
    list all = {.arena = arena, .output = output};
    TY_TRY(gather(app, &all));
    const bool is_into_folder =
        output && (all.n > 1 || output[strlen(output) - (*output != '\0')] == '/' ||
                   is_folder(&app->ctx, output));
    if (output && !*output)
        return ty_fail(&app->ctx, TY_ERR_ARG, "--output is empty, want a file or a folder");
    if (!output && all.n > 1)
        return ty_fail(&app->ctx, TY_ERR_ARG,
                       "there are %lld inputs: --output has to name a folder for what becomes of "
                       "them",
                       (long long)all.n);
    if (is_into_folder) {
        TY_TRY(use_folder(app, &all, output));
    } else {
        all.v[0].output = output;
        TY_TRY(choose_format(app, output, &all.v[0].format));
        if (output)
            TY_TRY(check_outputs(&app->ctx, &all));
    }
    *out = (shards){.v = all.v, .n = all.n, .folder = is_into_folder ? output : NULL};
    return TY_OK;
}

/* --- origins ---------------------------------------------------------------------------------- */

static ty_status hash_file(ty_ctx *ctx, const char *path, char out[33]) {
    enum { PIECE_BYTES = 1 << 20 };
    struct stat info;
    ty_hash_stream *hash = NULL;
    char *piece = NULL;
    int fd = -1;
    ty_status st = TY_OK;
    TY_TRY(ty_file_stat(ctx, path, &info));
    if (!S_ISREG(info.st_mode))
        return ty_fail(ctx, TY_ERR_DATA, "%s is not a regular file", path);
    TY_TRY_GOTO(done, st, ty_hash_stream_open(ctx, &hash));
    TY_TRY_GOTO(done, st, ty_file_open(ctx, path, O_RDONLY, 0, &fd));
    if (!(piece = malloc(PIECE_BYTES)))
        TY_TRY_GOTO(done, st, ty_fail_nomem(ctx, "a file's hash"));
    for (int64_t at = 0; at < (int64_t)info.st_size; at += PIECE_BYTES) {
        const int64_t left = (int64_t)info.st_size - at;
        const size_t bytes = left < PIECE_BYTES ? (size_t)left : (size_t)PIECE_BYTES;
        TY_TRY_GOTO(done, st, ty_file_pread(ctx, path, fd, piece, bytes, at));
        ty_hash_stream_update(hash, piece, bytes);
    }
    const ty_hash128 found = ty_hash_stream_finish(hash);
    (void)snprintf(out, 33, "%016llx%016llx", (unsigned long long)found.high,
                   (unsigned long long)found.low);
done:
    if (fd >= 0)
        (void)ctx->io->close(ctx->io->self, fd); /* only read from: nothing can be lost */
    free(piece);
    ty_hash_stream_close(hash);
    return st;
}

/* What the origin of the output as it lies there has to say. */
static ty_status origin_text(ty_ctx *ctx, const shard *s, const shard_origin *origin,
                             ty_text *out) {
    char output[33];
    TY_TRY(hash_file(ctx, s->output, output));
    ty_text_add(out, "{\"format\": 1, \"model\": ");
    ty_text_add_json(out, origin->model);
    ty_text_addf(out, ", \"input\": \"%s\", \"options\": ", origin->input);
    ty_text_add_json(out, origin->options);
    ty_text_addf(out, ", \"output\": \"%s\"}\n", output);
    return out->is_short ? ty_fail_nomem(ctx, "an output's origin") : TY_OK;
}

static char *origin_path(ty_arena *arena, const shard *s) {
    char *folder = ty_path_folder(arena, s->output);
    char *name = ty_arena_printf(arena, ".%s.origin", base_name(s->output));
    return folder && name ? ty_path_join(arena, folder, name) : NULL;
}

static ty_status compare(ty_ctx *ctx, const shard *s, const shard_origin *origin,
                         bool *is_complete) {
    enum { MOST_BYTES = 64 * 1024 };
    ty_text want = {0};
    char *found = NULL;
    size_t bytes = 0;
    const char *path = origin_path(&ctx->scratch, s);
    if (!path)
        return ty_fail_nomem(ctx, "an origin's name");
    if (!ty_file_exists(ctx, s->output) || !ty_file_exists(ctx, path))
        return TY_OK;
    ty_status st = origin_text(ctx, s, origin, &want);
    if (st == TY_OK && ty_file_read_all(ctx, path, MOST_BYTES, &found, &bytes) == TY_OK)
        *is_complete = strcmp(found, ty_text_string(&want)) == 0;
    free(found);
    ty_text_clear(&want);
    return st;
}

ty_status shard_look(ty_ctx *ctx, const shard *s, shard_origin *origin, bool *is_complete) {
    *is_complete = false;
    origin->input[0] = '\0';
    if (strcmp(s->input, "-") == 0 || !s->output)
        return TY_OK;
    TY_TRY(hash_file(ctx, s->input, origin->input));
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const ty_status st = compare(ctx, s, origin, is_complete);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

static ty_status write_origin(ty_ctx *ctx, const shard *s, const shard_origin *origin) {
    ty_text text = {0};
    const char *path = origin_path(&ctx->scratch, s);
    ty_status st = path ? origin_text(ctx, s, origin, &text) : ty_fail_nomem(ctx, "an origin");
    if (st == TY_OK)
        st = ty_file_sweep_temps(ctx, path);
    if (st == TY_OK)
        st = ty_file_write_atomic(ctx, path, ty_text_string(&text), text.length);
    ty_text_clear(&text);
    return st;
}

ty_status shard_note(ty_ctx *ctx, const shard *s, const shard_origin *origin) {
    if (strcmp(s->input, "-") == 0 || !s->output)
        return TY_OK;
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const ty_status st = write_origin(ctx, s, origin);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}
