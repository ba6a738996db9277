#include "cli/train/note.h"

#include <math.h>
#include <string.h>

#include "cli/pictures/samples.h"

/* Words of data and configs, as they are: characters that mean something in a table are escaped. */
static void add_cell(ty_text *out, const char *text) {
    enum { LONGEST = 120 };
    size_t n = 0;
    for (const char *at = text; *at && n < LONGEST; at++, n++) {
        if (strchr("|\\`*_<>[]", *at))
            ty_text_add(out, "\\");
        ty_text_add_n(out, (unsigned char)*at < 0x20 ? " " : at, 1);
    }
    ty_text_add(out, n == LONGEST ? "..." : "");
}

/* --- result ----------------------------------------------------------------------------------- */

static void add_score(ty_text *out, const char *split, const char *name, double value) {
    if (isfinite(value))
        ty_text_addf(out, "**%s %s %.4g**, ", split, name, value);
}

/* The UI shows the first lines of a description, so they are the result. */
static void add_scores(const report *r, ty_text *out) {
    const ty_eval_result *test = r->test;
    if (test && test->confusion)
        add_score(out, r->test_split, "accuracy", test->accuracy);
    else if (test)
        add_score(out, r->test_split, "mean absolute error", test->mean_absolute_error);
    if (test && isfinite(test->loss))
        ty_text_addf(out, "loss %.4g", test->loss);
    if (test && test->confusion && isfinite(test->top_k_accuracy))
        ty_text_addf(out, ", top-k accuracy %.4g", test->top_k_accuracy);
    ty_text_add(out, test ? ", by " : "By ");
    if (r->result->best_step >= 0)
        ty_text_addf(out, "the best checkpoint (step %lld, val %.4g).",
                     (long long)r->result->best_step, r->result->best_value);
    else
        ty_text_add(out, "the last checkpoint.");
}

static void add_effort(const report *r, ty_text *out) {
    const ty_train_result *result = r->result;
    char text[32];
    ty_text_addf(out, " Trained for %s steps", console_count(result->step, text));
    ty_text_addf(out, ", %.2f epochs", result->epoch);
    if (result->seconds > 0) {
        ty_text_addf(out, ", in %s", console_duration(result->seconds, text));
        ty_text_addf(out, " at %s samples/s", console_count((int64_t)result->samples_per_s, text));
    }
    if (result->reason && *result->reason) {
        ty_text_add(out, ", until: ");
        add_cell(out, result->reason);
    }
    ty_text_add(out, ".");
}

static void add_class(const report *r, int64_t k, ty_text *out) {
    ty_arena arena = {0};
    add_cell(out, class_name(ty_dataset_info(r->data), k, &arena));
    ty_arena_clear(&arena);
}

typedef struct mistaken {
    int64_t truth, predicted, count;
} mistaken;

/* The pairs that are mistaken most often, by falling count. */
static int most_mistaken(const ty_eval_result *test, mistaken *top, int room) {
    const int64_t n = test->n_classes;
    int used = 0;
    for (int64_t i = 0; i < n * n; i++) {
        mistaken here = {i / n, i % n, test->confusion[i]};
        if (here.truth == here.predicted || here.count == 0)
            continue;
        for (int k = 0; k < used; k++) {
            if (top[k].count >= here.count)
                continue;
            const mistaken less = top[k];
            top[k] = here;
            here = less;
        }
        if (used < room)
            top[used++] = here;
    }
    return used;
}

static void add_mistakes(const report *r, ty_text *out) {
    mistaken top[3];
    const int n = most_mistaken(r->test, top, 3);
    for (int i = 0; i < n; i++) {
        ty_text_add(out, i == 0 ? " Most often mistaken: " : ", ");
        add_class(r, top[i].truth, out);
        ty_text_add(out, " for ");
        add_class(r, top[i].predicted, out);
        ty_text_addf(out, " (%lld)", (long long)top[i].count);
    }
    ty_text_add(out, n ? "." : "");
}

static void add_result(const report *r, ty_text *out) {
    add_scores(r, out);
    if (r->test && r->test->confusion)
        add_mistakes(r, out);
    add_effort(r, out);
    ty_text_add(out, "\n\n");
}

/* --- what is trained on what ------------------------------------------------------------------ */

static void add_data(const ty_dataset *data, ty_text *out) {
    const ty_data_info *info = ty_dataset_info(data);
    char count[32];
    add_cell(out, info->name);
    ty_text_add(out, ": ");
    for (int s = 0; s < TY_SPLIT_COUNT; s++)
        if (info->count[s])
            ty_text_addf(out, "%s %s, ", console_count(info->count[s], count), ty_split_names[s]);
    for (int d = 0; d < info->x_rank; d++)
        ty_text_addf(out, "%s%lld", d ? "x" : "", (long long)info->x_dims[d]);
    ty_text_addf(out, " values a sample, %lld %s", (long long)info->n_outputs,
                 info->is_classification ? "classes" : "targets");
}

static void add_setup(const report *r, ty_text *out) {
    char count[32];
    ty_text_add(out, "### What is trained\n\n| | |\n|---|---|\n| data | ");
    add_data(r->data, out);
    ty_text_addf(out, " |\n| | fingerprint `%.16s...` |\n", ty_dataset_info(r->data)->fingerprint);
    ty_text_addf(out, "| model | %s parameters, %lld layers |\n",
                 console_count(r->plan->parameters, count), (long long)r->n_layers);
    ty_text_addf(out, "| batch | %lld samples, ", (long long)r->plan->global_batch);
    ty_text_addf(out, "%s steps an epoch |\n", console_count(r->plan->steps_per_epoch, count));
    ty_text_addf(out, "| on | %d rank%s of %s, ", r->ranks, console_plural(r->ranks),
                 r->plan->device);
    add_cell(out, r->plan->model ? r->plan->model : r->facts->cpu);
    ty_text_add(out, ", host ");
    add_cell(out, r->facts->host);
    ty_text_add(out, " |\n\n");
}

/* What the user wrote, but for the model and the data, which are told in words. */
static ty_status add_key(void *self, const ty_resolved *key) {
    ty_text *out = self;
    const bool is_written = key->origin.file || key->origin.set;
    const bool is_told =
        strncmp(key->path, "model.", 6) == 0 || strncmp(key->path, "data.source", 11) == 0;
    if (!is_written || is_told || key->effect != TY_EFFECT_RESULT || out->length > NOTE_BYTES / 3)
        return TY_OK;
    ty_text_add(out, "| `");
    ty_text_add(out, key->path);
    ty_text_add(out, "` | ");
    add_cell(out, key->value);
    ty_text_add(out, " |\n");
    return TY_OK;
}

static ty_status add_config(ty_ctx *ctx, const report *r, ty_text *out) {
    ty_text rows = {0};
    const ty_status st = ty_rows_walk(ctx, &ty_train_rows, r->doc, add_key, &rows);
    if (st == TY_OK && rows.length) {
        ty_text_add(out, "### Configuration\n\nWhat is not a default; all keys are params.\n\n"
                         "| key | value |\n|---|---|\n");
        ty_text_add(out, ty_text_string(&rows));
        ty_text_add(out, "\n");
    }
    ty_text_clear(&rows);
    return st;
}

/* --- how to go on ----------------------------------------------------------------------------- */

static void add_commands(const report *r, ty_text *out) {
    enum { LONGEST = 1000 };
    ty_text_add(out, r->result ? "### Again\n\n```sh\n" : "### Started by\n\n```sh\n");
    if (r->facts->git_commit[0])
        ty_text_addf(out, "git checkout %.12s%s\n", r->facts->git_commit,
                     r->facts->git_is_dirty ? "   # with changes that are not committed" : "");
    ty_text_addf(out, "%.*s\n", LONGEST, r->command_line);
    if (r->result) {
        ty_text_add(out, "tiltyard eval ");
        args_add_word(out, r->run_folder);
        ty_text_add(out, "   # the best model on its data\n");
    }
    ty_text_add(out, "```\n\n");
    if (!r->result)
        ty_text_add(out, "The same command continues the run where it stopped, bit for bit.\n\n");
}

static void add_layers(const report *r, ty_text *out) {
    char count[32];
    ty_text_add(out, "### Model\n\n| layer | output | parameters |\n|---|---|---:|\n");
    for (int64_t i = 0; i < r->n_layers; i++) {
        if (out->length > NOTE_BYTES - 300) {
            ty_text_addf(out, "| ... %lld more | | |\n", (long long)(r->n_layers - i));
            break;
        }
        ty_text_add(out, "| ");
        add_cell(out, r->layers[i].name);
        ty_text_addf(out, " | %s | %s |\n", r->layers[i].output_shape,
                     r->layers[i].parameters ? console_count(r->layers[i].parameters, count) : "");
    }
}

ty_status note_write(ty_ctx *ctx, const report *r, ty_text *out) {
    if (r->result)
        add_result(r, out);
    else
        ty_text_add(out, "Running: the result will stand here.\n\n");
    add_setup(r, out);
    TY_TRY(add_config(ctx, r, out));
    add_commands(r, out);
    add_layers(r, out);
    return out->is_short ? ty_fail_nomem(ctx, "a run's description") : TY_OK;
}

void note_write_experiment(const ty_dataset *data, ty_text *out) {
    ty_text_add(out, "Models for ");
    add_data(data, out);
    ty_text_add(out, ".\n");
}
