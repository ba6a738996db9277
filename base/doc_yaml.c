/* The twin of doc_scan.c and doc_parse.c for YAML: the same tree, with the same limits and places.
 *
 * libyaml reads the grammar and gives events with scalars as text; what they are, tags, anchors,
 * aliases, merge keys and every limit are decided here. An alias is a copy of what it names, so
 * that the copies count as if they had been written out. */
#include "base/doc_yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ANCHORS = 1000 };

typedef struct anchor {
    struct anchor *earlier;
    const char *name;
    const doc_node *node;
    bool is_open; /* what it names has not ended yet */
} anchor;

typedef struct reader {
    ty_ctx *ctx;
    ty_doc *doc;
    const doc_source *source;
    doc_counter counter;
    yaml_parser_t parser;
    yaml_event_t event; /* the current one */
    anchor *anchors;    /* the newest first */
    int n_anchors;
    int depth;
} reader;

static ty_status reject(reader *r, const char *format, ...) TY_PRINTF(2, 3);
static ty_status read_value(reader *r, doc_node *node);

/* --- events ----------------------------------------------------------------------------------- */

static ty_status advance(reader *r) {
    yaml_event_delete(&r->event);
    if (!yaml_parser_parse(&r->parser, &r->event))
        return ty_doc_yaml_problem(r->ctx, r->source, &r->counter, &r->parser);
    return TY_OK;
}

/* A list or an object is where its first character is, as in JSON. */
static doc_span span_here(reader *r) {
    const size_t begin = r->event.start_mark.index;
    const bool is_scalar = r->event.type == YAML_SCALAR_EVENT || r->event.type == YAML_ALIAS_EVENT;
    return ty_doc_counter_span(&r->counter, begin, is_scalar ? r->event.end_mark.index : begin + 1);
}

/* Refuses what the current event is. */
static ty_status reject(reader *r, const char *format, ...) {
    char message[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    const doc_node here = {.source = r->source, .value = span_here(r)};
    return ty_doc_fail(r->ctx, &here, false, "%s", message);
}

/* --- nodes ------------------------------------------------------------------------------------ */

static ty_status count_value(reader *r) {
    if (++r->doc->n_values > TY_DOC_MAX_VALUES)
        return reject(r, "more than %d values in one document", TY_DOC_MAX_VALUES);
    return TY_OK;
}

static ty_status go_deeper(reader *r) {
    if (++r->depth > TY_DOC_MAX_DEPTH)
        return reject(r, "nested deeper than %d levels", TY_DOC_MAX_DEPTH);
    return TY_OK;
}

/* Gives node its value, which the document keeps. Steals json. */
static ty_status keep_take(reader *r, doc_node *node, json_t *json) {
    if (json_array_append_new(r->doc->kept, json) != 0)
        return ty_fail_nomem(r->ctx, "a document");
    node->json = json;
    return TY_OK;
}

static ty_status add_node(reader *r, doc_node *parent, doc_node **out) {
    *out = ty_doc_add_node(r->doc, parent, r->source);
    return *out ? TY_OK : ty_fail_nomem(r->ctx, "a document");
}

/* Hangs child's value into parent's. */
static ty_status join(const reader *r, const doc_node *parent, const doc_node *child) {
    const int failed = child->key ? json_object_set(parent->json, child->key, child->json)
                                  : json_array_append(parent->json, child->json);
    return failed ? ty_fail_nomem(r->ctx, "a document") : TY_OK;
}

/* --- anchors and aliases ---------------------------------------------------------------------- */

/* Notes the anchor of the current event, if it has one; *out NULL where it has none. */
static ty_status note_anchor(reader *r, const yaml_char_t *name, const doc_node *node,
                             anchor **out) {
    *out = NULL;
    if (!name)
        return TY_OK;
    if (++r->n_anchors > MAX_ANCHORS)
        return reject(r, "more than %d anchors in one file", MAX_ANCHORS);
    anchor *made = ty_arena_alloc(&r->doc->arena, sizeof *made);
    const char *copy = ty_arena_string(&r->doc->arena, (const char *)name);
    if (!made || !copy)
        return ty_fail_nomem(r->ctx, "a document");
    *made = (anchor){.earlier = r->anchors, .name = copy, .node = node};
    r->anchors = made;
    *out = made;
    return TY_OK;
}

/* Copied text is paid for as ${env:...} is. */
static ty_status count_bytes(reader *r, const doc_node *node) {
    const char *string = json_string_value(node->json);
    r->doc->expanded_bytes += string ? strlen(string) : 0;
    r->doc->expanded_bytes += node->key ? strlen(node->key) : 0;
    if (r->doc->expanded_bytes > TY_DOC_MAX_BYTES)
        return reject(r, "aliases bring in more than %d bytes", TY_DOC_MAX_BYTES);
    return TY_OK;
}

static ty_status copy_children(reader *r, const doc_node *from, doc_node *to);

static ty_status copy_node(reader *r, const doc_node *from, doc_node *to) {
    to->value = from->value;
    to->number = from->number;
    TY_TRY(count_value(r));
    TY_TRY(count_bytes(r, from));
    if (!json_is_object(from->json) && !json_is_array(from->json))
        return keep_take(r, to, json_copy(from->json));
    TY_TRY(go_deeper(r));
    TY_TRY(keep_take(r, to, json_is_object(from->json) ? json_object() : json_array()));
    TY_TRY(copy_children(r, from, to));
    r->depth--;
    return TY_OK;
}

/* All items, or the members that to has not. */
static ty_status copy_children(reader *r, const doc_node *from, doc_node *to) {
    for (const doc_node *child = from->first; child; child = child->next) {
        doc_node *copy = NULL;
        if (child->key && json_object_get(to->json, child->key))
            continue;
        TY_TRY(add_node(r, to, &copy));
        copy->key = child->key;
        copy->name = child->name;
        TY_TRY(copy_node(r, child, copy));
        TY_TRY(join(r, to, copy));
    }
    return TY_OK;
}

/* The copy is said to be where the alias is, and what is in it where it was written. */
static ty_status read_alias(reader *r, doc_node *node) {
    const char *name = (const char *)r->event.data.alias.anchor;
    const anchor *named = r->anchors;
    while (named && strcmp(named->name, name) != 0)
        named = named->earlier;
    if (!named)
        return reject(r, "no &%s stands before this", name);
    if (named->is_open)
        return reject(r, "*%s is inside what it stands for", name);
    TY_TRY(copy_node(r, named->node, node));
    node->value = span_here(r);
    return TY_OK;
}

/* --- tags ------------------------------------------------------------------------------------- */

#define CORE "tag:yaml.org,2002:"

static const struct {
    const char *tag, *name;
    unsigned kinds;
} scalar_tags[] = {
    {CORE "null", "!!null", 1u << DOC_NULL},
    {CORE "bool", "!!bool", 1u << DOC_FALSE | 1u << DOC_TRUE},
    {CORE "int", "!!int", 1u << DOC_INT},
    {CORE "float", "!!float", 1u << DOC_INT | 1u << DOC_REAL | 1u << DOC_NOT_FINITE},
};

static bool is_tag(const yaml_char_t *tag, const char *wanted) {
    return tag && strcmp((const char *)tag, wanted) == 0;
}

static ty_status reject_tag(reader *r, const yaml_char_t *tag) {
    const char *name = (const char *)tag;
    const bool is_core = strncmp(name, CORE, sizeof CORE - 1) == 0;
    return reject(r,
                  "the tag %s%.80s is none of YAML's core schema\n"
                  "which has !!str, !!int, !!float, !!bool, !!null, !!map and !!seq",
                  is_core ? "!!" : "", is_core ? name + sizeof CORE - 1 : name);
}

static ty_status check_tag(reader *r, const yaml_char_t *tag, const char *wanted) {
    return !tag || is_tag(tag, "!") || is_tag(tag, wanted) ? TY_OK : reject_tag(r, tag);
}

/* --- scalars ---------------------------------------------------------------------------------- */

/* What the current event's scalar is, by its tag, its quotes or its text. */
static ty_status find_kind(reader *r, doc_kind *out) {
    const yaml_char_t *tag = r->event.data.scalar.tag;
    const char *text = (const char *)r->event.data.scalar.value;
    const bool is_plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    *out = is_plain ? ty_doc_yaml_kind(text) : DOC_STRING;
    if (!tag)
        return TY_OK;
    *out = DOC_STRING;
    if (is_tag(tag, "!") || is_tag(tag, CORE "str"))
        return TY_OK;
    for (size_t i = 0; i < sizeof scalar_tags / sizeof scalar_tags[0]; i++)
        if (is_tag(tag, scalar_tags[i].tag)) {
            *out = ty_doc_yaml_kind(text);
            return scalar_tags[i].kinds & (1u << *out)
                       ? TY_OK
                       : reject(r, "\"%.40s\" is no %s", text, scalar_tags[i].name);
        }
    return reject_tag(r, tag);
}

static ty_status check_nul(reader *r) {
    if (memchr(r->event.data.scalar.value, '\0', r->event.data.scalar.length))
        return reject(r, "a string must not hold a NUL");
    return TY_OK;
}

static ty_status read_number(reader *r, doc_kind kind, doc_node *node) {
    const char *written = (const char *)r->event.data.scalar.value;
    node->number = ty_doc_yaml_number(&r->doc->arena, written);
    if (!node->number)
        return ty_fail_nomem(r->ctx, "a document");
    const char *limit = ty_doc_number_limit(node->number, kind == DOC_REAL);
    if (limit)
        return reject(r, "%.40s is beyond what %s holds", written, limit);
    return keep_take(r, node,
                     kind == DOC_REAL ? json_real(strtod(node->number, NULL))
                                      : json_integer(strtoll(node->number, NULL, 10)));
}

static ty_status read_scalar(reader *r, doc_node *node) {
    const char *text = (const char *)r->event.data.scalar.value;
    doc_kind kind;
    anchor *mine;
    node->value = span_here(r);
    TY_TRY(check_nul(r));
    TY_TRY(find_kind(r, &kind));
    TY_TRY(note_anchor(r, r->event.data.scalar.anchor, node, &mine));
    switch (kind) {
    case DOC_STRING:
        return keep_take(r, node, json_string(text));
    case DOC_NULL:
        return keep_take(r, node, json_null());
    case DOC_FALSE:
        return keep_take(r, node, json_false());
    case DOC_TRUE:
        return keep_take(r, node, json_true());
    case DOC_INT:
    case DOC_REAL:
        return read_number(r, kind, node);
    case DOC_NOT_FINITE:
        break;
    }
    return reject(r, "%s is no number that a config can hold; in quotes it is a string", text);
}

/* --- lists ------------------------------------------------------------------------------------ */

static ty_status read_list(reader *r, doc_node *node) {
    anchor *mine;
    node->value = span_here(r);
    TY_TRY(go_deeper(r));
    TY_TRY(check_tag(r, r->event.data.sequence_start.tag, CORE "seq"));
    TY_TRY(note_anchor(r, r->event.data.sequence_start.anchor, node, &mine));
    TY_TRY(keep_take(r, node, json_array()));
    if (mine)
        mine->is_open = true;
    for (;;) {
        TY_TRY(advance(r));
        if (r->event.type == YAML_SEQUENCE_END_EVENT)
            break;
        doc_node *item = NULL;
        TY_TRY(add_node(r, node, &item));
        TY_TRY(read_value(r, item));
        TY_TRY(join(r, node, item));
    }
    if (mine)
        mine->is_open = false;
    r->depth--;
    return TY_OK;
}

/* --- objects ---------------------------------------------------------------------------------- */

static ty_status check_is_string(reader *r) {
    if (r->event.type == YAML_ALIAS_EVENT)
        return reject(r, "an alias cannot be a key");
    if (r->event.type != YAML_SCALAR_EVENT)
        return reject(r, "want a string as key");
    if (r->event.data.scalar.anchor)
        return reject(r, "a key cannot have an anchor; its value can");
    return check_nul(r);
}

static bool is_merge_key(const yaml_event_t *event) {
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !event->data.scalar.tag &&
           strcmp((const char *)event->data.scalar.value, "<<") == 0;
}

static ty_status read_key(reader *r, doc_node *member, bool *is_merge) {
    doc_kind kind;
    TY_TRY(check_is_string(r));
    const char *text = (const char *)r->event.data.scalar.value;
    member->name = span_here(r);
    TY_TRY(find_kind(r, &kind));
    if (kind == DOC_NULL && !*text)
        return reject(r, "want a key before \":\"");
    if (kind != DOC_STRING)
        return reject(r, "a key is a string: \"%.40s\" in quotes", text);
    *is_merge = is_merge_key(&r->event);
    member->key = ty_arena_string(&r->doc->arena, text);
    return member->key ? TY_OK : ty_fail_nomem(r->ctx, "a document");
}

static ty_status reject_duplicate(const reader *r, const doc_node *earlier,
                                  const doc_node *member) {
    return ty_doc_fail(r->ctx, member, true, "duplicate key \"%.100s\"\nfirst written at %d:%d",
                       member->key, earlier->name.line, earlier->name.column);
}

/* The merge key "<<" as of YAML 1.1's tools: the object's own members win, then the first of a list.
 * Members are copied, since what is merged may have an anchor. */
static ty_status merge(reader *r, doc_node *object, const doc_node *merged) {
    const bool is_list = json_is_array(merged->json);
    for (const doc_node *patch = is_list ? merged->first : merged; patch;
         patch = is_list ? patch->next : NULL) {
        if (!json_is_object(patch->json))
            return ty_doc_fail(r->ctx, patch, false,
                               "\"<<\" wants an alias of an object, or a list of them");
        TY_TRY(copy_children(r, patch, object));
    }
    return TY_OK;
}

/* Reads a key and its value; what "<<" brings goes to *merged. */
static ty_status read_member(reader *r, doc_node *object, doc_node **merged) {
    doc_node *member = NULL;
    bool is_merge = false;
    TY_TRY(add_node(r, NULL, &member));
    TY_TRY(read_key(r, member, &is_merge));
    const doc_node *earlier = is_merge ? *merged : NULL;
    if (!is_merge && json_object_get(object->json, member->key))
        earlier = ty_doc_member(object, member->key);
    if (earlier)
        return reject_duplicate(r, earlier, member);
    if (!is_merge)
        ty_doc_link(object, member);
    else
        *merged = member;
    TY_TRY(advance(r));
    TY_TRY(read_value(r, member));
    return is_merge ? TY_OK : join(r, object, member);
}

static ty_status read_object(reader *r, doc_node *node) {
    anchor *mine;
    doc_node *merged = NULL;
    node->value = span_here(r);
    TY_TRY(go_deeper(r));
    TY_TRY(check_tag(r, r->event.data.mapping_start.tag, CORE "map"));
    TY_TRY(note_anchor(r, r->event.data.mapping_start.anchor, node, &mine));
    TY_TRY(keep_take(r, node, json_object()));
    if (mine)
        mine->is_open = true;
    for (;;) {
        TY_TRY(advance(r));
        if (r->event.type == YAML_MAPPING_END_EVENT)
            break;
        TY_TRY(read_member(r, node, &merged));
    }
    if (merged)
        TY_TRY(merge(r, node, merged));
    if (mine)
        mine->is_open = false;
    r->depth--;
    return TY_OK;
}

/* --- documents -------------------------------------------------------------------------------- */

/* Reads what begins with the current event; its last event is then the current one. */
static ty_status read_value(reader *r, doc_node *node) {
    if (r->event.type == YAML_ALIAS_EVENT)
        return read_alias(r, node);
    TY_TRY(count_value(r));
    if (r->event.type == YAML_SEQUENCE_START_EVENT)
        return read_list(r, node);
    if (r->event.type == YAML_MAPPING_START_EVENT)
        return read_object(r, node);
    return read_scalar(r, node);
}

static ty_status check_version(reader *r) {
    const yaml_version_directive_t *version = r->event.data.document_start.version_directive;
    if (version && version->minor < 2)
        return reject(r, "YAML %d.%d reads yes, no and numbers otherwise; want %%YAML 1.2",
                      version->major, version->minor);
    return TY_OK;
}

static ty_status read_document(reader *r, doc_node *root) {
    TY_TRY(advance(r)); /* the stream's start */
    TY_TRY(advance(r));
    if (r->event.type == YAML_STREAM_END_EVENT)
        return reject(r, "nothing but space; want KEY: VALUE");
    TY_TRY(check_version(r));
    TY_TRY(advance(r));
    if (r->event.type == YAML_SCALAR_EVENT)
        return reject(r, "want KEY: VALUE, with a space behind the colon");
    TY_TRY(read_value(r, root));
    TY_TRY(advance(r)); /* the document's end */
    TY_TRY(advance(r));
    if (r->event.type != YAML_STREAM_END_EVENT)
        return reject(r, "a second document begins here; want one");
    return TY_OK;
}

ty_status ty_doc_parse_yaml(ty_ctx *ctx, ty_doc *doc, const doc_source *source, doc_node **out) {
    TY_TRY(ty_doc_yaml_check(ctx, source));
    reader r = {.ctx = ctx, .doc = doc, .source = source};
    ty_doc_counter_init(&r.counter, source);
    doc_node *root = NULL;
    TY_TRY(add_node(&r, NULL, &root));
    if (!yaml_parser_initialize(&r.parser))
        return ty_fail_nomem(ctx, "a document");
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)r.counter.text,
                                 source->bytes - r.counter.mark);
    const ty_status st = read_document(&r, root);
    yaml_event_delete(&r.event);
    yaml_parser_delete(&r.parser);
    if (st == TY_OK)
        *out = root;
    return st;
}
