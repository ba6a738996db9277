/* Operation graphs: how operations hang together by the ids of their tensors, and which graphs have engines. */
#include <string.h>

#include "dnn.h"

/* An operation's tensors, the written one last. */
static int tensors_of(const cs_dnn_op *op, const cs_dnn_tensor *out[4]) {
    int n = 0;
    const cs_dnn_tensor *written = cs_dnn_output(op);
    bool is_pointwise = op->kind == CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR;
    const cs_dnn_tensor *all[] = {&op->x, is_pointwise ? &op->b : &op->w, &op->y};
    for (int i = 0; i < 3; i++)
        if (all[i] != written && (all[i] != &op->b || op->has_b))
            out[n++] = all[i];
    out[n++] = written;
    return n;
}

static bool is_same(const cs_dnn_tensor *a, const cs_dnn_tensor *b) {
    return a->type == b->type && a->n_dims == b->n_dims && a->is_virtual == b->is_virtual &&
           a->alignment == b->alignment && memcmp(a->dims, b->dims, sizeof a->dims) == 0 &&
           memcmp(a->strides, b->strides, sizeof a->strides) == 0;
}

/* Which operation writes a tensor; -1: none. */
static int writer_of(const cs_dnn_graph *g, int64_t uid) {
    for (int i = 0; i < g->n_ops; i++)
        if (cs_dnn_output(&g->ops[i])->uid == uid)
            return i;
    return -1;
}

static bool is_read(const cs_dnn_graph *g, int64_t uid) {
    for (int i = 0; i < g->n_ops; i++) {
        const cs_dnn_tensor *all[4];
        int n = tensors_of(&g->ops[i], all);
        for (int j = 0; j + 1 < n; j++)
            if (all[j]->uid == uid)
                return true;
    }
    return false;
}

/* Adds a tensor to those the program must give data for; one id is one tensor everywhere. */
static cudnnStatus_t add_tensor(cs_dnn_graph *g, cs_dnn_tensor *seen, int *n_seen,
                                const cs_dnn_tensor *t) {
    for (int i = 0; i < *n_seen; i++) {
        if (seen[i].uid != t->uid)
            continue;
        return is_same(&seen[i], t)
                   ? CUDNN_STATUS_SUCCESS
                   : cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "two different tensors have the id %lld",
                                   (long long)t->uid);
    }
    seen[(*n_seen)++] = *t;
    if (!t->is_virtual && g->n_tensors == CS_DNN_TENSORS)
        cs_unknown(cs_current_function(), "more than %d tensors are not modelled", CS_DNN_TENSORS);
    if (!t->is_virtual)
        g->tensors[g->n_tensors++] = *t;
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t collect_tensors(cs_dnn_graph *g) {
    cs_dnn_tensor seen[CS_DNN_OPS * 3];
    int n_seen = 0;
    for (int i = 0; i < g->n_ops; i++) {
        const cs_dnn_tensor *all[4];
        int n = tensors_of(&g->ops[i], all);
        for (int j = 0; j < n; j++)
            for (int k = 0; k < j; k++)
                if (all[j]->uid == all[k]->uid)
                    return cs_dnn_report(CUDNN_STATUS_BAD_PARAM,
                                         "one operation has two tensors of the id %lld",
                                         (long long)all[j]->uid);
        for (int j = 0; j < n; j++)
            if (add_tensor(g, seen, &n_seen, all[j]))
                return CUDNN_STATUS_BAD_PARAM;
    }
    for (int i = 0; i < n_seen; i++) {
        bool has_writer = writer_of(g, seen[i].uid) >= 0, has_reader = is_read(g, seen[i].uid);
        if (seen[i].is_virtual && (!has_writer || !has_reader))
            return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "virtual tensor %lld is never %s",
                                 (long long)seen[i].uid, has_writer ? "read" : "written");
    }
    return CUDNN_STATUS_SUCCESS;
}

static cudnnStatus_t check_writers(const cs_dnn_graph *g) {
    for (int i = 0; i < g->n_ops; i++)
        for (int j = 0; j < i; j++)
            if (cs_dnn_output(&g->ops[i])->uid == cs_dnn_output(&g->ops[j])->uid)
                return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "two operations write tensor %lld",
                                     (long long)cs_dnn_output(&g->ops[i])->uid);
    return CUDNN_STATUS_SUCCESS;
}

/* Whether all that an operation reads is from outside or from the first n operations of `sorted`. */
static bool is_ready(const cs_dnn_graph *g, const cs_dnn_op *op, const cs_dnn_op *sorted, int n) {
    const cs_dnn_tensor *all[4];
    int n_tensors = tensors_of(op, all);
    for (int j = 0; j + 1 < n_tensors; j++) {
        bool is_made = writer_of(g, all[j]->uid) < 0;
        for (int k = 0; k < n; k++)
            is_made = is_made || cs_dnn_output(&sorted[k])->uid == all[j]->uid;
        if (!is_made)
            return false;
    }
    return true;
}

static cudnnStatus_t sort_ops(cs_dnn_graph *g) {
    cs_dnn_op sorted[CS_DNN_OPS];
    bool is_taken[CS_DNN_OPS] = {false};
    for (int n = 0; n < g->n_ops; n++) {
        int next = 0;
        while (next < g->n_ops && (is_taken[next] || !is_ready(g, &g->ops[next], sorted, n)))
            next++;
        if (next == g->n_ops)
            return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "the operations form a circle");
        is_taken[next] = true;
        sorted[n] = g->ops[next];
    }
    memcpy(g->ops, sorted, sizeof g->ops);
    return CUDNN_STATUS_SUCCESS;
}

/* --- which graphs have engines ---------------------------------------------------------------- */

static bool is_convolution(const cs_dnn_op *op) {
    return op->kind != CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR;
}

/* One type for all three tensors, sums in fp32: the library has no other engine for these types. */
static bool is_plain_convolution(const cs_dnn_op *op, int32_t y_type) {
    return is_convolution(op) && op->geometry.compute == CUDNN_DATA_FLOAT &&
           op->x.type == op->w.type && y_type == op->x.type;
}

static bool is_per_channel(const cs_dnn_tensor *b, const cs_dnn_tensor *y) {
    return b->n_dims == 4 && b->dims[0] == 1 && b->dims[1] == y->dims[1] && b->dims[2] == 1 &&
           b->dims[3] == 1;
}

/* conv forward -> + bias per channel (-> ReLU): fp32 in between, the bias of the output's type, nothing added to y. */
static bool is_fused_convolution(const cs_dnn_graph *g) {
    const cs_dnn_op *conv = &g->ops[0], *add = &g->ops[1];
    const cs_dnn_op *relu = g->n_ops == 3 ? &g->ops[2] : NULL;
    const cs_dnn_tensor *y = &g->ops[g->n_ops - 1].y;
    if (g->n_ops < 2 || g->n_ops > 3 ||
        conv->kind != CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR ||
        is_convolution(add) || add->pointwise.mode != CUDNN_POINTWISE_ADD || conv->beta != 0)
        return false;
    if (relu && (is_convolution(relu) || relu->pointwise.mode != CUDNN_POINTWISE_RELU_FWD ||
                 relu->x.uid != add->y.uid || relu->pointwise.compute != CUDNN_DATA_FLOAT ||
                 relu->x.type != CUDNN_DATA_FLOAT || !relu->x.is_virtual))
        return false;
    const cs_dnn_tensor *sum = add->x.uid == conv->y.uid ? &add->x : &add->b;
    const cs_dnn_tensor *bias = sum == &add->x ? &add->b : &add->x;
    return sum->uid == conv->y.uid && sum->is_virtual && sum->type == CUDNN_DATA_FLOAT &&
           add->pointwise.compute == CUDNN_DATA_FLOAT && is_per_channel(bias, y) &&
           bias->type == y->type && memcmp(sum->dims, y->dims, sizeof y->dims) == 0 &&
           is_plain_convolution(conv, y->type);
}

static uint64_t hash_graph(const cs_dnn_graph *g) {
    uint64_t hash = CS_SHAPE_SEED;
    for (int i = 0; i < g->n_ops; i++) {
        const cs_dnn_tensor *all[4];
        int n = tensors_of(&g->ops[i], all);
        hash = cs_shape_hash(hash, g->ops[i].kind);
        for (int j = 0; j < n; j++)
            for (int k = 0; k < all[j]->n_dims; k++)
                hash = cs_shape_hash(cs_shape_hash(hash, (uint64_t)all[j]->dims[k]),
                                     (uint64_t)all[j]->type);
        for (int k = 0; is_convolution(&g->ops[i]) && k < 2; k++)
            hash = cs_shape_hash(cs_shape_hash(hash, (uint64_t)g->ops[i].geometry.pre[k]),
                                 (uint64_t)g->ops[i].geometry.stride[k]);
    }
    return hash;
}

cudnnStatus_t cs_dnn_finalize_graph(cs_dnn_desc *d) {
    const cs_dnn_value *ops = cs_dnn_find(d, CUDNN_ATTR_OPERATIONGRAPH_OPS);
    const cs_dnn_value *handle = cs_dnn_find(d, CUDNN_ATTR_OPERATIONGRAPH_HANDLE);
    cs_dnn_graph g = {.n_ops = (int)ops->count, .device_from_handle = -1};
    for (int i = 0; i < g.n_ops; i++)
        g.ops[i] = ((cs_dnn_desc *const *)ops->data)[i]->op;
    if (handle) {
        const cs_dnn_handle *h = cs_dnn_handle_of(*(cudnnHandle_t const *)handle->data);
        if (!h)
            return CUDNN_STATUS_BAD_PARAM;
        g.device_from_handle = h->device;
    }
    if (check_writers(&g) || collect_tensors(&g) || sort_ops(&g))
        return CUDNN_STATUS_BAD_PARAM;
    g.has_engines = (g.n_ops == 1 && is_plain_convolution(&g.ops[0], g.ops[0].y.type)) ||
                    is_fused_convolution(&g);
    g.hash = hash_graph(&g);
    d->graph = g;
    return CUDNN_STATUS_SUCCESS;
}
