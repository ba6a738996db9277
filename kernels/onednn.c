/* oneDNN's lane: version, instruction set, engine and stream. */
#include "kernels/onednn_private.h"

#include <stdio.h>
#include <stdlib.h>

/* f32 results must not depend on whether the CPU also has VNNI, bf16 or AMX, so each level is named
 * exactly. */
static const dnnl_cpu_isa_t isa_of_level[TY_ISA_COUNT] = {
    [TY_ISA_SSE41] = dnnl_cpu_isa_sse41,
    [TY_ISA_AVX2] = dnnl_cpu_isa_avx2,
    [TY_ISA_AVX512] = dnnl_cpu_isa_avx512_core,
};

ty_status ty_onednn_fail(ty_ctx *ctx, dnnl_status_t st, const char *what) {
    static const char *const reasons[] = {"success",       "out of memory",  "invalid arguments",
                                          "unimplemented", "iterator ended", "runtime error",
                                          "not required"};
    const char *reason = (size_t)st < sizeof reasons / sizeof *reasons ? reasons[st] : "unknown";
    const ty_status class = st == dnnl_out_of_memory ? TY_ERR_NOMEM : TY_ERR_DEVICE;
    return ty_fail(ctx, class, "oneDNN could not %s: %s", what, reason);
}

const char *ty_onednn_version(char text[32]) {
    const dnnl_version_t *version = dnnl_version();
    (void)snprintf(text, 32, "%d.%d.%d", version->major, version->minor, version->patch);
    return text;
}

/* The library takes a cap only until it has been asked for it once; after that only the same one
 * will do. */
static ty_status cap_isa(ty_ctx *ctx, int level) {
    (void)dnnl_set_max_cpu_isa(isa_of_level[level]);
    const dnnl_cpu_isa_t effective = dnnl_get_effective_cpu_isa();
    if (effective == isa_of_level[level])
        return TY_OK;
    return ty_fail(
        ctx, TY_ERR_DEVICE,
        "oneDNN is fixed to instruction set 0x%x in this process, want %s (0x%x); one process "
        "computes at one level",
        (unsigned)effective, ty_isa_names[level], (unsigned)isa_of_level[level]);
}

ty_status ty_onednn_open(ty_ctx *ctx, int isa_level, ty_onednn **out) {
    TY_TRY(cap_isa(ctx, isa_level));
    ty_onednn *dnn = calloc(1, sizeof *dnn);
    if (!dnn)
        return ty_fail_nomem(ctx, "a oneDNN lane");
    ty_status st = TY_OK;
    TY_DNNL_GOTO(failed, st, dnnl_set_default_fpmath_mode(dnnl_fpmath_mode_strict),
                 "set f32 maths");
    TY_DNNL_GOTO(failed, st, dnnl_engine_create(&dnn->engine, dnnl_cpu, 0), "open the CPU engine");
    TY_DNNL_GOTO(failed, st,
                 dnnl_stream_create(&dnn->stream, dnn->engine, dnnl_stream_default_flags),
                 "open a stream");
    *out = dnn;
    return TY_OK;
failed:
    ty_onednn_close(dnn);
    return st;
}

void ty_onednn_close(ty_onednn *dnn) {
    if (!dnn)
        return;
    if (dnn->stream)
        (void)dnnl_stream_destroy(dnn->stream);
    if (dnn->engine)
        (void)dnnl_engine_destroy(dnn->engine);
    free(dnn);
}
