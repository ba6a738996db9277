/* The entry points that nvcc's start-up code calls, and what it registered. */
#include "fatbin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nvcc_entry.h"
#include "profile.h"
#include "runtime.h"
#include "thread.h"

#define WRAPPER_MAGIC 0x466243B1

typedef struct wrapper {
    int magic, version;
    const uint8_t *bytes;
    void *more;
} wrapper;

typedef struct variable {
    cs_binary *binary;
    const void *host;
    char *name;
    struct variable *next;
} variable;

struct cs_binary {
    const uint8_t *bytes;
    bool is_registered;
    cs_module *modules[CS_MAX_DEVICES];
    int ptx_capability;
    struct cs_binary *next;
};

struct cs_binaries {
    cs_binary *first;
    cs_function *functions;
    variable *variables;
};

static cs_binaries *binaries(void) {
    if (!cs_sim.binaries)
        cs_sim.binaries = calloc(1, sizeof *cs_sim.binaries);
    if (!cs_sim.binaries)
        abort();
    return cs_sim.binaries;
}

void **__cudaRegisterFatBinary(void *opaque) {
    const wrapper *w = opaque;
    cs_enter(0);
    cs_binary *b = calloc(1, sizeof *b);
    if (!b)
        abort();
    if (w->magic != WRAPPER_MAGIC || w->version != 1)
        cs_unknown("__cudaRegisterFatBinary",
                   "magic %#x, version %d (relocatable device code is not modelled)",
                   (unsigned)w->magic, w->version);
    *b = (cs_binary){.bytes = w->bytes, .is_registered = true, .next = binaries()->first};
    binaries()->first = b;
    cs_leave(0);
    return (void **)b;
}

void __cudaRegisterFatBinaryEnd(void **handle) {
    (void)handle;
}

char __cudaInitModule(void **handle) {
    (void)handle;
    return 1;
}

static void forget_functions(const cs_binary *b) {
    for (cs_function **f = &binaries()->functions; *f;) {
        cs_function *one = *f;
        if (one->binary != b) {
            f = &one->next;
            continue;
        }
        *f = one->next;
        free(one->name);
        free(one);
    }
}

static void forget_variables(const cs_binary *b) {
    for (variable **v = &binaries()->variables; *v;) {
        variable *one = *v;
        if (one->binary != b) {
            v = &one->next;
            continue;
        }
        *v = one->next;
        free(one->name);
        free(one);
    }
}

void __cudaUnregisterFatBinary(void **handle) {
    cs_enter(0);
    cs_binary *b = (cs_binary *)handle;
    for (cs_binary **at = &binaries()->first; *at; at = &(*at)->next)
        if (*at == b) {
            *at = b->next;
            break;
        }
    forget_functions(b);
    forget_variables(b);
    for (int i = 0; i < CS_MAX_DEVICES; i++)
        cs_module_unload(b->modules[i]);
    free(b);
    cs_leave(0);
}

void __cudaRegisterFunction(void **handle, const char *stub, char *device_stub, const char *name,
                            int thread_limit, void *tid, void *bid, void *block, void *grid,
                            int *warp_size) {
    (void)device_stub, (void)thread_limit, (void)tid, (void)bid, (void)block, (void)grid,
        (void)warp_size;
    cs_enter(0);
    cs_function *f = calloc(1, sizeof *f);
    if (!f)
        abort();
    *f = (cs_function){.binary = (cs_binary *)handle,
                       .stub = stub,
                       .name = strdup(name),
                       .next = binaries()->functions};
    for (int i = 0; i < CS_MAX_DEVICES; i++)
        f->dynamic_shared_max[i] = -1;
    binaries()->functions = f;
    cs_leave(0);
}

void __cudaRegisterVar(void **handle, char *host, char *device, const char *name, int ext,
                       size_t bytes, int is_constant, int is_global) {
    (void)device, (void)ext, (void)bytes, (void)is_constant, (void)is_global;
    cs_enter(0);
    variable *v = calloc(1, sizeof *v);
    if (!v)
        abort();
    *v = (variable){(cs_binary *)handle, host, strdup(name), binaries()->variables};
    binaries()->variables = v;
    cs_leave(0);
}

/* --- finding ---------------------------------------------------------------------------------- */

cs_function *cs_function_of(const void *stub) {
    for (cs_function *f = binaries()->functions; f; f = f->next)
        if (f->stub == stub || (const void *)f == stub)
            return f;
    return NULL;
}

/* CUDASIM_REGISTERS: lines of "kernel registers". 0: it is not in there. */
static int registers_listed(const char *kernel) {
    FILE *file = cs_sim.options.registers ? fopen(cs_sim.options.registers, "re") : NULL;
    if (!file) {
        if (cs_sim.options.registers)
            cs_unknown("CUDASIM_REGISTERS", "%s cannot be read", cs_sim.options.registers);
        return 0;
    }
    char name[512];
    int registers = 0, found = 0;
    while (!found && fscanf(file, "%511s %d", name, &registers) == 2)
        found = strcmp(name, kernel) == 0 ? registers : 0;
    fclose(file);
    return found;
}

static void count_registers(cs_function *f) {
    int wanted = cs_sim.profile->major * 10 + cs_sim.profile->minor;
    size_t n = 0;
    const uint8_t *code = cs_fatbin_cubin(f->binary->bytes, wanted, &n);
    f->ptx_capability = f->binary->ptx_capability;
    f->n_registers = registers_listed(f->name);
    if (!f->n_registers && code)
        f->n_registers = cs_cubin_registers(code, n, f->name);
}

static cs_module *module_of(cs_binary *b, int device) {
    if (b->modules[device])
        return b->modules[device];
    char error[512] = "";
    size_t n = 0;
    int wanted = cs_sim.profile->major * 10 + cs_sim.profile->minor;
    const char *ptx = cs_fatbin_ptx(b->bytes, wanted, &n, &b->ptx_capability, error, sizeof error);
    int current = cs_this_thread()->device;
    cs_this_thread()->device = device;
    if (ptx)
        b->modules[device] = cs_module_load(device, ptx, n, error, sizeof error);
    cs_this_thread()->device = current;
    if (!b->modules[device])
        cs_unknown("PTX", "%s", error);
    return b->modules[device];
}

const cs_kernel *cs_function_kernel(const cs_function *function, int device) {
    const cs_kernel *kernel = cs_module_kernel(module_of(function->binary, device), function->name);
    if (!kernel)
        cs_unknown(function->name, "is registered, but not in its PTX");
    if (!function->ptx_capability)
        count_registers((cs_function *)(uintptr_t)function);
    return kernel;
}

bool cs_variable_of(const void *host, uint64_t *address, size_t *bytes) {
    for (const variable *v = binaries()->variables; v; v = v->next)
        if (v->host == host)
            return cs_module_symbol(module_of(v->binary, cs_current_device()), v->name, address,
                                    bytes);
    return false;
}
