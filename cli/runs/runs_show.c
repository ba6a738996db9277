/* runs show: one run, all of it. */
#include <string.h>

#include "cli/runs/runs.h"
#include "cli/sync_report.h"

/* --- JSON ------------------------------------------------------------------------------------- */

static void add_metrics_json(ty_text *out, const ty_run_value *v, int64_t n) {
    ty_text_add(out, ", \"metrics\": {");
    for (int64_t i = 0; i < n; i++) {
        ty_text_add(out, i ? ", " : "");
        ty_text_add_json(out, v[i].key);
        ty_text_add(out, ": {\"value\": ");
        ty_text_add_number(out, v[i].value);
        ty_text_addf(out, ", \"step\": %lld}", (long long)v[i].step);
    }
    ty_text_add(out, "}");
}

static int64_t package_bytes(const ty_run_package *package) {
    int64_t bytes = 0;
    for (int64_t i = 0; i < package->n_files; i++)
        bytes += package->files[i].size;
    return bytes;
}

static void add_models_json(ty_text *out, const ty_run_record *run) {
    ty_text_add(out, ", \"models\": [");
    for (int64_t i = 0; i < run->n_packages; i++) {
        const ty_run_package *package = &run->packages[i];
        ty_text_addf(out, "%s{\"model_id\": \"%s\", \"name\": ", i ? ", " : "", package->model_id);
        ty_text_add_json(out, package->name);
        ty_text_addf(out,
                     ", \"step\": %lld, \"bytes\": %lld, \"folder\": ", (long long)package->step,
                     (long long)package_bytes(package));
        ty_text_add_json(out, package->folder);
        ty_text_add(out, "}");
    }
    ty_text_add(out, "]");
}

static void add_datasets_json(ty_text *out, const ty_run_record *run) {
    ty_text_add(out, ", \"datasets\": [");
    for (int64_t i = 0; i < run->n_datasets; i++) {
        const ty_run_dataset *set = &run->datasets[i];
        ty_text_addf(out, "%s{\"name\": ", i ? ", " : "");
        ty_text_add_json(out, set->name);
        ty_text_add(out, ", \"digest\": ");
        ty_text_add_json(out, set->digest);
        ty_text_add(out, ", \"context\": ");
        ty_text_add_json(out, set->context ? set->context : "");
        ty_text_add(out, "}");
    }
    ty_text_add(out, "]");
}

/* NULL: it could not be told. */
static void add_json(ty_text *out, const ty_run_record *run, const ty_sync_report *delivery) {
    ty_text_add(out, "{");
    runs_add_json(out, &run->info);
    runs_add_values_json(out, "params", run->params, run->n_params);
    runs_add_values_json(out, "tags", run->tags, run->n_tags);
    add_metrics_json(out, run->metrics, run->n_metrics);
    add_datasets_json(out, run);
    add_models_json(out, run);
    ty_text_add(out, ", \"files\": [");
    for (int64_t i = 0; i < run->n_files; i++) {
        ty_text_add(out, i ? ", " : "");
        ty_text_add_json(out, run->files[i]);
    }
    ty_text_add(out, "], \"delivery\": ");
    if (delivery)
        sync_report_json(delivery, out);
    else
        ty_text_add(out, "null");
    ty_text_add(out, "}\n");
}

/* --- words ------------------------------------------------------------------------------------ */

static void add_title(ty_text *out, const console *c, const char *title) {
    ty_text_addf(out, "\n%s%s%s\n", console_bold(c), title, console_plain(c));
}

/* Of a whole document, its first line. */
static void add_value(ty_text *out, const ty_run_value *value) {
    const size_t line = strcspn(value->text, "\n");
    int64_t n_more = 0;
    for (const char *at = value->text + line; *at; at++)
        n_more += *at == '\n' && at[1] != '\0';
    ty_text_addf(out, "  %-36s %.*s", value->key, (int)(line > 4096 ? 4096 : line), value->text);
    if (n_more > 0)
        ty_text_addf(out, " ... (%lld more line%s)", (long long)n_more, console_plural(n_more));
    ty_text_add(out, "\n");
}

static void add_values(ty_text *out, const console *c, const char *title, const ty_run_value *v,
                       int64_t n) {
    if (n)
        add_title(out, c, title);
    for (int64_t i = 0; i < n; i++)
        add_value(out, &v[i]);
}

/* How good the model is in the end comes first, and the machine's load last. */
typedef enum metric_kind { OF_TEST, OF_TRAINING, OF_MACHINE } metric_kind;

static metric_kind kind_of(const char *key) {
    if (strncmp(key, "test/", 5) == 0)
        return OF_TEST;
    return strncmp(key, "system/", 7) == 0 ? OF_MACHINE : OF_TRAINING;
}

static void add_metrics(ty_text *out, const console *c, const char *title, const ty_run_record *run,
                        metric_kind kind) {
    bool has_title = false;
    for (int64_t i = 0; i < run->n_metrics; i++) {
        const ty_run_value *metric = &run->metrics[i];
        if (kind_of(metric->key) != kind)
            continue;
        if (!has_title)
            add_title(out, c, title);
        has_title = true;
        ty_text_addf(out, "  %-36s %-14.8g step %lld\n", metric->key, metric->value,
                     (long long)metric->step);
    }
}

static void add_models(ty_text *out, const console *c, const ty_run_record *run) {
    char bytes[32];
    if (run->n_packages)
        add_title(out, c, "models");
    for (int64_t i = 0; i < run->n_packages; i++) {
        const ty_run_package *package = &run->packages[i];
        ty_text_addf(out, "  %-36s step %lld, %s, %s\n", package->name, (long long)package->step,
                     console_bytes((double)package_bytes(package), bytes), package->folder);
    }
}

static void add_datasets(ty_text *out, const console *c, const ty_run_record *run) {
    if (run->n_datasets)
        add_title(out, c, "data");
    for (int64_t i = 0; i < run->n_datasets; i++) {
        const ty_run_dataset *set = &run->datasets[i];
        ty_text_addf(out, "  %-36s %.16s%s%s\n", set->name, set->digest, set->context ? "  " : "",
                     set->context ? set->context : "");
    }
}

static void add_head(ty_text *out, const console *c, const ty_run_info *info) {
    char time[32], took[32] = "";
    const char *reason = info->reason && *info->reason ? info->reason : NULL;
    ty_text_addf(out, "%s%s%s\n  folder     %s\n  experiment %s\n  mlflow id  %s\n",
                 console_bold(c), info->name, console_plain(c), info->folder, info->experiment,
                 info->run_id);
    ty_text_addf(out, "  state      %s%s%s%s%s\n", runs_state_color(c, info), runs_state(info),
                 console_plain(c), reason ? ", " : "", reason ? reason : "");
    if (info->end_ns > info->start_ns)
        console_duration((double)(info->end_ns - info->start_ns) / 1e9, took);
    ty_text_addf(out, "  started    %s%s%s\n", runs_time(info->start_ns, time),
                 *took ? ", took " : "", took);
    ty_text_addf(out, "  command    %s\n", info->source ? info->source : "");
}

static void add_delivery(ty_text *out, const console *c, const ty_sync_report *r) {
    ty_text_addf(out, "  recorded   %s\n             ", r->target);
    sync_report_state(c, r, out);
    if (r->n_dead != 0)
        ty_text_addf(out, "; %lld refused (`tiltyard sync --status` lists them)",
                     (long long)r->n_dead);
    ty_text_add(out, "\n");
    if (r->their_run_id)
        ty_text_addf(out, "             %s/#/experiments/%s/runs/%s\n", r->target, r->experiment_id,
                     r->their_run_id);
}

static void add_words(ty_text *out, const console *c, const ty_run_record *run,
                      const ty_sync_report *delivery) {
    add_head(out, c, &run->info);
    if (delivery)
        add_delivery(out, c, delivery);
    add_metrics(out, c, "test", run, OF_TEST);
    add_metrics(out, c, "metrics (last point)", run, OF_TRAINING);
    add_models(out, c, run);
    add_datasets(out, c, run);
    add_values(out, c, "params", run->params, run->n_params);
    add_values(out, c, "tags", run->tags, run->n_tags);
    add_metrics(out, c, "machine (last point)", run, OF_MACHINE);
    if (run->n_files)
        add_title(out, c, "files");
    for (int64_t i = 0; i < run->n_files; i++)
        ty_text_addf(out, "  %s\n", run->files[i]);
}

/* What is wrong with it keeps nobody from seeing the run; NULL then. */
static const ty_sync_report *look(cli *app, ty_arena *arena, const char *folder,
                                  ty_sync_report *out) {
    ty_target target;
    ty_ctx *ctx = &app->ctx;
    if (ty_sync_choose(ctx, app->folder, folder, NULL, arena, &target) == TY_OK &&
        ty_sync_look(ctx, folder, &target, arena, out) == TY_OK)
        return out;
    ty_log(ctx, TY_LOG_WARN, "runs", "where %s is recorded: %s", folder, ctx->message);
    return NULL;
}

ty_status runs_show(cli *app, ty_arena *arena) {
    ty_run_record run = {0};
    ty_sync_report report = {0};
    ty_text out = {0};
    TY_TRY(runs_read(app, arena, 1, &run));
    const ty_sync_report *delivery = look(app, arena, run.info.folder, &report);
    if (app->console.is_json)
        add_json(&out, &run, delivery);
    else
        add_words(&out, &app->console, &run, delivery);
    console_print(&app->console, ty_text_string(&out));
    ty_text_clear(&out);
    return TY_OK;
}
