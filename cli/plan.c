#include "cli/plan.h"

#include <stdio.h>

#include "cli/facts.h"

static void say_data(cli *app, const job *j) {
    const ty_data_info *info = ty_dataset_info(j->data);
    char train[32], val[32], test[32];
    console_say(&app->console, "data    %s   train %s   val %s   test %s   %lld %s   sha256 %.8s..",
                info->name, console_count(info->count[TY_SPLIT_TRAIN], train),
                console_count(info->count[TY_SPLIT_VAL], val),
                console_count(info->count[TY_SPLIT_TEST], test), (long long)info->n_outputs,
                info->is_classification ? "classes" : "targets", info->fingerprint);
}

void plan_say(cli *app, const job *j, const ty_trainer *trainer) {
    const ty_train_report *r = ty_trainer_report(trainer);
    char parameters[32], bytes[32], steps[32];
    console_say(&app->console, "%stiltyard %s%s   %s   %d rank%s x %lld thread%s   run %s%s",
                console_bold(&app->console), TY_VERSION_TEXT, console_plain(&app->console),
                r->numeric, ty_comm_size(j->comm), ty_comm_size(j->comm) == 1 ? "" : "s",
                (long long)r->lanes, r->lanes == 1 ? "" : "s", j->run_name,
                r->resumed_from ? "" : " (new)");
    if (r->is_gpu && r->sums)
        console_say(&app->console, "sums    %s", r->sums);
    if (r->fallback)
        console_say(&app->console, "device  auto is the cpu: %s", r->fallback);
    say_data(app, j);
    console_say(&app->console,
                "model   %s parameters   batch %lld = %lld shards x %lld   %lld steps/epoch   %s "
                "steps   %s a rank",
                console_count(r->parameters, parameters), (long long)r->global_batch,
                (long long)r->shards, (long long)(r->shards ? r->global_batch / r->shards : 0),
                (long long)r->steps_per_epoch,
                r->total_steps ? console_count(r->total_steps, steps) : "time-bounded",
                console_bytes((double)r->bytes_total, bytes));
    if (r->resumed_from)
        console_say(&app->console, "resume  step %lld from %s", (long long)r->resumed_step,
                    r->resumed_from);
}

static ty_status add_key(void *self, const ty_resolved *key) {
    ty_text *out = self;
    char where[512];
    if (key->origin.set)
        (void)snprintf(where, sizeof where, "--set");
    else if (key->origin.file)
        (void)snprintf(where, sizeof where, "%s:%d", key->origin.file, key->origin.line);
    else
        (void)snprintf(where, sizeof where, "default");
    ty_text_addf(out, "  %-36s %-28s %s\n", key->path, key->value, where);
    return TY_OK;
}

static void add_layers(const ty_trainer *trainer, ty_text *out) {
    int64_t n = 0;
    char count[32];
    const ty_layer_row *rows = ty_trainer_layers(trainer, &n);
    const ty_train_report *r = ty_trainer_report(trainer);
    const double mega = 1e6 * (double)r->global_batch; /* rows tell of a whole step */
    ty_text_addf(out, "\n%-26s %-14s %14s %14s\n", "layers", "output", "parameters",
                 "MFLOP/sample");
    for (int64_t i = 0; i < n; i++)
        ty_text_addf(out, "  %-24s %-14s %14s %14.3f\n", rows[i].name, rows[i].output_shape,
                     console_count(rows[i].parameters, count), rows[i].flops / mega);
    ty_text_addf(out, "  %-24s %-14s %14s %14.3f\n", "all, forward + backward", "",
                 console_count(r->parameters, count), r->flops_per_step / mega);
}

static void add_memory(const ty_train_report *r, ty_text *out) {
    char text[32];
    ty_text_add(out, "\nmemory of one rank\n");
    ty_text_addf(out, "  parameters   %s\n", console_bytes((double)r->bytes_parameters, text));
    ty_text_addf(out, "  gradients    %s\n", console_bytes((double)r->bytes_gradients, text));
    ty_text_addf(out, "  optimizer    %s\n", console_bytes((double)r->bytes_optimizer, text));
    ty_text_addf(out, "  activations  %s x %lld thread%s\n",
                 console_bytes((double)r->bytes_activations, text), (long long)r->lanes,
                 r->lanes == 1 ? "" : "s");
    ty_text_addf(out, "  in all       %s\n", console_bytes((double)r->bytes_total, text));
}

static void add_work(const ty_train_report *r, int ranks, ty_text *out) {
    char text[32];
    const bool is_large = r->flops_per_step >= 1e9;
    ty_text_add(out, "\nwork\n");
    ty_text_addf(out, "  ranks        %d x %lld thread%s, %s\n", ranks, (long long)r->lanes,
                 console_plural(r->lanes), r->numeric);
    ty_text_addf(out, "  batch        %lld in %lld shard%s, %lld row%s at a time\n",
                 (long long)r->global_batch, (long long)r->shards, console_plural(r->shards),
                 (long long)r->micro_batch, console_plural(r->micro_batch));
    ty_text_addf(out, "  steps        %s (%lld an epoch), %.4g %cFLOP each\n",
                 r->total_steps ? console_count(r->total_steps, text) : "until the time is up",
                 (long long)r->steps_per_epoch, r->flops_per_step / (is_large ? 1e9 : 1e6),
                 is_large ? 'G' : 'M');
}

static void add_launch(const ty_predicted *row, ty_text *out) {
    char occupancy[16] = "", bytes[32];
    if (row->cost.occupancy > 0)
        (void)snprintf(occupancy, sizeof occupancy, "%.0f %%", 100 * row->cost.occupancy);
    ty_text_addf(out, "  %-24s %4d  %9.2f%s %10s %9.3f  %-5s %s%s%s\n", row->op, row->times,
                 1e6 * row->seconds, row->is_launch_bound ? "*" : " ",
                 console_bytes(row->cost.bytes, bytes), row->cost.flops / 1e9, occupancy,
                 row->cost.kernel ? row->cost.kernel : "", row->cost.kernel ? ", " : "",
                 row->cost.engine);
}

/* What a GPU that need not be here would make of a step. */
static ty_status add_prediction(cli *app, ty_trainer *trainer, ty_text *out) {
    const ty_train_report *r = ty_trainer_report(trainer);
    ty_prediction p;
    char text[32];
    TY_TRY(ty_trainer_predict(&app->ctx, trainer, &p));
    ty_text_addf(out, "\nPREDICTION for %s: data-sheet rooflines, nothing was run\n", r->model);
    ty_text_addf(out, "  %-24s %4s  %9s  %10s %9s  %-5s %s\n", "launches of a step", "x", "us each",
                 "bytes", "GFLOP", "occ.", "kernel, engine");
    for (int64_t i = 0; i < p.n_rows; i++)
        add_launch(&p.rows[i], out);
    ty_text_addf(out, "  * shorter than queueing it takes (3 us)\n");
    ty_text_addf(out, "  memory       %s on the GPU, %s of it workspace\n",
                 console_bytes((double)r->bytes_total, text),
                 console_bytes((double)p.workspace_bytes, (char[32]){0}));
    ty_text_addf(out,
                 "  step         %.3f ms in %lld launches, %.0f samples/s, %.1f %% of the peak\n",
                 1e3 * p.seconds, (long long)p.n_launches, p.samples_per_s, 100 * p.flops_share);
    return TY_OK;
}

static ty_status print_plan(cli *app, job *j, ty_trainer *trainer) {
    ty_text out = {0};
    ty_text_addf(&out, "run     %s\ntrack   %s\nconfig  %016llx\n\nkeys\n", j->run_folder,
                 job_target_name(app, j), (unsigned long long)j->config_hash);
    ty_status st = ty_rows_walk(&app->ctx, &ty_train_rows, j->doc, add_key, &out);
    add_layers(trainer, &out);
    add_memory(ty_trainer_report(trainer), &out);
    add_work(ty_trainer_report(trainer), ty_comm_size(j->comm), &out);
    if (st == TY_OK && args_value(&app->args, "gpu"))
        st = add_prediction(app, trainer, &out);
    if (st == TY_OK)
        console_print(&app->console, ty_text_string(&out));
    ty_text_clear(&out);
    return st;
}

static ty_status print_json(cli *app, job *j, const ty_trainer *trainer) {
    const ty_train_report *r = ty_trainer_report(trainer);
    ty_text out = {0};
    ty_text_add(&out, "{\"run\": ");
    ty_text_add_json(&out, j->run_folder);
    ty_text_addf(
        &out,
        ", \"config_hash\": \"%016llx\", \"parameters\": %lld, \"bytes_total\": %lld, "
        "\"steps_per_epoch\": %lld, \"total_steps\": %lld, \"ranks\": %d, \"lanes\": %lld, "
        "\"flops_per_step\": %.0f, \"config\": ",
        (unsigned long long)j->config_hash, (long long)r->parameters, (long long)r->bytes_total,
        (long long)r->steps_per_epoch, (long long)r->total_steps, ty_comm_size(j->comm),
        (long long)r->lanes, r->flops_per_step);
    ty_text_add(&out, ty_text_string(&j->config_json));
    ty_text_add(&out, "}\n");
    console_print_json(&app->console, ty_text_string(&out));
    ty_text_clear(&out);
    return TY_OK;
}

ty_status plan_check(cli *app, job *j) {
    ty_trainer *trainer = NULL;
    ty_status st = TY_OK;
    j->writes_nothing = j->saves_nothing = true;
    TY_TRY_GOTO(done, st, job_open(app, j));
    TY_TRY_GOTO(done, st, job_choose_run(app, j, args_value(&app->args, "name"), false));
    TY_TRY_GOTO(done, st, job_check_data(app, j));
    ty_trainer_options options = {.config = &j->config,
                                  .config_json = ty_text_string(&j->config_json),
                                  .memory_bytes = facts_memory(&app->ctx),
                                  .config_hash = j->config_hash,
                                  .comm = j->comm,
                                  .data = j->data,
                                  .described_gpu = args_value(&app->args, "gpu"),
                                  .is_plan_only = true};
    TY_TRY_GOTO(done, st, job_place(app, j, ty_trainer_open(&app->ctx, &options, &trainer)));
    st = app->console.is_json ? print_json(app, j, trainer) : print_plan(app, j, trainer);
done:
    ty_trainer_close(trainer);
    return st;
}
