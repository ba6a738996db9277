/* The inside of the client, shared by mlflow*.c: one call with its patience, readers of JSON that
 * may hold anything, writers of JSON that a server takes as it is meant. */
#ifndef TY_TRACKING_CLIENT_MLFLOW_PRIVATE_H
#define TY_TRACKING_CLIENT_MLFLOW_PRIVATE_H

#include <jansson.h>

#include "tracking/client/credentials.h"
#include "tracking/client/http.h"
#include "tracking/client/mlflow.h"

enum {
    MLFLOW_PAGE = 1000,              /* entries asked for at once; 4 MiB are read of an answer */
    MLFLOW_MOST_PAGES = 1000 * 1000, /* a server that pages in circles ends somewhere */
    MLFLOW_WORDS = 400,              /* bytes of a server's words that are kept */
    MLFLOW_WHAT = 300                /* bytes of what a message says was being done */
};

#define MLFLOW_API "/api/2.0/mlflow/"

struct ty_mlflow {
    ty_credentials credentials;
    ty_http *http;
    ty_retry *retry;
    ty_mlflow_trouble trouble;
    char *workspace_header; /* NULL: none */
    int tries;              /* of a creation: this is the how-manieth; else 1 */
    bool has_no_parts;      /* the server said that it takes no uploads in parts */
};

/* --- calls (mlflow_call.c, mlflow_ask.c) --- */

typedef struct mlflow_call {
    const char *method, *path; /* below <base>, "/api/2.0/mlflow/runs/create" */
    const char *what;          /* "creating run \"x\"": in front of every message */
    const ty_text *body;       /* JSON; NULL: none */
    bool is_once;              /* no second try by itself, whatever the patience */
} mlflow_call;

/* The answer's JSON object in *out (to be json_decref'd), or TY_OK and NULL with out NULL. */
ty_status mlflow_send(ty_ctx *ctx, ty_mlflow *m, const mlflow_call *call, json_t **out) TY_MUST_USE;

/* One HTTP request with the handle's patience; a whole 2xx answer is left in *reply, which the caller
 * clears in any case. Adds our headers and, for the server itself, the credentials. rewind, where
 * there is one, is called before every try but the first. */
typedef struct mlflow_transfer {
    ty_http_request request;
    const char *what;
    bool is_foreign; /* not the tracking server: no credentials, and no word of its URL */
    bool is_once;
    ty_status (*rewind)(ty_ctx *ctx, void *self);
    void *self;
} mlflow_transfer;
ty_status mlflow_transfer_send(ty_ctx *ctx, ty_mlflow *m, const mlflow_transfer *transfer,
                               ty_http_reply *reply) TY_MUST_USE;

/* Refused by ourselves: TY_ERR_ARG "what: slip", and the trouble says so. slip NULL: TY_OK. */
ty_status mlflow_check(ty_ctx *ctx, ty_mlflow *m, const char *what, const char *slip) TY_MUST_USE;

/* The JSON object in an answer's body. Errors: TY_ERR_FAILED it is none, in words. */
ty_status mlflow_parse(ty_ctx *ctx, const char *what, const ty_text *body,
                       json_t **out) TY_MUST_USE;

/* error_code and message of an answer that is no success, without control characters; words gets
 * at least something. */
void mlflow_read_error(const ty_text *body, char code[64], char words[MLFLOW_WORDS]);

/* "doing \"name\"" for messages; without a name: "doing". */
void mlflow_say(char what[MLFLOW_WHAT], const char *doing, const char *name);
ty_status mlflow_wrong_answer(ty_ctx *ctx, const char *what) TY_MUST_USE;

/* Sends an object whose last brace is still missing, and clears it. method NULL: POST; out NULL: only
 * whether it went well. */
typedef struct mlflow_post_call {
    const char *method, *path, *what;
    bool is_once;
} mlflow_post_call;
ty_status mlflow_post(ty_ctx *ctx, ty_mlflow *m, const mlflow_post_call *call, ty_text *body,
                      json_t **out) TY_MUST_USE;
/* GET path, which it clears. */
ty_status mlflow_get(ty_ctx *ctx, ty_mlflow *m, const char *what, ty_text *path,
                     json_t **out) TY_MUST_USE;

/* Slips that are not the callers' to ask about. NULL: none. */
const char *mlflow_tags_slip(ty_mlflow_pairs tags);
const char *mlflow_uid_slip(const char *uid);

/* Creations that a server does not recognise when they come again: look, make, and after an unknown
 * outcome look again. find: *is_found, else make is called. */
typedef struct mlflow_making {
    ty_status (*find)(ty_ctx *ctx, ty_mlflow *m, void *self, bool *is_found);
    ty_status (*make)(ty_ctx *ctx, ty_mlflow *m, void *self);
    void *self;
} mlflow_making;
ty_status mlflow_make(ty_ctx *ctx, ty_mlflow *m, const mlflow_making *making) TY_MUST_USE;

/* Calls path?query page after page; take gets each object. query may be "" and ends without &.
 * method POST: the body is {query_json,"page_token":...}. */
typedef struct mlflow_paging {
    const char *method, *path, *what;
    const char *query; /* GET: "a=b&c=d"; POST: "\"a\":1,\"b\":2" */
    ty_status (*take)(ty_ctx *ctx, void *self, const json_t *page, bool *is_enough);
    void *self;
} mlflow_paging;
ty_status mlflow_each_page(ty_ctx *ctx, ty_mlflow *m, const mlflow_paging *paging) TY_MUST_USE;

/* The first max entries of what the pages have at array: items of item_bytes each, *n of them at *out,
 * in arena (NULL where there are none). query, as in mlflow_paging, is cleared. */
typedef struct mlflow_search {
    const char *method, *path, *what, *array;
    bool (*read)(ty_arena *arena, const json_t *json, void *item); /* false: it is none */
    size_t item_bytes;
    int64_t max;
} mlflow_search;
ty_status mlflow_search_pages(ty_ctx *ctx, ty_mlflow *m, const mlflow_search *search,
                              ty_text *query, ty_arena *arena, const void **out,
                              int64_t *n) TY_MUST_USE;

/* --- reading JSON (mlflow_json.c); a member that is of another kind counts as missing --- */

typedef struct mlflow_reader {
    ty_arena *arena;
    const json_t *json; /* an object, or anything else, which has no members */
    bool is_short;      /* memory ran out */
} mlflow_reader;

/* Whether text may become a part of URLs and of file names. */
bool mlflow_is_id(const char *text);

const char *mlflow_text(mlflow_reader *r, const char *key);    /* "" where it is missing */
const char *mlflow_id(mlflow_reader *r, const char *key);      /* likewise where it is no id */
int64_t mlflow_integer(const json_t *object, const char *key); /* numbers and digits in strings */
bool mlflow_number(const json_t *value, double *out); /* also "NaN", "Infinity", "-Infinity" */
/* The array at key, [{name:..,value:..},...]. */
ty_mlflow_pairs mlflow_pairs(mlflow_reader *r, const char *key, const char *name,
                             const char *value);
const char *mlflow_pair_value(ty_mlflow_pairs pairs, const char *key); /* NULL: none */

/* Decoders of what servers answer; false: it is not that. */
bool mlflow_read_experiment(ty_arena *arena, const json_t *json, ty_mlflow_experiment *out);
bool mlflow_read_run(ty_arena *arena, const json_t *json, ty_mlflow_run *out);
bool mlflow_read_metric(ty_arena *arena, const json_t *json, ty_mlflow_metric *out);
bool mlflow_read_model(ty_arena *arena, const json_t *json, ty_mlflow_model *out);
bool mlflow_read_registered(ty_arena *arena, const json_t *json, ty_mlflow_registered *out);
bool mlflow_read_version(ty_arena *arena, const json_t *json, ty_mlflow_registered_version *out);
/* A listing's entry, its path put behind folder; false also for a name that is no safe one. */
bool mlflow_read_file(ty_arena *arena, const json_t *json, const char *folder, ty_mlflow_file *out);

/* A list of items while pages come in; what it holds ends in an arena. */
typedef struct mlflow_list {
    void *v;
    int64_t n, capacity;
} mlflow_list;

ty_status mlflow_list_add(ty_ctx *ctx, mlflow_list *list, const void *item,
                          size_t item_bytes) TY_MUST_USE;
/* Moves the items into arena; frees the list in any case. *out is NULL where it is empty. */
ty_status mlflow_list_finish(ty_ctx *ctx, mlflow_list *list, size_t item_bytes, ty_arena *arena,
                             const void **out) TY_MUST_USE;

/* --- writing JSON (mlflow_json.c): members of an object whose brace is the caller's --- */

void mlflow_add_comma(ty_text *out); /* where out does not end in an opening bracket */
void mlflow_add_text(ty_text *out, const char *key, const char *value); /* NULL: nothing */
void mlflow_add_integer(ty_text *out, const char *key, int64_t value);
/* key:[{"key":..,"value":..},...]; uid not NULL: its tag first. */
void mlflow_add_pairs(ty_text *out, const char *key, ty_mlflow_pairs pairs, const char *uid);
/* key=value behind what is there, percent-encoded. */
void mlflow_add_query(ty_text *out, const char *key, const char *value);

/* --- artifacts --- */

typedef struct mlflow_local_file {
    const char *path;
    int fd;
    int64_t bytes;
} mlflow_local_file;

ty_status mlflow_open_local(ty_ctx *ctx, const char *path, mlflow_local_file *out) TY_MUST_USE;

/* PUTs the whole file; like has the URL, headers and the rest of what the store wants. */
ty_status mlflow_put_file(ty_ctx *ctx, ty_mlflow *m, const mlflow_transfer *like,
                          const mlflow_local_file *file) TY_MUST_USE;

/* A kind of store that artifacts may lie in. */
typedef struct mlflow_store {
    const char *const *schemes;
    ty_status (*list)(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                      ty_arena *arena, ty_mlflow_files *out);
    ty_status (*upload)(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                        const mlflow_local_file *file);
    ty_status (*download)(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                          const mlflow_local_file *to);
} mlflow_store;

extern const mlflow_store mlflow_store_proxy; /* mlflow-artifacts: */
extern const mlflow_store mlflow_store_s3;
extern const mlflow_store mlflow_store_local; /* file: and plain paths */

/* Why a name cannot be an artifact's, as a sentence's end; NULL: it can. */
const char *mlflow_path_slip(const char *path);
/* And why it cannot be sent through an MLflow server. */
const char *mlflow_proxy_slip(const char *path);

/* In parts, straight to the store behind the server: is_offered false where it does not do that.
 * service: <base>/api/2.0/mlflow-artifacts; path: below it, from the store's root. */
int64_t mlflow_parts_from(ty_ctx *ctx); /* bytes of the smallest file that goes in parts */
ty_status mlflow_upload_parts(ty_ctx *ctx, ty_mlflow *m, const char *service, const char *path,
                              const mlflow_local_file *file, bool *is_offered) TY_MUST_USE;

/* For mlflow_transfer.rewind: the file at self (a mlflow_local_file) is emptied again. */
ty_status mlflow_empty_file(ty_ctx *ctx, void *self) TY_MUST_USE;

#endif
