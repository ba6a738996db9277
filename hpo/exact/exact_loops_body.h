/* The source of every instruction-set level: an exact_loops_*.c defines EXACT_TABLE and includes this.
 * Plain C that the compiler vectorises for the flags the file is built with (CMakeLists.txt). */
#include "hpo/exact/exact_loops.h"

#include "hpo/exact/exact_normal_inline.h"

/* `to` may be x itself, so the compiler would not believe that iterations are independent. gcc's word
 * for it; clang ignores it and looks at the addresses when it runs. */
#define UNARY(name)                                                                                \
    static void name##_all(double *to, const double *x, int64_t n) {                               \
        _Pragma("GCC ivdep") for (int64_t i = 0; i < n; i++) to[i] = name##_of(x[i]);              \
    }
UNARY(exp)
UNARY(log)
UNARY(log_ndtr)
UNARY(ndtri)

static void log_ndtr_diff_all(double *to, const double *a, const double *b, int64_t n) {
    _Pragma("GCC ivdep") for (int64_t i = 0; i < n; i++) to[i] = log_ndtr_diff_of(a[i], b[i]);
}

const ty_exact_loops EXACT_TABLE = {
    .exp = exp_all,
    .log = log_all,
    .log_ndtr = log_ndtr_all,
    .log_ndtr_diff = log_ndtr_diff_all,
    .ndtri = ndtri_all,
};
