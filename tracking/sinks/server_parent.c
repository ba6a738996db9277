/* The run above a run. A sweep's trials name its run by the id that it has in this folder, and a server
 * gives it another one. */
#include <string.h>

#include "tracking/store/relocate.h"
#include "tracking/sinks/server.h"

typedef struct looking {
    const ty_server *server;
    const char *own_id;
    ty_arena *arena;
    bool is_ours;
    const char *found; /* NULL: it is not there yet */
} looking;

/* Where it was deleted for good, nothing is to be waited for. */
static ty_status look_there(ty_ctx *ctx, looking *l, const char *run_folder) {
    ty_delivery_state state;
    ty_delivery_state_init(&state, l->server->place->target->name);
    const ty_status st = ty_delivery_read(ctx, run_folder, &state);
    l->is_ours = !state.is_gone;
    if (st == TY_OK && state.run_id)
        l->found = ty_arena_string(l->arena, state.run_id);
    ty_delivery_state_clear(&state);
    return st;
}

static ty_status look_at(ty_ctx *ctx, void *self, const char *run_folder) {
    looking *l = self;
    ty_run_ids ids;
    if (l->is_ours || ty_run_ids_of(ctx, run_folder, &ids) != TY_OK ||
        strcmp(ids.run_id, l->own_id) != 0)
        return TY_OK;
    return look_there(ctx, l, run_folder);
}

ty_status ty_server_parent(ty_ctx *ctx, const ty_server *s, const char *own_id, ty_arena *arena,
                           const char **out) {
    looking l = {.server = s, .own_id = own_id, .arena = arena};
    TY_TRY(ty_each_sweep(ctx, s->place->folder, look_at, &l));
    *out = l.is_ours ? l.found : own_id;
    if (*out)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_BUSY, "the run of its sweep is not there yet");
}
