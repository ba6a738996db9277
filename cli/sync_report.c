#include "cli/sync_report.h"

#include <time.h>

enum { MAX_LETTERS = 10 };

/* --- words ------------------------------------------------------------------------------------ */

static void add_count(ty_text *out, const char *before, int64_t n, const char *what) {
    char number[32];
    if (n != 0)
        ty_text_addf(out, "%s%s %s%s", out->length != 0 ? before : "", console_count(n, number),
                     what, console_plural(n));
}

/* "12,345 points, 3 files and 1 model", by the counts that `which` gives; "" for none. */
static void add_counts(const ty_sync_report *r, bool is_pending, ty_text *out) {
    const struct {
        const char *what;
        const ty_sync_count *count;
    } rows[] = {{"point", &r->points},
                {"other value", &r->values},
                {"file", &r->files},
                {"model", &r->models}};
    ty_text text = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const ty_sync_count *c = rows[i].count;
        add_count(&text, ", ", is_pending ? c->all - c->acked : c->acked, rows[i].what);
    }
    ty_text_add(out, text.length != 0 ? ty_text_string(&text)
                     : is_pending     ? "its state"
                                      : "nothing");
    ty_text_clear(&text);
}

static void add_time(ty_text *out, int64_t ns) {
    const time_t seconds = (time_t)(ns / 1000000000);
    struct tm local;
    char text[32];
    if (ns > 1 && localtime_r(&seconds, &local) &&
        strftime(text, sizeof text, "%Y-%m-%d %H:%M", &local) != 0)
        ty_text_addf(out, " since %s", text);
}

static void add_letters(const console *c, const ty_sync_report *r, ty_text *out) {
    for (int64_t i = 0; i < r->n_dead && i < MAX_LETTERS; i++) {
        const ty_sync_letter *letter = &r->dead[i];
        ty_text_addf(out, "    %srefused%s  %s %s", console_red(c), console_plain(c), letter->what,
                     letter->key);
        if (letter->step >= 0)
            ty_text_addf(out, " at step %lld", (long long)letter->step);
        ty_text_addf(out, ": %s\n", letter->words);
    }
    if (r->n_dead > MAX_LETTERS)
        ty_text_addf(out, "    ... and %lld more (--json has them all)\n",
                     (long long)(r->n_dead - MAX_LETTERS));
}

void sync_report_state(const console *c, const ty_sync_report *r, ty_text *out) {
    if (r->is_gone)
        ty_text_add(out, "deleted there for good; not sent again");
    else if (ty_sync_is_complete(r)) {
        ty_text_addf(out, "%sall%s of it acknowledged: ", console_green(c), console_plain(c));
        add_counts(r, false, out);
    } else {
        ty_text_addf(out, "%spending%s ", console_yellow(c), console_plain(c));
        add_counts(r, true, out);
        add_time(out, r->pending_since_ns);
        ty_text_add(out, r->is_live ? "; live: its own process delivers it" : "");
    }
}

void sync_report_words(const console *c, const ty_sync_report *r, ty_text *out) {
    ty_text_addf(out, "%s  %s\n    ", r->name, r->target);
    sync_report_state(c, r, out);
    ty_text_add(out, "\n");
    if (r->their_run_id)
        ty_text_addf(out, "    %s/#/experiments/%s/runs/%s\n", r->target, r->experiment_id,
                     r->their_run_id);
    add_letters(c, r, out);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void add_member(ty_text *out, const char *key, const char *value) {
    ty_text_addf(out, "\"%s\": ", key);
    if (value)
        ty_text_add_json(out, value);
    else
        ty_text_add(out, "null");
    ty_text_add(out, ", ");
}

static void add_json_count(ty_text *out, const char *key, const ty_sync_count *c) {
    ty_text_addf(out, "\"%s\": {\"all\": %lld, \"acknowledged\": %lld}, ", key, (long long)c->all,
                 (long long)c->acked);
}

void sync_report_json(const ty_sync_report *r, ty_text *out) {
    ty_text_add(out, "{");
    add_member(out, "run", r->name);
    add_member(out, "folder", r->folder);
    add_member(out, "run_id", r->run_id);
    add_member(out, "target", r->target);
    add_member(out, "experiment_id", r->experiment_id);
    add_member(out, "their_run_id", r->their_run_id);
    ty_text_addf(out, "\"is_complete\": %s, \"is_live\": %s, \"is_gone\": %s, ",
                 ty_sync_is_complete(r) ? "true" : "false", r->is_live ? "true" : "false",
                 r->is_gone ? "true" : "false");
    add_json_count(out, "points", &r->points);
    add_json_count(out, "values", &r->values);
    add_json_count(out, "files", &r->files);
    add_json_count(out, "models", &r->models);
    ty_text_addf(out, "\"pending_since_ms\": %lld, \"refused\": [",
                 (long long)(r->pending_since_ns / 1000000));
    for (int64_t i = 0; i < r->n_dead; i++) {
        ty_text_add(out, i != 0 ? ", {" : "{");
        add_member(out, "what", r->dead[i].what);
        add_member(out, "key", r->dead[i].key);
        ty_text_addf(out, "\"step\": %lld, \"words\": ", (long long)r->dead[i].step);
        ty_text_add_json(out, r->dead[i].words);
        ty_text_add(out, "}");
    }
    ty_text_add(out, "]}");
}

/* --- the sum ---------------------------------------------------------------------------------- */

static void add_up(ty_sync_report *sum, const ty_sync_report *r) {
    sum->points.all += r->points.all;
    sum->points.acked += r->points.acked;
    sum->files.all += r->files.all;
    sum->files.acked += r->files.acked;
    sum->models.all += r->models.all;
    sum->models.acked += r->models.acked;
    sum->n_dead += r->n_dead;
    if (r->pending_since_ns != 0 &&
        (sum->pending_since_ns == 0 || r->pending_since_ns < sum->pending_since_ns))
        sum->pending_since_ns = r->pending_since_ns;
}

void sync_report_sum(const ty_sync_report *v, int64_t n, ty_text *out) {
    ty_sync_report sum = {0};
    bool is_pending = false;
    for (int64_t i = 0; i < n; i++) {
        add_up(&sum, &v[i]);
        is_pending = is_pending || v[i].is_live || !ty_sync_is_complete(&v[i]);
    }
    add_count(out, "", n, "run");
    ty_text_add(out, is_pending ? ": pending " : ": all acknowledged, ");
    add_counts(&sum, is_pending, out);
    if (is_pending)
        add_time(out, sum.pending_since_ns);
    if (sum.n_dead != 0)
        ty_text_addf(out, "; %lld refused", (long long)sum.n_dead);
}
