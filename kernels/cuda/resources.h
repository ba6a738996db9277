#ifndef TY_KERNELS_CUDA_RESOURCES_H
#define TY_KERNELS_CUDA_RESOURCES_H

#include "kernels/cuda/cuda.h"

/* Fills registers and occupancy of a cost that names one of our kernels; others keep 0. */
void ty_cuda_note_kernel(const ty_device *dev, ty_op_cost *cost);

#endif
