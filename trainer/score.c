/* Loss, accuracy, confusion and the worst mistakes. */
#include "trainer/score.h"

typedef struct tally {
    double loss, error;
    int64_t hits, near_hits;
    int64_t *confusion;
    ty_mistake *mistakes;
    int64_t n_mistakes;
} tally;

static void count_class(const ty_score_row *row, int64_t classes, int64_t top_k, tally *sums) {
    sums->hits += row->c == 0;
    sums->near_hits += row->c < (float)top_k;
    sums->confusion[row->truth * classes + (int64_t)row->a]++;
}

/* Keeps the worst, by falling loss; of equal ones the earlier sample first. */
static void keep_mistake(const ty_score_row *row, int64_t sample, tally *sums) {
    ty_mistake *kept = sums->mistakes;
    int64_t at = sums->n_mistakes;
    if (at == TY_SCORE_MISTAKES && !((double)row->loss > kept[at - 1].loss))
        return;
    at = at < TY_SCORE_MISTAKES ? at : at - 1;
    for (; at > 0 && kept[at - 1].loss < (double)row->loss; at--)
        kept[at] = kept[at - 1];
    kept[at] = (ty_mistake){.sample = sample,
                            .truth = row->truth,
                            .predicted = (int32_t)row->a,
                            .loss = (double)row->loss,
                            .probability = (double)row->b};
    if (sums->n_mistakes < TY_SCORE_MISTAKES)
        sums->n_mistakes++;
}

static bool is_class(double value, int64_t classes) {
    return value >= 0 && value < (double)classes;
}

static ty_status add_rows(ty_ctx *ctx, const ty_score_row *rows, int64_t n, int64_t classes,
                          int64_t top_k, tally *sums) {
    for (int64_t i = 0; i < n; i++) {
        sums->loss += (double)rows[i].loss;
        sums->error += (double)rows[i].b;
        if (classes == 0)
            continue;
        if (!is_class((double)rows[i].a, classes) || !is_class((double)rows[i].truth, classes))
            return ty_fail(
                ctx, TY_ERR_DATA, "sample %lld is of class %d and predicted %g, want 0..%lld",
                (long long)i, (int)rows[i].truth, (double)rows[i].a, (long long)classes - 1);
        count_class(&rows[i], classes, top_k, sums);
        if (rows[i].c != 0)
            keep_mistake(&rows[i], i, sums);
    }
    return TY_OK;
}

ty_status ty_score(ty_ctx *ctx, const ty_score_row *rows, int64_t n, int64_t classes, int64_t top_k,
                   ty_arena *arena, ty_eval_result *out) {
    tally sums = {.confusion = ty_arena_array(arena, (size_t)(classes * classes), sizeof(int64_t)),
                  .mistakes = ty_arena_array(arena, TY_SCORE_MISTAKES, sizeof(ty_mistake))};
    if (!sums.confusion || !sums.mistakes)
        return ty_fail_nomem(ctx, "an evaluation's result");
    TY_TRY(add_rows(ctx, rows, n, classes, top_k, &sums));
    const double count = (double)n;
    *out = (ty_eval_result){.samples = n, .loss = sums.loss / count, .n_classes = classes};
    if (classes == 0) {
        out->mean_absolute_error = sums.error / count;
        return TY_OK;
    }
    out->accuracy = (double)sums.hits / count;
    out->top_k_accuracy = (double)sums.near_hits / count;
    out->confusion = sums.confusion;
    out->mistakes = sums.mistakes;
    out->n_mistakes = sums.n_mistakes;
    return TY_OK;
}
