/* The entry points that code made by nvcc 13 calls beside the documented API (crt/host_runtime.h). */
#ifndef TY_CUDASIM_NVCC_ENTRY_H
#define TY_CUDASIM_NVCC_ENTRY_H

#include "cuda_api.h"
#include "sim.h"

CS_API void **__cudaRegisterFatBinary(void *wrapper);
CS_API void __cudaRegisterFatBinaryEnd(void **handle);
CS_API void __cudaUnregisterFatBinary(void **handle);
CS_API char __cudaInitModule(void **handle);
CS_API void __cudaRegisterFunction(void **handle, const char *stub, char *device_stub,
                                   const char *name, int thread_limit, void *tid, void *bid,
                                   void *block, void *grid, int *warp_size);
CS_API void __cudaRegisterVar(void **handle, char *host, char *device, const char *name, int ext,
                              size_t bytes, int is_constant, int is_global);
CS_API unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared_bytes,
                                            cudaStream_t stream);
CS_API cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared_bytes,
                                              void *stream);
CS_API cudaError_t __cudaGetKernel(cudaKernel_t *kernel, const void *stub);
CS_API cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void **arguments,
                                      size_t shared_bytes, cudaStream_t stream);

#endif
