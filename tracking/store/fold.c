#include "tracking/store/fold.h"

#include <stdlib.h>
#include <string.h>

#include "tracking/store/guest.h"
#include "tracking/store/relocate.h"
#include "tracking/tags.h"

static const char topic[] = "tracking";

/* A record that waits for its transaction, and what we wrote under its tag before. */
typedef struct waiting {
    ty_track_record record;
    const char *tag_key, *tag_value, *previous;
} waiting;

struct ty_fold {
    char *run_folder;
    ty_journal_reader *reader;
    ty_run_ids ids;    /* run_id "" until the journal was read */
    uint64_t position; /* records up to here are in the store, as far as we know */
    uint64_t read;     /* the last sequence that was read */
    int64_t experiment_id;
    bool is_gone_said;
    /* The record behind `read` cannot be read; what is before it is still folded. */
    ty_status failure;
    char *failure_text;
    ty_keymap tags; /* const char *: the value that our records gave last */
    waiting pending[TY_FOLD_MAX_ROWS];
    int64_t n_pending, n_rows;
    ty_arena arena; /* of the pending ones */
};

static ty_status open_reader(ty_ctx *ctx, ty_fold *fold) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *path = ty_track_journal_path(&ctx->scratch, fold->run_folder);
    const ty_status st = path ? ty_journal_reader_open(ctx, path, &fold->reader)
                              : ty_fail_nomem(ctx, "a journal's name");
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

ty_status ty_fold_open(ty_ctx *ctx, const char *run_folder, ty_fold **out) {
    ty_fold *fold = calloc(1, sizeof *fold);
    if (!fold)
        return ty_fail_nomem(ctx, "folding a journal");
    fold->experiment_id = -1;
    ty_keymap_init(&fold->tags, sizeof(const char *));
    fold->run_folder = strdup(run_folder);
    const ty_status st =
        fold->run_folder ? open_reader(ctx, fold) : ty_fail_nomem(ctx, "folding a journal");
    if (st == TY_OK)
        *out = fold;
    else
        ty_fold_close(fold);
    return st;
}

void ty_fold_close(ty_fold *fold) {
    if (!fold)
        return;
    ty_journal_reader_close(fold->reader);
    ty_keymap_clear(&fold->tags);
    ty_arena_clear(&fold->arena);
    free(fold->failure_text);
    free(fold->run_folder);
    free(fold);
}

int64_t ty_fold_experiment(const ty_fold *fold) {
    return fold->experiment_id;
}

const char *ty_fold_run_id(const ty_fold *fold) {
    return fold->ids.run_id;
}

bool ty_fold_is_damaged(const ty_fold *fold) {
    return fold->failure != TY_OK;
}

static void drop_pending(ty_fold *fold) {
    fold->n_pending = fold->n_rows = 0;
    ty_arena_clear(&fold->arena);
}

/* The store knows less than we thought: it was replaced. All is read again. */
static ty_status start_over(ty_ctx *ctx, ty_fold *fold) {
    drop_pending(fold);
    ty_keymap_clear(&fold->tags);
    ty_journal_reader_close(fold->reader);
    fold->reader = NULL;
    fold->position = fold->read = 0;
    return open_reader(ctx, fold);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Remembers the tag's value, also of records that are in the store already: the next one of its key
 * wants to know. */
static ty_status follow_tag(ty_ctx *ctx, ty_fold *fold, waiting *w) {
    if (!ty_track_tag_of(&fold->arena, &w->record, &w->tag_key, &w->tag_value))
        return ty_fail_nomem(ctx, "a run's tags");
    if (!w->tag_key)
        return TY_OK;
    const char **last = ty_keymap_put(&fold->tags, w->tag_key);
    const char *copy = last ? ty_arena_string(&fold->tags.arena, w->tag_value) : NULL;
    if (!copy)
        return ty_fail_nomem(ctx, "a run's tags");
    w->previous = *last;
    *last = copy;
    return TY_OK;
}

/* The first record names the run, and the name says where the store stands: what it has need not be
 * decoded. */
static ty_status meet_run(ty_ctx *ctx, ty_fold *fold, ty_store *store, const ty_track_record *r) {
    int64_t position;
    ty_run_ids_read(r, &fold->ids);
    TY_TRY(ty_store_position(ctx, store, fold->ids.journal_id, &position));
    fold->position = position > 0 ? (uint64_t)position : 0;
    return ty_store_find_run(ctx, store, fold->ids.run_id, &fold->experiment_id);
}

static ty_status take(ty_ctx *ctx, ty_fold *fold, ty_store *store, const ty_journal_record *raw) {
    if (raw->type == TY_TRACK_METRICS && raw->sequence <= fold->position)
        return TY_OK;
    waiting *w = &fold->pending[fold->n_pending];
    *w = (waiting){0};
    TY_TRY(ty_track_decode(ctx, raw, &fold->arena, &w->record));
    if (fold->ids.run_id[0] == '\0' && w->record.type != TY_TRACK_RUN)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "%s/run.journal does not begin with a run",
                       fold->run_folder);
    if (raw->sequence == 1)
        TY_TRY(meet_run(ctx, fold, store, &w->record));
    TY_TRY(follow_tag(ctx, fold, w));
    if (raw->sequence <= fold->position)
        return TY_OK;
    fold->n_pending++;
    fold->n_rows += w->record.type == TY_TRACK_METRICS ? 1 + w->record.points.n : 1;
    return TY_OK;
}

static ty_status read_one(ty_ctx *ctx, ty_fold *fold, ty_store *store, bool *has_record) {
    ty_journal_record raw;
    TY_TRY(ty_journal_reader_next(ctx, fold->reader, &raw, has_record));
    if (!*has_record)
        return TY_OK;
    TY_TRY(take(ctx, fold, store, &raw));
    fold->read = raw.sequence;
    return TY_OK;
}

static void read_some(ty_ctx *ctx, ty_fold *fold, ty_store *store, uint64_t last_sequence) {
    const int64_t most = TY_FOLD_MAX_ROWS - 300; /* one more record has 256 points at most */
    bool has_record = true;
    while (has_record && fold->failure == TY_OK && fold->n_rows <= most &&
           fold->read < last_sequence)
        fold->failure = read_one(ctx, fold, store, &has_record);
    if (fold->failure != TY_OK && !fold->failure_text)
        fold->failure_text = strdup(ctx->message);
}

static ty_status report_failure(ty_ctx *ctx, const ty_fold *fold) {
    return ty_fail(ctx, fold->failure, "%s",
                   fold->failure_text ? fold->failure_text : "reading a journal");
}

/* --- writing (in a transaction) --------------------------------------------------------------- */

static ty_status add_run(ty_ctx *ctx, ty_fold *fold, ty_store *store, const ty_track_record *r,
                         ty_rebuild_report *report) {
    if (fold->ids.is_guest)
        TY_TRY(ty_store_note_guest(ctx, store, fold->ids.run_id));
    if (fold->experiment_id >= 0)
        return TY_OK;
    TY_TRY(ty_store_add_run(ctx, store, r, fold->run_folder, &fold->experiment_id));
    report->runs_added++;
    return TY_OK;
}

static ty_status add_points(ty_ctx *ctx, ty_fold *fold, ty_store *store, const ty_track_record *r,
                            ty_rebuild_report *report) {
    TY_TRY(ty_store_add_points(ctx, store, fold->ids.run_id, r->points.v, r->points.n,
                               &report->points_added));
    for (int64_t i = 0; i < r->points.n; i++) {
        const ty_track_point *point = &r->points.v[i];
        if (ty_track_is_of_model(point->key))
            TY_TRY(ty_store_link_points(ctx, store, fold->ids.run_id, point->step));
    }
    return TY_OK;
}

static ty_status apply(ty_ctx *ctx, ty_fold *fold, ty_store *store, const waiting *w,
                       ty_rebuild_report *report) {
    const ty_track_record *r = &w->record;
    if (w->tag_key)
        TY_TRY(ty_store_set_tag(ctx, store, fold->ids.run_id, w->tag_key, w->previous, w->tag_value,
                                &report->values_added));
    switch (r->type) {
    case TY_TRACK_RUN:
        return add_run(ctx, fold, store, r, report);
    case TY_TRACK_START:
        return ty_store_set_state(ctx, store, fold->ids.run_id, TY_RUN_RUNNING, 0);
    case TY_TRACK_PARAM:
        return ty_store_add_param(ctx, store, fold->ids.run_id, r->text.key, r->text.value,
                                  &report->values_added);
    case TY_TRACK_METRICS:
        return add_points(ctx, fold, store, r, report);
    case TY_TRACK_DATASET:
        return ty_store_add_dataset(ctx, store, fold->ids.run_id, fold->experiment_id, r,
                                    &report->values_added);
    case TY_TRACK_STATE:
        return ty_store_set_state(ctx, store, fold->ids.run_id, (ty_run_state)r->state.state,
                                  r->state.state == TY_RUN_WAITING ? 0 : r->time_ns);
    case TY_TRACK_PACKAGE:
        return ty_store_add_model(ctx, store, fold->ids.run_id, fold->run_folder, r,
                                  &report->values_added);
    default:
        return TY_OK; /* a FILE lies where MLflow looks */
    }
}

/* What changed under a name that was told before is known when the run ends. */
static void show_artifacts(ty_ctx *ctx, const ty_fold *fold, ty_store *store,
                           const ty_track_record *r) {
    if (fold->ids.is_guest && (r->type == TY_TRACK_FILE || r->type == TY_TRACK_MODEL))
        ty_guest_publish(ctx, store, fold->ids.run_id, fold->run_folder, r->file.artifact);
    else if (fold->ids.is_guest && r->type == TY_TRACK_STATE)
        ty_guest_publish(ctx, store, fold->ids.run_id, fold->run_folder, NULL);
}

/* A run that the store once had and has no more was deleted there for good. */
static void say_gone(ty_ctx *ctx, ty_fold *fold) {
    if (!fold->is_gone_said)
        ty_log(ctx, TY_LOG_INFO, topic,
               "%s: run %s was deleted from MLflow for good; its journal stays, and is not folded",
               fold->run_folder, fold->ids.run_id);
    fold->is_gone_said = true;
}

static ty_status write_pending(ty_ctx *ctx, ty_fold *fold, ty_store *store, int64_t position,
                               ty_rebuild_report *report) {
    TY_TRY(ty_store_find_run(ctx, store, fold->ids.run_id, &fold->experiment_id));
    if (position >= 0 && fold->experiment_id < 0) {
        say_gone(ctx, fold);
        return TY_OK;
    }
    for (int64_t i = 0; i < fold->n_pending; i++) {
        const waiting *w = &fold->pending[i];
        if ((int64_t)w->record.sequence <= position)
            continue;
        TY_TRY(apply(ctx, fold, store, w, report));
        show_artifacts(ctx, fold, store, &w->record);
    }
    if ((int64_t)fold->read > position)
        TY_TRY(ty_store_set_position(ctx, store, fold->ids.journal_id, (int64_t)fold->read));
    return TY_OK;
}

/* *is_behind: the store lacks records before the pending ones. */
static ty_status write_some(ty_ctx *ctx, ty_fold *fold, ty_store *store, ty_rebuild_report *report,
                            bool *is_behind) {
    int64_t position;
    TY_TRY(ty_store_begin(ctx, store));
    ty_rebuild_report counts = *report;
    ty_status st = ty_store_position(ctx, store, fold->ids.journal_id, &position);
    *is_behind = st == TY_OK && (position > 0 ? (uint64_t)position : 0) < fold->position;
    if (st == TY_OK && !*is_behind)
        st = write_pending(ctx, fold, store, position, &counts);
    if (st == TY_OK && !*is_behind)
        st = ty_store_commit(ctx, store);
    if (st != TY_OK || *is_behind)
        ty_store_rollback(store);
    else
        *report = counts;
    return st;
}

/* The store knows of records that the journal has not: it was replaced by an older copy of itself. Which of the
 * records that follow are new ones under old numbers nobody can tell, so all are folded again; rows that are there
 * stay as they are. */
static ty_status fold_again(ty_ctx *ctx, ty_fold *fold, ty_store *store) {
    ty_log(ctx, TY_LOG_WARN, topic,
           "%s: the store has %llu records of a journal of %llu; an older "
           "journal was put back",
           fold->run_folder, (unsigned long long)fold->position, (unsigned long long)fold->read);
    TY_TRY(ty_store_begin(ctx, store));
    ty_status st = ty_store_set_position(ctx, store, fold->ids.journal_id, 0);
    if (st == TY_OK)
        st = ty_store_commit(ctx, store);
    if (st != TY_OK) {
        ty_store_rollback(store);
        return st;
    }
    return start_over(ctx, fold);
}

ty_status ty_fold_some(ty_ctx *ctx, ty_fold *fold, ty_store *store, uint64_t last_sequence,
                       ty_rebuild_report *report, bool *has_more) {
    bool is_behind = false;
    *has_more = false;
    read_some(ctx, fold, store, last_sequence);
    if (fold->n_pending == 0 && fold->failure != TY_OK)
        return report_failure(ctx, fold);
    if (fold->n_pending == 0 && fold->read >= fold->position)
        return TY_OK;
    if (fold->n_pending == 0) {
        *has_more = true;
        return fold_again(ctx, fold, store);
    }
    TY_TRY(write_some(ctx, fold, store, report, &is_behind));
    *has_more = true;
    if (is_behind)
        return start_over(ctx, fold);
    fold->position = fold->read;
    drop_pending(fold);
    return TY_OK;
}
