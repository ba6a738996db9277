/* What is alive at exit: device and pinned memory, streams, events, handles, descriptors, communicators. */
#ifndef TY_CUDASIM_LEAKS_H
#define TY_CUDASIM_LEAKS_H

#include <stdbool.h>
#include <stddef.h>

/* An object of a kind ("device memory", "stream", "cublasLt handle", ...) is alive; name adds what tells it apart
 * (copied, may be NULL). The program's calling function is noted with it. */
void cs_leak_track(const char *kind, const void *object, const char *name);

/* It was released; false where it was not alive, and then the caller reports a double free or a stranger. */
bool cs_leak_release(const char *kind, const void *object);

/* Whether it is alive. */
bool cs_leak_is_alive(const char *kind, const void *object);

/* How many of a kind are alive; NULL: of all kinds. */
size_t cs_leak_count(const char *kind);

/* Reports whatever is alive, one report a kind and creator. */
void cs_leaks_report(void);

#endif
