/* The page of a sweep, from what it was told to a text: nothing here reads or writes. */
#include <math.h>

#include "cli/console.h"
#include "cli/sweep/sweep.h"
#include "cli/sweep/sweep_report.h"

static const char page_style[] =
    ":root{color-scheme:light dark;--ink:#0f172a;--soft:#475569;--ground:#f8fafc;--paper:#fff;"
    "--line:#e2e8f0}"
    "@media(prefers-color-scheme:dark){:root{--ink:#f1f5f9;--soft:#cbd5e1;--ground:#0b1220;"
    "--paper:#0f172a;--line:#27364d}}"
    "body{font:15px/1.5 system-ui,sans-serif;margin:0;color:var(--ink);background:var(--ground)}"
    "main{max-width:1000px;margin:0 auto;padding:24px}h1{margin:0;font-size:26px}"
    "h2{margin:32px 0 10px;font-size:18px}.sub{color:var(--soft);margin:2px 0 18px}"
    ".cards{display:flex;flex-wrap:wrap;gap:12px}.card,.panel{background:var(--paper);"
    "border:1px solid var(--line);border-radius:8px}.card{padding:10px 16px;min-width:90px}"
    ".card b{display:block;font-size:22px}.card span{color:var(--soft);font-size:13px}"
    ".panel{padding:10px;margin-bottom:14px;overflow-x:auto}.panel svg{width:100%;height:auto;"
    "min-width:600px;display:block}table{border-collapse:collapse;font-size:14px}"
    "td,th{padding:3px 10px;text-align:right;border-bottom:1px solid var(--line);"
    "white-space:nowrap}th{color:var(--soft);font-weight:600;vertical-align:bottom}"
    "td.l,th.l{text-align:left}td{max-width:340px;overflow:hidden;text-overflow:ellipsis}"
    "th{white-space:normal;max-width:220px;overflow-wrap:break-word}"
    "td.why{white-space:normal;min-width:400px;max-width:none}"
    ".one td{text-align:left;max-width:none;white-space:normal;overflow-wrap:anywhere}"
    ".one td.l{white-space:nowrap}"
    "tr.chosen td{font-weight:600}td i{display:inline-block;width:9px;height:9px;"
    "border-radius:50%;background:var(--c);margin-right:6px}"
    "th button{all:unset;cursor:pointer;display:inline-block;max-width:220px}th button:hover,th "
    "button:focus-visible{"
    "text-decoration:underline}th[aria-sort=ascending] button::after{content:' \\2191'}"
    "th[aria-sort=descending] button::after{content:' \\2193'}.many{max-height:640px;"
    "overflow:auto}.many thead th{position:sticky;top:-10px;background:var(--paper)}"
    "pre{background:#0f172a;color:#e2e8f0;border:1px solid var(--line);border-radius:8px;"
    "padding:12px;overflow-x:auto;font-size:13px}details{margin-top:10px}"
    "summary{cursor:pointer}";

/* Numbers by their value, texts by theirs, what is missing last. */
static const char script[] =
    "for(const table of document.querySelectorAll('table.sorts')){const heads=[...table.tHead."
    "rows[0].cells];heads.forEach((head,k)=>{const button=document.createElement('button');"
    "button.textContent=head.textContent;head.replaceChildren(button);button.onclick=()=>{const "
    "up=head.ariaSort!=='ascending';for(const h of heads)h.removeAttribute('aria-sort');"
    "head.ariaSort=up?'ascending':'descending';const of=row=>row.cells[k].dataset.v??"
    "row.cells[k].textContent;const body=table.tBodies[0];body.append(...[...body.rows].sort("
    "(a,b)=>{const x=of(a),y=of(b);if(x===''||y==='')return(x==='')-(y==='');const "
    "d=x!==''&&y!==''&&!isNaN(x)&&!isNaN(y)?x-y:x.localeCompare(y);return up?d:-d}))}})}";

static void add_words(ty_text *out, const char *text) {
    axis_add_words(out, text, 1000);
}

/* --- head --------------------------------------------------------------------------------------- */

static void add_card(ty_text *out, const char *label, const char *value) {
    ty_text_add(out, "<div class='card'><b>");
    add_words(out, value);
    ty_text_add(out, "</b><span>");
    add_words(out, label);
    ty_text_add(out, "</span></div>");
}

static void add_number_card(ty_text *out, const char *label, double value) {
    char text[40];
    (void)snprintf(text, sizeof text, "%.6g", value);
    add_card(out, label, text);
}

static double seconds_of(const sweep_view *v, const ty_trial *t) {
    double ns = 0;
    for (size_t i = 0; i < t->leg_count; i++) {
        const ty_leg *leg = &t->legs[i];
        if (leg->told_ns > 0)
            ns += (double)(leg->told_ns - leg->asked_ns);
        else if (!t->is_lost)
            ns += (double)(v->now_ns - leg->asked_ns);
    }
    return ns / 1e9;
}

static void add_count_cards(const sweep_view *v, ty_text *out) {
    size_t counts[LOOKS] = {0};
    double seconds = 0;
    char text[32];
    for (size_t i = 0; i < v->n; i++) {
        counts[chart_look_of(v, v->trials[i])]++;
        seconds += seconds_of(v, v->trials[i]);
    }
    add_card(out, "trials", console_count((int64_t)v->n, text));
    for (int look = 0; look < LOOKS; look++)
        if (counts[look] > 0)
            add_card(out, chart_look_words[look], console_count((int64_t)counts[look], text));
    add_card(out, "time of all trials", console_duration(seconds, text));
}

static void add_test_cards(const json_t *test, ty_text *out) {
    static const char *const keys[][2] = {{"accuracy", "test accuracy of the best"},
                                          {"mean_absolute_error", "test error of the best"},
                                          {"loss", "test loss of the best"}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_is_number(json_object_get(test, keys[i][0])))
            add_number_card(out, keys[i][1], json_number_value(json_object_get(test, keys[i][0])));
}

static void add_best_card(const sweep_view *v, ty_text *out) {
    ty_text label = {0};
    ty_text_addf(&label, "best %s", v->metric);
    add_number_card(out, ty_text_string(&label), v->best->value);
    ty_text_clear(&label);
}

static void add_head(const sweep_page *p, ty_text *out) {
    const sweep_view *v = p->view;
    ty_text_add(out, "<!doctype html><html lang='en'><meta charset='utf-8'>"
                     "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; "
                     "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
                     "<meta name='viewport' content='width=device-width'><title>");
    add_words(out, v->name);
    ty_text_addf(out, "</title><style>%s%s</style><main><h1>", page_style, sweep_chart_style);
    add_words(out, v->name);
    ty_text_addf(out, "</h1><p class='sub'>%s ", v->maximize ? "maximizes" : "minimizes");
    add_words(out, v->metric);
    ty_text_addf(out, " &middot; sampler %s &middot; pruner %s &middot; %zu parameter%s</p>",
                 p->sampler, p->pruner, v->space->count, console_plural((int64_t)v->space->count));
    ty_text_add(out, "<div class='cards'>");
    if (v->best)
        add_best_card(v, out);
    add_test_cards(p->test, out);
    add_count_cards(v, out);
    ty_text_add(out, "</div>");
}

/* --- the best ----------------------------------------------------------------------------------- */

/* What the trial ran with, also where it is no value of the newest space; nothing where the parameter
 * played no part. */
static void add_value(const ty_trial *t, const char *name, ty_text *out) {
    const ty_space *space = t->version->space;
    const size_t d = ty_space_find(space, name);
    ty_text text = {0};
    if (d < space->count && !isnan(t->asked[d]))
        sweep_add_value(&space->params[d], t->asked[d], &text);
    add_words(out, ty_text_string(&text));
    ty_text_clear(&text);
}

static void add_best_param(const ty_trial *best, const char *name, ty_text *out) {
    ty_text_add(out, "<tr><td class='l'>");
    add_words(out, name);
    ty_text_add(out, "</td><td>");
    add_value(best, name, out);
    ty_text_add(out, "</td></tr>");
}

static void add_best(const sweep_page *p, ty_text *out) {
    const sweep_view *v = p->view;
    ty_text_add(out, "<h2>Best trial</h2>");
    if (!v->best) {
        ty_text_add(out, "<p>No trial has a value yet.</p>");
        return;
    }
    ty_text_addf(out, "<p>Trial %zu, run <code>", v->best->number);
    add_words(out, p->best_run ? p->best_run : "");
    ty_text_add(out, "</code>: ");
    add_words(out, v->metric);
    ty_text_addf(out, " %.6g</p><div class='panel'><table class='one'>", v->best->value);
    /* Of its own space, which need not be the newest. */
    for (size_t d = 0; d < v->best->version->space->count; d++)
        if (!isnan(v->best->asked[d]))
            add_best_param(v->best, v->best->version->space->params[d].name, out);
    ty_text_add(out, "</table></div>");
}

/* --- trials ------------------------------------------------------------------------------------- */

static void add_heads(const sweep_view *v, ty_text *out) {
    ty_text_add(out, "<thead><tr><th>trial</th><th class='l'>state</th><th>");
    add_words(out, v->metric);
    ty_text_add(out, "</th><th>reports</th><th>time</th>");
    for (size_t d = 0; d < v->space->count; d++) {
        ty_text_add(out, "<th>");
        add_words(out, v->space->params[d].name);
        ty_text_add(out, "</th>");
    }
    ty_text_add(out, "<th class='l'>why</th></tr></thead>");
}

static void add_cells(const sweep_view *v, const ty_trial *t, ty_text *out) {
    for (size_t d = 0; d < v->space->count; d++) {
        ty_text_add(out, "<td>");
        add_value(t, v->space->params[d].name, out);
        ty_text_add(out, "</td>");
    }
}

static void add_row(const sweep_view *v, const ty_trial *t, ty_text *out) {
    char time[32];
    const double seconds = seconds_of(v, t);
    const chart_look look = chart_look_of(v, t);
    ty_text_addf(out, "<tr%s><td>%zu</td><td class='l'><i class='%s'></i>%s</td><td>",
                 t == v->best ? " class='chosen'" : "", t->number, chart_look_names[look],
                 chart_look_words[look]);
    if (!isnan(t->value))
        ty_text_addf(out, "%.6g", t->value);
    ty_text_addf(out, "</td><td>%zu</td><td data-v='%.3f'>%s</td>", t->reports, seconds,
                 console_duration(seconds, time));
    add_cells(v, t, out);
    ty_text_add(out, "<td class='l why'>");
    add_words(out, t->reason);
    ty_text_add(out, "</td></tr>\n");
}

static void add_trials(const sweep_view *v, ty_text *out) {
    ty_text_add(out, "<h2>Trials</h2><div class='panel many'><table class='sorts'>");
    add_heads(v, out);
    ty_text_add(out, "<tbody>");
    for (size_t i = 0; i < v->n; i++)
        add_row(v, v->trials[i], out);
    ty_text_add(out, "</tbody></table></div>");
}

/* --- how to go on ------------------------------------------------------------------------------- */

static void add_file(const char *name, const char *text, ty_text *out) {
    if (!text)
        return;
    ty_text_addf(out, "<details><summary>%s</summary><pre>", name);
    ty_text_add_html(out, text);
    ty_text_add(out, "</pre></details>");
}

static void add_commands(const sweep_page *p, ty_text *out) {
    ty_text_add(out, "<h2>How to go on</h2><pre># goes on where it is; with more trials: add --set "
                     "run_cap=N\n");
    ty_text_add_html(out, p->command);
    ty_text_add(out, "\n\n# derives every decision again and compares, bit for bit\n"
                     "tiltyard sweep replay ");
    ty_text_add_html(out, p->view->name);
    ty_text_add(out, "\n\n# the trials for other programs\ntiltyard sweep export ");
    ty_text_add_html(out, p->view->name);
    ty_text_add(out, " --output trials.csv</pre>");
    add_file("sweep", p->sweep_json, out);
    add_file("configuration of the trials", p->config_json, out);
}

void sweep_page_html(const sweep_page *p, ty_text *out) {
    add_head(p, out);
    add_best(p, out);
    ty_text_add(out, "<h2>Plots</h2>");
    for (int i = 0; i < SWEEP_CHARTS; i++) {
        ty_text_add(out, "<div class='panel'>");
        sweep_chart_svg(&sweep_charts[i], p->view, false, out);
        ty_text_add(out, "</div>");
    }
    add_trials(p->view, out);
    add_commands(p, out);
    ty_text_addf(out, "</main><script>%s</script></html>\n", script);
}
