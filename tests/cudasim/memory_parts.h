/* What the runtime's files share of memory.h's inside. */
#ifndef TY_CUDASIM_MEMORY_PARTS_H
#define TY_CUDASIM_MEMORY_PARTS_H

#include "memory.h"

/* Reserves the pinned range; 0, or errno. */
int cs_pinned_start(void);

/* The allocations that cs_touch marked since they were last collected; at most room of them. */
size_t cs_touched_allocations(cs_allocation **found, size_t room);

#endif
