/* The room that the checkpoints of a sweep's trials take, and who gives its own up where they take more than
 * resources.disk. What is decided is hpo's (quota.h); here is what lies on the disk. The journal says first
 * who gives up, so that a start after a crash ends what was begun before anything else is decided. */
#include <stdlib.h>

#include "cli/sweep/sweep.h"

/* In the scratch arena; NULL: no memory. */
static const char *folder_of(sweep *s, size_t trial) {
    ty_arena *arena = &s->app->ctx.scratch;
    const char *name = sweep_run_name(s, trial, arena);
    return name ? ty_arena_printf(arena, "%s/runs/%s/%s", s->app->folder, s->experiment, name)
                : NULL;
}

/* --- sizes -------------------------------------------------------------------------------------- */

static ty_status measure(sweep *s, size_t trial, uint64_t *out) {
    const ty_arena_mark mark = ty_arena_mark_here(&s->app->ctx.scratch);
    const char *folder = folder_of(s, trial);
    *out = folder ? (uint64_t)ty_run_checkpoint_bytes(&s->app->ctx, folder) : 0;
    ty_arena_reset(&s->app->ctx.scratch, mark);
    return folder ? TY_OK : ty_fail_nomem(&s->app->ctx, "the room that checkpoints take");
}

/* Room for the sizes of all trials; those that are new are not known. */
static ty_status grow_sizes(sweep *s, size_t n) {
    int64_t *grown = reallocarray(s->disk.sizes, n + 1, sizeof *grown);
    if (!grown)
        return ty_fail_nomem(&s->app->ctx, "the room that checkpoints take");
    s->disk.sizes = grown;
    while (s->disk.count < n)
        s->disk.sizes[s->disk.count++] = -1;
    return TY_OK;
}

void sweep_forget_size(sweep *s, size_t trial) {
    if (trial < s->disk.count)
        s->disk.sizes[trial] = -1;
}

/* What runs grows; what has ended stays as it is. */
static ty_status measure_all(sweep *s, ty_quota_trial *v, size_t n) {
    TY_TRY(grow_sizes(s, n));
    for (size_t i = 0; i < n; i++) {
        int64_t *size = &s->disk.sizes[i];
        if (*size < 0)
            TY_TRY(measure(s, i, &v[i].bytes));
        else
            v[i].bytes = (uint64_t)*size;
        if (ty_study_trial(s->study, i)->state != TY_TRIAL_RUNNING)
            *size = (int64_t)v[i].bytes;
    }
    return TY_OK;
}

/* --- giving up ---------------------------------------------------------------------------------- */

typedef struct giving {
    sweep *s;
    size_t trial;
} giving;

static ty_status record(ty_ctx *ctx, void *self) {
    const giving *g = self;
    return ty_study_strip(ctx, g->s->study, g->trial);
}

/* What a start finds that was killed while a trial gave up, and that somebody has taken since. */
static void say_held(sweep *s, size_t trial) {
    if (!s->disk.has_said_held)
        ty_log(&s->app->ctx, TY_LOG_WARN, "disk",
               "trial %zu gave its checkpoints up, and some are still there: %s; they are removed "
               "when nobody needs them",
               trial, s->app->ctx.message);
    s->disk.has_said_held = true;
}

/* Who cannot give up now (somebody works on its run, a registered version comes from it) is passed over
 * this time. */
static ty_status give_up(sweep *s, ty_quota_trial *t) {
    ty_ctx *ctx = &s->app->ctx;
    giving g = {s, t->number};
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *folder = folder_of(s, t->number);
    const ty_status st = folder ? ty_run_drop_checkpoints(ctx, s->app->folder, folder, record, &g)
                                : ty_fail_nomem(ctx, "a trial's folder");
    ty_arena_reset(&ctx->scratch, mark);
    if (st == TY_OK) {
        t->bytes = 0;
        s->disk.sizes[t->number] = 0;
        return TY_OK;
    }
    t->is_protected = true;
    if (!ty_study_trial(s->study, t->number)->is_stripped)
        return TY_OK; /* nothing was recorded */
    if (st == TY_ERR_BUSY)
        say_held(s, t->number);
    return st == TY_ERR_BUSY ? TY_OK : st;
}

/* Recorded, and then killed before it was done. */
static ty_status finish_begun(sweep *s, ty_quota_trial *v, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (ty_study_trial(s->study, i)->is_stripped && v[i].bytes > 0)
            TY_TRY(give_up(s, &v[i]));
    return TY_OK;
}

static void add_number(ty_text *names, size_t number) {
    ty_text_addf(names, "%s%zu", names->length ? ", " : "", number);
}

/* Again without those that could not give up. */
static ty_status choose_and_give_up(sweep *s, ty_quota_trial *v, size_t n, size_t *losers,
                                    ty_text *names, uint64_t *left) {
    const uint64_t most = (uint64_t)s->file.resources.disk.value;
    bool is_settled = false;
    while (!is_settled) {
        const size_t count = ty_quota_choose(v, n, most, losers, left);
        is_settled = true;
        for (size_t i = 0; i < count; i++) {
            ty_quota_trial *loser = &v[losers[i]];
            TY_TRY(give_up(s, loser));
            is_settled = is_settled && loser->bytes == 0;
            if (loser->bytes == 0)
                add_number(names, loser->number);
        }
    }
    return TY_OK;
}

/* --- words -------------------------------------------------------------------------------------- */

static void say_given_up(const sweep *s, const ty_text *names, uint64_t left) {
    char kept[32], most[32];
    if (names->length > 0)
        console_say(&s->app->console,
                    "disk    %s of %s: checkpoints of these trials are given up: %s",
                    console_bytes((double)left, kept),
                    console_bytes(s->file.resources.disk.value, most), ty_text_string(names));
}

static void say_too_small(sweep *s, uint64_t left) {
    char kept[32], most[32];
    if ((double)left <= s->file.resources.disk.value || s->disk.has_said)
        return;
    s->disk.has_said = true;
    ty_log(&s->app->ctx, TY_LOG_WARN, "disk",
           "the checkpoints take %s, and resources.disk is %s: all that is left belongs to trials "
           "that run or to the best one, or is in use",
           console_bytes((double)left, kept), console_bytes(s->file.resources.disk.value, most));
}

void sweep_say_anew(const sweep *s, const ty_trial *t) {
    console_say(&s->app->console,
                "trial %4zu  begins anew, its checkpoints were given up: %g %s are trained again",
                t->number, t->reports > 0 ? t->resource[t->reports - 1] : 0,
                ty_resource_names[s->file.resource]);
}

/* --- the whole ---------------------------------------------------------------------------------- */

static ty_status keep(sweep *s, ty_quota_trial *v, size_t n, size_t *losers) {
    ty_text names = {0};
    uint64_t left = 0;
    TY_TRY(ty_study_stakes(&s->app->ctx, s->study, v));
    TY_TRY(measure_all(s, v, n));
    TY_TRY(finish_begun(s, v, n));
    const ty_status st = choose_and_give_up(s, v, n, losers, &names, &left);
    if (st == TY_OK) {
        say_given_up(s, &names, left);
        say_too_small(s, left);
    }
    ty_text_clear(&names);
    return st;
}

ty_status sweep_keep_disk(sweep *s) {
    ty_ctx *ctx = &s->app->ctx;
    const size_t n = ty_study_count(s->study);
    if (s->file.resources.disk.unit != TY_UNIT_BYTES)
        return TY_OK;
    ty_quota_trial *v = calloc(n + 1, sizeof *v);
    size_t *losers = calloc(n + 1, sizeof *losers);
    const ty_status st =
        v && losers ? keep(s, v, n, losers) : ty_fail_nomem(ctx, "the room that checkpoints take");
    free(v);
    free(losers);
    return st;
}

/* --- looking ------------------------------------------------------------------------------------ */

void sweep_say_disk(sweep *s) {
    char text[32], most[32];
    uint64_t bytes = 0, all = 0;
    size_t kept = 0, stripped = 0;
    double again = 0;
    if (!s->file.config_path)
        return; /* another program's are its own */
    for (size_t i = 0; i < ty_study_count(s->study); i++) {
        const ty_trial *t = ty_study_trial(s->study, i);
        if (measure(s, i, &bytes) != TY_OK)
            return;
        all += bytes;
        kept += bytes > 0;
        stripped += t->is_stripped;
        again += t->retrained;
    }
    const bool is_bounded = s->file.resources.disk.unit == TY_UNIT_BYTES;
    console_say(&s->app->console, "disk    %s of checkpoints, of %zu trial%s%s%s",
                console_bytes((double)all, text), kept, console_plural((int64_t)kept),
                is_bounded ? "; at most " : "",
                is_bounded ? console_bytes(s->file.resources.disk.value, most) : "");
    if (stripped > 0 || again > 0)
        console_say(&s->app->console,
                    "        %zu trial%s gave theirs up; %g %s were trained again for that",
                    stripped, console_plural((int64_t)stripped), again,
                    ty_resource_names[s->file.resource]);
}
