/* Reading a sweep file: rows first, then what looks at more than one key. All findings are said at
 * once, so a step goes on after an earlier one has found something. */
#include "hpo/sweep_file/sweep_file.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "hpo/sweep_file/sweep_private.h"

const ty_foreign_name ty_sweep_foreign[] = {
    {"algorithm", "method"},
    {"direction", "metric.goal"},
    {"mode", "metric.goal"},
    {"objective", "metric"},
    {"search_space", "parameters"},
    {"space", "parameters"},
    {"params", "parameters"},
    {"hyperparameters", "parameters"},
    {"n_trials", "run_cap"},
    {"max_trials", "run_cap"},
    {"num_samples", "run_cap"},
    {"count", "run_cap"},
    {"n_jobs", "resources.max_parallel"},
    {"max_concurrent", "resources.max_parallel"},
    {"timeout", "stop.max_hours"},
    {"max_hours", "stop.max_hours"},
    {NULL, NULL},
};

/* --- the sampler of a method -------------------------------------------------------------------- */

static bool has_sampler(const char *type) {
    const ty_variant_row *row = ty_sampler_variants;
    while (row->type && strcmp(row->type, type) != 0)
        row++;
    return row->type != NULL;
}

/* What `bayes` means: the best that there is, by how well they search. */
static const char *best_sampler(void) {
    static const char *const best_first[] = {"auto", "tpe", "gp", "random"};
    size_t i = 0;
    while (!has_sampler(best_first[i]))
        i++;
    return best_first[i];
}

/* With custom, who drives the sweep enqueues its points; where it asks for one, it is random. */
static const char *sampler_of(const char *method) {
    const bool is_bayes = !method || strcmp(method, "bayes") == 0;
    return is_bayes ? best_sampler() : strcmp(method, "grid") == 0 ? "grid" : "random";
}

/* Where no sampler is written, the method's is, before rows look at it. */
static ty_status write_sampler(ty_ctx *ctx, ty_doc *doc) {
    char set[64];
    const json_t *written = ty_doc_at(doc, "sampler");
    if (!json_is_object(ty_doc_at(doc, "")) || (written && !json_is_null(written)))
        return TY_OK;
    (void)snprintf(set, sizeof set, "sampler=%s",
                   sampler_of(json_string_value(ty_doc_at(doc, "method"))));
    return ty_doc_set(ctx, doc, set);
}

/* random and grid are more than words: a sampler of another kind contradicts them. */
static void check_method(sweep_reader *r) {
    const char *method = json_string_value(ty_doc_at(r->file->doc, "method"));
    const char *sampler = r->file->sampler.row ? r->file->sampler.row->type : NULL;
    if (!method || !sampler)
        return;
    const bool is_grid = strcmp(sampler, "grid") == 0, wants_grid = strcmp(method, "grid") == 0;
    const bool is_random = strcmp(sampler, "random") == 0 || strcmp(sampler, "sobol") == 0;
    if (is_grid != wants_grid || (strcmp(method, "random") == 0 && !is_random))
        SWEEP_REJECT(r, "sampler",
                     "sampler \"%s\" contradicts method \"%s\"\nleave one of them out", sampler,
                     method);
}

/* --- the pruner --------------------------------------------------------------------------------- */

/* W&B's early_terminate has the keys of our pruner "wandb". */
static void take_early_terminate(sweep_reader *r) {
    const ty_variant *early = &r->file->early_terminate;
    const ty_variant_row *row = ty_pruner_variants;
    if (!early->row)
        return;
    if (ty_doc_at(r->file->doc, "pruner"))
        SWEEP_REJECT(r, "early_terminate",
                     "\"pruner\" says already what stops a trial early\nleave "
                     "one of them out");
    while (strcmp(row->type, "wandb") != 0)
        row++;
    r->file->pruner = (ty_variant){.row = row, .config = early->config, .path = early->path};
}

/* Whether its trials are another program's. One without any says by `ask` and `tell` what it does. */
static bool is_foreign(const ty_sweep_file *file) {
    return !file->config && (file->program || json_array_size(file->command_words) > 0);
}

/* A pruner's own check, where it fails whatever a whole trial has: what that is, the training may know
 * better than the file. */
static void check_pruner(sweep_reader *r) {
    enum { ANY_LENGTH = 1000000 };
    const ty_variant *chosen = &r->file->pruner;
    const ty_pruner_type *type = chosen->row ? ty_pruner_of(chosen) : NULL;
    ty_board board = {.max_resource = r->file->max_resource, .starts_over = is_foreign(r->file)};
    char words[512];
    if (isnan(board.max_resource))
        board.max_resource = ANY_LENGTH;
    if (!type || !type->check || type->check(r->ctx, chosen->config, &board) == TY_OK)
        return;
    (void)snprintf(words, sizeof words, "%.500s", r->ctx->message);
    SWEEP_REJECT(r, chosen->path, "%s", words);
}

/* --- other keys --------------------------------------------------------------------------------- */

/* W&B's may have numbers and booleans among them. NULL: it is no word, or memory is out. */
static const char *word_of(ty_sweep_file *file, const json_t *json) {
    if (json_is_string(json))
        return json_string_value(json);
    if (json_is_integer(json))
        return ty_arena_printf(&file->arena, "%lld", (long long)json_integer_value(json));
    if (json_is_real(json))
        return ty_arena_printf(&file->arena, "%.17g", json_real_value(json));
    return json_is_boolean(json) ? json_is_true(json) ? "true" : "false" : NULL;
}

static void read_command(sweep_reader *r) {
    const size_t n = json_array_size(r->file->command_words);
    const char **words = ty_arena_array(&r->file->arena, n ? n : 1, sizeof *words);
    if (!words) {
        sweep_found(r, ty_fail_nomem(r->ctx, "the command of a sweep"));
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const char *path = ty_arena_printf(&r->file->arena, "command.%zu", i);
        words[i] = word_of(r->file, json_array_get(r->file->command_words, i));
        if (!words[i])
            SWEEP_REJECT(r, path ? path : "command", "this is no word of a command");
    }
    r->file->command = (ty_texts){.v = words, .n = (int64_t)n};
}

static void check_program(sweep_reader *r) {
    if (r->file->config && r->file->command.n > 0)
        SWEEP_REJECT(
            r, "command",
            "\"config\" and \"command\" exclude each other: a trial is either our training "
            "or another program");
}

/* Said once: such a file is fine, and does not do here what it does there. */
static void tell_unused(const sweep_reader *r) {
    static const char *const keys[] = {
        "project",    "entity",    "job",     "image_uri",     "apiVersion",
        "controller", "scheduler", "metrics", "metric.impute", "metric.impute_while_running"};
    ty_text names = {0};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (ty_doc_at(r->file->doc, keys[i]))
            ty_text_addf(&names, "%s%s", names.length ? ", " : "", keys[i]);
    if (names.length)
        ty_log(r->ctx, TY_LOG_WARN, "sweep", "means nothing here and is ignored: %s",
               ty_text_string(&names));
    ty_text_clear(&names);
}

/* --- what follows from the keys ------------------------------------------------------------------ */

/* Beside the file that names it; what a --set names is where the user stands. */
static const char *place_config(ty_sweep_file *file) {
    const ty_origin origin = ty_doc_origin(file->doc, "config");
    const char *slash = origin.file ? strrchr(origin.file, '/') : NULL;
    if (!slash || *file->config == '/')
        return ty_arena_string(&file->arena, file->config);
    return ty_arena_printf(&file->arena, "%.*s/%s", (int)(slash - origin.file), origin.file,
                           file->config);
}

/* A folder's name: what could lead elsewhere or needs quotes becomes "-". */
static char *make_stem(ty_sweep_file *file, const char *path) {
    const char *slash = strrchr(path, '/');
    const char *from = file->name ? file->name : slash ? slash + 1 : path;
    const char *dot = file->name ? NULL : strrchr(from, '.');
    const size_t length = dot && dot > from ? (size_t)(dot - from) : strlen(from);
    enum { MAX_STEM = 100 };
    char *stem = ty_arena_string_n(&file->arena, from, length < MAX_STEM ? length : MAX_STEM);
    for (char *at = stem; at && *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr("_-.", *at))
            *at = '-';
    if (stem && *stem == '.')
        *stem = '-';
    return stem && *stem ? stem : ty_arena_string(&file->arena, "sweep");
}

static ty_status finish(ty_ctx *ctx, const char *path, ty_sweep_file *file) {
    file->stem = make_stem(file, path);
    if (file->config)
        file->config_path = place_config(file);
    if (!file->stem || (file->config && !file->config_path))
        return ty_fail_nomem(ctx, "a sweep file");
    return sweep_make_identity(ctx, file);
}

/* --- reading ------------------------------------------------------------------------------------ */

static ty_status read_doc(ty_ctx *ctx, const char *path, const char *const *sets, int n_sets,
                          ty_sweep_file *out) {
    TY_TRY(ty_doc_read(ctx, path, &out->doc));
    for (int i = 0; i < n_sets; i++)
        TY_TRY(ty_doc_set(ctx, out->doc, sets[i]));
    return write_sampler(ctx, out->doc);
}

ty_status ty_sweep_file_read(ty_ctx *ctx, const char *path, const char *const *sets, int n_sets,
                             ty_sweep_file *out) {
    *out = (ty_sweep_file){0};
    TY_TRY(read_doc(ctx, path, sets, n_sets, out));
    sweep_reader r = {.ctx = ctx, .file = out};
    r.st = ty_rows_load(ctx, &ty_sweep_rows, ty_sweep_foreign, out->doc, out);
    if (r.st != TY_OK && r.st != TY_ERR_CONFIG)
        return r.st;
    if (r.st == TY_OK) { /* else not all of the configs of variants are filled */
        take_early_terminate(&r);
        check_pruner(&r);
    }
    sweep_read_params(&r);
    if (out->space.count > 0 && out->space.count <= TY_SPACE_MAX_PARAMS) {
        sweep_read_conditions(&r);
        sweep_read_constraints(&r);
    }
    check_method(&r);
    read_command(&r);
    check_program(&r);
    TY_TRY(r.st);
    TY_TRY(ty_space_seal(ctx, &out->space));
    sweep_read_points(&r);
    TY_TRY(r.st);
    tell_unused(&r);
    return finish(ctx, path, out);
}

void ty_sweep_file_clear(ty_sweep_file *file) {
    if (!file)
        return;
    json_decref(file->made);
    json_decref(file->given);
    ty_doc_close(file->doc);
    ty_arena_clear(&file->arena);
    *file = (ty_sweep_file){0};
}

void ty_sweep_file_options(const ty_sweep_file *file, ty_study_options *out) {
    *out = (ty_study_options){.name = file->stem,
                              .space = &file->space,
                              .sampler = &file->sampler,
                              .pruner = &file->pruner,
                              .identity = file->identity,
                              .seed = (uint64_t)file->seed,
                              .maximize = file->metric.goal == 1,
                              .order = (ty_order)file->order,
                              .window = file->window,
                              .max_resource = file->max_resource,
                              .starts_over = is_foreign(file),
                              .max_trials = file->run_cap,
                              .max_consecutive_failures = file->max_consecutive_failures,
                              .target = file->metric.target,
                              .points = file->given};
}
