/* What the onednn*.c files share; the only header that includes oneDNN's. */
#ifndef TY_KERNELS_ONEDNN_PRIVATE_H
#define TY_KERNELS_ONEDNN_PRIVATE_H

#include <dnnl.h>

#include "kernels/onednn.h"

struct ty_onednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
};

/* ty_fail with oneDNN's reason: "oneDNN could not <what>: unimplemented". */
ty_status ty_onednn_fail(ty_ctx *ctx, dnnl_status_t st, const char *what);

/* TY_TRY_GOTO for oneDNN's calls; ctx must be in scope. */
#define TY_DNNL_GOTO(label, st, call, what)                                                        \
    do {                                                                                           \
        const dnnl_status_t ty_dnnl_status_ = (call);                                              \
        if (ty_dnnl_status_ != dnnl_success) {                                                     \
            (st) = ty_onednn_fail(ctx, ty_dnnl_status_, what);                                     \
            goto label;                                                                            \
        }                                                                                          \
    } while (0)

#endif
