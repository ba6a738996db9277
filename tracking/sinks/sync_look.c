/* How far a run has come: its journal counted, against what the target is known to have. */
#include <stdlib.h>
#include <string.h>

#include "tracking/sinks/delivery.h"
#include "tracking/store/peek.h"
#include "tracking/journal/record.h"
#include "tracking/store/relocate.h"
#include "tracking/runs/run_info.h"
#include "tracking/store/store.h"
#include "tracking/sinks/sync.h"

typedef struct looking {
    ty_sync_report *out;
    ty_arena *arena; /* the caller's */
    const char *run_folder;
    bool is_server;
    uint64_t acked;
    const ty_delivery_state *state; /* a server's */
    ty_keymap files;                /* int64_t, when it was told, by path */
    ty_keymap models;               /* the same, by model id */
} looking;

static void note_pending(looking *l, int64_t time_ns) {
    int64_t *since = &l->out->pending_since_ns;
    if (*since == 0 || (time_ns > 0 && time_ns < *since))
        *since = time_ns > 0 ? time_ns : 1;
}

static void count(looking *l, ty_sync_count *c, int64_t n, bool is_acked, int64_t time_ns) {
    c->all += n;
    if (is_acked)
        c->acked += n;
    else if (n != 0)
        note_pending(l, time_ns);
}

/* --- the journal ------------------------------------------------------------------------------ */

static ty_status keep_name(ty_ctx *ctx, ty_keymap *map, const char *name, int64_t time_ns) {
    int64_t *since = ty_keymap_put(map, name);
    if (!since)
        return ty_fail_nomem(ctx, "a run's files");
    *since = time_ns;
    return TY_OK;
}

static ty_status count_record(ty_ctx *ctx, void *self, const ty_track_record *r) {
    looking *l = self;
    const bool is_acked = r->sequence <= l->acked;
    switch (r->type) {
    case TY_TRACK_METRICS:
        if (r->points.n != 0)
            count(l, &l->out->points, r->points.n, is_acked, r->points.v[0].time_ns);
        return TY_OK;
    case TY_TRACK_FILE:
    case TY_TRACK_MODEL:
        return keep_name(ctx, &l->files, r->file.artifact, r->time_ns);
    case TY_TRACK_PACKAGE:
        return keep_name(ctx, &l->models, r->package.model_id, r->time_ns);
    case TY_TRACK_RUN:
        l->out->name = ty_arena_string(l->arena, r->run.name);
        l->out->run_id = ty_arena_string(l->arena, r->run.run_id);
        if (!l->out->name || !l->out->run_id)
            return ty_fail_nomem(ctx, "a run's name");
        if (!is_acked)
            note_pending(l, r->time_ns);
        return TY_OK;
    default:
        count(l, &l->out->values, 1, is_acked, r->time_ns);
        return TY_OK;
    }
}

static ty_status read_journal(ty_ctx *ctx, looking *l) {
    const char *path = ty_track_journal_path(l->arena, l->run_folder);
    if (!path)
        return ty_fail_nomem(ctx, "a journal's name");
    const ty_status st = ty_track_each(ctx, path, count_record, l);
    if (st == TY_OK && !l->out->run_id)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "%s does not begin with a run", path);
    return st;
}

/* --- files and models ------------------------------------------------------------------------- */

static const ty_dead_letter *letter_of(const looking *l, const char *what, const char *key) {
    for (int64_t i = 0; i < l->state->dead.n; i++) {
        const ty_dead_letter *letter = l->state->dead.v[i].item;
        if (strcmp(letter->what, what) == 0 && strcmp(letter->key, key) == 0)
            return letter;
    }
    return NULL;
}

/* By size and time: a file that was touched is looked into when it is sent. */
static bool is_current(ty_ctx *ctx, const looking *l, const char *path) {
    struct stat info;
    const ty_delivered_file *had = ty_keymap_find(&l->state->files, path);
    const char *local = ty_path_join(l->arena, l->run_folder, path);
    if (!had || !local || ctx->io->stat(ctx->io->self, local, &info) != 0)
        return had != NULL;
    return had->size == info.st_size &&
           had->mtime_ns == info.st_mtim.tv_sec * 1000000000ll + info.st_mtim.tv_nsec;
}

static void count_files(ty_ctx *ctx, looking *l) {
    for (int64_t i = 0; i < l->files.n; i++) {
        const char *path = l->files.v[i].key;
        const int64_t since = *(const int64_t *)l->files.v[i].item;
        if (!l->is_server)
            count(l, &l->out->files, 1, l->acked != 0, since);
        else if (!letter_of(l, "file", path) || is_current(ctx, l, path))
            count(l, &l->out->files, 1, is_current(ctx, l, path), since);
    }
}

static void count_models(looking *l) {
    for (int64_t i = 0; i < l->models.n; i++) {
        const char *id = l->models.v[i].key;
        const int64_t since = *(const int64_t *)l->models.v[i].item;
        const ty_delivered_model *model =
            l->is_server ? ty_keymap_find(&l->state->models, id) : NULL;
        if (!l->is_server)
            count(l, &l->out->models, 1, l->acked != 0, since);
        else if (!letter_of(l, "model", id))
            count(l, &l->out->models, 1, model && model->state == TY_DELIVERED_READY, since);
    }
}

static ty_status copy_letters(ty_ctx *ctx, looking *l) {
    const ty_keymap *dead = &l->state->dead;
    ty_sync_letter *v = ty_arena_array(l->arena, (size_t)dead->n + 1, sizeof *v);
    if (!v)
        return ty_fail_nomem(ctx, "what was refused");
    for (int64_t i = 0; i < dead->n; i++) {
        const ty_dead_letter *from = dead->v[i].item;
        v[i] = (ty_sync_letter){.what = ty_arena_string(l->arena, from->what),
                                .key = ty_arena_string(l->arena, from->key),
                                .step = from->step,
                                .words = ty_arena_string(l->arena, from->words)};
        if (!v[i].what || !v[i].key || !v[i].words)
            return ty_fail_nomem(ctx, "what was refused");
        const bool is_point = strcmp(from->what, "metric") == 0;
        ty_sync_count *c = is_point ? &l->out->points : &l->out->values;
        const bool is_counted = is_point || strcmp(from->what, "param") == 0 ||
                                strcmp(from->what, "tag") == 0 ||
                                strcmp(from->what, "dataset") == 0;
        if (is_counted && from->sequence <= l->acked) {
            c->acked--;
            c->all--;
        }
    }
    l->out->dead = v;
    l->out->n_dead = dead->n;
    return TY_OK;
}

/* --- the target ------------------------------------------------------------------------------- */

static ty_status look_at_server(ty_ctx *ctx, looking *l) {
    const ty_delivery_state *state = l->state;
    ty_sync_report *out = l->out;
    l->acked = state->acked;
    out->is_gone = state->is_gone;
    if (state->run_id) {
        out->experiment_id = ty_arena_string(l->arena, state->experiment_id);
        out->their_run_id = ty_arena_string(l->arena, state->run_id);
        if (!out->experiment_id || !out->their_run_id)
            return ty_fail_nomem(ctx, "a run's id");
    }
    TY_TRY(read_journal(ctx, l));
    count_files(ctx, l);
    count_models(l);
    return copy_letters(ctx, l);
}

/* A store that is not there has nothing, and looking changes none. */
static ty_status look_at_store(ty_ctx *ctx, looking *l, const char *path, const char *journal_id) {
    const ty_peek_query query = {
        .path = path,
        .sql = "SELECT sequence FROM tiltyard_folded WHERE run_uuid = ?1 AND sequence > 0",
        .id = journal_id,
        .patience_ms = TY_STORE_BUSY_MS};
    const char *position = NULL;
    const ty_status st = ty_peek_ask(ctx, &query, l->arena, &position, 1);
    l->acked = st == TY_OK ? strtoull(position, NULL, 10) : 0;
    return st == TY_ERR_NOT_FOUND ? TY_OK : st;
}

static ty_status look(ty_ctx *ctx, looking *l, const ty_target *target) {
    if (l->is_server)
        return look_at_server(ctx, l);
    ty_run_ids ids;
    TY_TRY(ty_run_ids_of(ctx, l->run_folder, &ids));
    if (target->kind == TY_TARGET_STORE)
        TY_TRY(look_at_store(ctx, l, target->path, ids.journal_id));
    TY_TRY(read_journal(ctx, l));
    count_files(ctx, l);
    count_models(l);
    return TY_OK;
}

ty_status ty_sync_look(ty_ctx *ctx, const char *run_folder, const ty_target *target,
                       ty_arena *arena, ty_sync_report *out) {
    ty_delivery_state state;
    *out = (ty_sync_report){.folder = ty_arena_string(arena, run_folder),
                            .target = ty_arena_string(arena, target->name),
                            .is_live = ty_run_is_live(ctx, run_folder)};
    looking l = {.out = out,
                 .arena = arena,
                 .run_folder = run_folder,
                 .is_server = target->kind == TY_TARGET_SERVER,
                 .state = &state};
    ty_keymap_init(&l.files, sizeof(int64_t));
    ty_keymap_init(&l.models, sizeof(int64_t));
    ty_delivery_state_init(&state, target->name);
    ty_status st = out->folder && out->target ? TY_OK : ty_fail_nomem(ctx, "a run's folder");
    if (st == TY_OK && l.is_server)
        st = ty_delivery_read(ctx, run_folder, &state);
    if (st == TY_OK)
        st = look(ctx, &l, target);
    ty_delivery_state_clear(&state);
    ty_keymap_clear(&l.files);
    ty_keymap_clear(&l.models);
    return st;
}
