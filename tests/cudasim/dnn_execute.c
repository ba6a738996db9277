/* Variant packs and cudnnBackendExecute: the data of a plan, checked against what its graph says of them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dnn.h"
#include "memory.h"
#include "stream.h"

cudnnStatus_t cs_dnn_finalize_pack(cs_dnn_desc *d) {
    const cs_dnn_value *uids = cs_dnn_find(d, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
    const cs_dnn_value *pointers = cs_dnn_find(d, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
    const cs_dnn_value *workspace = cs_dnn_find(d, CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
    cs_dnn_pack pack = {.n = uids->count, .workspace = *(const uint64_t *)workspace->data};
    if (uids->count != pointers->count)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "%lld ids, %lld pointers",
                             (long long)uids->count, (long long)pointers->count);
    memcpy(pack.uids, uids->data, (size_t)pack.n * sizeof *pack.uids);
    memcpy(pack.pointers, pointers->data, (size_t)pack.n * sizeof *pack.pointers);
    for (int64_t i = 0; i < pack.n; i++)
        for (int64_t j = 0; j < i; j++)
            if (pack.uids[i] == pack.uids[j])
                return cs_dnn_report(CUDNN_STATUS_BAD_PARAM_DUPLICATED_ENTRIES,
                                     "the id %lld is there twice", (long long)pack.uids[i]);
    d->pack = pack;
    return CUDNN_STATUS_SUCCESS;
}

/* 0: there is none. */
uint64_t cs_dnn_pointer(const cs_dnn_pack *pack, int64_t uid) {
    for (int64_t i = 0; i < pack->n; i++)
        if (pack->uids[i] == uid)
            return pack->pointers[i];
    return 0;
}

static bool is_output(const cs_dnn_graph *g, int64_t uid) {
    for (int i = 0; i < g->n_ops; i++)
        if (cs_dnn_output(&g->ops[i])->uid == uid)
            return true;
    return false;
}

/* Whether y, which it writes, is read too. */
static bool adds_to(const cs_dnn_graph *g, int64_t uid) {
    for (int i = 0; i < g->n_ops; i++)
        if (cs_dnn_output(&g->ops[i])->uid == uid)
            return g->ops[i].beta != 0;
    return false;
}

static cudnnStatus_t check_tensor(const cs_dnn_tensor *t, uint64_t address, int device,
                                  bool is_written) {
    if (!address)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "the pack has no data for tensor %lld",
                             (long long)t->uid);
    if (address % (uint64_t)t->alignment)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER,
                             "tensor %lld at %#llx is not aligned to %lld bytes", (long long)t->uid,
                             (unsigned long long)address, (long long)t->alignment);
    size_t bytes = (size_t)cs_dnn_extent(t) * cs_dnn_type_bytes(t->type);
    return cs_range_check_on(device, cs_current_function(), address, bytes, is_written)
               ? CUDNN_STATUS_SUCCESS
               : CUDNN_STATUS_BAD_PARAM;
}

typedef struct span {
    uint64_t address, bytes;
    bool is_written;
} span;

/* What is written overlaps nothing else. */
static cudnnStatus_t check_spans(const span *spans, int n) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j < i; j++)
            if ((spans[i].is_written || spans[j].is_written) &&
                spans[i].address < spans[j].address + spans[j].bytes &&
                spans[j].address < spans[i].address + spans[i].bytes)
                return cs_dnn_report(CUDNN_STATUS_BAD_PARAM,
                                     "an output or the workspace overlaps another tensor");
    return CUDNN_STATUS_SUCCESS;
}

/* Exactly the graph's tensors, each where it may be; fills spans (tensors, then the workspace) and counts them. */
static cudnnStatus_t check_pack(const cs_dnn_call *call, int device, span *spans, int *n_spans) {
    const cs_dnn_graph *g = &call->graph;
    if (call->pack.n != g->n_tensors)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM, "the pack has %lld tensors, the graph %d",
                             (long long)call->pack.n, g->n_tensors);
    int n = 0;
    for (; n < g->n_tensors; n++) {
        const cs_dnn_tensor *t = &g->tensors[n];
        spans[n] =
            (span){cs_dnn_pointer(&call->pack, t->uid),
                   (uint64_t)cs_dnn_extent(t) * cs_dnn_type_bytes(t->type), is_output(g, t->uid)};
        cudnnStatus_t status = check_tensor(t, spans[n].address, device, spans[n].is_written);
        if (status)
            return status;
    }
    if (call->engine.workspace > 0) {
        spans[n] = (span){call->pack.workspace, (uint64_t)call->engine.workspace, true};
        if (spans[n].address == 0 || spans[n].address % 16)
            return cs_dnn_report(CUDNN_STATUS_BAD_PARAM,
                                 "the workspace of %lld bytes at %#llx: want one aligned to 16",
                                 (long long)call->engine.workspace,
                                 (unsigned long long)spans[n].address);
        if (!cs_range_check_on(device, cs_current_function(), spans[n].address, spans[n].bytes,
                               true))
            return CUDNN_STATUS_BAD_PARAM;
        n++;
    }
    *n_spans = n;
    return check_spans(spans, n);
}

static cs_progress run_call(void *arg) {
    cs_dnn_compute(arg);
    return CS_DONE;
}

static cudnnStatus_t queue_call(const cs_dnn_call *call, const span *spans, int n,
                                cudaStream_t stream) {
    cs_dnn_call *queued = cs_must_alloc(sizeof *queued);
    *queued = *call;
    if (cs_enqueue(stream, call->what, run_call, queued, free))
        return CUDNN_STATUS_EXECUTION_FAILED;
    for (int i = 0; i < n; i++) {
        bool is_tensor = i < call->graph.n_tensors;
        if (!spans[i].is_written ||
            (is_tensor && adds_to(&call->graph, call->graph.tensors[i].uid)))
            cs_op_reads(cs_last_op(), spans[i].address, spans[i].bytes);
        if (spans[i].is_written)
            cs_op_writes(cs_last_op(), spans[i].address, spans[i].bytes);
    }
    return CUDNN_STATUS_SUCCESS;
}

static uint64_t next_run(void) {
    static uint64_t runs;
    return ++runs;
}

static cudnnStatus_t execute(const cs_dnn_handle *h, const cs_dnn_desc *plan,
                             const cs_dnn_desc *pack) {
    static const char what[] = "cudnnBackendExecute";
    span spans[CS_DNN_TENSORS + 1];
    int n = 0;
    if (plan->type != CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR ||
        pack->type != CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR || !plan->is_final || !pack->is_final)
        return cs_dnn_report(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED,
                             "want a finalized plan and a finalized pack");
    if (plan->choice.device.device != h->device)
        return cs_dnn_report(CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH,
                             "the plan is for another device than the handle's");
    cs_dnn_call call = {.graph = *plan->choice.graph,
                        .engine = plan->choice.offers[0],
                        .pack = pack->pack,
                        .run = next_run()};
    snprintf(call.what, sizeof call.what, "%s in %s", what, cs_caller_name());
    cudnnStatus_t status = check_pack(&call, h->device, spans, &n);
    return status ? status : queue_call(&call, spans, n, h->stream);
}

CS_API cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan,
                                         cudnnBackendDescriptor_t pack) {
    DNN_ENTER(CUDNN_STATUS_EXECUTION_FAILED);
    const cs_dnn_handle *h = cs_dnn_handle_of(handle);
    const cs_dnn_desc *p = cs_dnn_desc_of(plan), *v = cs_dnn_desc_of(pack);
    if (cs_sim.sticky_error)
        return dnn_leave(CUDNN_STATUS_EXECUTION_FAILED_CUDART);
    if (!h || !p || !v)
        return dnn_leave(CUDNN_STATUS_BAD_PARAM);
    return dnn_leave(execute(h, p, v));
}
