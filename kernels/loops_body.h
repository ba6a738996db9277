/* The source of every instruction-set level: a loops_*.c defines LOOPS_TABLE and LOOPS_BYTES (the
 * width of a vector register) and includes this. Plain C that the compiler vectorises for the flags
 * the file is built with (CMakeLists.txt); one intrinsic, no fast-math. */
#include "kernels/loops.h"

#include <immintrin.h>

#include "base/maths.h"
#include "base/rng_inline.h"
#include "kernels/loops_lanes.h"
#include "kernels/loops_math.h"

#include "kernels/loops_flat.h"
#include "kernels/loops_random.h"
#include "kernels/loops_ops.h"
#include "kernels/loops_loss.h"

const ty_loops LOOPS_TABLE = {
    .fill = fill,
    .scale = scale,
    .scale_add = scale_add,
    .add = add,
    .blend = blend,
    .norm = norm,
    .sgd = sgd,
    .adamw = adamw,
    .uniform = uniform,
    .normal = normal,
    .dropout = dropout,
    .activation = {[TY_ACT_NONE] = none_forward,
                   [TY_ACT_RELU] = relu_forward,
                   [TY_ACT_GELU] = gelu_forward,
                   [TY_ACT_SILU] = silu_forward,
                   [TY_ACT_TANH] = tanh_forward,
                   [TY_ACT_SIGMOID] = sigmoid_forward},
    .activation_backward = {[TY_ACT_NONE] = none_backward,
                            [TY_ACT_RELU] = relu_backward,
                            [TY_ACT_GELU] = gelu_backward,
                            [TY_ACT_SILU] = silu_backward,
                            [TY_ACT_TANH] = tanh_backward,
                            [TY_ACT_SIGMOID] = sigmoid_backward},
    .normalize_f32 = normalize_float,
    .normalize_u8 = normalize_uint8_t,
    .normalize_each_f32 = normalize_each_float,
    .normalize_each_u8 = normalize_each_uint8_t,
    .xent_forward = xent_forward,
    .xent_backward = xent_backward,
    .mse_forward = mse_forward,
    .mse_backward = mse_backward,
};
