/* Special registers: hidden registers that are filled when a warp begins. */
#ifndef TY_CUDASIM_SPECIAL_H
#define TY_CUDASIM_SPECIAL_H

#include "tests/cudasim/machine.h"

/* Fills those that the kernel uses; call at the start of each block. */
void cs_special_fill(cs_warp *warp);

#endif
