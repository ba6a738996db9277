#include <stdlib.h>
#include <string.h>

#include "tracking/sinks/delivery_private.h"

enum { LEASE_MS = 30000, MAX_WORDS = 2000 };

struct ty_delivery {
    ty_lease *lease;
    ty_journal *journal;
    ty_delivery_state state;
};

/* Appends what text holds as a record of this type, and takes it in as a reader would. */
static ty_status append(ty_ctx *ctx, ty_delivery *d, uint32_t type, ty_text *text) {
    ty_text_add(text, "}");
    const ty_journal_record raw = {.type = type,
                                   .sequence = ty_journal_last_sequence(d->journal) + 1,
                                   .payload = ty_text_string(text),
                                   .payload_bytes = text->length};
    ty_status st = text->is_short ? ty_fail_nomem(ctx, "a record of a delivery") : TY_OK;
    if (st == TY_OK)
        st = ty_journal_append(ctx, d->journal, type, raw.payload, raw.payload_bytes, NULL);
    if (st == TY_OK)
        st = ty_delivery_take(ctx, &d->state, &raw);
    ty_text_clear(text);
    return st;
}

static ty_text begin(const ty_delivery *d) {
    ty_text text = {0};
    ty_text_addf(&text, "{\"t\":%lld", (long long)d->state.target);
    return text;
}

static void add_member(ty_text *text, const char *key, const char *value) {
    ty_text_addf(text, ",\"%s\":", key);
    ty_text_add_json(text, value);
}

ty_status ty_delivery_note_run(ty_ctx *ctx, ty_delivery *d, const char *experiment_id,
                               const char *run_id, const char *artifact_uri) {
    ty_text text = begin(d);
    add_member(&text, "experiment_id", experiment_id);
    add_member(&text, "run_id", run_id);
    add_member(&text, "artifact_uri", artifact_uri);
    return append(ctx, d, TY_DELIVERY_RUN, &text);
}

ty_status ty_delivery_note_ack(ty_ctx *ctx, ty_delivery *d, uint64_t sequence) {
    ty_text text = begin(d);
    ty_text_addf(&text, ",\"sequence\":%llu", (unsigned long long)sequence);
    return append(ctx, d, TY_DELIVERY_ACK, &text);
}

ty_status ty_delivery_note_file(ty_ctx *ctx, ty_delivery *d, const char *path,
                                const ty_delivered_file *file) {
    ty_text text = begin(d);
    add_member(&text, "path", path);
    ty_text_addf(&text, ",\"size\":%lld,\"mtime_ns\":%lld,\"sha256\":\"%s\"", (long long)file->size,
                 (long long)file->mtime_ns, file->sha256);
    return append(ctx, d, TY_DELIVERY_FILE, &text);
}

ty_status ty_delivery_note_model(ty_ctx *ctx, ty_delivery *d, const char *model_id,
                                 const ty_delivered_model *model) {
    ty_text text = begin(d);
    add_member(&text, "model_id", model_id);
    add_member(&text, "server_id", model->server_id);
    add_member(&text, "artifact_uri", model->artifact_uri);
    add_member(&text, "state", ty_delivered_state_name(model->state));
    return append(ctx, d, TY_DELIVERY_MODEL, &text);
}

ty_status ty_delivery_note_dead(ty_ctx *ctx, ty_delivery *d, const ty_dead_letter *letter) {
    ty_text text = begin(d);
    char words[MAX_WORDS + 1];
    const size_t length = strnlen(letter->words, MAX_WORDS);
    memcpy(words, letter->words, length);
    words[length] = '\0';
    ty_text_addf(&text, ",\"sequence\":%llu,\"step\":%lld", (unsigned long long)letter->sequence,
                 (long long)letter->step);
    add_member(&text, "what", letter->what);
    add_member(&text, "key", letter->key);
    add_member(&text, "words", words);
    return append(ctx, d, TY_DELIVERY_DEAD, &text);
}

ty_status ty_delivery_note_gone(ty_ctx *ctx, ty_delivery *d) {
    ty_text text = begin(d);
    return append(ctx, d, TY_DELIVERY_GONE, &text);
}

ty_status ty_delivery_note_again(ty_ctx *ctx, ty_delivery *d) {
    ty_text text = begin(d);
    return append(ctx, d, TY_DELIVERY_AGAIN, &text);
}

bool ty_delivery_is_lost(const ty_delivery *d) {
    return ty_lease_is_lost(d->lease);
}

const ty_delivery_state *ty_delivery_now(const ty_delivery *d) {
    return &d->state;
}

/* --- opening ---------------------------------------------------------------------------------- */

static ty_status note_target(ty_ctx *ctx, ty_delivery *d, const char *uri) {
    if (d->state.target >= 0 && d->state.last_uri && strcmp(d->state.last_uri, uri) == 0)
        return TY_OK;
    ty_text text = {0};
    ty_text_add(&text, "{\"uri\":");
    ty_text_add_json(&text, uri);
    return append(ctx, d, TY_DELIVERY_TARGET, &text);
}

static ty_status open_files(ty_ctx *ctx, ty_delivery *d, const char *run_folder, const char *uri) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *lease = ty_delivery_lease_path(&ctx->scratch, run_folder);
    const char *journal = ty_delivery_journal_path(&ctx->scratch, run_folder);
    ty_status st = lease && journal ? ty_lease_acquire(ctx, lease, LEASE_MS, &d->lease)
                                    : ty_fail_nomem(ctx, "a journal's name");
    if (st == TY_ERR_BUSY)
        st = ty_fail_within(ctx, st, "another process delivers this run");
    if (st == TY_OK)
        st = ty_delivery_read(ctx, run_folder, &d->state);
    if (st == TY_OK)
        st = ty_journal_open_held(ctx, journal, d->lease, &d->journal);
    if (st == TY_OK)
        st = note_target(ctx, d, uri);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

ty_status ty_delivery_open(ty_ctx *ctx, const char *run_folder, const char *uri,
                           ty_delivery **out) {
    ty_delivery *d = calloc(1, sizeof *d);
    if (!d)
        return ty_fail_nomem(ctx, "a delivery");
    ty_delivery_state_init(&d->state, uri);
    const ty_status st =
        d->state.uri ? open_files(ctx, d, run_folder, uri) : ty_fail_nomem(ctx, "a delivery");
    if (st == TY_OK)
        *out = d;
    else
        ty_delivery_close(ctx, d);
    return st;
}

void ty_delivery_close(ty_ctx *ctx, ty_delivery *d) {
    if (!d)
        return;
    char kept[TY_MESSAGE_BYTES];
    memcpy(kept, ctx->message, sizeof kept);
    (void)ty_journal_close(ctx, d->journal);
    ty_lease_release(ctx, d->lease);
    ty_delivery_state_clear(&d->state);
    memcpy(ctx->message, kept, sizeof kept);
    free(d);
}
