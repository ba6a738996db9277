/* A primitive with its operands: memory objects, reorders where layouts differ, one run. */
#include "kernels/onednn_private.h"

#include <stdlib.h>
#include <string.h>

/* How oneDNN names an operand, and where a primitive descriptor tells its layout. */
typedef struct role_row {
    int arg;
    dnnl_query_t query;
    int index;
    bool is_written; /* always; mean, variance and kept are written by forward passes only */
} role_row;

static const role_row role_rows[TY_ROLE_COUNT] = {
    [TY_ROLE_X] = {DNNL_ARG_SRC, dnnl_query_src_md, 0, false},
    [TY_ROLE_WEIGHT] = {DNNL_ARG_WEIGHTS, dnnl_query_weights_md, 0, false},
    [TY_ROLE_BIAS] = {DNNL_ARG_BIAS, dnnl_query_weights_md, 1, false},
    [TY_ROLE_Y] = {DNNL_ARG_DST, dnnl_query_dst_md, 0, true},
    [TY_ROLE_DX] = {DNNL_ARG_DIFF_SRC, dnnl_query_diff_src_md, 0, true},
    [TY_ROLE_DWEIGHT] = {DNNL_ARG_DIFF_WEIGHTS, dnnl_query_diff_weights_md, 0, true},
    [TY_ROLE_DBIAS] = {DNNL_ARG_DIFF_BIAS, dnnl_query_diff_weights_md, 1, true},
    [TY_ROLE_DY] = {DNNL_ARG_DIFF_DST, dnnl_query_diff_dst_md, 0, false},
    [TY_ROLE_MEAN] = {DNNL_ARG_MEAN, 0, 0, false},
    [TY_ROLE_VARIANCE] = {DNNL_ARG_VARIANCE, 0, 0, false},
    [TY_ROLE_SCALE] = {DNNL_ARG_SCALE, 0, 0, false},
    [TY_ROLE_SHIFT] = {DNNL_ARG_SHIFT, 0, 0, false},
    [TY_ROLE_DSCALE] = {DNNL_ARG_DIFF_SCALE, 0, 0, true},
    [TY_ROLE_DSHIFT] = {DNNL_ARG_DIFF_SHIFT, 0, 0, true},
    [TY_ROLE_KEPT] = {DNNL_ARG_WORKSPACE, dnnl_query_workspace_md, 0, false},
};

enum { MAX_OPERANDS = 10, ALIGNMENT = 64 };

typedef struct bound {
    ty_role role;
    dnnl_memory_t outer;      /* the caller's bytes */
    dnnl_memory_t inner;      /* the primitive's: outer itself, or a stage in the workspace */
    dnnl_primitive_t reorder; /* NULL: none; outer to inner, or back where written */
    size_t stage_offset;
    const void *outer_at, *inner_at; /* where the memory objects point now */
} bound;

struct ty_onednn_call {
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t primitive;
    dnnl_memory_t scratch;
    const void *scratch_at;
    size_t scratch_bytes, workspace_bytes, kept_bytes;
    int n;
    bound operands[MAX_OPERANDS];
    int n_args;
    dnnl_exec_arg_t args[MAX_OPERANDS + 1];
};

static size_t take(size_t *used, size_t bytes) {
    const size_t at = *used;
    *used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return at;
}

/* Reorders keep oneDNN's own scratch memory, which belongs to the thread: few need any. */
static ty_status open_reorder(ty_ctx *ctx, ty_onednn *dnn, const dnnl_memory_desc_t *from,
                              const dnnl_memory_desc_t *to, bool accumulates,
                              dnnl_primitive_t *out) {
    ty_status st = TY_OK;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t post = NULL;
    dnnl_primitive_desc_t pd = NULL;
    TY_DNNL_GOTO(done, st, dnnl_primitive_attr_create(&attr), "describe a reorder");
    TY_DNNL_GOTO(done, st, dnnl_post_ops_create(&post), "describe a reorder");
    if (accumulates)
        TY_DNNL_GOTO(done, st, dnnl_post_ops_append_sum(post, 1.0F), "describe a reorder");
    TY_DNNL_GOTO(done, st, dnnl_primitive_attr_set_post_ops(attr, post), "describe a reorder");
    TY_DNNL_GOTO(done, st,
                 dnnl_reorder_primitive_desc_create(&pd, from, dnn->engine, to, dnn->engine, attr),
                 "prepare a reorder");
    TY_DNNL_GOTO(done, st, dnnl_primitive_create(out, pd), "create a reorder");
done:
    if (pd)
        (void)dnnl_primitive_desc_destroy(pd);
    if (post)
        (void)dnnl_post_ops_destroy(post);
    if (attr)
        (void)dnnl_primitive_attr_destroy(attr);
    return st;
}

static ty_status open_stage(ty_ctx *ctx, ty_onednn *dnn, ty_onednn_call *call, bound *b,
                            const ty_operand *operand, const dnnl_memory_desc_t *inner) {
    ty_status st = TY_OK;
    TY_DNNL_GOTO(done, st, dnnl_memory_create(&b->inner, inner, dnn->engine, DNNL_MEMORY_NONE),
                 "make a memory object");
    b->stage_offset = take(&call->workspace_bytes, dnnl_memory_desc_get_size(inner));
    const bool is_written = role_rows[b->role].is_written;
    st = open_reorder(ctx, dnn, is_written ? inner : &operand->outer,
                      is_written ? &operand->outer : inner, operand->accumulates, &b->reorder);
done:
    return st;
}

static ty_status open_operand(ty_ctx *ctx, ty_onednn *dnn, ty_onednn_call *call,
                              const ty_operand *operand) {
    const role_row *row = &role_rows[operand->role];
    const dnnl_memory_desc_t *inner = &operand->outer;
    if (row->query)
        inner = dnnl_primitive_desc_query_md(call->pd, row->query, row->index);
    const bool is_opaque = operand->outer.ndims == 0;
    bound *b = &call->operands[call->n++];
    b->role = operand->role;
    ty_status st = TY_OK;
    TY_DNNL_GOTO(done, st,
                 dnnl_memory_create(&b->outer, is_opaque ? inner : &operand->outer, dnn->engine,
                                    DNNL_MEMORY_NONE),
                 "make a memory object");
    b->inner = b->outer;
    if (is_opaque)
        call->kept_bytes = dnnl_memory_desc_get_size(inner);
    else if (operand->accumulates || !dnnl_memory_desc_equal(inner, &operand->outer))
        TY_TRY_GOTO(done, st, open_stage(ctx, dnn, call, b, operand, inner));
    call->args[call->n_args++] = (dnnl_exec_arg_t){.arg = row->arg, .memory = b->inner};
done:
    return st;
}

static ty_status open_scratch(ty_ctx *ctx, ty_onednn *dnn, ty_onednn_call *call) {
    const dnnl_memory_desc_t *md =
        dnnl_primitive_desc_query_md(call->pd, dnnl_query_scratchpad_md, 0);
    call->scratch_bytes = md ? dnnl_memory_desc_get_size(md) : 0;
    if (!call->scratch_bytes)
        return TY_OK;
    ty_status st = TY_OK;
    TY_DNNL_GOTO(done, st, dnnl_memory_create(&call->scratch, md, dnn->engine, DNNL_MEMORY_NONE),
                 "make a memory object");
    (void)take(&call->workspace_bytes, call->scratch_bytes);
    call->args[call->n_args++] =
        (dnnl_exec_arg_t){.arg = DNNL_ARG_SCRATCHPAD, .memory = call->scratch};
done:
    return st;
}

ty_status ty_onednn_call_open_take(ty_ctx *ctx, ty_onednn *dnn, dnnl_primitive_desc_t pd,
                                   const ty_operand *operands, int n, ty_onednn_call **out) {
    ty_onednn_call *call = calloc(1, sizeof *call);
    if (!call) {
        (void)dnnl_primitive_desc_destroy(pd);
        return ty_fail_nomem(ctx, "a oneDNN call");
    }
    call->pd = pd;
    ty_status st = TY_OK;
    TY_DNNL_GOTO(failed, st, dnnl_primitive_create(&call->primitive, pd), "create a primitive");
    TY_TRY_GOTO(failed, st, open_scratch(ctx, dnn, call));
    for (int i = 0; i < n; i++)
        TY_TRY_GOTO(failed, st, open_operand(ctx, dnn, call, &operands[i]));
    *out = call;
    return TY_OK;
failed:
    ty_onednn_call_close(call);
    return st;
}

void ty_onednn_call_close(ty_onednn_call *call) {
    if (!call)
        return;
    for (int i = 0; i < call->n; i++) {
        bound *b = &call->operands[i];
        if (b->reorder)
            (void)dnnl_primitive_destroy(b->reorder);
        if (b->inner && b->inner != b->outer)
            (void)dnnl_memory_destroy(b->inner);
        if (b->outer)
            (void)dnnl_memory_destroy(b->outer);
    }
    if (call->scratch)
        (void)dnnl_memory_destroy(call->scratch);
    if (call->primitive)
        (void)dnnl_primitive_destroy(call->primitive);
    if (call->pd)
        (void)dnnl_primitive_desc_destroy(call->pd);
    free(call);
}

size_t ty_onednn_call_workspace(const ty_onednn_call *call) {
    return call->workspace_bytes;
}

size_t ty_onednn_call_kept(const ty_onednn_call *call) {
    return call->kept_bytes;
}

/* Setting a handle makes oneDNN write the padding's zeros, which are there already; a plan's
 * addresses never change, so it happens once. */
static dnnl_status_t point(dnnl_memory_t memory, const void **at, void *to) {
    if (*at == to)
        return dnnl_success;
    *at = to;
    return dnnl_memory_set_data_handle(memory, to);
}

static dnnl_status_t point_all(ty_onednn_call *call, void *const data[TY_ROLE_COUNT],
                               char *workspace) {
    dnnl_status_t st = dnnl_success;
    if (call->scratch)
        st = point(call->scratch, &call->scratch_at, workspace);
    for (int i = 0; i < call->n && st == dnnl_success; i++) {
        bound *b = &call->operands[i];
        st = point(b->outer, &b->outer_at, data[b->role]);
        if (st == dnnl_success && b->inner != b->outer)
            st = point(b->inner, &b->inner_at, workspace + b->stage_offset);
    }
    return st;
}

static dnnl_status_t run_reorders(ty_onednn *dnn, const ty_onednn_call *call, bool is_written) {
    dnnl_status_t st = dnnl_success;
    for (int i = 0; i < call->n && st == dnnl_success; i++) {
        const bound *b = &call->operands[i];
        if (!b->reorder || role_rows[b->role].is_written != is_written)
            continue;
        const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, is_written ? b->inner : b->outer},
                                        {DNNL_ARG_TO, is_written ? b->outer : b->inner}};
        st = dnnl_primitive_execute(b->reorder, dnn->stream, 2, args);
    }
    return st;
}

ty_status ty_onednn_run(ty_ctx *ctx, ty_onednn *dnn, ty_onednn_call *call,
                        void *const data[TY_ROLE_COUNT], void *workspace) {
    ty_status st = TY_OK;
    TY_DNNL_GOTO(done, st, point_all(call, data, workspace), "bind an operand");
    TY_DNNL_GOTO(done, st, run_reorders(dnn, call, false), "reorder an operand");
    TY_DNNL_GOTO(done, st,
                 dnnl_primitive_execute(call->primitive, dnn->stream, call->n_args, call->args),
                 "run a primitive");
    TY_DNNL_GOTO(done, st, run_reorders(dnn, call, true), "reorder a result");
done:
    return st;
}
