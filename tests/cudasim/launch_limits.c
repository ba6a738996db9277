#include "launch_limits.h"

#include <stdio.h>

#include "profile.h"
#include "sim.h"

#define WARP 32

size_t cs_limits_dynamic_shared(const cs_function *function, const cs_kernel *kernel, int device) {
    cs_kernel_info of = cs_kernel_describe(kernel);
    int asked = function->dynamic_shared_max[device];
    size_t without = cs_sim.profile->shared_per_block;
    return asked >= 0 ? (size_t)asked : without > of.static_shared ? without - of.static_shared : 0;
}

/* Registers go to warps in units of 256 (Occupancy Calculator, every capability since 3.0). */
static int registers_of_block(int n_registers, int n_threads) {
    int a_warp = (n_registers * WARP + 255) / 256 * 256;
    return a_warp * ((n_threads + WARP - 1) / WARP);
}

static int say(const cs_function *f, int error, const char *text) {
    cs_report(CS_LAUNCH, f->name, "launched by %s: %s", cs_caller_name(), text);
    return error;
}

static int check_shape(const cs_function *f, const cs_launch_request *r) {
    const cs_profile *is = cs_sim.profile;
    const unsigned block[3] = {r->block.x, r->block.y, r->block.z};
    const unsigned grid[3] = {r->grid.x, r->grid.y, r->grid.z};
    char text[160];
    for (int i = 0; i < 3; i++) {
        snprintf(text, sizeof text, "block (%u, %u, %u), grid (%u, %u, %u): %c has to be 1 to %d",
                 block[0], block[1], block[2], grid[0], grid[1], grid[2], "xyz"[i],
                 block[i] == 0 || block[i] > (unsigned)is->block_max[i] ? is->block_max[i]
                                                                        : is->grid_max[i]);
        if (block[i] == 0 || block[i] > (unsigned)is->block_max[i] || grid[i] == 0 ||
            grid[i] > (unsigned)is->grid_max[i])
            return say(f, cudaErrorInvalidConfiguration, text);
    }
    uint64_t n_threads = (uint64_t)block[0] * block[1] * block[2];
    snprintf(text, sizeof text, "%llu threads a block, want at most %d",
             (unsigned long long)n_threads, is->threads_per_block);
    return n_threads > (uint64_t)is->threads_per_block ? say(f, cudaErrorInvalidConfiguration, text)
                                                       : cudaSuccess;
}

int cs_limits_check(const cs_function *f, const cs_kernel *kernel, const cs_launch_request *r) {
    int error = check_shape(f, r);
    if (error)
        return error;
    char text[160];
    cs_kernel_info of = cs_kernel_describe(kernel);
    int n_threads = (int)(r->block.x * r->block.y * r->block.z);
    snprintf(text, sizeof text, "%d threads a block, but its launch bounds allow %u", n_threads,
             of.max_threads);
    if (of.max_threads && (unsigned)n_threads > of.max_threads)
        return say(f, cudaErrorLaunchOutOfResources, text);
    bool is_required =
        !of.required[0] || (r->block.x == of.required[0] && r->block.y == of.required[1] &&
                            r->block.z == of.required[2]);
    if (!is_required)
        return say(f, cudaErrorInvalidValue, "a block of another shape than its .reqntid");
    size_t allowed = cs_limits_dynamic_shared(f, kernel, r->device);
    snprintf(text, sizeof text,
             "%zu bytes of dynamic shared memory (and %u static), want at most %zu%s",
             r->dynamic_shared, of.static_shared, allowed,
             f->dynamic_shared_max[r->device] < 0
                 ? " without cudaFuncAttributeMaxDynamicSharedMemorySize"
                 : "");
    if (r->dynamic_shared > allowed)
        return say(f, cudaErrorInvalidValue, text);
    int registers = registers_of_block(f->n_registers, n_threads);
    snprintf(text, sizeof text, "%d threads of %d registers take %d, want at most %d", n_threads,
             f->n_registers, registers, cs_sim.profile->registers_per_block);
    return registers > cs_sim.profile->registers_per_block
               ? say(f, cudaErrorLaunchOutOfResources, text)
               : cudaSuccess;
}

static int least(int a, int b) {
    return a < b ? a : b;
}

int cs_limits_occupancy(const cs_function *f, const cs_kernel *kernel, int n_threads,
                        size_t dynamic_shared) {
    const cs_profile *is = cs_sim.profile;
    cs_kernel_info of = cs_kernel_describe(kernel);
    if (n_threads <= 0 || n_threads > is->threads_per_block ||
        (of.max_threads && (unsigned)n_threads > of.max_threads))
        return 0;
    int rounded = (n_threads + WARP - 1) / WARP * WARP;
    int blocks = least(is->blocks_per_sm, is->threads_per_sm / rounded);
    size_t shared = of.static_shared + dynamic_shared;
    if (shared > 0)
        blocks = least(blocks, (int)(is->shared_per_sm / (shared + is->shared_reserved)));
    if (f->n_registers > 0)
        blocks =
            least(blocks, is->registers_per_sm / registers_of_block(f->n_registers, n_threads));
    return blocks;
}
