#include "cli/compare.h"

#include <stdio.h>
#include <string.h>

typedef struct comparison {
    ty_ctx *ctx;
    const ty_doc *before;
    ty_text *out;
    const char *wanted; /* the key that is looked for in before, and what was found */
    char value[256];
    bool has;
} comparison;

static ty_status find_key(void *self, const ty_resolved *key) {
    comparison *c = self;
    if (strcmp(key->path, c->wanted) == 0) {
        c->has = true;
        (void)snprintf(c->value, sizeof c->value, "%s", key->value);
    }
    return TY_OK;
}

static ty_status compare_key(void *self, const ty_resolved *key) {
    comparison *c = self;
    if (key->row->effect != TY_EFFECT_RESULT)
        return TY_OK;
    c->wanted = key->path;
    c->has = false;
    TY_TRY(ty_rows_walk(c->ctx, &ty_train_rows, c->before, find_key, c));
    if (!c->has || strcmp(c->value, key->value) != 0)
        ty_text_addf(c->out, "  %s: %s -> %s\n", key->path, c->has ? c->value : "(none)",
                     key->value);
    return TY_OK;
}

ty_status compare_configs(ty_ctx *ctx, const char *path, const ty_doc *doc, uint64_t hash,
                          ty_text *difference) {
    ty_doc *before = NULL;
    ty_train_config config = {0};
    uint64_t old_hash = 0;
    ty_status st = TY_OK;
    TY_TRY_GOTO(done, st, ty_doc_read(ctx, path, &before));
    TY_TRY_GOTO(done, st, ty_train_config_load(ctx, before, &config));
    TY_TRY_GOTO(done, st, ty_rows_hash(ctx, &ty_train_rows, before, &old_hash));
    if (old_hash == hash)
        goto done;
    comparison c = {.ctx = ctx, .before = before, .out = difference};
    TY_TRY_GOTO(done, st, ty_rows_walk(ctx, &ty_train_rows, doc, compare_key, &c));
    st = TY_ERR_CONFIG;
done:
    ty_doc_close(before);
    return st;
}
