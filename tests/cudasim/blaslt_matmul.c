/* cublasLtMatmulAlgoGetHeuristic and cublasLtMatmul: what algorithms promise and ask for, and the checks of a call
 * before it is queued. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blaslt.h"
#include "memory.h"
#include "stream.h"

#define MAGIC 0x63756461626C6173ull

/* --- heuristics ------------------------------------------------------------------------------- */

/* Split-K algorithms keep partial sums in the workspace, `splits` of them. */
static uint64_t workspace_of(const cs_blas_problem *p, uint64_t splits) {
    return splits <= 1 ? 0 : p->m * p->n * (uint64_t)p->batch * splits * sizeof(float);
}

/* CUDASIM_BLAS_HEURISTICS: how many candidates there are at most; unset: as many as fit. */
static int candidates_allowed(void) {
    const char *text = getenv("CUDASIM_BLAS_HEURISTICS");
    return text && *text ? atoi(text) : 1000;
}

/* What kernels assume of a bias and an aux buffer: no preference tells them less, and the heuristics have been seen to
 * pick one that faults on a bias inside a larger buffer. */
#define EPILOGUE_ALIGNMENT 16

static cs_blas_algo make_algo(const cs_blas_problem *p, const cs_blas_preference *preference,
                              uint64_t id) {
    return (cs_blas_algo){.magic = MAGIC,
                          .problem = p->hash,
                          .id = id,
                          .workspace = workspace_of(p, id),
                          .align_a = (uint16_t)preference->align_a,
                          .align_b = (uint16_t)preference->align_b,
                          .align_c = (uint16_t)preference->align_c,
                          .align_d = (uint16_t)preference->align_d,
                          .align_bias = EPILOGUE_ALIGNMENT,
                          .align_aux = EPILOGUE_ALIGNMENT,
                          .device = (uint32_t)cs_current_device()};
}

/* Without an algorithm the library picks one that wants nothing but the types' own alignment. */
cs_blas_algo cs_blas_default_algo(const cs_blas_problem *p) {
    uint16_t in = p->a.type == CUDA_R_16BF ? 2 : 4, out = p->d.type == CUDA_R_16BF ? 2 : 4;
    cs_blas_algo algo = {.magic = MAGIC, .problem = p->hash, .id = 1};
    algo.align_a = algo.align_b = in;
    algo.align_c = algo.align_d = out;
    algo.align_bias = algo.align_aux = EPILOGUE_ALIGNMENT;
    algo.device = (uint32_t)cs_current_device();
    return algo;
}

/* A buffer aligned to less than an element is none at all. */
static bool are_alignments_possible(const cs_blas_problem *p,
                                    const cs_blas_preference *preference) {
    uint32_t in = p->a.type == CUDA_R_16BF ? 2 : 4, out = p->d.type == CUDA_R_16BF ? 2 : 4;
    const uint32_t all[] = {preference->align_a, preference->align_b, preference->align_c,
                            preference->align_d};
    for (size_t i = 0; i < 4; i++)
        if (all[i] > 256 || (all[i] & (all[i] - 1)) || all[i] < (i < 2 ? in : out))
            return false;
    return true;
}

static int fill_results(const cs_blas_problem *p, const cs_blas_preference *preference, int room,
                        cublasLtMatmulHeuristicResult_t *results) {
    /* Best first: with much to sum and few outputs, splitting wins where the workspace allows it. */
    uint64_t ids[3] = {1, 2, 4};
    if (p->k >= 64 && p->m * p->n <= 65536) {
        ids[0] = 4;
        ids[2] = 1;
    }
    int n = 0, allowed = candidates_allowed();
    for (int i = 0; i < 3 && n < room && n < allowed; i++) {
        cs_blas_algo algo = make_algo(p, preference, ids[i]);
        if (algo.workspace > preference->workspace_max || ids[i] > p->k)
            continue;
        results[n] = (cublasLtMatmulHeuristicResult_t){
            .workspaceSize = algo.workspace, .state = CUBLAS_STATUS_SUCCESS, .wavesCount = 1};
        memcpy(&results[n++].algo, &algo, sizeof algo);
    }
    return n;
}

static cublasStatus_t say(const cs_verdict *v) {
    if (v->is_slip)
        return cs_blas_report(v->status, "%s", v->why);
    if (cs_sim.options.is_tracing)
        cs_note("cublasLt: not supported: %s", v->why);
    return v->status;
}

CS_API cublasStatus_t cublasLtMatmulAlgoGetHeuristic(
    cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
    cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
    cublasLtMatmulPreference_t preference, int room, cublasLtMatmulHeuristicResult_t *results,
    int *n_results) {
    BLAS_ENTER(CUBLAS_STATUS_NOT_SUPPORTED);
    cs_blas_problem problem;
    cs_verdict verdict;
    if (n_results)
        *n_results = 0;
    if (!cs_blas_is_alive(CS_BLAS_HANDLE, handle) || !cs_blas_is_alive(CS_BLAS_DESC, desc) ||
        !cs_blas_is_alive(CS_BLAS_LAYOUT, a) || !cs_blas_is_alive(CS_BLAS_LAYOUT, b) ||
        !cs_blas_is_alive(CS_BLAS_LAYOUT, c) || !cs_blas_is_alive(CS_BLAS_LAYOUT, d) ||
        !cs_blas_is_alive(CS_BLAS_PREFERENCE, preference))
        return blas_leave(CUBLAS_STATUS_INVALID_VALUE);
    if (room < 1 || !results || !n_results)
        return blas_leave(cs_blas_report(CUBLAS_STATUS_INVALID_VALUE, "no room for results"));
    const cs_blas_preference *wanted = (const cs_blas_preference *)(const void *)preference;
    if (wanted->search != CUBLASLT_SEARCH_BEST_FIT)
        cs_unknown(cs_current_function(), "search mode %u is not modelled", wanted->search);
    if (!cs_blas_judge((const void *)desc, (const void *)a, (const void *)b, (const void *)c,
                       (const void *)d, &problem, &verdict))
        return blas_leave(say(&verdict));
    if (!are_alignments_possible(&problem, wanted))
        return blas_leave(
            cs_blas_report(CUBLAS_STATUS_INVALID_VALUE,
                           "alignments of %u, %u, %u, %u bytes: want powers of two up "
                           "to 256, at least an element",
                           wanted->align_a, wanted->align_b, wanted->align_c, wanted->align_d));
    *n_results = fill_results(&problem, wanted, room, results);
    return blas_leave(*n_results ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED);
}

/* --- a call's buffers ------------------------------------------------------------------------- */

static size_t type_bytes(uint32_t type) {
    return type == CUDA_R_16BF ? 2 : 4;
}

/* From a matrix's first element to behind its last. */
static size_t extent_bytes(const cs_blas_layout *l) {
    uint64_t lead = l->order == CUBLASLT_ORDER_COL ? l->rows : l->columns;
    uint64_t lines = l->order == CUBLASLT_ORDER_COL ? l->columns : l->rows;
    uint64_t one = (lines - 1) * (uint64_t)l->ld + lead;
    return (one + (uint64_t)(l->batch - 1) * (uint64_t)l->batch_stride) * type_bytes(l->type);
}

typedef struct buffer {
    const char *name;
    uint64_t address;
    size_t bytes;
    bool is_read, is_written;
    uint32_t alignment;
} buffer;

#define N_BUFFERS 7

static size_t aux_bytes(const cs_blas_problem *p) {
    uint64_t lines = p->n + 0ull;
    uint64_t elements =
        lines * (uint64_t)p->desc.aux_ld + (uint64_t)(p->batch - 1) * (uint64_t)p->desc.aux_stride;
    return cs_blas_has_mask(&p->desc) ? elements / 8 : elements * type_bytes(p->d.type);
}

static size_t bias_bytes(const cs_blas_problem *p) {
    uint64_t elements =
        cs_blas_bias_length(p) + (uint64_t)(p->batch - 1) * (uint64_t)p->desc.bias_stride;
    return elements * type_bytes(p->d.type);
}

/* Everything a call touches; entries without a name are not in use. */
static void list_buffers(const cs_blas_call *call, const cs_blas_algo *algo,
                         buffer out[N_BUFFERS]) {
    const cs_blas_problem *p = &call->p;
    const cs_blas_desc *desc = &p->desc;
    bool has_bias = cs_blas_has_bias(desc), has_grad = cs_blas_has_bias_grad(desc);
    bool writes_aux = cs_blas_writes_aux(desc);
    memset(out, 0, N_BUFFERS * sizeof *out);
    out[0] = (buffer){"A", call->a, extent_bytes(&p->a), true, false, algo->align_a};
    out[1] = (buffer){"B", call->b, extent_bytes(&p->b), true, false, algo->align_b};
    out[2] = (buffer){"C", call->c, extent_bytes(&p->c), call->beta != 0, false, algo->align_c};
    out[3] = (buffer){"D", call->d, extent_bytes(&p->d), false, true, algo->align_d};
    if (has_bias || has_grad)
        out[4] = (buffer){has_grad ? "the bias gradient" : "the bias",
                          desc->bias,
                          bias_bytes(p),
                          has_bias,
                          has_grad,
                          algo->align_bias};
    if (cs_blas_has_aux(desc))
        out[5] = (buffer){"the aux buffer", desc->aux,  aux_bytes(p),
                          !writes_aux,      writes_aux, algo->align_aux};
    if (algo->workspace)
        out[6] = (buffer){"the workspace", call->workspace, algo->workspace, false, true, 256};
}

static bool overlap(const buffer *x, const buffer *y) {
    return x->address < y->address + y->bytes && y->address < x->address + x->bytes;
}

static bool check_overlaps(const cs_blas_call *call, const buffer *buffers) {
    bool is_in_place = call->c == call->d && memcmp(&call->p.c, &call->p.d, sizeof call->p.c) == 0;
    for (int i = 0; i < N_BUFFERS; i++)
        for (int j = i + 1; j < N_BUFFERS; j++) {
            const buffer *x = &buffers[i], *y = &buffers[j];
            if (!x->name || !y->name || (!x->is_written && !y->is_written) || !overlap(x, y))
                continue;
            if (i == 2 && j == 3 && is_in_place)
                continue;
            cs_blas_report(CUBLAS_STATUS_INVALID_VALUE, "%s overlaps %s%s", x->name, y->name,
                           i == 2 && j == 3 ? " without being the same matrix" : "");
            return false;
        }
    return true;
}

static bool check_buffers(const cs_blas_call *call, int device, const buffer *buffers) {
    for (int i = 0; i < N_BUFFERS; i++) {
        const buffer *b = &buffers[i];
        if (!b->name)
            continue;
        if (b->address == 0 || b->address % b->alignment) {
            cs_blas_report(CUBLAS_STATUS_INVALID_VALUE,
                           "%s at %#llx: want an address aligned to %u bytes, as the algorithm was "
                           "promised",
                           b->name, (unsigned long long)b->address, b->alignment);
            return false;
        }
        if (!cs_range_check_on(device, cs_current_function(), b->address, b->bytes, b->is_written))
            return false;
    }
    return check_overlaps(call, buffers);
}

/* --- the call --------------------------------------------------------------------------------- */

static cs_progress run_call(void *arg) {
    cs_blas_compute(arg);
    return CS_DONE;
}

static cublasStatus_t queue_call(const cs_blas_call *call, const buffer *buffers,
                                 cudaStream_t stream) {
    cs_blas_call *queued = cs_must_alloc(sizeof *queued);
    *queued = *call;
    if (cs_enqueue(stream, call->what, run_call, queued, free))
        return CUBLAS_STATUS_EXECUTION_FAILED;
    for (int i = 0; i < N_BUFFERS; i++) {
        if (buffers[i].name && buffers[i].is_read)
            cs_op_reads(cs_last_op(), buffers[i].address, buffers[i].bytes);
        if (buffers[i].name && buffers[i].is_written)
            cs_op_writes(cs_last_op(), buffers[i].address, buffers[i].bytes);
    }
    return CUBLAS_STATUS_SUCCESS;
}

/* The algorithm must come from the heuristics of this very problem on this device, and have its workspace. */
static bool check_algo(const cs_blas_problem *p, const cs_blas_algo *algo, uint64_t workspace_bytes,
                       int device) {
    if (algo->magic != MAGIC)
        cs_blas_report(CUBLAS_STATUS_INVALID_VALUE, "the algorithm is not from the heuristics");
    else if (algo->problem != p->hash)
        cs_blas_report(CUBLAS_STATUS_INVALID_VALUE,
                       "the algorithm was chosen for another problem than %llu x %llu x %llu",
                       (unsigned long long)p->m, (unsigned long long)p->n,
                       (unsigned long long)p->k);
    else if ((int)algo->device != device)
        cs_blas_report(CUBLAS_STATUS_INVALID_VALUE, "the algorithm is for device %u, not %d",
                       algo->device, device);
    else if (algo->workspace > workspace_bytes)
        cs_blas_report(CUBLAS_STATUS_INVALID_VALUE,
                       "the algorithm needs a workspace of %llu bytes, there are %llu",
                       (unsigned long long)algo->workspace, (unsigned long long)workspace_bytes);
    else
        return true;
    return false;
}

static bool read_scalars(cs_blas_call *call, const void *alpha, const void *beta) {
    if (!alpha || !beta || cs_is_device((uintptr_t)alpha) || cs_is_device((uintptr_t)beta)) {
        cs_blas_report(CUBLAS_STATUS_INVALID_VALUE, "alpha and beta must lie in host memory");
        return false;
    }
    memcpy(&call->alpha, cs_bytes((uintptr_t)alpha), sizeof call->alpha);
    memcpy(&call->beta, cs_bytes((uintptr_t)beta), sizeof call->beta);
    return true;
}

static cublasStatus_t check_and_queue(cs_blas_call *call, const cublasLtMatmulAlgo_t *chosen,
                                      size_t workspace_bytes, int device, cudaStream_t stream) {
    cs_blas_algo algo = cs_blas_default_algo(&call->p);
    buffer buffers[N_BUFFERS];
    if (chosen)
        memcpy(&algo, chosen, sizeof algo);
    if (!check_algo(&call->p, &algo, workspace_bytes, device))
        return CUBLAS_STATUS_INVALID_VALUE;
    int stream_device = cs_stream_device(stream);
    if (stream_device != device)
        return stream_device < 0 ? CUBLAS_STATUS_INVALID_VALUE
                                 : cs_blas_report(CUBLAS_STATUS_INVALID_VALUE,
                                                  "the stream is of device %d, the handle of %d",
                                                  stream_device, device);
    call->algo_id = algo.id;
    call->algo_workspace = algo.workspace;
    list_buffers(call, &algo, buffers);
    if (!check_buffers(call, device, buffers))
        return CUBLAS_STATUS_INVALID_VALUE;
    return queue_call(call, buffers, stream);
}

CS_API cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
                                     const void *alpha, const void *A,
                                     cublasLtMatrixLayout_t a_layout, const void *B,
                                     cublasLtMatrixLayout_t b_layout, const void *beta,
                                     const void *C, cublasLtMatrixLayout_t c_layout, void *D,
                                     cublasLtMatrixLayout_t d_layout,
                                     const cublasLtMatmulAlgo_t *algo, void *workspace,
                                     size_t workspace_bytes, cudaStream_t stream) {
    BLAS_ENTER(CUBLAS_STATUS_EXECUTION_FAILED);
    cs_blas_call call = {.a = (uintptr_t)A,
                         .b = (uintptr_t)B,
                         .c = (uintptr_t)C,
                         .d = (uintptr_t)D,
                         .workspace = (uintptr_t)workspace};
    cs_verdict verdict;
    if (cs_sim.sticky_error)
        return blas_leave(CUBLAS_STATUS_EXECUTION_FAILED);
    if (!cs_blas_is_alive(CS_BLAS_HANDLE, handle) || !cs_blas_is_alive(CS_BLAS_DESC, desc) ||
        !cs_blas_is_alive(CS_BLAS_LAYOUT, a_layout) ||
        !cs_blas_is_alive(CS_BLAS_LAYOUT, b_layout) ||
        !cs_blas_is_alive(CS_BLAS_LAYOUT, c_layout) || !cs_blas_is_alive(CS_BLAS_LAYOUT, d_layout))
        return blas_leave(CUBLAS_STATUS_INVALID_VALUE);
    if (!cs_blas_judge((const void *)desc, (const void *)a_layout, (const void *)b_layout,
                       (const void *)c_layout, (const void *)d_layout, &call.p, &verdict))
        return blas_leave(cs_blas_report(verdict.status, "%s", verdict.why));
    if (!read_scalars(&call, alpha, beta))
        return blas_leave(CUBLAS_STATUS_INVALID_VALUE);
    snprintf(call.what, sizeof call.what, "cublasLtMatmul %llux%llux%llu in %s",
             (unsigned long long)call.p.m, (unsigned long long)call.p.n,
             (unsigned long long)call.p.k, cs_caller_name());
    int device = ((const cs_blas_handle *)(const void *)handle)->device;
    return blas_leave(check_and_queue(&call, algo, workspace_bytes, device, stream));
}
