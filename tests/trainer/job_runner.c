/* One job from the command line, for tests that start several under mpirun:
 *     job_runner CONFIG FOLDER|- STOP_STEP train|eval [KEY=VALUE]...
 * Rank 0 prints one line: what was learned, or the evaluation of a checkpoint, to the last bit. */
#include "tests/trainer/job_fixture.h"

static int run_training(job *j, int64_t stop_step) {
    j->rec.signal_after = stop_step;
    const ty_status st = job_run(j);
    if (st != TY_OK && st != TY_STOP_REQUEUE) {
        (void)fprintf(stderr, "%s\n", j->ctx->message);
        return ty_status_exit_code(st);
    }
    /* A run that was finished before has no points in this sitting. */
    const int64_t step = j->result.step;
    if (ty_comm_rank(j->trainer->comm) == 0)
        (void)printf("step %lld hash %016llx best %lld loss %a val %a\n", (long long)step,
                     (unsigned long long)j->result.params_hash, (long long)j->result.best_step,
                     job_has_metric(j, "train/loss", step) ? job_metric(j, "train/loss", step) : -1,
                     job_has_metric(j, "val/loss", step) ? job_metric(j, "val/loss", step) : -1);
    return 0;
}

static int run_evaluation(job *j) {
    ty_eval_result result;
    if (ty_trainer_evaluate(j->ctx, j->trainer, TY_SPLIT_TEST, false, &result) != TY_OK) {
        (void)fprintf(stderr, "%s\n", j->ctx->message);
        return 1;
    }
    const size_t cells = (size_t)(result.n_classes * result.n_classes);
    if (ty_comm_rank(j->trainer->comm) == 0)
        (void)printf(
            "samples %lld loss %a accuracy %a confusion %016llx worst %lld\n",
            (long long)result.samples, result.loss, result.accuracy,
            (unsigned long long)ty_hash64(result.confusion, cells * sizeof *result.confusion),
            result.n_mistakes ? (long long)result.mistakes[0].sample : -1);
    return 0;
}

int main(int argc, char **argv) {
    static job j; /* large */
    world *w = NULL;
    char *text = NULL;
    size_t bytes;
    if (argc < 5 || world_open((void **)&w) != 0)
        return 2;
    job_options options = {.run_folder = strcmp(argv[2], "-") ? argv[2] : NULL, .comm = w->comm};
    options.is_forward_only = strcmp(argv[4], "eval") == 0;
    for (int i = 5; i < argc && i - 5 < MOST_SETS; i++)
        options.sets[i - 5] = argv[i];
    ty_status st = ty_file_read_all(&w->ctx, argv[1], 1 << 20, &text, &bytes);
    options.text = text;
    if (st == TY_OK)
        st = job_try_open(&w->ctx, &j, &options);
    int code = ty_status_exit_code(st);
    if (st != TY_OK)
        (void)fprintf(stderr, "%s\n", w->ctx.message);
    else
        code = options.is_forward_only ? run_evaluation(&j) : run_training(&j, atoll(argv[3]));
    job_close(&j);
    free(text);
    (void)world_close((void **)&w);
    return code;
}
