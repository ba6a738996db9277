#include "cli/train/report.h"

#include <math.h>
#include <string.h>

#include "cli/pictures/plot.h"
#include "cli/pictures/png.h"
#include "cli/pictures/samples.h"

static const char style[] =
    "body{font:15px/1.5 system-ui,sans-serif;margin:0;color:#0f172a;background:#f8fafc}"
    "main{max-width:1120px;margin:0 auto;padding:24px}h1{margin:0;font-size:26px}h2{margin:32px 0 "
    "10px;font-size:18px}"
    ".sub{color:#475569;margin:2px 0 18px}.cards{display:flex;flex-wrap:wrap;gap:12px}"
    ".card{background:#fff;border:1px solid #e2e8f0;border-radius:8px;padding:10px "
    "16px;min-width:120px}"
    ".card b{display:block;font-size:22px}.card span{color:#64748b;font-size:13px}"
    ".grid2{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:14px}"
    ".panel{background:#fff;border:1px solid "
    "#e2e8f0;border-radius:8px;padding:10px;overflow-x:auto}"
    "svg{width:100%;height:auto}.grid{stroke:#e2e8f0}.tick{font-size:11px;fill:#475569}"
    "table{border-collapse:collapse;font-size:14px}td,th{padding:3px "
    "10px;text-align:right;border-bottom:1px solid #eef2f7}"
    "th{color:#475569;font-weight:600}td.l,th.l{text-align:left}.cm "
    "td{text-align:center;border:1px solid #fff;min-width:38px}"
    ".mist{display:flex;flex-wrap:wrap;gap:12px}.mist "
    "figure{margin:0;text-align:center;font-size:12px;width:104px}"
    ".mist img{width:84px;height:84px;image-rendering:pixelated;border-radius:4px;background:#000}"
    "pre{background:#0f172a;color:#e2e8f0;border-radius:8px;padding:12px;overflow-x:auto;font-size:"
    "13px}"
    "details{margin-top:10px}summary{cursor:pointer;color:#1d4ed8}";

static void add_card(ty_text *out, const char *label, const char *value) {
    ty_text_add(out, "<div class='card'><b>");
    ty_text_add_html(out, value);
    ty_text_add(out, "</b><span>");
    ty_text_add_html(out, label);
    ty_text_add(out, "</span></div>");
}

static void add_number_card(ty_text *out, const char *label, const char *format, double value) {
    char text[64];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(text, sizeof text, format, value);
#pragma GCC diagnostic pop
    add_card(out, label, text);
}

static void add_head(const report *r, ty_text *out) {
    ty_text_add(out, "<!doctype html><html lang='en'><meta charset='utf-8'>"
                     "<meta name='viewport' content='width=device-width'><title>");
    ty_text_add_html(out, r->run->info.name);
    ty_text_add(out, "</title><style>");
    ty_text_add(out, style);
    ty_text_add(out, "</style><main><h1>");
    ty_text_add_html(out, r->run->info.name);
    ty_text_add(out, "</h1><p class='sub'>experiment ");
    ty_text_add_html(out, r->run->info.experiment);
    ty_text_add(out, " &middot; ");
    ty_text_add_html(out, r->result->reason ? r->result->reason : "");
    ty_text_addf(out, " &middot; MLflow run %s</p>", r->run->info.run_id);
}

static void add_test_cards(const report *r, ty_text *out) {
    ty_text label = {0};
    const bool is_classification = r->test->confusion != NULL;
    ty_text_addf(&label, "%s %s", r->test_split,
                 is_classification ? "accuracy" : "mean absolute error");
    add_number_card(out, ty_text_string(&label), "%.4g",
                    is_classification ? r->test->accuracy : r->test->mean_absolute_error);
    ty_text_clear(&label);
    ty_text_addf(&label, "%s loss", r->test_split);
    add_number_card(out, ty_text_string(&label), "%.4f", r->test->loss);
    ty_text_clear(&label);
}

static void add_cards(const report *r, ty_text *out) {
    char text[32];
    ty_text_add(out, "<div class='cards'>");
    if (r->test)
        add_test_cards(r, out);
    add_card(out, "steps", console_count(r->result->step, text));
    add_number_card(out, "epochs", "%.2f", r->result->epoch);
    add_card(out, "training time", console_duration(r->result->seconds, text));
    add_card(out, "samples/s", console_count((int64_t)r->result->samples_per_s, text));
    add_card(out, "parameters", console_count(r->plan->parameters, text));
    add_number_card(out, "ranks", "%.0f", r->ranks);
    ty_text_add(out, "</div>");
}

/* Curves whose keys end alike share a chart: train/loss and val/loss. */
static void add_chart(const report *r, const char *metric, ty_arena *arena, ty_text *out) {
    plot_line lines[6];
    plot p = {.title = metric, .x_label = "step", .lines = lines};
    for (int64_t i = 0; i < r->run->n_curves && p.n_lines < 6; i++) {
        const ty_run_curve *curve = &r->run->curves[i];
        const char *slash = strchr(curve->key, '/');
        if (!slash || strcmp(slash + 1, metric) != 0 || strncmp(curve->key, "test/", 5) == 0)
            continue;
        double *x = ty_arena_array(arena, (size_t)curve->n + 1, sizeof *x);
        double *y = ty_arena_array(arena, (size_t)curve->n + 1, sizeof *y);
        if (!x || !y)
            return;
        for (int64_t k = 0; k < curve->n; k++) {
            x[k] = (double)curve->v[k].step;
            y[k] = curve->v[k].value;
        }
        lines[p.n_lines++] = (plot_line){.label = curve->key, .x = x, .y = y, .n = curve->n};
    }
    if (p.n_lines == 0)
        return;
    ty_text_add(out, "<div class='panel'>");
    plot_svg(&p, out);
    ty_text_add(out, "</div>");
}

static void add_curves(const report *r, ty_arena *arena, ty_text *out) {
    static const char *const metrics[] = {"loss",          "accuracy",      "mean_absolute_error",
                                          "learning_rate", "gradient_norm", "samples_per_s"};
    ty_text_add(out, "<h2>Curves</h2><div class='grid2'>");
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++)
        add_chart(r, metrics[i], arena, out);
    ty_text_add(out, "</div>");
}

static void add_class_name(const report *r, int64_t class_index, ty_text *out) {
    ty_arena arena = {0};
    ty_text_add_html(out, class_name(ty_dataset_info(r->data), class_index, &arena));
    ty_arena_clear(&arena);
}

static void add_confusion_row(const report *r, int64_t truth, ty_text *out) {
    const int64_t n = r->test->n_classes;
    const int64_t *row = r->test->confusion + truth * n;
    int64_t total = 0;
    for (int64_t k = 0; k < n; k++)
        total += row[k];
    ty_text_add(out, "<tr><th class='l'>");
    add_class_name(r, truth, out);
    ty_text_add(out, "</th>");
    for (int64_t k = 0; k < n; k++) {
        double share = total ? (double)row[k] / (double)total : 0;
        const char *hue = k == truth ? "37,99,235" : "220,38,38";
        ty_text_addf(out, "<td style='background:rgba(%s,%.2f)%s'>%lld</td>", hue,
                     row[k] ? 0.08 + 0.85 * sqrt(share) : 0.0, share > 0.5 ? ";color:#fff" : "",
                     (long long)row[k]);
    }
    ty_text_addf(out, "<td>%.3f</td></tr>", total ? (double)row[truth] / (double)total : 0.0);
}

static void add_confusion(const report *r, ty_text *out) {
    enum { MAX_CLASSES = 40 };
    if (!r->test || !r->test->confusion)
        return;
    ty_text_addf(out, "<h2>Confusion matrix (%s, %lld samples)</h2>", r->test_split,
                 (long long)r->test->samples);
    if (r->test->n_classes > MAX_CLASSES) {
        ty_text_addf(out, "<p>%lld classes are too many for a table here.</p>",
                     (long long)r->test->n_classes);
        return;
    }
    ty_text_add(out,
                "<div class='panel'><table class='cm'><tr><th class='l'>truth \\ predicted</th>");
    for (int64_t k = 0; k < r->test->n_classes; k++) {
        ty_text_add(out, "<th>");
        add_class_name(r, k, out);
        ty_text_add(out, "</th>");
    }
    ty_text_add(out, "<th>recall</th></tr>");
    for (int64_t truth = 0; truth < r->test->n_classes; truth++)
        add_confusion_row(r, truth, out);
    ty_text_add(out, "</table></div>");
}

static ty_status add_image(ty_ctx *ctx, const report *r, int64_t sample, ty_text *out) {
    if (!samples_are_images(ty_dataset_info(r->data)))
        return TY_OK;
    ty_arena arena = {0};
    canvas_image image;
    int64_t class_index;
    ty_status st = sample_image(ctx, r->data, r->split, sample, &arena, &image, &class_index);
    if (st == TY_OK) {
        ty_text_add(out, "<img alt='' src='");
        st = png_data_uri(ctx, image.pixels, image.width, image.height, image.channels, out);
        ty_text_add(out, "'>");
    }
    ty_arena_clear(&arena);
    return st;
}

static ty_status add_mistakes(ty_ctx *ctx, const report *r, ty_text *out) {
    if (!r->test || !r->test->confusion || r->test->n_mistakes == 0)
        return TY_OK;
    ty_text_add(out, "<h2>Worst mistakes</h2><div class='mist'>");
    for (int64_t i = 0; i < r->test->n_mistakes; i++) {
        const ty_mistake *m = &r->test->mistakes[i];
        ty_text_add(out, "<figure>");
        TY_TRY(add_image(ctx, r, m->sample, out));
        ty_text_add(out, "<figcaption><b>");
        add_class_name(r, m->truth, out);
        ty_text_add(out, "</b><br>taken for ");
        add_class_name(r, m->predicted, out);
        ty_text_addf(out, "<br>%.1f %%, #%lld</figcaption></figure>", 100 * m->probability,
                     (long long)m->sample);
    }
    ty_text_add(out, "</div>");
    return TY_OK;
}

static void add_time_row(ty_text *out, const char *what, double seconds, double total) {
    ty_text_addf(out, "<tr><td class='l'>%s</td><td>%.2f s</td><td>%.1f %%</td></tr>", what,
                 seconds, total > 0 ? 100 * seconds / total : 0.0);
}

static void add_timings(const report *r, ty_text *out) {
    const ty_train_result *t = r->result;
    double rest =
        t->seconds - t->seconds_data - t->seconds_compute - t->seconds_comm - t->seconds_eval;
    ty_text_add(out, "<h2>Where the time went</h2><div class='panel'><table>");
    add_time_row(out, "waiting for data", t->seconds_data, t->seconds);
    add_time_row(out, "computing", t->seconds_compute, t->seconds);
    add_time_row(out, "communicating", t->seconds_comm, t->seconds);
    add_time_row(out, "evaluating", t->seconds_eval, t->seconds);
    add_time_row(out, "the rest (checkpoints, observers)", rest > 0 ? rest : 0, t->seconds);
    ty_text_add(out, "</table></div>");
}

static void add_model(const report *r, ty_text *out) {
    char count[32];
    ty_text_add(out, "<h2>Model</h2><div class='panel'><table><tr><th class='l'>layer</th><th "
                     "class='l'>type</th>"
                     "<th>output</th><th>parameters</th><th>MFLOP a step</th></tr>");
    for (int64_t i = 0; i < r->n_layers; i++)
        ty_text_addf(out,
                     "<tr><td class='l'>%s</td><td "
                     "class='l'>%s</td><td>%s</td><td>%s</td><td>%.2f</td></tr>",
                     r->layers[i].name, r->layers[i].type, r->layers[i].output_shape,
                     console_count(r->layers[i].parameters, count), r->layers[i].flops / 1e6);
    ty_text_add(out, "</table></div>");
}

static void add_details(const report *r, ty_text *out) {
    const ty_data_info *info = ty_dataset_info(r->data);
    ty_text environment = {0};
    facts_json(r->facts, "", &environment);
    ty_text_add(
        out,
        "<h2>How to go on</h2><pre># the same command continues an unfinished run, bit for bit\n");
    ty_text_add_html(out, r->command_line);
    ty_text_add(out, "\n\n# this model on its data again, or on other data\ntiltyard eval ");
    ty_text_add_html(out, r->run->info.folder);
    ty_text_add(out, "\n\n# all runs, curves and files\nmlflow ui</pre>");
    ty_text_addf(
        out, "<p>data %s, fingerprint <code>%s</code>; parameters <code>%016llx</code>; numerics ",
        info->name, info->fingerprint, (unsigned long long)r->result->params_hash);
    ty_text_add_html(out, r->plan->numeric);
    ty_text_add(out, "</p><details><summary>configuration</summary><pre>");
    ty_text_add_html(out, r->config_json);
    ty_text_add(out, "</pre></details><details><summary>environment</summary><pre>");
    ty_text_add_html(out, ty_text_string(&environment));
    ty_text_add(out, "</pre></details></main></html>\n");
    ty_text_clear(&environment);
}

ty_status report_write(ty_ctx *ctx, const report *r, const char *path) {
    ty_text out = {0};
    ty_arena arena = {0};
    ty_status st = TY_OK;
    add_head(r, &out);
    add_cards(r, &out);
    add_curves(r, &arena, &out);
    add_confusion(r, &out);
    TY_TRY_GOTO(done, st, add_mistakes(ctx, r, &out));
    add_timings(r, &out);
    add_model(r, &out);
    add_details(r, &out);
    if (out.is_short) {
        st = ty_fail_nomem(ctx, "the report");
        goto done;
    }
    st = ty_file_write_atomic(ctx, path, out.data, out.length);
done:
    ty_arena_clear(&arena);
    ty_text_clear(&out);
    return st;
}
