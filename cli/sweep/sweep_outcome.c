/* What a sweep whose trials have all ended came to: a search that has found nothing has failed. */
#include <string.h>

#include "cli/signals.h"
#include "cli/sweep/sweep.h"

/* The one that failed last; NULL: none did. */
static const ty_trial *last_failed(const sweep *s) {
    const ty_trial *last = NULL;
    for (size_t i = 0; i < ty_study_count(s->study); i++) {
        const ty_trial *t = ty_study_trial(s->study, i);
        if (t->state == TY_TRIAL_FAILED && (!last || t->told_ns >= last->told_ns))
            last = t;
    }
    return last;
}

static bool all_failed(const sweep *s) {
    const size_t n = ty_study_count(s->study);
    size_t failed = 0;
    for (size_t i = 0; i < n; i++)
        failed += ty_study_trial(s->study, i)->state == TY_TRIAL_FAILED;
    return n > 0 && failed == n;
}

/* What it was in a line: a trial's own words may go on with the place in its config, and where its log is
 * is said in full. */
static int length_of_words(const char *reason) {
    const char *log = strstr(reason, ", see logs/");
    const size_t line = strcspn(reason, "\n");
    return (int)(log && (size_t)(log - reason) < line ? (size_t)(log - reason) : line);
}

static ty_status fail(sweep *s, const char *what) {
    static const char mark[] = "error: ";
    const ty_trial *t = last_failed(s);
    if (!t)
        return ty_fail(&s->app->ctx, TY_ERR_FAILED, "%s", what);
    const char *reason = t->reason;
    if (strncmp(reason, mark, strlen(mark)) == 0)
        reason += strlen(mark);
    return ty_fail(&s->app->ctx, TY_ERR_FAILED,
                   "%s; the last one, trial %zu: %.*s; its log is %s/" SWEEP_LOG, what, t->number,
                   length_of_words(reason), reason, s->folder, t->number);
}

ty_status sweep_outcome(sweep *s, ty_status st) {
    if (st != TY_OK)
        return st;
    if (s->stop)
        return signals_status(s->stop);
    if (s->has_failed)
        return fail(s, "too many trials in a row failed (stop.max_consecutive_failures)");
    return all_failed(s) ? fail(s, "every trial has failed") : TY_OK;
}
