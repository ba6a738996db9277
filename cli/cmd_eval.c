/* eval: a run's best (or last, or a named) checkpoint on a split of its data, on any number of
 * ranks. */
#include <string.h>

#include "cli/facts.h"
#include "cli/job.h"
#include "cli/launch.h"
#include "cli/models/model_load.h"
#include "tracking/tracking.h"

enum { WIDEST_CLASS = 40 };

static ty_status choose_split(cli *app, const job *j, ty_split *out) {
    const char *name = args_value(&app->args, "split");
    const ty_data_info *info = ty_dataset_info(j->data);
    *out = info->count[TY_SPLIT_TEST] ? TY_SPLIT_TEST : TY_SPLIT_VAL;
    for (int i = 0; name && i < TY_SPLIT_COUNT; i++)
        if (strcmp(name, ty_split_names[i]) == 0)
            *out = (ty_split)i;
    if (name && strcmp(name, ty_split_names[*out]) != 0)
        return ty_fail(&app->ctx, TY_ERR_ARG, "--split is \"%s\", want train, val or test", name);
    if (info->count[*out] == 0)
        return ty_fail(&app->ctx, TY_ERR_DATA, "the data has no %s samples to evaluate on",
                       ty_split_names[*out]);
    return TY_OK;
}

static int widest_class(const ty_eval_result *r, const ty_data_info *info) {
    int width = 12;
    for (int64_t k = 0; k < r->n_classes; k++) {
        const int columns = console_columns(info->class_names[k]);
        width = columns > width ? columns : width;
    }
    return width < WIDEST_CLASS ? width : WIDEST_CLASS;
}

static void add_class(const ty_eval_result *r, int64_t k, const char *name, int width,
                      ty_text *out) {
    int64_t truth = 0, predicted = 0;
    const int64_t hit = r->confusion[k * r->n_classes + k];
    for (int64_t i = 0; i < r->n_classes; i++) {
        truth += r->confusion[k * r->n_classes + i];
        predicted += r->confusion[i * r->n_classes + k];
    }
    char count[32];
    const int gap = width - console_columns(name);
    ty_text_addf(out, "  %s%*s %10s %8.4f %10.4f\n", name, gap > 0 ? gap : 0, "",
                 console_count(truth, count), truth ? (double)hit / (double)truth : 0.0,
                 predicted ? (double)hit / (double)predicted : 0.0);
}

static void add_classes(const ty_eval_result *r, const ty_data_info *info, ty_text *out) {
    const int width = widest_class(r, info);
    ty_text_addf(out, "\n  %-*s %10s %8s %10s\n", width, "class", "samples", "recall", "precision");
    for (int64_t k = 0; k < r->n_classes; k++)
        add_class(r, k, info->class_names[k], width, out);
}

static void print_result(cli *app, const job *j, ty_split split, const ty_eval_result *r) {
    const ty_data_info *info = ty_dataset_info(j->data);
    const char *name = ty_split_names[split];
    ty_text out = {0};
    if (app->console.is_json) {
        ty_text_addf(&out, "{\"split\": \"%s\", \"samples\": %lld, \"loss\": %.17g", name,
                     (long long)r->samples, r->loss);
        if (r->confusion)
            ty_text_addf(&out, ", \"accuracy\": %.17g, \"top_k_accuracy\": %.17g", r->accuracy,
                         r->top_k_accuracy);
        else
            ty_text_addf(&out, ", \"mean_absolute_error\": %.17g", r->mean_absolute_error);
        ty_text_add(&out, "}\n");
    } else {
        char count[32];
        ty_text_addf(&out, "%s  %s sample%s   loss %.6f", name, console_count(r->samples, count),
                     console_plural(r->samples), r->loss);
        if (r->confusion) {
            ty_text_addf(&out, "   accuracy %.4f   top-%lld %.4f\n", r->accuracy,
                         (long long)j->config.eval.top_k, r->top_k_accuracy);
            add_classes(r, info, &out);
        } else {
            ty_text_addf(&out, "   mean absolute error %.6g\n", r->mean_absolute_error);
        }
    }
    console_print(&app->console, ty_text_string(&out));
    ty_text_clear(&out);
}

/* model: what was named instead of a run; NULL: the run says. */
static ty_status evaluate(cli *app, job *j, const loaded_model *model) {
    ty_trainer *trainer = NULL;
    ty_split split = TY_SPLIT_TEST;
    ty_eval_result result = {0};
    const char *checkpoint = args_value(&app->args, "checkpoint");
    j->saves_nothing = true;
    ty_status st = job_open(app, j);
    if (st != TY_OK)
        return st;
    if (model) /* statistics and dictionaries are the data's own: they have to be the model's */
        TY_TRY(ty_comm_agree(&app->ctx, j->comm,
                             ty_dataset_check_state(&app->ctx, j->data, model->data_state)));
    ty_trainer_options options = {.config = &j->config,
                                  .config_json = ty_text_string(&j->config_json),
                                  .memory_bytes = facts_memory(&app->ctx),
                                  .config_hash = j->config_hash,
                                  .comm = j->comm,
                                  .data = j->data,
                                  .run_folder = j->run_folder,
                                  .checkpoint = checkpoint,
                                  .model = model ? model->content : NULL,
                                  .is_forward_only = true};
    TY_TRY(ty_comm_agree(&app->ctx, j->comm, choose_split(app, j, &split)));
    TY_TRY_GOTO(done, st, ty_trainer_open(&app->ctx, &options, &trainer));
    TY_TRY_GOTO(done, st,
                ty_trainer_evaluate(&app->ctx, trainer, split,
                                    !checkpoint && !args_has(&app->args, "last"), &result));
    const char *path = model ? model->source.path : result.checkpoint;
    if (path)
        console_say(&app->console, "model   %s", path);
    print_result(app, j, split, &result);
done:
    ty_trainer_close(trainer);
    return st;
}

static ty_status read_model(cli *app, job *j, loaded_model *model) {
    const char *name = app->args.operand[0];
    if (args_has(&app->args, "checkpoint") || args_has(&app->args, "last"))
        return ty_fail(&app->ctx, TY_ERR_ARG,
                       "--checkpoint and --last choose among a run's, but %s is no run", name);
    j->saves_nothing = true;
    TY_TRY(job_meet(app, j, 0));
    TY_TRY(model_load(app, j->comm, name, &j->arena, model));
    return ty_comm_agree(&app->ctx, j->comm, job_read_model_config(app, j, name, model->config));
}

static ty_status eval_named(cli *app, job *j, loaded_model *model) {
    const char *folder = NULL;
    const ty_status st =
        ty_runs_find(&app->ctx, app->folder, app->args.operand[0], &j->arena, &folder);
    if (st == TY_ERR_NOT_FOUND) {
        TY_TRY(read_model(app, j, model));
        return evaluate(app, j, model);
    }
    TY_TRY(st);
    TY_TRY(job_read_run_config(app, j, folder));
    return evaluate(app, j, NULL);
}

static ty_status eval_run(cli *app) {
    int64_t ranks = 1;
    TY_TRY(args_int(&app->ctx, &app->args, "ranks", 1, 1, LAUNCH_MAX_RANKS, &ranks));
    if (ranks > 1 && !ty_comm_is_launched(&app->ctx))
        return launch_ranks(app, (int)ranks);
    job j = {0};
    loaded_model model = {0};
    const ty_status st = eval_named(app, &j, &model);
    model_unload(&model);
    job_close(&j);
    return st;
}

static const option_row options[] = {
    {"split", 0, "SPLIT", "train, val or test (default: test, val where there is none)"},
    {"checkpoint", 0, "FILE", "this checkpoint instead of the best one"},
    {"last", 0, NULL, "the last checkpoint instead of the best one"},
    {"set", 's', "KEY=VALUE",
     "change a key of speed, memory or place (train.threads, data.source)"},
    {"registry", 0, "URI", "where models:/ names are kept (default: as tiltyard models)"},
    {"ranks", 'n', "N", "start N ranks with mpirun"},
    {0}};

const command cmd_eval = {.name = "eval",
                          .operands = "MODEL",
                          .summary = "evaluate a model on the test data of its training",
                          .about = "MODEL is a run (folder, name, MLflow id), a checkpoint, an "
                                   "exported folder or model.onnx, or\n"
                                   "models:/NAME@ALIAS, models:/NAME/VERSION. The data is that of "
                                   "the config it was trained with;\n--set data.source says where "
                                   "it lies now.\n",
                          .options = options,
                          .min_operands = 1,
                          .max_operands = 1,
                          .run = eval_run};
