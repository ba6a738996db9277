/* MLmodel read back, whoever wrote it: libyaml parses, within limits, and we take the few values
 * that we need. */
#include <stdlib.h>
#include <yaml.h>

#include <jansson.h>

#include "registry/package_private.h"
#include "tracking/tracking.h"

enum { MAX_BYTES = 1024 * 1024, MAX_NESTING = 32 };

/* --- YAML ------------------------------------------------------------------------------------- */

/* The value of a mapping's key; the last one counts, as it does in Python's reader. */
static const yaml_node_t *member(yaml_document_t *doc, const yaml_node_t *map, const char *key) {
    const yaml_node_t *found = NULL;
    if (!map || map->type != YAML_MAPPING_NODE)
        return NULL;
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top;
         p++) {
        const yaml_node_t *name = yaml_document_get_node(doc, p->key);
        if (name && name->type == YAML_SCALAR_NODE &&
            strcmp((const char *)name->data.scalar.value, key) == 0)
            found = yaml_document_get_node(doc, p->value);
    }
    return found;
}

/* A scalar's text in arena; NULL where there is none or it is YAML's null. *out stays NULL then. */
static ty_status take_text(ty_ctx *ctx, const yaml_node_t *node, ty_arena *arena,
                           const char **out) {
    *out = NULL;
    if (!node || node->type != YAML_SCALAR_NODE)
        return TY_OK;
    const char *text = (const char *)node->data.scalar.value;
    const bool is_plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (is_plain && (strcmp(text, "null") == 0 || strcmp(text, "~") == 0 || *text == '\0'))
        return TY_OK;
    if (strlen(text) != node->data.scalar.length)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "MLmodel holds a NUL");
    *out = ty_arena_string(arena, text);
    return *out ? TY_OK : ty_fail_nomem(ctx, "an MLmodel");
}

/* --- signature -------------------------------------------------------------------------------- */

/* Whether it is a tensor's; anything else (columns, traces) is no signature of ours. */
static bool take_shape(const json_t *list, ty_arena *arena, ty_package_tensor *out) {
    const size_t n = json_array_size(list);
    int64_t *shape = ty_arena_array(arena, n + 1, sizeof *shape);
    if (!json_is_array(list) || n > TY_PACKAGE_MAX_RANK || !shape)
        return false;
    for (size_t d = 0; d < n; d++) {
        const json_t *size = json_array_get(list, d);
        if (!json_is_integer(size) || json_integer_value(size) < -1)
            return false;
        shape[d] = json_integer_value(size);
    }
    out->shape = shape;
    out->rank = (int64_t)n;
    return true;
}

static bool take_tensor(const json_t *entry, ty_arena *arena, ty_package_tensor *out) {
    const char *name = json_string_value(json_object_get(entry, "name"));
    const json_t *spec = json_object_get(entry, "tensor-spec");
    const char *dtype = json_string_value(json_object_get(spec, "dtype"));
    if (!dtype)
        return false;
    out->name = ty_arena_string(arena, name ? name : "");
    out->dtype = ty_arena_string(arena, dtype);
    return out->name && out->dtype && take_shape(json_object_get(spec, "shape"), arena, out);
}

static void take_tensors(const char *text, ty_arena *arena, const ty_package_tensor **out,
                         int64_t *out_n) {
    json_t *list = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const size_t n = json_array_size(list);
    ty_package_tensor *v =
        n > 0 && n <= TY_PACKAGE_MAX_TENSORS ? ty_arena_array(arena, n, sizeof *v) : NULL;
    bool is_good = v != NULL;
    for (size_t i = 0; is_good && i < n; i++)
        is_good = take_tensor(json_array_get(list, i), arena, &v[i]);
    *out = is_good ? v : NULL;
    *out_n = is_good ? (int64_t)n : 0;
    json_decref(list);
}

/* --- the whole -------------------------------------------------------------------------------- */

static const char *last_part(const char *path) {
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path;
}

static ty_status check(ty_ctx *ctx, const ty_package *p) {
    if (p->data && !ty_artifact_name_is_safe(p->data))
        return ty_fail(ctx, TY_ERR_INTEGRITY,
                       "MLmodel's model is \"%.200s\", which is no name within "
                       "the package",
                       p->data);
    const char *const ids[] = {p->model_id, p->run_id};
    for (int i = 0; i < 2; i++)
        if (ids[i] &&
            (strlen(ids[i]) > 256 || strspn(ids[i], TY_PACKAGE_ID_LETTERS) != strlen(ids[i])))
            return ty_fail(ctx, TY_ERR_INTEGRITY, "MLmodel has an id that is none: \"%.100s\"",
                           ids[i]);
    return TY_OK;
}

static ty_status take_all(ty_ctx *ctx, yaml_document_t *doc, ty_arena *arena, ty_package *out) {
    const yaml_node_t *root = yaml_document_get_root_node(doc);
    const char *inputs, *outputs;
    if (!root || root->type != YAML_MAPPING_NODE)
        return ty_fail(ctx, TY_ERR_INTEGRITY, "MLmodel is no mapping");
    const yaml_node_t *onnx = member(doc, member(doc, root, "flavors"), "onnx");
    const yaml_node_t *signature = member(doc, root, "signature");
    TY_TRY(take_text(ctx, member(doc, root, "model_id"), arena, &out->model_id));
    TY_TRY(take_text(ctx, member(doc, root, "run_id"), arena, &out->run_id));
    TY_TRY(take_text(ctx, member(doc, root, "artifact_path"), arena, &out->name));
    TY_TRY(take_text(ctx, member(doc, onnx, "data"), arena, &out->data));
    TY_TRY(take_text(ctx, member(doc, signature, "inputs"), arena, &inputs));
    TY_TRY(take_text(ctx, member(doc, signature, "outputs"), arena, &outputs));
    take_tensors(inputs, arena, &out->inputs, &out->n_inputs);
    take_tensors(outputs, arena, &out->outputs, &out->n_outputs);
    out->name = last_part(out->name);
    return check(ctx, out);
}

static bool open_parser(yaml_parser_t *parser, const char *text, size_t bytes) {
    if (!yaml_parser_initialize(parser))
        return false;
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, (const unsigned char *)text, bytes);
    return true;
}

static ty_status say_problem(ty_ctx *ctx, const yaml_parser_t *parser) {
    return ty_fail(ctx, TY_ERR_INTEGRITY, "MLmodel:%zu: %s", parser->problem_mark.line + 1,
                   parser->problem ? parser->problem : "no YAML");
}

static int steps_in(yaml_event_type_t type) {
    if (type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT)
        return 1;
    return type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT ? -1 : 0;
}

/* libyaml's time grows with the square of the nesting, so that it is looked at event by event
 * first. An MLmodel has no anchors. */
static ty_status check_nesting(ty_ctx *ctx, yaml_parser_t *parser) {
    int depth = 0;
    for (bool is_end = false; !is_end;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event))
            return say_problem(ctx, parser);
        const bool is_alias = event.type == YAML_ALIAS_EVENT;
        depth += steps_in(event.type);
        is_end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        if (depth > MAX_NESTING || is_alias)
            return ty_fail(ctx, TY_ERR_INTEGRITY, "MLmodel:%zu: nested deeper than %d, or an alias",
                           parser->mark.line + 1, (int)MAX_NESTING);
    }
    return TY_OK;
}

static ty_status load(ty_ctx *ctx, yaml_parser_t *parser, ty_arena *arena, ty_package *out) {
    yaml_document_t doc;
    if (!yaml_parser_load(parser, &doc))
        return say_problem(ctx, parser);
    const ty_status st = take_all(ctx, &doc, arena, out);
    yaml_document_delete(&doc);
    return st;
}

ty_status ty_package_parse(ty_ctx *ctx, const char *text, size_t bytes, ty_arena *arena,
                           ty_package *out) {
    yaml_parser_t parser;
    *out = (ty_package){0};
    if (bytes > MAX_BYTES)
        return ty_fail(ctx, TY_ERR_DATA, "MLmodel has %zu bytes, want at most %d", bytes,
                       (int)MAX_BYTES);
    if (!open_parser(&parser, text, bytes))
        return ty_fail_nomem(ctx, "reading an MLmodel");
    ty_status st = check_nesting(ctx, &parser);
    yaml_parser_delete(&parser);
    if (st != TY_OK)
        return st;
    if (!open_parser(&parser, text, bytes))
        return ty_fail_nomem(ctx, "reading an MLmodel");
    st = load(ctx, &parser, arena, out);
    yaml_parser_delete(&parser);
    return st;
}

ty_status ty_package_read(ty_ctx *ctx, const char *folder, ty_arena *arena, ty_package *out) {
    char *text = NULL;
    size_t bytes = 0;
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *path = ty_path_join(&ctx->scratch, folder, "MLmodel");
    ty_status st =
        path ? ty_file_read_all(ctx, path, MAX_BYTES, &text, &bytes) : ty_fail_nomem(ctx, "a path");
    ty_arena_reset(&ctx->scratch, mark);
    if (st != TY_OK)
        return st;
    st = ty_package_parse(ctx, text, bytes, arena, out);
    free(text);
    return st == TY_OK ? TY_OK : ty_fail_within(ctx, st, "%s", folder);
}
