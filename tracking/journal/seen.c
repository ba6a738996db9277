#include "tracking/journal/seen.h"

#include <stdio.h>
#include <string.h>

void ty_seen_init(ty_seen *seen) {
    *seen = (ty_seen){.last_step = -1};
    ty_keymap_init(&seen->curves, sizeof(ty_seen_curve));
    ty_keymap_init(&seen->values, sizeof(uint64_t));
}

void ty_seen_clear(ty_seen *seen) {
    ty_keymap_clear(&seen->curves);
    ty_keymap_clear(&seen->values);
}

ty_status ty_seen_point(ty_ctx *ctx, ty_seen *seen, const char *key, int64_t *step, bool *is_new,
                        ty_seen_curve **out_curve) {
    ty_seen_curve *curve = ty_keymap_put(&seen->curves, key);
    if (!curve)
        return ty_fail_nomem(ctx, "the curves of a run");
    if (*step < 0)
        *step = curve->has_points ? curve->last_step + 1 : 0;
    *is_new = !curve->has_points || *step > curve->last_step;
    if (*is_new) {
        curve->has_points = true;
        curve->last_step = *step;
    }
    *out_curve = curve;
    return TY_OK;
}

/* What identifies a record, and the hash of what it says; false: it always says something new. */
static bool describe(const ty_track_record *r, ty_text *out_key, uint64_t *out_hash) {
    ty_text said = {0};
    if (r->type == TY_TRACK_PARAM || r->type == TY_TRACK_TAG) {
        ty_text_addf(out_key, "%u %s", r->type, r->text.key);
        ty_text_add(&said, r->text.value);
    } else if (r->type == TY_TRACK_DATASET) {
        ty_text_addf(out_key, "%u %s\n%s\n%s", r->type, r->dataset.name, r->dataset.digest,
                     r->dataset.context ? r->dataset.context : "");
    } else if (r->type == TY_TRACK_FILE) {
        ty_text_addf(out_key, "%u %s", r->type, r->file.artifact);
    } else if (r->type == TY_TRACK_MODEL) {
        ty_text_addf(out_key, "%u %s", r->type, r->file.name);
        ty_text_addf(&said, "%s\n%lld", r->file.path, (long long)r->step);
    } else if (r->type == TY_TRACK_PACKAGE) {
        ty_text_addf(out_key, "%u %s", r->type, r->package.model_id);
    } else {
        return false;
    }
    *out_hash = ty_hash64(ty_text_string(&said), said.length);
    const bool is_whole = !out_key->is_short && !said.is_short;
    ty_text_clear(&said);
    return is_whole;
}

bool ty_seen_is_new(const ty_seen *seen, const ty_track_record *record) {
    ty_text key = {0};
    uint64_t hash = 0;
    const uint64_t *known = NULL;
    if (describe(record, &key, &hash))
        known = ty_keymap_find(&seen->values, ty_text_string(&key));
    ty_text_clear(&key);
    return !known || *known != hash;
}

static ty_status note_value(ty_ctx *ctx, ty_seen *seen, const ty_track_record *record) {
    ty_text key = {0};
    uint64_t hash = 0;
    ty_status st = TY_OK;
    if (describe(record, &key, &hash)) {
        uint64_t *item = ty_keymap_put(&seen->values, ty_text_string(&key));
        if (item)
            *item = hash;
        else
            st = ty_fail_nomem(ctx, "the values of a run");
    }
    ty_text_clear(&key);
    return st;
}

static ty_status note_points(ty_ctx *ctx, ty_seen *seen, const ty_track_record *record) {
    for (int64_t i = 0; i < record->points.n; i++) {
        const ty_track_point *point = &record->points.v[i];
        int64_t step = point->step;
        bool is_new;
        ty_seen_curve *curve;
        TY_TRY(ty_seen_point(ctx, seen, point->key, &step, &is_new, &curve));
        if (step > seen->last_step)
            seen->last_step = step;
        seen->last_time_ns = point->time_ns;
    }
    return TY_OK;
}

ty_status ty_seen_note(ty_ctx *ctx, ty_seen *seen, const ty_track_record *record) {
    if (record->type == TY_TRACK_METRICS)
        return note_points(ctx, seen, record);
    if (record->time_ns != 0)
        seen->last_time_ns = record->time_ns;
    if (record->type == TY_TRACK_RUN && !seen->has_run) {
        seen->has_run = true;
        (void)snprintf(seen->run_id, sizeof seen->run_id, "%s", record->run.run_id);
    }
    if (record->type == TY_TRACK_TAG && strcmp(record->text.key, TY_FEEDER_STOPPED_TAG) == 0)
        (void)snprintf(seen->stopped_by, sizeof seen->stopped_by, "%s", record->text.value);
    if (record->type == TY_TRACK_RUN || record->type == TY_TRACK_START)
        seen->is_open = true;
    if (record->type == TY_TRACK_STATE)
        seen->is_open = record->state.state == TY_RUN_RUNNING;
    return note_value(ctx, seen, record);
}

static ty_status note(ty_ctx *ctx, void *self, const ty_track_record *record) {
    return ty_seen_note(ctx, self, record);
}

ty_status ty_seen_replay(ty_ctx *ctx, ty_seen *seen, const char *path) {
    const ty_status st = ty_track_each(ctx, path, note, seen);
    const bool is_named = st == TY_OK || strstr(ctx->message, path);
    return is_named ? st : ty_fail_within(ctx, st, "%s", path);
}
