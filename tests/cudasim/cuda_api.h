/* CUDA's declarations, as symbols to export: what the simulator defines of them it stands in for. */
#ifndef TY_CUDASIM_CUDA_API_H
#define TY_CUDASIM_CUDA_API_H

#pragma GCC visibility push(default)
#include <cuda_runtime_api.h>
#pragma GCC visibility pop

#endif
