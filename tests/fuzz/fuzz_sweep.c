/* Arbitrary bytes as a sweep file, in JSON ('j' in front) or YAML ('y'), or as an expression ('e'). What is
 * read is a space whose points are legal and survive JSON, and reads to the same sweep again. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/hpo.h"
#include "tests/fuzz/memory_io.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The sweep file, read from its beginning; what "extends" names is not there. */
typedef struct one_file {
    memory_file file;
    off_t at;
} one_file;

static ssize_t read_one(void *self, int fd, void *data, size_t bytes) {
    one_file *one = self;
    const ssize_t n = memory_pread(&one->file, fd, data, bytes, one->at);
    one->at += n;
    return n;
}

static int stat_one(void *self, const char *path, struct stat *out) {
    if (strncmp(path, "fuzz.", 5) == 0)
        return memory_fstat(&((one_file *)self)->file, 0, out);
    errno = ENOENT;
    return -1;
}

static int open_one(void *self, const char *path, int flags, mode_t mode) {
    one_file *one = self;
    one->at = 0;
    if (strncmp(path, "fuzz.", 5) == 0)
        return memory_open(self, path, flags, mode);
    errno = ENOENT;
    return -1;
}

static const char *no_getenv(const char *name) {
    (void)name;
    return NULL;
}

static void must(bool is_so) {
    if (!is_so)
        abort();
}

static void check_value(const ty_param *p, double u) {
    const double v = ty_param_quantile(p, u);
    double again = NAN;
    must(!isnan(v) && ty_param_accepts(p, v));
    json_t *json = ty_param_to_json(p, v);
    /* JSON has no infinity: the far end of a bell is none of its values. */
    if (isfinite(v)) {
        must(json != NULL && ty_param_from_json(p, json, &again));
        must(again == v ||
             (p->choices && json_equal(json_array_get(p->choices, (size_t)again), json)));
    }
    json_decref(json);
}

static void check_param(const ty_sweep_file *file, size_t d) {
    const ty_param *p = &file->space.params[d];
    must(ty_doc_at(file->doc, file->param_paths[d]) != NULL);
    must(ty_space_find(&file->space, p->name) == d);
    for (size_t i = 0; i < p->clause_count; i++)
        must(p->clauses[i].parent < d && p->clauses[i].accepted_count > 0);
    for (int i = 0; i < 8; i++)
        check_value(p, (i + 0.5) / 8);
}

static void check_file(const ty_sweep_file *file) {
    double x[TY_SPACE_MAX_PARAMS];
    ty_study_options options;
    ty_sweep_file_options(file, &options);
    must(options.space->count > 0 && options.sampler->row && options.pruner->row);
    for (size_t d = 0; d < file->space.count; d++)
        check_param(file, d);
    for (size_t i = 0; i < file->fixed_count; i++)
        must(ty_doc_at(file->doc, file->fixed[i].path) != NULL);
    for (size_t trial = 0; trial < 4; trial++) {
        ty_draws_point(&file->space, options.seed, trial, 0, x);
        (void)ty_space_allows(&file->space, x);
    }
    json_t *identity = json_loads(options.identity, 0, NULL);
    must(json_is_object(identity));
    json_decref(identity);
}

static void read_file(ty_ctx *ctx, const char *name) {
    ty_sweep_file file, again;
    const ty_status st = ty_sweep_file_read(ctx, name, NULL, 0, &file);
    must(st == TY_OK || st == TY_ERR_CONFIG || st == TY_ERR_NOT_FOUND);
    must(st != TY_ERR_CONFIG || strstr(ctx->message, "error") != NULL);
    if (st == TY_OK) {
        check_file(&file);
        must(ty_sweep_file_read(ctx, name, NULL, 0, &again) == TY_OK);
        must(strcmp(file.identity, again.identity) == 0);
        ty_sweep_file_clear(&again);
    }
    ty_sweep_file_clear(&file);
}

static void read_expression(ty_ctx *ctx, const uint8_t *data, size_t size) {
    ty_param params[2] = {{.name = "a", .prior = TY_PRIOR_UNIFORM, .high = 10},
                          {.name = "k", .prior = TY_PRIOR_CHOICE, .choice_count = 2}};
    ty_space space = {.params = params, .count = 2};
    json_t *choices = json_pack("[s, i]", "x", 3);
    ty_arena arena = {0};
    params[1].choices = choices;
    must(ty_space_seal(ctx, &space) == TY_OK);
    const ty_expression *first, *again;
    const char *text = ty_arena_string_n(&arena, (const char *)data, size);
    if (text && ty_expression_parse(ctx, text, &space, &arena, &first) == TY_OK) {
        must(ty_expression_parse(ctx, ty_expression_text(first), &space, &arena, &again) == TY_OK);
        for (int i = 0; i < 8; i++) {
            const double x[2] = {i, i % 2};
            must(ty_expression_holds(first, &space, x) == ty_expression_holds(again, &space, x));
        }
    }
    ty_arena_clear(&arena);
    json_decref(choices);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    one_file one = {.file = {data + 1, size - 1}};
    ty_io io = memory_io(&one.file);
    io.self = &one;
    io.read = read_one;
    io.stat = stat_one;
    io.open = open_one;
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ctx.io = &io;
    ctx.getenv = no_getenv;
    if (data[0] == 'e')
        read_expression(&ctx, data + 1, size - 1);
    else
        read_file(&ctx, data[0] == 'j' ? "fuzz.json" : "fuzz.yaml");
    ty_ctx_clear(&ctx);
    return 0;
}
