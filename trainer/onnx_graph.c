/* Nodes, constants and shapes of a GraphProto, appended field by field. */
#include "trainer/onnx_private.h"

#include <string.h>

/* onnx.proto: fields of the messages that only live here. */
enum {
    NODE_INPUT = 1,
    NODE_OUTPUT = 2,
    NODE_NAME = 3,
    NODE_OP = 4,
    NODE_ATTRIBUTE = 5,
    NODE_DOMAIN = 7,
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_FLOAT = 2,
    ATTRIBUTE_INT = 3,
    ATTRIBUTE_TENSOR = 5,
    ATTRIBUTE_INTS = 8,
    ATTRIBUTE_STRINGS = 9,
    ATTRIBUTE_TYPE = 20,
    VALUE_NAME = 1,
    VALUE_TYPE = 2,
    TYPE_TENSOR = 1,
    TENSOR_ELEMENT = 1,
    TENSOR_SHAPE = 2,
    SHAPE_DIM = 1,
    DIM_VALUE = 1,
    DIM_PARAM = 2
};

/* AttributeProto.AttributeType */
enum { IS_FLOAT = 1, IS_INT = 2, IS_TENSOR = 4, IS_INTS = 7, IS_STRINGS = 8 };

void ty_onnx_graph_clear(ty_onnx_graph *g) {
    ty_text_clear(&g->nodes);
    ty_text_clear(&g->inputs);
    ty_text_clear(&g->outputs);
    ty_text_clear(&g->infos);
    ty_text_clear(&g->node);
}

const char *ty_onnx_part(ty_onnx_graph *g, const char *whole, const char *part) {
    const char *name = ty_arena_printf(g->arena, "%s/%s", whole, part);
    g->is_short |= name == NULL;
    return name ? name : "";
}

ty_onnx_shape ty_onnx_batch_of(ty_shape shape) {
    ty_onnx_shape out = {.rank = shape.rank, .dims = {-1}};
    for (int i = 1; i < shape.rank; i++)
        out.dims[i] = shape.dims[i];
    return out;
}

/* Adds a message and empties it. */
static void close_into(ty_text *message, int field, ty_text *inner) {
    ty_pb_add_message(message, field, inner);
    ty_text_clear(inner);
}

/* --- values ----------------------------------------------------------------------------------- */

static void add_shape(ty_text *tensor, ty_onnx_shape shape) {
    ty_text dims = {0}, dim = {0};
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dims[i] < 0)
            ty_pb_add_string(&dim, DIM_PARAM, "batch");
        else
            ty_pb_add_int(&dim, DIM_VALUE, shape.dims[i]);
        close_into(&dims, SHAPE_DIM, &dim);
    }
    close_into(tensor, TENSOR_SHAPE, &dims);
}

static void add_value(ty_text *graph, int field, const char *name, ty_onnx_type type,
                      ty_onnx_shape shape) {
    ty_text tensor = {0}, kind = {0}, value = {0};
    ty_pb_add_int(&tensor, TENSOR_ELEMENT, type);
    add_shape(&tensor, shape);
    close_into(&kind, TYPE_TENSOR, &tensor);
    ty_pb_add_string(&value, VALUE_NAME, name);
    close_into(&value, VALUE_TYPE, &kind);
    close_into(graph, field, &value);
}

static const char *numpy_name(ty_onnx_type type) {
    switch (type) {
    case TY_ONNX_UINT8:
        return "uint8";
    case TY_ONNX_INT64:
        return "int64";
    case TY_ONNX_STRING:
        return "object";
    case TY_ONNX_DOUBLE:
        return "float64";
    case TY_ONNX_BOOL:
        return "bool";
    case TY_ONNX_FLOAT:
        break;
    }
    return "float32";
}

static ty_onnx_value sign(const char *name, ty_onnx_type type, ty_onnx_shape shape) {
    ty_onnx_value value = {.name = name, .dtype = numpy_name(type), .rank = shape.rank};
    memcpy(value.shape, shape.dims, sizeof value.shape);
    return value;
}

void ty_onnx_add_input(ty_onnx_graph *g, const char *name, ty_onnx_type type, ty_onnx_shape shape) {
    add_value(&g->inputs, TY_ONNX_GRAPH_INPUT, name, type, shape);
    g->in[g->n_in++] = sign(name, type, shape);
}

void ty_onnx_add_output(ty_onnx_graph *g, const char *name, ty_onnx_type type,
                        ty_onnx_shape shape) {
    add_value(&g->outputs, TY_ONNX_GRAPH_OUTPUT, name, type, shape);
    g->out[g->n_out++] = sign(name, type, shape);
}

/* --- nodes ------------------------------------------------------------------------------------ */

void ty_onnx_begin(ty_onnx_graph *g, const char *op, const char *const *inputs, const char *y) {
    ty_text_clear(&g->node);
    for (; *inputs; inputs++)
        ty_pb_add_string(&g->node, NODE_INPUT, *inputs);
    ty_pb_add_string(&g->node, NODE_OUTPUT, y);
    ty_pb_add_string(&g->node, NODE_NAME, y);
    ty_pb_add_string(&g->node, NODE_OP, op);
}

static void close_attribute(ty_onnx_graph *g, const char *name, int type, ty_text *attribute) {
    ty_pb_add_string(attribute, ATTRIBUTE_NAME, name);
    ty_pb_add_int(attribute, ATTRIBUTE_TYPE, type);
    close_into(&g->node, NODE_ATTRIBUTE, attribute);
}

void ty_onnx_attr_int(ty_onnx_graph *g, const char *name, int64_t value) {
    ty_text attribute = {0};
    ty_pb_add_int(&attribute, ATTRIBUTE_INT, value);
    close_attribute(g, name, IS_INT, &attribute);
}

void ty_onnx_attr_ints(ty_onnx_graph *g, const char *name, const int64_t *values, int n) {
    ty_text attribute = {0};
    for (int i = 0; i < n; i++)
        ty_pb_add_int(&attribute, ATTRIBUTE_INTS, values[i]);
    close_attribute(g, name, IS_INTS, &attribute);
}

void ty_onnx_attr_float(ty_onnx_graph *g, const char *name, float value) {
    ty_text attribute = {0};
    ty_pb_add_float(&attribute, ATTRIBUTE_FLOAT, value);
    close_attribute(g, name, IS_FLOAT, &attribute);
}

void ty_onnx_attr_texts(ty_onnx_graph *g, const char *name, const char *const *texts, int64_t n) {
    ty_text attribute = {0};
    for (int64_t i = 0; i < n; i++)
        ty_pb_add_string(&attribute, ATTRIBUTE_STRINGS, texts[i]);
    close_attribute(g, name, IS_STRINGS, &attribute);
}

void ty_onnx_in_ml(ty_onnx_graph *g) {
    ty_pb_add_string(&g->node, NODE_DOMAIN, "ai.onnx.ml");
    g->takes_ml = true;
}

static bool is_output(const ty_onnx_graph *g, const char *name) {
    for (int64_t i = 0; i < g->n_out; i++)
        if (strcmp(g->out[i].name, name) == 0)
            return true;
    return false;
}

void ty_onnx_end(ty_onnx_graph *g, const char *y, ty_onnx_type type, ty_onnx_shape shape) {
    close_into(&g->nodes, TY_ONNX_GRAPH_NODE, &g->node);
    if (!is_output(g, y))
        add_value(&g->infos, TY_ONNX_GRAPH_VALUE, y, type, shape);
}

void ty_onnx_node(ty_onnx_graph *g, const char *op, const char *const *inputs, const char *y,
                  ty_onnx_type type, ty_onnx_shape shape) {
    ty_onnx_begin(g, op, inputs, y);
    ty_onnx_end(g, y, type, shape);
}

/* --- constants -------------------------------------------------------------------------------- */

const char *ty_onnx_constant(ty_onnx_graph *g, const char *y, ty_onnx_type type,
                             ty_onnx_shape shape, const void *data, size_t bytes) {
    ty_text attribute = {0}, tensor = {0};
    for (int i = 0; i < shape.rank; i++)
        ty_pb_add_int(&tensor, TY_ONNX_TENSOR_DIM, shape.dims[i]);
    ty_pb_add_int(&tensor, TY_ONNX_TENSOR_TYPE, type);
    ty_pb_add_string(&tensor, TY_ONNX_TENSOR_NAME, y);
    ty_pb_add_bytes(&tensor, TY_ONNX_TENSOR_RAW, data, bytes);
    ty_onnx_begin(g, "Constant", (const char *const[]){NULL}, y);
    close_into(&attribute, ATTRIBUTE_TENSOR, &tensor);
    close_attribute(g, "value", IS_TENSOR, &attribute);
    ty_onnx_end(g, y, type, shape);
    return y;
}

const char *ty_onnx_scalar(ty_onnx_graph *g, const char *y, float value) {
    return ty_onnx_constant(g, y, TY_ONNX_FLOAT, (ty_onnx_shape){0}, &value, sizeof value);
}

const char *ty_onnx_list(ty_onnx_graph *g, const char *y, const int64_t *values, int64_t n) {
    return ty_onnx_constant(g, y, TY_ONNX_INT64, (ty_onnx_shape){1, {n}}, values,
                            (size_t)n * sizeof *values);
}
