/* Checkpoints in. Rank 0 reads, checks and broadcasts, so that only one rank needs to see the
 * folder. */
#include "trainer/onnx.h"
#include "trainer/trainer_private.h"

#include <inttypes.h>
#include <stdio.h>

/* What rank 0 found, as the others receive it. */
typedef struct found_state {
    ty_progress progress;
    int64_t is_found, is_model_only;
    char path[1024];
} found_state;

/* The file asked for, else the newest of the run's folder, else NULL. */
static ty_status choose(ty_ctx *ctx, const ty_trainer *trainer, const char **path) {
    const ty_trainer_options *options = &trainer->options;
    *path = options->checkpoint;
    if (*path || !options->run_folder)
        return TY_OK;
    const char *folder = ty_path_join(&ctx->scratch, options->run_folder, "checkpoints");
    if (!folder)
        return ty_fail_nomem(ctx, "the checkpoint folder's name");
    if (!ty_file_exists(ctx, folder))
        return TY_OK;
    ty_checkpoint_header header;
    bool found = false;
    TY_TRY(ty_checkpoint_find(ctx, folder, &ctx->scratch, path, &header, &found));
    *path = found ? *path : NULL;
    return TY_OK;
}

/* A file of this very config continues it. One named by the user may be of another: its model is
 * taken, at step 0. */
static ty_status take(ty_ctx *ctx, ty_trainer *trainer, const ty_checkpoint_file *file,
                      found_state *out) {
    const ty_checkpoint *content = ty_checkpoint_content(file);
    bool is_same_config;
    TY_TRY(ty_progress_read(ctx, trainer, content->state, &out->progress, &is_same_config));
    if (!is_same_config && !trainer->options.checkpoint)
        return ty_fail(
            ctx, TY_ERR_CONFIG,
            "it was trained with another config: give this run another --name, or --fresh");
    if (is_same_config && content->data_state)
        TY_TRY(ty_dataset_check_state(ctx, trainer->options.data, content->data_state));
    out->is_model_only = !is_same_config || trainer->options.is_forward_only;
    return ty_state_load(ctx, &trainer->state, content, out->is_model_only != 0);
}

static ty_status take_model(ty_ctx *ctx, ty_trainer *trainer, found_state *out) {
    const ty_checkpoint *model = trainer->options.model;
    out->is_found = out->is_model_only = 1;
    out->progress.step = model->step;
    return ty_state_load(ctx, &trainer->state, model, true);
}

static ty_status read_and_take(ty_ctx *ctx, ty_trainer *trainer, found_state *out) {
    if (trainer->options.model)
        return take_model(ctx, trainer, out);
    ty_checkpoint_file *file = NULL;
    const char *path = NULL;
    TY_TRY(choose(ctx, trainer, &path));
    if (!path)
        return TY_OK;
    TY_TRY(ty_model_read(ctx, path, &file));
    const ty_status st = take(ctx, trainer, file, out);
    ty_checkpoint_file_close(file);
    if (st != TY_OK)
        return ty_fail_within(ctx, st, "continuing from %s", path);
    out->is_found = 1;
    (void)snprintf(out->path, sizeof out->path, "%s", path);
    return TY_OK;
}

static ty_status read_at_root(ty_ctx *ctx, ty_trainer *trainer, found_state *out) {
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const ty_status st = trainer->geometry.rank == 0 ? read_and_take(ctx, trainer, out) : TY_OK;
    ty_arena_reset(&ctx->scratch, mark);
    return ty_comm_agree(ctx, trainer->comm, st);
}

static ty_status spread(ty_ctx *ctx, const ty_trainer *trainer, float *flat, int64_t n) {
    return n ? ty_comm_broadcast(ctx, trainer->comm, 0, flat, (size_t)n * sizeof *flat) : TY_OK;
}

static ty_status spread_model(ty_ctx *ctx, ty_trainer *trainer) {
    const ty_graph *graph = trainer->state.graph;
    TY_TRY(spread(ctx, trainer, trainer->state.host.params, graph->params_count));
    return spread(ctx, trainer, trainer->state.host.stats, graph->stats_count);
}

static ty_status send(ty_ctx *ctx, ty_trainer *trainer) {
    return ty_comm_agree(ctx, trainer->comm, ty_state_send(ctx, &trainer->state));
}

ty_status ty_resume(ty_ctx *ctx, ty_trainer *trainer, bool *found) {
    found_state state = {0};
    ty_progress_begin(&state.progress);
    TY_TRY(read_at_root(ctx, trainer, &state));
    TY_TRY(ty_comm_broadcast(ctx, trainer->comm, 0, &state, sizeof state));
    *found = state.is_found != 0;
    if (!*found)
        return TY_OK;
    TY_TRY(spread_model(ctx, trainer));
    for (int i = 0; i < trainer->state.n_slots && !state.is_model_only; i++)
        TY_TRY(
            spread(ctx, trainer, trainer->state.host.slots[i], trainer->state.graph->params_count));
    TY_TRY(send(ctx, trainer));
    trainer->progress = state.progress;
    (void)snprintf(trainer->last_path, sizeof trainer->last_path, "%s", state.path);
    return TY_OK;
}

static ty_status read_model(ty_ctx *ctx, ty_trainer *trainer, const char *path) {
    ty_checkpoint_file *file = NULL;
    TY_TRY(ty_model_read(ctx, path, &file));
    const ty_status st = ty_state_load(ctx, &trainer->state, ty_checkpoint_content(file), true);
    ty_checkpoint_file_close(file);
    return st;
}

ty_status ty_resume_model(ty_ctx *ctx, ty_trainer *trainer, const char *path) {
    const ty_status st = trainer->geometry.rank == 0 ? read_model(ctx, trainer, path) : TY_OK;
    TY_TRY(ty_comm_agree(ctx, trainer->comm, st));
    TY_TRY(spread_model(ctx, trainer));
    return send(ctx, trainer);
}
