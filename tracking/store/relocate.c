#include "tracking/store/relocate.h"

#include <stdio.h>
#include <string.h>

static const char topic[] = "tracking";

/* --- every run -------------------------------------------------------------------------------- */

typedef ty_status (*visit_fn)(ty_ctx *ctx, void *self, const char *run_folder);

typedef struct walk {
    visit_fn visit;
    void *self;
} walk;

static ty_status each_entry(ty_ctx *ctx, const char *folder,
                            ty_status (*visit)(ty_ctx *ctx, const walk *w, const char *path),
                            const walk *w) {
    ty_arena arena = {0};
    char **names = NULL;
    size_t n = 0;
    ty_status st = ty_dir_list(ctx, folder, &arena, &names, &n);
    if (st == TY_ERR_NOT_FOUND || (st == TY_ERR_IO && !ty_file_exists(ctx, folder)))
        st = TY_OK; /* no runs are no failure */
    for (size_t i = 0; st == TY_OK && i < n; i++) {
        const char *path = ty_path_join(&arena, folder, names[i]);
        struct stat info;
        if (!path)
            st = ty_fail_nomem(ctx, "a run's folder");
        else if (ctx->io->stat(ctx->io->self, path, &info) == 0 && S_ISDIR(info.st_mode))
            st = visit(ctx, w, path);
    }
    ty_arena_clear(&arena);
    return st;
}

static ty_status visit_run(ty_ctx *ctx, const walk *w, const char *path) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *journal = ty_track_journal_path(&ctx->scratch, path);
    const bool is_run = journal && ty_file_exists(ctx, journal);
    ty_arena_reset(&ctx->scratch, mark);
    return is_run ? w->visit(ctx, w->self, path) : TY_OK;
}

static ty_status visit_experiment(ty_ctx *ctx, const walk *w, const char *path) {
    return each_entry(ctx, path, visit_run, w);
}

static ty_status each_below(ty_ctx *ctx, const char *folder, const char *below,
                            ty_status (*visit)(ty_ctx *ctx, const walk *w, const char *path),
                            const walk *w) {
    ty_arena arena = {0};
    const char *absolute = ty_path_absolute(&arena, folder);
    const char *all = absolute ? ty_path_join(&arena, absolute, below) : NULL;
    const ty_status st =
        all ? each_entry(ctx, all, visit, w) : ty_fail_nomem(ctx, "the folder of runs");
    ty_arena_clear(&arena);
    return st;
}

ty_status ty_each_run(ty_ctx *ctx, const char *folder, visit_fn visit, void *self) {
    return each_below(ctx, folder, "runs", visit_experiment, &(walk){visit, self});
}

ty_status ty_each_sweep(ty_ctx *ctx, const char *folder, visit_fn visit, void *self) {
    return each_below(ctx, folder, "sweeps", visit_run, &(walk){visit, self});
}

ty_status ty_each_journal(ty_ctx *ctx, const char *folder, visit_fn visit, void *self) {
    TY_TRY(ty_each_sweep(ctx, folder, visit, self));
    return ty_each_run(ctx, folder, visit, self);
}

void ty_run_ids_read(const ty_track_record *run, ty_run_ids *out) {
    const char *own = run->run.journal_id;
    *out = (ty_run_ids){.is_guest = own != NULL};
    (void)snprintf(out->run_id, sizeof out->run_id, "%s", run->run.run_id);
    (void)snprintf(out->journal_id, sizeof out->journal_id, "%s", own ? own : run->run.run_id);
}

static ty_status read_first(ty_ctx *ctx, ty_journal_reader *reader, ty_arena *arena,
                            ty_run_ids *out) {
    ty_journal_record raw;
    ty_track_record record;
    bool has_record;
    TY_TRY(ty_journal_reader_next(ctx, reader, &raw, &has_record));
    if (!has_record || raw.type != TY_TRACK_RUN)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "the journal does not begin with a run");
    TY_TRY(ty_track_decode(ctx, &raw, arena, &record));
    ty_run_ids_read(&record, out);
    return TY_OK;
}

ty_status ty_run_ids_of(ty_ctx *ctx, const char *run_folder, ty_run_ids *out) {
    ty_journal_reader *reader = NULL;
    ty_arena arena = {0};
    const char *path = ty_track_journal_path(&arena, run_folder);
    ty_status st =
        path ? ty_journal_reader_open(ctx, path, &reader) : ty_fail_nomem(ctx, "a journal's name");
    if (reader && (st = read_first(ctx, reader, &arena, out)) != TY_OK)
        st = ty_fail_within(ctx, st, "%s", path);
    ty_journal_reader_close(reader);
    ty_arena_clear(&arena);
    return st;
}

/* --- moving ----------------------------------------------------------------------------------- */

typedef struct move {
    ty_store *store;
    char *here; /* the folder as a URI, with a / at its end */
    ty_arena arena;
    int64_t n_moved;
} move;

/* The old and the new place end alike; what differs before is the folder as it was and as it is. */
static ty_status move_rest(ty_ctx *ctx, move *m, const char *old, const char *new) {
    const char *tail = new + strlen(m->here);
    const size_t old_length = strlen(old), tail_length = strlen(tail);
    if (old_length <= tail_length || strcmp(old + old_length - tail_length, tail) != 0)
        return TY_OK;
    const char *was = ty_arena_string_n(&m->arena, old, old_length - tail_length);
    if (!was)
        return ty_fail_nomem(ctx, "a folder's name");
    return ty_store_move_locations(ctx, m->store, was, m->here);
}

static ty_status move_run(ty_ctx *ctx, void *self, const char *run_folder) {
    move *m = self;
    char *old;
    ty_run_ids ids;
    if (ty_run_ids_of(ctx, run_folder, &ids) != TY_OK)
        return TY_OK; /* runs ls says what is wrong with it */
    if (ids.is_guest)
        return TY_OK; /* its artifacts lie where whoever made the run wants them */
    TY_TRY(ty_store_artifact_uri(ctx, m->store, ids.run_id, &m->arena, &old));
    const char *place = ty_track_artifacts_path(&m->arena, run_folder);
    const char *new = place ? ty_store_uri(&m->arena, place) : NULL;
    if (!new)
        return ty_fail_nomem(ctx, "a run's artifact folder");
    if (!old || strcmp(old, new) == 0)
        return TY_OK;
    TY_TRY(ty_store_set_artifact_uri(ctx, m->store, ids.run_id, new));
    m->n_moved++;
    return move_rest(ctx, m, old, new);
}

static ty_status move_all(ty_ctx *ctx, move *m, const char *folder) {
    TY_TRY(ty_store_begin(ctx, m->store));
    ty_status st = ty_each_journal(ctx, folder, move_run, m);
    if (st == TY_OK)
        st = ty_store_commit(ctx, m->store);
    if (st != TY_OK)
        ty_store_rollback(m->store);
    if (st == TY_OK && m->n_moved != 0)
        ty_log(ctx, TY_LOG_INFO, topic,
               "%s has moved: the artifacts of %lld runs are found here now", folder,
               (long long)m->n_moved);
    return st;
}

ty_status ty_relocate(ty_ctx *ctx, ty_store *store, const char *folder, bool is_thorough) {
    move m = {.store = store};
    bool has_moved = is_thorough;
    const char *absolute = ty_path_absolute(&m.arena, folder);
    const char *slash = absolute ? ty_arena_printf(&m.arena, "%s/", absolute) : NULL;
    m.here = slash ? ty_store_uri(&m.arena, slash) : NULL;
    ty_status st = m.here ? TY_OK : ty_fail_nomem(ctx, "a folder's name");
    if (st == TY_OK && !is_thorough)
        st = ty_store_has_moved(ctx, store, m.here, &has_moved);
    if (st == TY_OK && has_moved)
        st = move_all(ctx, &m, absolute);
    ty_arena_clear(&m.arena);
    return st;
}
