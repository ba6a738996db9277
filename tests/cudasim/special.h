/* Special registers: hidden registers that are filled when a warp begins. */
#ifndef TY_CUDASIM_SPECIAL_H
#define TY_CUDASIM_SPECIAL_H

#include "tests/cudasim/machine.h"

/* Fills those that the kernel uses and that stay for the launch; and those that are the block's. */
void cs_special_fill(cs_warp *warp);
void cs_special_fill_block(cs_warp *warp);

#endif
