/* What the runtime's files share of memory.h's inside. */
#ifndef TY_CUDASIM_MEMORY_PARTS_H
#define TY_CUDASIM_MEMORY_PARTS_H

#include "memory.h"

/* Reserves the pinned range; 0, or errno. */
int cs_pinned_start(void);

/* One of the allocations that cs_touch marked since they were last collected, each once; NULL: no more. */
cs_allocation *cs_touched_take(void);

#endif
