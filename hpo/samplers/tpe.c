/* Which parameters go together, and which trials are good. */
#include "hpo/samplers/tpe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- groups ---------------------------------------------------------------------------------------- */

/* Whether all of p's clauses about this one's parent accept what it accepts, and there is one. */
static bool is_implied(const ty_clause *clause, const ty_param *by) {
    for (size_t i = 0; i < by->clause_count; i++) {
        const ty_clause *other = &by->clauses[i];
        bool is_within = other->parent == clause->parent;
        for (size_t k = 0; is_within && k < other->accepted_count; k++)
            is_within = ty_clause_accepts(clause, other->accepted[k]);
        if (is_within)
            return true;
    }
    return false;
}

static bool implies(const ty_param *a, const ty_param *b) {
    for (size_t i = 0; i < b->clause_count; i++)
        if (!is_implied(&b->clauses[i], a))
            return false;
    return true;
}

/* The group of parameter d: that of an earlier one under the same conditions, or a new one. */
static ty_tpe_group *group_for(ty_tpe *t, size_t d, bool is_joint) {
    const ty_param *params = t->space->params;
    for (size_t g = 0; is_joint && g < t->group_count; g++) {
        const ty_param *first = &params[t->groups[g].first];
        if (implies(first, &params[d]) && implies(&params[d], first))
            return &t->groups[g];
    }
    ty_tpe_group *group = &t->groups[t->group_count++];
    group->first = d;
    return group;
}

/* Groups' axes lie behind each other; first their counts, then where each begins, then who they are. */
static void set_axes(ty_tpe *t, const size_t *group_of) {
    size_t at = 0;
    for (size_t g = 0; g < t->group_count; g++) {
        ty_parzen_axis *v = t->axes + at;
        size_t count = 0;
        for (size_t d = 0; d < t->space->count; d++)
            if (group_of[d] == g)
                v[count++] = (ty_parzen_axis){.param = &t->space->params[d], .index = d};
        t->groups[g].axes = ty_parzen_axes_of(v, count);
        at += count;
    }
}

static ty_status open_groups(ty_ctx *ctx, ty_tpe *t, bool is_joint) {
    size_t group_of[TY_SPACE_MAX_PARAMS];
    for (size_t d = 0; d < t->space->count; d++) {
        group_of[d] = SIZE_MAX;
        if (ty_param_cardinality(&t->space->params[d]) != 1)
            group_of[d] = (size_t)(group_for(t, d, is_joint) - t->groups);
    }
    set_axes(t, group_of);
    for (size_t g = 0; g < t->group_count; g++) {
        TY_TRY(ty_parzen_open(ctx, &t->groups[g].axes, true, &t->groups[g].good));
        TY_TRY(ty_parzen_open(ctx, &t->groups[g].axes, false, &t->groups[g].rest));
    }
    return TY_OK;
}

ty_status ty_tpe_init(ty_ctx *ctx, ty_tpe *t, const ty_space *space, bool is_joint,
                      bool counts_pending) {
    *t = (ty_tpe){.space = space, .counts_pending = counts_pending};
    t->axes = calloc(space->count + 1, sizeof *t->axes);
    t->groups = calloc(space->count + 1, sizeof *t->groups);
    const ty_status st = t->axes && t->groups ? open_groups(ctx, t, is_joint)
                                              : ty_fail_nomem(ctx, "the TPE sampler's groups");
    if (st != TY_OK)
        ty_tpe_clear(t);
    return st;
}

void ty_tpe_clear(ty_tpe *t) {
    for (size_t g = 0; g < t->group_count; g++) {
        ty_parzen_close(t->groups[g].good);
        ty_parzen_close(t->groups[g].rest);
        free(t->groups[g].plays);
    }
    free(t->axes);
    free(t->groups);
    free(t->by_number);
    free(t->is_good);
    free(t->points);
    *t = (ty_tpe){0};
}

/* --- merit ----------------------------------------------------------------------------------------- */

typedef struct merit {
    int rank; /* complete, pruned, in violation */
    double first, second;
    size_t number;
} merit;

static merit merit_of(const ty_shown *s) {
    if (s->violation > 0)
        return (merit){2, s->violation, 0, s->number};
    const double value = isnan(s->value) ? INFINITY : s->value;
    if (s->state == TY_TRIAL_COMPLETE)
        return (merit){0, value, 0, s->number};
    if (isnan(s->value) && s->last_step == 0) /* nothing was reported */
        return (merit){1, 1, 0, s->number};
    return (merit){1, -s->last_step, value, s->number};
}

static bool is_better(merit a, merit b) {
    if (a.rank != b.rank)
        return a.rank < b.rank;
    if (a.first != b.first)
        return a.first < b.first;
    if (a.second != b.second)
        return a.second < b.second;
    return a.number < b.number;
}

static void rank_trial(ty_tpe *t, const ty_history *h, size_t i) {
    const merit m = merit_of(&h->shown[i]);
    size_t at = t->best_count;
    while (at > 0 && is_better(m, merit_of(&h->shown[t->best[at - 1]])))
        at--;
    if (at == TY_TPE_MAX_GOOD)
        return;
    const size_t kept = t->best_count < TY_TPE_MAX_GOOD ? t->best_count : TY_TPE_MAX_GOOD - 1;
    memmove(t->best + at + 1, t->best + at, (kept - at) * sizeof *t->best);
    t->best[at] = i;
    t->best_count = kept + 1;
}

/* --- following a history --------------------------------------------------------------------------- */

static ty_status grow(ty_ctx *ctx, void **array, size_t *capacity, size_t n, size_t size) {
    if (n <= *capacity)
        return TY_OK;
    const size_t to = n + n / 2 + 64;
    void *grown = realloc(*array, to * size);
    if (!grown)
        return ty_fail_nomem(ctx, "the TPE sampler's view of a history");
    *array = grown;
    *capacity = to;
    return TY_OK;
}

static bool has_all(const ty_parzen_axes *axes, const double *z, size_t stride) {
    bool has = true;
    for (size_t a = 0; has && a < axes->count; a++)
        has = !isnan(z[axes->v[a].index * stride]);
    return has;
}

static void order_trial(ty_tpe *t, const ty_history *h, size_t i) {
    size_t at = i;
    for (; at > 0 && h->shown[t->by_number[at - 1]].number > h->shown[i].number; at--)
        t->by_number[at] = t->by_number[at - 1];
    t->by_number[at] = i;
}

static ty_status reserve(ty_ctx *ctx, ty_tpe *t, const ty_history *h) {
    const size_t n = h->count;
    size_t capacity = t->by_number_capacity;
    TY_TRY(grow(ctx, (void **)&t->is_good, &capacity, n, sizeof *t->is_good));
    TY_TRY(grow(ctx, (void **)&t->by_number, &t->by_number_capacity, n, sizeof *t->by_number));
    for (size_t g = 0; g < t->group_count; g++)
        TY_TRY(grow(ctx, (void **)&t->groups[g].plays, &t->groups[g].plays_capacity, n, 1));
    return grow(ctx, (void **)&t->points, &t->points_capacity, n + h->pending_count,
                sizeof *t->points);
}

static void take_in(ty_tpe *t, const ty_history *h) {
    for (size_t i = t->taken; i < h->count; i++) {
        t->is_good[i] = false;
        order_trial(t, h, i);
        rank_trial(t, h, i);
        for (size_t g = 0; g < t->group_count; g++)
            t->groups[g].plays[i] = has_all(&t->groups[g].axes, h->z + i, h->capacity);
    }
    t->taken = h->count;
}

static void choose_good(ty_tpe *t, const ty_history *h) {
    memset(t->is_good, 0, h->count);
    const double wanted = ceil(0.1 * (double)h->count);
    t->good_count = wanted < TY_TPE_MAX_GOOD ? (size_t)wanted : TY_TPE_MAX_GOOD;
    for (size_t i = 0; i < t->good_count; i++)
        t->is_good[t->best[i]] = true;
}

static ty_parzen_point shown_point(const ty_tpe *t, const ty_history *h, size_t i) {
    return (ty_parzen_point){h->shown[i].number, h->z + i, h->capacity, i < t->estimated};
}

/* The points of good trials, or of the others and those under way, by number. */
static size_t gather(ty_tpe *t, const ty_tpe_group *group, const ty_history *h, bool of_good) {
    const size_t pending = of_good || !t->counts_pending ? 0 : h->pending_count;
    size_t n = 0, j = 0;
    for (size_t at = 0; at <= h->count; at++) {
        const size_t i = at < h->count ? t->by_number[at] : 0;
        const size_t number = at < h->count ? h->shown[i].number : SIZE_MAX;
        for (; j < pending && h->pending[j] < number; j++)
            if (has_all(&group->axes, h->pending_z + j, h->pending_capacity))
                t->points[n++] =
                    (ty_parzen_point){h->pending[j], h->pending_z + j, h->pending_capacity, false};
        if (at < h->count && group->plays[i] && t->is_good[i] == of_good)
            t->points[n++] = shown_point(t, h, i);
    }
    return n;
}

ty_status ty_tpe_follow(ty_ctx *ctx, ty_tpe *t, const ty_history *h) {
    TY_TRY(reserve(ctx, t, h));
    take_in(t, h);
    if (h->count > 0)
        choose_good(t, h);
    for (size_t g = 0; g < t->group_count; g++) {
        ty_tpe_group *group = &t->groups[g];
        TY_TRY(ty_parzen_set(ctx, group->good, t->points, gather(t, group, h, true)));
        TY_TRY(ty_parzen_set(ctx, group->rest, t->points, gather(t, group, h, false)));
    }
    t->estimated = h->count;
    return TY_OK;
}
