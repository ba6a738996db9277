/* Modules and launches. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cudasim/machine.h"
#include "tests/cudasim/special.h"

/* --- modules ------------------------------------------------------------------------------------- */

static uint64_t address_of(const cs_module *module, cs_text name) {
    for (size_t i = 0; i < module->ptx->n_variables; i++)
        if (cs_text_same(module->ptx->variables[i]->name, name) && module->addresses[i])
            return module->addresses[i];
    return 0;
}

static bool place_variables(cs_module *module, char *error, size_t room) {
    for (size_t i = 0; i < module->ptx->n_variables; i++) {
        const cs_variable *variable = module->ptx->variables[i];
        char name[128];
        if (variable->space == CS_SHARED || variable->is_extern)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)variable->name.n, variable->name.at);
        module->names[i] = strdup(name);
        module->addresses[i] =
            cs_memory_new(module->device, variable->bytes ? variable->bytes : 1, module->names[i]);
        if (module->addresses[i] == 0) {
            snprintf(error, room, "no device memory for variable %s (%llu bytes)", name,
                     (unsigned long long)variable->bytes);
            return false;
        }
    }
    return true;
}

static bool fill_variable(const cs_module *module, size_t i, char *error, size_t room) {
    const cs_variable *variable = module->ptx->variables[i];
    uint8_t *to = cs_alias(module->addresses[i]);
    memset(to, 0, variable->bytes);
    memset(cs_init_shadow(module->addresses[i]), 1, variable->bytes);
    if (variable->n_initial)
        memcpy(to, variable->initial, variable->n_initial);
    for (size_t k = 0; k < variable->n_relocations; k++) {
        const cs_relocation *relocation = &variable->relocations[k];
        const uint64_t address = address_of(module, relocation->name);
        const uint64_t value = address + (uint64_t)relocation->addend;
        if (address == 0) {
            snprintf(error, room, "an initialiser names '%.*s', which is no variable",
                     (int)relocation->name.n, relocation->name.at);
            return false;
        }
        memcpy(to + relocation->offset, &value, sizeof value);
    }
    return true;
}

static bool decode_kernels(cs_module *module, char *error, size_t room) {
    for (size_t i = 0; i < module->ptx->n_functions; i++) {
        const cs_function *function = module->ptx->functions[i];
        if (!function->is_entry || !function->has_body)
            continue;
        if (!cs_decode_kernel(module, function, &module->kernels[module->n_kernels], error, room))
            return false;
        cs_mutate_kernel(module->kernels[module->n_kernels++]);
    }
    return true;
}

static bool fill_module(cs_module *module, char *error, size_t room) {
    const cs_ptx *ptx = module->ptx;
    module->addresses = calloc(ptx->n_variables + 1, sizeof *module->addresses);
    module->names = calloc(ptx->n_variables + 1, sizeof *module->names);
    module->kernels = calloc(ptx->n_functions + 1, sizeof *module->kernels);
    if (!module->addresses || !module->names || !module->kernels)
        abort();
    if (!place_variables(module, error, room))
        return false;
    for (size_t i = 0; i < ptx->n_variables; i++)
        if (module->addresses[i] && !fill_variable(module, i, error, room))
            return false;
    return decode_kernels(module, error, room);
}

cs_module *cs_module_load(int device, const char *text, size_t n, char *error, size_t room) {
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
        snprintf(error, room,
                 "the engine's loops are compiled for AVX2 and FMA, which this processor lacks");
        return NULL;
    }
    cs_ptx *ptx = cs_ptx_open(text, n, error, room);
    if (!ptx)
        return NULL;
    cs_module *module = calloc(1, sizeof *module);
    if (!module)
        abort();
    module->ptx = ptx;
    module->device = device;
    if (fill_module(module, error, room))
        return module;
    cs_module_unload(module);
    return NULL;
}

void cs_module_unload(cs_module *module) {
    if (!module)
        return;
    for (size_t i = 0; i < module->ptx->n_variables; i++) {
        if (module->addresses[i])
            cs_memory_free(module->addresses[i]);
        free(module->names[i]);
    }
    for (size_t i = 0; i < module->n_kernels; i++) {
        cs_coverage_note(module->kernels[i]);
        cs_kernel_free(module->kernels[i]);
    }
    free(module->addresses);
    free(module->names);
    free(module->kernels);
    cs_ptx_close(module->ptx);
    free(module);
}

const cs_kernel *cs_module_kernel(const cs_module *module, const char *name) {
    for (size_t i = 0; i < module->n_kernels; i++)
        if (strcmp(module->kernels[i]->name, name) == 0)
            return module->kernels[i];
    return NULL;
}

bool cs_module_symbol(const cs_module *module, const char *name, uint64_t *address, size_t *bytes) {
    for (size_t i = 0; i < module->ptx->n_variables; i++) {
        if (module->addresses[i] == 0 || !cs_text_is(module->ptx->variables[i]->name, name))
            continue;
        *address = module->addresses[i];
        *bytes = module->ptx->variables[i]->bytes;
        return true;
    }
    return false;
}

size_t cs_kernel_params(const cs_kernel *kernel, const uint32_t **sizes, const uint32_t **offsets) {
    *sizes = kernel->param_sizes;
    *offsets = kernel->param_offsets;
    return kernel->n_params;
}

static uint32_t product(const uint32_t n[3]) {
    return n[0] * n[1] * n[2];
}

cs_kernel_info cs_kernel_describe(const cs_kernel *kernel) {
    const cs_function *f = kernel->function;
    cs_kernel_info info = {.name = kernel->name,
                           .param_bytes = kernel->param_bytes,
                           .static_shared = kernel->static_shared,
                           .local_bytes = kernel->local_bytes,
                           .max_threads = product(f->max_threads),
                           .min_blocks = f->min_blocks};
    memcpy(info.required, f->required_threads, sizeof info.required);
    return info;
}

/* --- launches ------------------------------------------------------------------------------------ */

static void *taken(size_t bytes) {
    void *memory = aligned_alloc(64, (bytes + 64 + 63) & ~(size_t)63);
    if (!memory)
        abort();
    memset(memory, 0, bytes + 64);
    return memory;
}

static void open_warp(cs_run *run, uint32_t i) {
    const cs_kernel *kernel = run->kernel;
    cs_block *block = &run->block;
    cs_warp *warp = &block->warps[i];
    const uint32_t left = block->n_threads - i * CS_LANES;
    warp->base[0] = run->registers + (size_t)i * kernel->register_bytes;
    warp->base[1] = kernel->constants;
    warp->block = block;
    warp->index = i;
    warp->present = left >= CS_LANES ? CS_FULL : (1u << left) - 1;
    warp->segment = 1;
    warp->synced = taken(CS_LANES * sizeof *warp->synced);
    warp->records = taken(kernel->n_memory * sizeof *warp->records);
    warp->record_segments = taken(kernel->n_memory * sizeof *warp->record_segments);
    cs_race_warp_open(warp);
    cs_special_fill(warp);
}

static void open_block(cs_run *run) {
    const cs_launch *launch = run->launch;
    cs_block *block = &run->block;
    block->run = run;
    block->n_threads = launch->block[0] * launch->block[1] * launch->block[2];
    block->n_warps = (block->n_threads + CS_LANES - 1) / CS_LANES;
    block->shared_bytes = run->kernel->shared_bytes + launch->dynamic_shared;
    block->shared = taken(block->shared_bytes);
    block->shared_init = taken(block->shared_bytes);
    block->shared_race = taken((size_t)block->shared_bytes * 8);
    block->local = taken((size_t)run->kernel->local_bytes * block->n_warps * CS_LANES);
    block->local_init = taken((size_t)run->kernel->local_bytes * block->n_warps * CS_LANES);
    run->registers = taken((size_t)run->kernel->register_bytes * block->n_warps);
    block->warps = taken(block->n_warps * sizeof *block->warps);
    for (uint32_t i = 0; i < block->n_warps; i++)
        open_warp(run, i);
}

static void close_block(cs_run *run) {
    cs_block *block = &run->block;
    for (uint32_t i = 0; i < block->n_warps; i++) {
        free(block->warps[i].synced);
        free(block->warps[i].records);
        free(block->warps[i].record_segments);
        free(block->warps[i].lane_sync);
    }
    free(block->warps);
    free(run->registers);
    free(block->local_init);
    free(block->local);
    free(block->shared_race);
    free(block->shared_init);
    free(block->shared);
}

/* Nothing of an earlier block is left: poison, and all unwritten but the gaps between variables, which are marked. */
static void clear_memory(cs_run *run) {
    const cs_kernel *kernel = run->kernel;
    cs_block *block = &run->block;
    const size_t local = (size_t)kernel->local_bytes * block->n_warps * CS_LANES;
    memset(block->shared, 0xff, block->shared_bytes);
    memset(block->shared_init, 2, kernel->shared_bytes);
    memset(block->shared_init + kernel->shared_bytes, 0, run->launch->dynamic_shared);
    for (uint32_t i = 0; i < kernel->n_shared; i++)
        memset(block->shared_init + kernel->shared[i].offset, 0, kernel->shared[i].bytes);
    memset(block->local, 0xff, local);
    memset(block->local_init, 0, local);
}

static void run_block(cs_run *run, uint64_t n, uint64_t serial) {
    const uint32_t *grid = run->launch->grid;
    cs_block *block = &run->block;
    block->id[0] = (uint32_t)(n % grid[0]);
    block->id[1] = (uint32_t)(n / grid[0] % grid[1]);
    block->id[2] = (uint32_t)(n / grid[0] / grid[1]);
    block->serial = (uint32_t)serial;
    clear_memory(run);
    if (run->races)
        cs_race_block_start(block);
    for (uint32_t i = 0; i < block->n_warps; i++) {
        cs_warp_start(&block->warps[i]);
        cs_special_fill_block(&block->warps[i]);
        block->warps[i].segment++;
    }
    cs_block_run(block);
}

bool cs_launch_run(const cs_launch *launch) {
    cs_run run = {.launch = launch, .kernel = launch->kernel, .checks = cs_sim.options.checks};
    const uint64_t blocks = (uint64_t)launch->grid[0] * launch->grid[1] * launch->grid[2];
    const double seconds = cs_sim.options.hang_s > 0 ? cs_sim.options.hang_s : 60;
    run.budget = (uint64_t)(seconds * 1e7);
    cs_random_init(&run.random, cs_sim.options.seed, launch->launch_id * 2);
    if (run.checks & CS_CHECK_RACE)
        cs_race_start(&run);
    open_block(&run);
    for (uint64_t i = 0; i < blocks && !run.is_trapped; i++)
        run_block(&run, cs_schedule_block(&run, i, blocks), i);
    close_block(&run);
    cs_race_end(&run);
    return !run.is_trapped;
}
