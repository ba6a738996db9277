/* Places and threads as reports name them. */
#include <stdio.h>
#include <string.h>

#include "tests/cudasim/machine.h"

void cs_where_place(const cs_kernel *kernel, uint32_t pc, char *place, size_t room) {
    const cs_location *at = cs_source_location(kernel->module->ptx, kernel->code[pc].location);
    const cs_text path = cs_source_path(kernel->module->ptx, at->file);
    const char *slash = memrchr(path.at, '/', path.n);
    const char *name = slash ? slash + 1 : path.at;
    const size_t n = path.n - (size_t)(name - path.at);
    if (at->file == 0)
        snprintf(place, room, "%s", kernel->name); /* compiled without -lineinfo */
    else
        snprintf(place, room, "%.*s:%u", (int)(n > 200 ? 200 : n), name, at->line);
}

void cs_where_thread(const cs_block *block, uint32_t thread, uint32_t out[3]) {
    const uint32_t *size = block->run->launch->block;
    out[0] = thread % size[0];
    out[1] = thread / size[0] % size[1];
    out[2] = thread / size[0] / size[1];
}

void cs_where_of(const cs_warp *warp, uint32_t pc, uint32_t lane, cs_where *out) {
    const cs_block *block = warp->block;
    uint32_t thread[3];
    cs_where_place(block->run->kernel, pc, out->place, sizeof out->place);
    cs_where_thread(block, warp->index * CS_LANES + lane, thread);
    snprintf(out->thread, sizeof out->thread, "%.80s block (%u,%u,%u) thread (%u,%u,%u)",
             block->run->kernel->name, block->id[0], block->id[1], block->id[2], thread[0],
             thread[1], thread[2]);
}
