/* Arbitrary bytes as a PTX module that is parsed, decoded and, if that went well, run: one block of 40 threads of each
 * kernel, with parameters of zeros. Whatever it does, the engine's own memory stays whole. */
#include <stdlib.h>
#include <string.h>

#include "tests/cudasim/alone.h"
#include "tests/cudasim/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PARAMS_MAX = 32768, INPUT_MAX = 1 << 16 };

static void run_kernel(const cs_kernel *kernel) {
    static const uint8_t zeros[PARAMS_MAX];
    const cs_kernel_info info = cs_kernel_describe(kernel);
    if (info.param_bytes > PARAMS_MAX || info.static_shared > 1 << 16 || info.local_bytes > 1 << 12)
        return;
    const cs_launch launch = {.kernel = kernel,
                              .grid = {2, 1, 1},
                              .block = {40, 1, 1},
                              .dynamic_shared = 64,
                              .params = zeros};
    cs_launch_run(&launch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char error[512] = "";
    if (size > INPUT_MAX)
        return 0;
    alone_start();
    cs_sim.options.hang_s = 2e-5; /* the checker of races looks back at all of a launch: its time grows as the square */
    cs_module *module = cs_module_load(0, (const char *)data, size, error, sizeof error);
    if (!module && error[0] == '\0')
        abort(); /* a refusal says why */
    for (size_t i = 0; module && i < module->n_kernels; i++)
        run_kernel(module->kernels[i]);
    cs_module_unload(module);
    alone_stop();
    return 0;
}
