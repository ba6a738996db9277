/* What the files of trainer/onnx.h share: a graph while it is written, and a checkpoint's content
 * once it is understood. */
#ifndef TY_TRAINER_ONNX_PRIVATE_H
#define TY_TRAINER_ONNX_PRIVATE_H

#include "data/data.h"
#include "trainer/graph.h"
#include "trainer/onnx.h"
#include "trainer/protobuf.h"

/* onnx.proto: TensorProto.DataType. */
typedef enum ty_onnx_type {
    TY_ONNX_FLOAT = 1,
    TY_ONNX_UINT8 = 2,
    TY_ONNX_INT64 = 7,
    TY_ONNX_STRING = 8,
    TY_ONNX_BOOL = 9,
    TY_ONNX_DOUBLE = 11
} ty_onnx_type;

/* onnx.proto: the numbers of the fields that we write and read. */
enum {
    TY_ONNX_MODEL_IR = 1,
    TY_ONNX_MODEL_PRODUCER = 2,
    TY_ONNX_MODEL_PRODUCER_VERSION = 3,
    TY_ONNX_MODEL_GRAPH = 7,
    TY_ONNX_MODEL_OPSET = 8,
    TY_ONNX_MODEL_METADATA = 14,
    TY_ONNX_OPSET_DOMAIN = 1,
    TY_ONNX_OPSET_VERSION = 2,
    TY_ONNX_PAIR_KEY = 1,
    TY_ONNX_PAIR_VALUE = 2,
    TY_ONNX_GRAPH_NODE = 1,
    TY_ONNX_GRAPH_NAME = 2,
    TY_ONNX_GRAPH_INITIALIZER = 5,
    TY_ONNX_GRAPH_INPUT = 11,
    TY_ONNX_GRAPH_OUTPUT = 12,
    TY_ONNX_GRAPH_VALUE = 13,
    TY_ONNX_TENSOR_DIM = 1,
    TY_ONNX_TENSOR_TYPE = 2,
    TY_ONNX_TENSOR_NAME = 8,
    TY_ONNX_TENSOR_RAW = 9,
    TY_ONNX_TENSOR_EXTERNAL = 13,
    TY_ONNX_TENSOR_LOCATION = 14
};

/* metadata_props */
#define TY_ONNX_KEY_CONFIG "tiltyard.config"
#define TY_ONNX_KEY_DATA "tiltyard.data_state"
#define TY_ONNX_KEY_STEP "tiltyard.step"
#define TY_ONNX_KEY_VERSION "tiltyard.version"
#define TY_ONNX_KEY_HASH "tiltyard.weights_xxh3" /* of all tensors, in the file's order */

/* --- onnx_source.c: what a checkpoint says ---------------------------------------------------- */

/* One column of a table. */
typedef struct ty_onnx_column {
    const char *name;  /* the table's */
    const char *input; /* what the graph calls it: the same, unless another value has that name */
    bool is_text;
    double mean, std;              /* numbers */
    const char *const *categories; /* texts: one feature each */
    int64_t n_features;
} ty_onnx_column;

typedef struct ty_onnx_source {
    ty_arena arena;
    ty_doc *doc;
    ty_data_info info;             /* what the model is built from: shapes, task, normalisation */
    ty_graph graph;                /* for evaluation */
    const ty_onnx_column *columns; /* NULL: x is stored as it is */
    int64_t n_columns;
    bool is_standardised;
    bool is_by_column; /* one input a column, not one matrix */
} ty_onnx_source;

/* Reads config and data state, and builds the model. Clear also after a failure.
 * Errors: TY_ERR_INTEGRITY, TY_ERR_CONFIG, TY_ERR_NOMEM. */
ty_status ty_onnx_source_init(ty_ctx *ctx, const ty_checkpoint *content,
                              ty_onnx_source *out) TY_MUST_USE;
void ty_onnx_source_clear(ty_onnx_source *source); /* accepts a zeroed one */

/* The tensors of the model in the order of its segments, checked against them; *out is in arena.
 * Errors: TY_ERR_INTEGRITY one is missing or has another shape. */
typedef struct ty_onnx_tensor {
    const char *name; /* the segment's */
    ty_shape shape;
    const void *data; /* f32, borrowed from the content */
    size_t bytes;
} ty_onnx_tensor;
ty_status ty_onnx_tensors(ty_ctx *ctx, const ty_checkpoint *content, const ty_graph *graph,
                          ty_arena *arena, ty_onnx_tensor **out, int64_t *out_n) TY_MUST_USE;

/* --- onnx_graph.c: a graph while it is written ------------------------------------------------ */

/* Memory that ran out shows in is_short, at the end. */
typedef struct ty_onnx_graph {
    const ty_graph *model;
    ty_arena *arena;                       /* names; the signature */
    ty_text nodes, inputs, outputs, infos; /* fields of a GraphProto */
    ty_text node;                          /* in progress */
    const char **names;                    /* of the model's values */
    ty_onnx_value *in, *out;               /* the signature; room for all */
    int64_t n_in, n_out;
    bool takes_ml; /* a node of ai.onnx.ml is in it */
    bool is_short;
} ty_onnx_graph;

void ty_onnx_graph_clear(ty_onnx_graph *g);

/* Names are in the graph's arena. part: a value inside of what makes `whole`. */
const char *ty_onnx_part(ty_onnx_graph *g, const char *whole, const char *part);

/* A shape with the batch in front, from one whose first dimension is any batch. */
typedef struct ty_onnx_shape {
    int rank;
    int64_t dims[TY_ONNX_MAX_RANK]; /* -1: the batch */
} ty_onnx_shape;
ty_onnx_shape ty_onnx_batch_of(ty_shape shape);

/* Declares an input or an output. */
void ty_onnx_add_input(ty_onnx_graph *g, const char *name, ty_onnx_type type, ty_onnx_shape shape);
void ty_onnx_add_output(ty_onnx_graph *g, const char *name, ty_onnx_type type, ty_onnx_shape shape);

/* One node: begin, its attributes, end. inputs ends with NULL; end says what comes out. */
void ty_onnx_begin(ty_onnx_graph *g, const char *op, const char *const *inputs, const char *y);
void ty_onnx_attr_int(ty_onnx_graph *g, const char *name, int64_t value);
void ty_onnx_attr_ints(ty_onnx_graph *g, const char *name, const int64_t *values, int n);
void ty_onnx_attr_float(ty_onnx_graph *g, const char *name, float value);
void ty_onnx_attr_texts(ty_onnx_graph *g, const char *name, const char *const *texts, int64_t n);
void ty_onnx_in_ml(ty_onnx_graph *g);
void ty_onnx_end(ty_onnx_graph *g, const char *y, ty_onnx_type type, ty_onnx_shape shape);

/* A node without attributes. */
void ty_onnx_node(ty_onnx_graph *g, const char *op, const char *const *inputs, const char *y,
                  ty_onnx_type type, ty_onnx_shape shape);

/* A node that gives a constant; answers y. shape has no batch. */
const char *ty_onnx_constant(ty_onnx_graph *g, const char *y, ty_onnx_type type,
                             ty_onnx_shape shape, const void *data, size_t bytes);
const char *ty_onnx_scalar(ty_onnx_graph *g, const char *y, float value);
const char *ty_onnx_list(ty_onnx_graph *g, const char *y, const int64_t *values, int64_t n);

/* --- onnx_ops.c ------------------------------------------------------------------------------- */

/* What the value that the loss reads is called: "logits", "prediction". */
const char *ty_onnx_head(ty_op_id loss);

/* Appends the nodes that an op becomes; the loss's: its outputs. */
void ty_onnx_emit(ty_onnx_graph *g, const ty_node *node);

/* Whether the table has a row for the op. */
bool ty_onnx_knows(ty_op_id op);

/* --- onnx_input.c ----------------------------------------------------------------------------- */

/* Declares the inputs and encodes them to the model's x, whose name is set.
 * Errors: TY_ERR_NOMEM. */
ty_status ty_onnx_emit_inputs(ty_ctx *ctx, ty_onnx_graph *g,
                              const ty_onnx_source *source) TY_MUST_USE;

#endif
