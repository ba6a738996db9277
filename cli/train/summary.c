#include "cli/train/summary.h"

#include <string.h>

static void add_scores(const summary *s, ty_text *out) {
    const ty_eval_result *test = s->test;
    const char *name = s->test_split;
    if (test->confusion)
        ty_text_addf(out, "%s/accuracy %.4f   ", name, test->accuracy);
    ty_text_addf(out, "%s/loss %.4f   ", name, test->loss);
    if (!test->confusion)
        ty_text_addf(out, "%s/mean_absolute_error %.4g   ", name, test->mean_absolute_error);
}

static void add_path(const char *label, const char *path, ty_text *out) {
    if (path)
        ty_text_addf(out, "  %-8s %s\n", label, path);
}

/* `tiltyard ui` shows the mlflow.db of a folder; of any other file MLflow's own command. */
static void add_store(const summary *s, ty_text *out) {
    ty_arena arena = {0};
    const char *here = ty_path_join(&arena, s->app->folder, "mlflow.db");
    const char *usual = here ? ty_path_absolute(&arena, here) : NULL;
    const char *folder = ty_path_folder(&arena, s->target->path);
    const char *name = strrchr(s->target->path, '/');
    const bool is_here = usual && strcmp(usual, s->target->path) == 0;
    if (is_here)
        folder = s->app->folder;
    if (is_here || (folder && name && strcmp(name, "/mlflow.db") == 0)) {
        ty_text_add(out, "tiltyard ui");
        if (strcmp(folder, ".") != 0) {
            ty_text_add(out, " --dir ");
            args_add_word(out, folder);
        }
    } else {
        ty_text_add(out, "mlflow ui --backend-store-uri ");
        args_add_word(out, s->target->name);
    }
    ty_arena_clear(&arena);
}

static void add_sync(const summary *s, ty_text *out) {
    ty_text_add(out, "tiltyard sync ");
    args_add_word(out, s->run_folder);
    if (s->target->kind == TY_TARGET_OFFLINE)
        ty_text_add(out, " --to URI");
}

/* Where to look at it: a server shows it itself, once it has it. */
static void add_next(const summary *s, ty_text *out) {
    ty_text_add(out, "  next     tiltyard eval ");
    args_add_word(out, s->run_folder);
    ty_text_add(out, "    ");
    if (s->target->kind == TY_TARGET_STORE)
        add_store(s, out);
    else if (s->link)
        ty_text_add(out, s->link);
    else
        add_sync(s, out);
    ty_text_add(out, "\n");
}

static void add_words(const summary *s, ty_text *out) {
    char time[32], rate[32];
    const ty_train_result *result = s->result;
    const console *c = &s->app->console;
    ty_text_addf(out, "%sdone%s in %s   ", console_bold(c), console_plain(c),
                 console_duration(result->seconds, time));
    if (s->test)
        add_scores(s, out);
    ty_text_addf(out, "%s samples/s   (%s)\n", console_count((int64_t)result->samples_per_s, rate),
                 result->reason);
    add_path("best", result->best_checkpoint, out);
    add_path("last", result->last_checkpoint, out);
    add_path("model", s->package, out);
    add_path("report", s->report, out);
    ty_text_addf(out, "  params   %016llx\n", (unsigned long long)result->params_hash);
    add_next(s, out);
}

static void add_json_score(const char *split, const char *key, double value, ty_text *out) {
    ty_text_addf(out, "\"%s/%s\": ", split, key);
    ty_text_add_number(out, value);
    ty_text_add(out, ", ");
}

static void add_json_end(const char *run_folder, uint64_t params_hash, ty_text *out) {
    ty_text_addf(out, "\"params_hash\": \"%016llx\", \"run\": ", (unsigned long long)params_hash);
    ty_text_add_json(out, run_folder);
    ty_text_add(out, "}\n");
}

static void add_json(const summary *s, ty_text *out) {
    const ty_train_result *result = s->result;
    const ty_eval_result *test = s->test;
    ty_text_addf(
        out, "{\"event\": \"done\", \"step\": %lld, \"seconds\": %.3f, \"samples_per_s\": %.1f, ",
        (long long)result->step, result->seconds, result->samples_per_s);
    if (test)
        add_json_score(s->test_split, "loss", test->loss, out);
    if (test && test->confusion) {
        add_json_score(s->test_split, "accuracy", test->accuracy, out);
        add_json_score(s->test_split, "top_k_accuracy", test->top_k_accuracy, out);
    }
    if (test && !test->confusion)
        add_json_score(s->test_split, "mean_absolute_error", test->mean_absolute_error, out);
    add_json_end(s->run_folder, result->params_hash, out);
}

void summary_write_again(const ty_run_record *run, const char *run_folder,
                         const ty_train_result *result, ty_text *out) {
    static const char split[] = "test";
    ty_text_addf(out, "{\"event\": \"done\", \"was_done\": true, \"step\": %lld, ",
                 (long long)result->step);
    for (int64_t i = 0; i < run->n_metrics; i++) {
        const char *key = run->metrics[i].key;
        if (strncmp(key, split, sizeof split - 1) == 0 && key[sizeof split - 1] == '/')
            add_json_score(split, key + sizeof split, run->metrics[i].value, out);
    }
    add_json_end(run_folder, result->params_hash, out);
}

void summary_write(const summary *s, ty_text *out) {
    if (s->app->console.is_json)
        add_json(s, out);
    else
        add_words(s, out);
}
