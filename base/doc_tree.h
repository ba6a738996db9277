/* Private to base: what a document is made of. doc*.c build the tree, rows*.c read it.
 *
 * Every value is a node that mirrors one jansson value and knows where it was written. Nodes live
 * in the document's arena; jansson values are counted by the tree they hang in and by `kept`, which
 * holds every tree that was ever read, so that keys and strings stay where they are until the
 * document is closed. */
#ifndef TY_BASE_DOC_TREE_H
#define TY_BASE_DOC_TREE_H

#include "base/doc.h"

/* A stretch of a source's text on one line; line and column (in characters) count from 1. */
typedef struct doc_span {
    uint32_t begin, end;
    int line, column;
} doc_span;

/* One text that was read. */
typedef struct doc_source {
    const char *name; /* as the user named it */
    const char *path; /* what "extends" is relative to; NULL: the working folder */
    const char *text; /* as it was read, for caret lines */
    char *
        blanked; /* JSON: the same without comments and trailing commas; a NUL behind each number once it is
                         parsed */
    size_t bytes;
} doc_source;

typedef struct doc_node doc_node;
struct doc_node {
    doc_node *first, *last, *next; /* children in the order they were written */
    const char *key;               /* NULL for a list's item and for the root */
    json_t *json;
    const char *number;       /* as written, in JSON's spelling; NULL for what is no number */
    const doc_source *source; /* NULL: from a --set, or a default */
    const char *set;
    doc_span value, name; /* name: of the key */
};

/* A default that was parsed, by the row it belongs to. */
typedef struct doc_fallback {
    struct doc_fallback *next;
    const void *row;
    doc_node *node;
} doc_fallback;

enum { DOC_FALLBACK_BUCKETS = 256, DOC_MAX_FINDINGS = 100, DOC_MAX_FILES = 64 };

/* Something wrong with a value. node NULL: with the document as a whole. */
typedef struct doc_finding {
    const doc_node *node;
    bool at_key;
    const char *message, *hint; /* hint NULL: none */
    int64_t order;              /* in which it was found */
} doc_finding;

/* What is wrong with a document; all are counted, the first DOC_MAX_FINDINGS are kept. */
typedef struct doc_findings {
    ty_arena arena; /* of their texts */
    doc_finding v[DOC_MAX_FINDINGS];
    int64_t n;
} doc_findings;

struct ty_doc {
    ty_arena arena;
    doc_node *root;
    json_t *kept; /* a list of all trees, and of all values that were replaced */
    int64_t n_values, n_files;
    size_t expanded_bytes; /* that ${env:...} and aliases brought in */
    doc_findings *findings;
    doc_fallback *fallbacks[DOC_FALLBACK_BUCKETS];
};

typedef struct doc_parse_options {
    bool is_strict;   /* no comments */
    bool is_fragment; /* any value, rather than an object or a list */
    int depth;        /* how deep the text hangs in the document already */
} doc_parse_options;

/* doc_scan.c: refuses texts that are too long, not UTF-8 or hold a NUL. */
ty_status ty_doc_check_text(ty_ctx *ctx, const doc_source *source) TY_MUST_USE;

/* doc_scan.c: checks limits, UTF-8 and grammar of source, blanks comments and trailing commas and
 * returns the tree with places, but without keys and values. */
ty_status ty_doc_scan(ty_ctx *ctx, ty_doc *doc, doc_source *source,
                      const doc_parse_options *options, doc_node **out) TY_MUST_USE;

/* doc_scan.c: what JSON number text is too large for ("a double"); NULL where it is not. */
const char *ty_doc_number_limit(const char *text, bool is_real);

/* doc_parse.c: scans, lets jansson parse, and joins both. source's text must live as long as
 * doc. */
ty_status ty_doc_parse_source(ty_ctx *ctx, ty_doc *doc, doc_source *source,
                              const doc_parse_options *options, doc_node **out) TY_MUST_USE;

/* doc_yaml.c: the same of YAML 1.2. Plain scalars are what the core schema says, other tags than its
 * are refused. An alias is a copy of what it names, "<<" is the merge key. */
ty_status ty_doc_parse_yaml(ty_ctx *ctx, ty_doc *doc, const doc_source *source,
                            doc_node **out) TY_MUST_USE;

/* doc.c: YAML where source's name ends in .yaml or .yml, else JSON with comments. */
ty_status ty_doc_parse_named(ty_ctx *ctx, ty_doc *doc, doc_source *source,
                             doc_node **out) TY_MUST_USE;

/* doc_env.c: replaces ${env:NAME} in every string at and below node. */
ty_status ty_doc_expand(ty_ctx *ctx, ty_doc *doc, doc_node *node) TY_MUST_USE;

/* doc_merge.c: takes "extends" out of root, reads what it names and merges root over it. */
typedef struct doc_chain doc_chain;
ty_status ty_doc_extend(ty_ctx *ctx, ty_doc *doc, const doc_source *source, const doc_chain *chain,
                        doc_node **root) TY_MUST_USE;
ty_status ty_doc_read_file(ty_ctx *ctx, ty_doc *doc, const char *path, const doc_chain *chain,
                           doc_node **out) TY_MUST_USE;

/* Tree walks; NULL where there is none. */
doc_node *ty_doc_member(const doc_node *object, const char *key);
doc_node *ty_doc_item(const doc_node *list, int64_t index);
doc_node *ty_doc_find(const ty_doc *doc, const char *path);

/* The node at path or, where there is none, at the longest part of path that there is; never
 * NULL. */
const doc_node *ty_doc_nearest(const ty_doc *doc, const char *path);

/* doc.c: a new node in doc's arena, the last child of parent where that is not NULL; NULL when memory
 * is out. link makes one that has no parent the last child. Both leave jansson's tree alone. */
doc_node *ty_doc_add_node(ty_doc *doc, doc_node *parent, const doc_source *source) TY_MUST_USE;
void ty_doc_link(doc_node *parent, doc_node *node);

/* Changes of node and jansson tree together; put is false when memory is out. */
bool ty_doc_put(ty_doc *doc, doc_node *object,
                doc_node *member) TY_MUST_USE; /* by its key; replaces */
bool ty_doc_put_item(ty_doc *doc, doc_node *list, int64_t index,
                     doc_node *item) TY_MUST_USE; /* replaces */
void ty_doc_drop(doc_node *object, doc_node *member);

/* Says of node and all below that a --set wrote them, or, with NULL, that they are defaults. */
void ty_doc_mark(doc_node *node, const char *set);

/* Whether a file, a --set or a default says it. */
ty_origin ty_doc_node_origin(const doc_node *node);

/* doc_explain.c: "error: place: message", source line, caret and hint; no newline at the end. */
void ty_doc_render(ty_text *out, const doc_source *source, doc_span span, const char *message,
                   const char *hint);
void ty_doc_render_finding(ty_text *out, const doc_finding *finding);

/* The finding as ctx's message; TY_ERR_CONFIG. format's text behind its first newline is the
 * hint. */
ty_status ty_doc_fail(ty_ctx *ctx, const doc_node *node, bool at_key, const char *format, ...)
    TY_PRINTF(4, 5);
ty_status ty_doc_fail_at(ty_ctx *ctx, const doc_source *source, size_t begin, size_t end,
                         const char *message);

#endif
