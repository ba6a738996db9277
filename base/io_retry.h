/* Private to base. An interrupted call is tried again, but not for ever: a file system that only
 * ever answers EINTR is a broken one. */
#ifndef TY_BASE_IO_RETRY_H
#define TY_BASE_IO_RETRY_H

#include <errno.h>

enum { TY_IO_MAX_INTERRUPTS = 1000 };

#define TY_IO_RETRY(result, call)                                                                  \
    do {                                                                                           \
        int interrupts_left_ = TY_IO_MAX_INTERRUPTS;                                               \
        do                                                                                         \
            (result) = (call);                                                                     \
        while ((result) < 0 && errno == EINTR && interrupts_left_-- > 0);                          \
    } while (0)

#endif
