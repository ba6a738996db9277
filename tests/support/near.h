/* Doubles compared as doubles: cmocka's assert_float_equal compares floats. */
#ifndef TY_TESTS_SUPPORT_NEAR_H
#define TY_TESTS_SUPPORT_NEAR_H

#include <math.h>

/* To 12 digits. */
#define assert_near(got, want)                                                                     \
    do {                                                                                           \
        const double near_got = (got), near_want = (want);                                         \
        if (!(fabs(near_got - near_want) <= 1e-12 * fabs(near_want)))                              \
            fail_msg("%s is %.17g, want %.17g", #got, near_got, near_want);                        \
    } while (0)

#endif
