#include "cli/models/model_load.h"

#include <string.h>

static ty_status read_at_root(cli *app, ty_comm *comm, const char *model, ty_arena *arena,
                              loaded_model *out) {
    if (ty_comm_rank(comm) != 0)
        return TY_OK;
    TY_TRY(model_source_find(app, model, arena, &out->source));
    TY_TRY(ty_model_read(&app->ctx, out->source.path, &out->file));
    out->content = ty_checkpoint_content(out->file);
    out->step = out->content->step;
    out->config = out->content->config;
    out->data_state = out->content->data_state;
    if (!out->config || !*out->config || !out->data_state || !*out->data_state)
        return ty_fail(&app->ctx, TY_ERR_DATA,
                       "%s does not say what it was trained on: it has no config or no data_state",
                       out->source.path);
    return TY_OK;
}

/* Rank 0's text for everybody; *text moves into arena. */
static ty_status spread(cli *app, ty_comm *comm, ty_arena *arena, const char **text) {
    uint64_t bytes = *text ? strlen(*text) + 1 : 0;
    TY_TRY(ty_comm_broadcast(&app->ctx, comm, 0, &bytes, sizeof bytes));
    char *copy = ty_arena_alloc(arena, bytes);
    if (copy && *text)
        memcpy(copy, *text, bytes);
    TY_TRY(ty_comm_agree(&app->ctx, comm,
                         copy ? TY_OK : ty_fail_nomem(&app->ctx, "the model's texts")));
    *text = copy;
    return ty_comm_broadcast(&app->ctx, comm, 0, copy, bytes);
}

ty_status model_load(cli *app, ty_comm *comm, const char *model, ty_arena *arena,
                     loaded_model *out) {
    *out = (loaded_model){0};
    TY_TRY(ty_comm_agree(&app->ctx, comm, read_at_root(app, comm, model, arena, out)));
    TY_TRY(spread(app, comm, arena, &out->config));
    TY_TRY(spread(app, comm, arena, &out->data_state));
    return ty_comm_broadcast(&app->ctx, comm, 0, &out->step, sizeof out->step);
}

void model_unload(loaded_model *model) {
    ty_checkpoint_file_close(model->file);
    *model = (loaded_model){0};
}
