/* Reading delivery.journal; delivery_write.c writes it. */
#include "tracking/sinks/delivery.h"

#include <jansson.h>
#include <string.h>

#include "tracking/sinks/delivery_private.h"

static const char *const state_names[] = {[TY_DELIVERED_NOT] = "",
                                          [TY_DELIVERED_MADE] = "made",
                                          [TY_DELIVERED_READY] = "ready",
                                          [TY_DELIVERED_FAILED] = "failed"};
enum { STATE_COUNT = sizeof state_names / sizeof state_names[0] };

const char *ty_delivered_state_name(ty_delivered_state state) {
    return state_names[state];
}

void ty_delivery_state_init(ty_delivery_state *state, const char *uri) {
    *state = (ty_delivery_state){.target = -1};
    state->uri = uri ? ty_arena_string(&state->arena, uri) : NULL;
    ty_keymap_init(&state->files, sizeof(ty_delivered_file));
    ty_keymap_init(&state->models, sizeof(ty_delivered_model));
    ty_keymap_init(&state->dead, sizeof(ty_dead_letter));
}

void ty_delivery_state_clear(ty_delivery_state *state) {
    ty_keymap_clear(&state->files);
    ty_keymap_clear(&state->models);
    ty_keymap_clear(&state->dead);
    ty_arena_clear(&state->arena);
}

/* --- records ---------------------------------------------------------------------------------- */

static ty_status foreign(ty_ctx *ctx, const ty_journal_record *raw, const char *what) {
    return ty_fail(ctx, TY_ERR_INTEGRITY, "record %llu of the journal is no delivery's: %s",
                   (unsigned long long)raw->sequence, what);
}

/* A text of the record in the state's arena; *is_bad where it is missing. */
static const char *keep(ty_delivery_state *state, const json_t *json, const char *key,
                        bool *is_bad) {
    const char *text = json_string_value(json_object_get(json, key));
    const char *copy = text ? ty_arena_string(&state->arena, text) : NULL;
    *is_bad = *is_bad || !copy;
    return copy;
}

static int64_t whole(const json_t *json, const char *key, bool *is_bad) {
    const json_t *value = json_object_get(json, key);
    *is_bad = *is_bad || !json_is_integer(value);
    return json_integer_value(value);
}

static bool take_target(ty_delivery_state *state, const json_t *json) {
    bool is_bad = false;
    const char *uri = keep(state, json, "uri", &is_bad);
    if (is_bad)
        return false;
    const int64_t number = state->n_targets++;
    const bool is_wanted = state->uri && strcmp(state->uri, uri) == 0;
    state->last_uri = uri;
    if (is_wanted && state->target < 0)
        state->target = number;
    return true;
}

static bool take_run(ty_delivery_state *state, const json_t *json) {
    bool is_bad = false;
    state->experiment_id = keep(state, json, "experiment_id", &is_bad);
    state->run_id = keep(state, json, "run_id", &is_bad);
    state->artifact_uri = keep(state, json, "artifact_uri", &is_bad);
    return !is_bad;
}

static bool take_ack(ty_delivery_state *state, const json_t *json) {
    bool is_bad = false;
    const int64_t sequence = whole(json, "sequence", &is_bad);
    if (is_bad || sequence < 0)
        return false;
    if ((uint64_t)sequence > state->acked)
        state->acked = (uint64_t)sequence;
    return true;
}

static bool take_file(ty_delivery_state *state, const json_t *json) {
    bool is_bad = false;
    const char *path = json_string_value(json_object_get(json, "path"));
    const char *sha256 = json_string_value(json_object_get(json, "sha256"));
    ty_delivered_file *file = path && path[0] != '\0' ? ty_keymap_put(&state->files, path) : NULL;
    if (!file || !sha256 || strlen(sha256) != 64)
        return false;
    file->size = whole(json, "size", &is_bad);
    file->mtime_ns = whole(json, "mtime_ns", &is_bad);
    memcpy(file->sha256, sha256, sizeof file->sha256);
    return !is_bad;
}

static bool take_model(ty_delivery_state *state, const json_t *json) {
    bool is_bad = false;
    const char *model_id = json_string_value(json_object_get(json, "model_id"));
    const char *name = json_string_value(json_object_get(json, "state"));
    ty_delivered_model *model = model_id && name ? ty_keymap_put(&state->models, model_id) : NULL;
    if (!model)
        return false;
    int number = 0;
    while (number < STATE_COUNT && strcmp(state_names[number], name) != 0)
        number++;
    model->server_id = keep(state, json, "server_id", &is_bad);
    model->artifact_uri = keep(state, json, "artifact_uri", &is_bad);
    model->state = number < STATE_COUNT ? (ty_delivered_state)number : TY_DELIVERED_NOT;
    return !is_bad && number < STATE_COUNT;
}

static bool take_dead(ty_delivery_state *state, const json_t *json) {
    bool is_bad = false;
    ty_dead_letter letter = {.what = keep(state, json, "what", &is_bad),
                             .key = keep(state, json, "key", &is_bad),
                             .words = keep(state, json, "words", &is_bad),
                             .sequence = (uint64_t)whole(json, "sequence", &is_bad),
                             .step = whole(json, "step", &is_bad)};
    if (is_bad)
        return false;
    const char *name =
        ty_arena_printf(&state->arena, "%s %llu %lld %s", letter.what,
                        (unsigned long long)letter.sequence, (long long)letter.step, letter.key);
    ty_dead_letter *kept = name ? ty_keymap_put(&state->dead, name) : NULL;
    if (kept)
        *kept = letter;
    return kept != NULL;
}

static bool take_gone(ty_delivery_state *state, const json_t *json) {
    (void)json;
    state->is_gone = true;
    return true;
}

/* Whatever follows the first refused record is sent again with it, which changes nothing there. */
static bool take_again(ty_delivery_state *state, const json_t *json) {
    (void)json;
    for (int64_t i = 0; i < state->dead.n; i++) {
        const ty_dead_letter *letter = state->dead.v[i].item;
        if (letter->sequence != 0 && letter->sequence <= state->acked)
            state->acked = letter->sequence - 1;
    }
    for (int64_t i = 0; i < state->models.n; i++) {
        ty_delivered_model *model = state->models.v[i].item;
        if (model->state == TY_DELIVERED_FAILED)
            model->state = TY_DELIVERED_MADE;
    }
    ty_keymap_clear(&state->dead);
    return true;
}

static bool (*const takers[])(ty_delivery_state *state, const json_t *json) = {
    [TY_DELIVERY_TARGET] = take_target, [TY_DELIVERY_RUN] = take_run,
    [TY_DELIVERY_ACK] = take_ack,       [TY_DELIVERY_FILE] = take_file,
    [TY_DELIVERY_MODEL] = take_model,   [TY_DELIVERY_DEAD] = take_dead,
    [TY_DELIVERY_GONE] = take_gone,     [TY_DELIVERY_AGAIN] = take_again};

/* Records of other targets are passed over. */
static bool is_ours(const ty_delivery_state *state, uint32_t type, const json_t *json) {
    if (type == TY_DELIVERY_TARGET)
        return true;
    const json_t *number = json_object_get(json, "t");
    return state->target >= 0 && json_is_integer(number) &&
           json_integer_value(number) == state->target;
}

ty_status ty_delivery_take(ty_ctx *ctx, ty_delivery_state *state, const ty_journal_record *raw) {
    if (raw->type == 0 || raw->type >= TY_DELIVERY_END)
        return TY_OK;
    if (raw->payload_bytes > TY_DELIVERY_MAX_PAYLOAD)
        return foreign(ctx, raw, "too long");
    json_error_t error;
    json_t *json = json_loadb(raw->payload, raw->payload_bytes, JSON_REJECT_DUPLICATES, &error);
    const bool is_read = json_is_object(json) &&
                         (!is_ours(state, raw->type, json) || takers[raw->type](state, json));
    json_decref(json);
    return is_read ? TY_OK : foreign(ctx, raw, "not of its type");
}

/* --- files ------------------------------------------------------------------------------------ */

char *ty_delivery_journal_path(ty_arena *arena, const char *run_folder) {
    return ty_path_join(arena, run_folder, "delivery.journal");
}

char *ty_delivery_lease_path(ty_arena *arena, const char *run_folder) {
    return ty_path_join(arena, run_folder, "delivery.lease");
}

bool ty_delivery_exists(ty_ctx *ctx, const char *run_folder) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *path = ty_delivery_journal_path(&ctx->scratch, run_folder);
    const bool exists = path && ty_file_exists(ctx, path);
    ty_arena_reset(&ctx->scratch, mark);
    return exists;
}

static ty_status read_all(ty_ctx *ctx, const char *path, ty_delivery_state *state) {
    ty_journal_reader *reader = NULL;
    TY_TRY(ty_journal_reader_open(ctx, path, &reader));
    ty_status st = TY_OK;
    for (bool has_record = true; st == TY_OK && has_record;) {
        ty_journal_record raw;
        st = ty_journal_reader_next(ctx, reader, &raw, &has_record);
        if (st == TY_OK && has_record)
            st = ty_delivery_take(ctx, state, &raw);
    }
    ty_journal_reader_close(reader);
    return st;
}

/* Without a wish the newest target is meant; its records are only known once its number is. */
static ty_status read_last(ty_ctx *ctx, const char *path, ty_delivery_state *state) {
    ty_delivery_state first;
    ty_delivery_state_init(&first, "");
    ty_status st = read_all(ctx, path, &first);
    if (st == TY_OK && first.last_uri) {
        state->uri = ty_arena_string(&state->arena, first.last_uri);
        st = state->uri ? read_all(ctx, path, state) : ty_fail_nomem(ctx, "a server's URI");
    }
    ty_delivery_state_clear(&first);
    return st;
}

ty_status ty_delivery_read(ty_ctx *ctx, const char *run_folder, ty_delivery_state *state) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *path = ty_delivery_journal_path(&ctx->scratch, run_folder);
    ty_status st = path ? TY_OK : ty_fail_nomem(ctx, "a journal's name");
    if (st == TY_OK && ty_file_exists(ctx, path)) {
        st = state->uri ? read_all(ctx, path, state) : read_last(ctx, path, state);
        if (st == TY_ERR_INTEGRITY && !strstr(ctx->message, path))
            st = ty_fail_within(ctx, st, "%s", path);
    }
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}
