/* What calls are made of: a name for messages, a body, an answer, pages, creations that happen once. */
#include <stdio.h>
#include <string.h>

#include "tracking/client/mlflow_private.h"

void mlflow_say(char what[MLFLOW_WHAT], const char *doing, const char *name) {
    const bool has_name = name && name[0] != '\0';
    (void)snprintf(what, MLFLOW_WHAT, has_name ? "%s \"%.200s\"" : "%s", doing, name);
}

ty_status mlflow_wrong_answer(ty_ctx *ctx, const char *what) {
    return ty_fail(ctx, TY_ERR_FAILED, "%s: the answer lacks what was asked for", what);
}

ty_status mlflow_post(ty_ctx *ctx, ty_mlflow *m, const mlflow_post_call *call, ty_text *body,
                      json_t **out) {
    ty_text_add(body, "}");
    const mlflow_call sent = {.method = call->method ? call->method : "POST",
                              .path = call->path,
                              .what = call->what,
                              .body = body,
                              .is_once = call->is_once};
    const ty_status st = mlflow_send(ctx, m, &sent, out);
    ty_text_clear(body);
    return st;
}

ty_status mlflow_get(ty_ctx *ctx, ty_mlflow *m, const char *what, ty_text *path, json_t **out) {
    const mlflow_call call = {.method = "GET", .path = ty_text_string(path), .what = what};
    const ty_status st =
        path->is_short ? ty_fail_nomem(ctx, what) : mlflow_send(ctx, m, &call, out);
    ty_text_clear(path);
    return st;
}

/* --- idempotent creations --- */

ty_status mlflow_make(ty_ctx *ctx, ty_mlflow *m, const mlflow_making *making) {
    /* Counted here: the search of the next round is a call of its own, and may well succeed. */
    for (int tries = 1;; tries++) {
        bool is_found = false;
        TY_TRY(making->find(ctx, m, making->self, &is_found));
        if (is_found)
            return TY_OK;
        m->tries = tries;
        const ty_status st = making->make(ctx, m, making->self);
        m->tries = 1;
        if (st != TY_ERR_BUSY || !ty_retry_wait(ctx, m->retry, tries))
            return st;
    }
}

/* --- pages --- */

static ty_status ask_page(ty_ctx *ctx, ty_mlflow *m, const mlflow_paging *paging, const char *token,
                          json_t **out) {
    const bool is_post = strcmp(paging->method, "POST") == 0;
    ty_text path = {0}, body = {0};
    ty_text_add(&path, paging->path);
    if (is_post) {
        ty_text_addf(&body, "{%s", paging->query);
        if (token[0] != '\0')
            mlflow_add_text(&body, "page_token", token);
        ty_text_add(&body, "}");
    } else {
        ty_text_addf(&path, "?%s", paging->query);
        if (token[0] != '\0')
            mlflow_add_query(&path, "page_token", token);
    }
    const mlflow_call call = {.method = paging->method,
                              .path = ty_text_string(&path),
                              .what = paging->what,
                              .body = is_post ? &body : NULL};
    const ty_status st =
        path.is_short ? ty_fail_nomem(ctx, paging->what) : mlflow_send(ctx, m, &call, out);
    ty_text_clear(&path);
    ty_text_clear(&body);
    return st;
}

/* token: in, of the page asked for; out, of the next one, "" where there is none. */
static ty_status take_page(ty_ctx *ctx, ty_mlflow *m, const mlflow_paging *paging, ty_text *token,
                           bool *is_enough) {
    json_t *page = NULL;
    TY_TRY(ask_page(ctx, m, paging, ty_text_string(token), &page));
    ty_status st = paging->take(ctx, paging->self, page, is_enough);
    const char *next = json_string_value(json_object_get(page, "next_page_token"));
    next = next ? next : "";
    if (st == TY_OK && next[0] != '\0' && strcmp(next, ty_text_string(token)) == 0)
        st = ty_fail(ctx, TY_ERR_FAILED, "%s: the server gives the same page again and again",
                     paging->what);
    ty_text_clear(token);
    ty_text_add(token, next);
    if (st == TY_OK && token->is_short)
        st = ty_fail_nomem(ctx, paging->what);
    json_decref(page);
    return st;
}

ty_status mlflow_each_page(ty_ctx *ctx, ty_mlflow *m, const mlflow_paging *paging) {
    ty_text token = {0};
    bool is_enough = false;
    ty_status st = TY_OK;
    for (int64_t pages = 0; st == TY_OK && !is_enough; pages++) {
        if (pages == MLFLOW_MOST_PAGES)
            st = ty_fail(ctx, TY_ERR_FAILED, "%s: the server's pages do not end", paging->what);
        else
            st = take_page(ctx, m, paging, &token, &is_enough);
        if (token.length == 0)
            break;
    }
    ty_text_clear(&token);
    return st;
}

/* --- searches --- */

typedef struct gathering {
    const mlflow_search *search;
    ty_arena *arena;
    mlflow_list items;
    void *item; /* room for one */
} gathering;

static ty_status take_items(ty_ctx *ctx, void *self, const json_t *page, bool *is_enough) {
    gathering *g = self;
    const mlflow_search *search = g->search;
    const json_t *array = json_object_get(page, search->array);
    for (size_t i = 0; i < json_array_size(array) && g->items.n < search->max; i++) {
        if (!search->read(g->arena, json_array_get(array, i), g->item))
            return mlflow_wrong_answer(ctx, search->what);
        TY_TRY(mlflow_list_add(ctx, &g->items, g->item, search->item_bytes));
    }
    *is_enough = g->items.n >= search->max;
    return TY_OK;
}

ty_status mlflow_search_pages(ty_ctx *ctx, ty_mlflow *m, const mlflow_search *search,
                              ty_text *query, ty_arena *arena, const void **out, int64_t *n) {
    gathering g = {
        .search = search, .arena = arena, .item = ty_arena_alloc(arena, search->item_bytes)};
    const mlflow_paging paging = {.method = search->method,
                                  .path = search->path,
                                  .what = search->what,
                                  .query = ty_text_string(query),
                                  .take = take_items,
                                  .self = &g};
    ty_status st = query->is_short || !g.item ? ty_fail_nomem(ctx, search->what)
                                              : mlflow_each_page(ctx, m, &paging);
    ty_text_clear(query);
    const int64_t found = g.items.n;
    const ty_status finished = mlflow_list_finish(ctx, &g.items, search->item_bytes, arena, out);
    *n = *out ? found : 0;
    return st != TY_OK ? st : finished;
}
