/* What the verbs of `tiltyard runs` share. */
#include "cli/runs/runs.h"

#include <string.h>
#include <time.h>

static const char *const state_names[] = {"running", "finished", "failed", "killed", "waiting"};

const char *runs_state(const ty_run_info *run) {
    return run->state == TY_RUN_RUNNING && !run->is_live ? "died" : state_names[run->state];
}

const char *runs_state_color(const console *c, const ty_run_info *run) {
    if (run->state == TY_RUN_FINISHED || run->is_live)
        return console_green(c);
    return run->state == TY_RUN_FAILED ? console_red(c) : console_yellow(c);
}

const char *runs_time(int64_t ns, char out[32]) {
    const time_t seconds = (time_t)(ns / 1000000000);
    struct tm local;
    if (ns <= 0 || !localtime_r(&seconds, &local) ||
        strftime(out, 32, "%Y-%m-%d %H:%M", &local) == 0)
        (void)snprintf(out, 32, "-");
    return out;
}

void runs_add_json(ty_text *out, const ty_run_info *run) {
    ty_text_add(out, "\"run\": ");
    ty_text_add_json(out, run->name);
    ty_text_add(out, ", \"experiment\": ");
    ty_text_add_json(out, run->experiment);
    ty_text_addf(out,
                 ", \"run_id\": \"%s\", \"state\": \"%s\", \"step\": %lld, \"start_ms\": %lld, "
                 "\"end_ms\": %lld, \"is_deleted\": %s, \"folder\": ",
                 run->run_id, runs_state(run), (long long)run->last_step,
                 (long long)(run->start_ns / 1000000), (long long)(run->end_ns / 1000000),
                 run->is_deleted ? "true" : "false");
    ty_text_add_json(out, run->folder);
}

static bool has_word(const char *metric, const char *const *words) {
    for (; *words; words++)
        if (strstr(metric, *words))
            return true;
    return false;
}

int runs_goal(const ty_run_record *run, const char *metric) {
    static const char *const low[] = {"loss", "error", "perplexity", NULL};
    static const char *const high[] = {"accuracy", "f1", "auc", "precision", "recall", NULL};
    const size_t length = strlen(metric);
    for (int64_t i = 0; i < run->n_params; i++) {
        const char *best = run->params[i].text;
        if (strcmp(run->params[i].key, "checkpoint.best") == 0 &&
            strncmp(best, metric, length) == 0 && best[length] == ':')
            return strcmp(best + length, ":max") == 0 ? 1 : -1;
    }
    if (has_word(metric, low))
        return -1;
    return has_word(metric, high) ? 1 : 0;
}

static const char *cell_string(ty_arena *arena, const ty_run_cell *cell) {
    const char *text = ty_arena_string_n(arena, cell->text, cell->length);
    return text ? text : "";
}

void runs_add_cell_json(ty_text *out, const ty_run_cell *cell) {
    ty_arena arena = {0};
    if (cell->kind == TY_RUN_NONE)
        ty_text_add(out, "null");
    else if (cell->kind == TY_RUN_NUMBER)
        ty_text_add_number(out, cell->number);
    else
        ty_text_add_json(out, cell_string(&arena, cell));
    ty_arena_clear(&arena);
}

const char *runs_cell_text(ty_arena *arena, const ty_run_cell *cell) {
    const char *text = "-";
    if (cell->kind == TY_RUN_TEXT)
        text = cell_string(arena, cell);
    if (cell->kind == TY_RUN_NUMBER)
        text = ty_arena_printf(arena, "%.17g", cell->number);
    return text ? text : "";
}

void runs_add_values_json(ty_text *out, const char *name, const ty_run_value *v, int64_t n) {
    ty_text_addf(out, ", \"%s\": {", name);
    for (int64_t i = 0; i < n; i++) {
        ty_text_add(out, i ? ", " : "");
        ty_text_add_json(out, v[i].key);
        ty_text_add(out, ": ");
        ty_text_add_json(out, v[i].text);
    }
    ty_text_add(out, "}");
}

ty_status runs_read(cli *app, ty_arena *arena, int operand, ty_run_record *out) {
    const char *folder = NULL;
    TY_TRY(ty_runs_find_any(&app->ctx, app->folder, app->args.operand[operand], arena, &folder));
    return ty_runs_read(&app->ctx, folder, arena, out);
}
