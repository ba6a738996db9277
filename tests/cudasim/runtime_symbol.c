/* Variables of a module (__device__, __constant__) by the address of their host shadow. */
#include "runtime.h"

#include "fatbin.h"

cudaError_t cudaGetSymbolAddress(void **pointer, const void *symbol) {
    RT_ENTER(cudaErrorInvalidSymbol);
    uint64_t address = 0;
    size_t bytes = 0;
    if (!pointer || !cs_variable_of(symbol, &address, &bytes))
        return rt_leave(pointer ? cudaErrorInvalidSymbol : cudaErrorInvalidValue);
    *pointer = (void *)(uintptr_t)address;
    return rt_leave(cudaSuccess);
}

cudaError_t cudaGetSymbolSize(size_t *size, const void *symbol) {
    RT_ENTER(cudaErrorInvalidSymbol);
    uint64_t address = 0;
    if (!size)
        return rt_leave(cudaErrorInvalidValue);
    return rt_leave(cs_variable_of(symbol, &address, size) ? cudaSuccess : cudaErrorInvalidSymbol);
}

/* copy names all but the symbol's side, which is to or from by is_to. */
static int copy_symbol(const void *symbol, size_t offset, bool is_to, cs_copy copy) {
    uint64_t address = 0;
    size_t bytes = 0;
    if (!cs_variable_of(symbol, &address, &bytes))
        return cudaErrorInvalidSymbol;
    if (offset > bytes || copy.bytes > bytes - offset) {
        cs_report(CS_BOUNDS, cs_current_call(), "%zu bytes at byte %zu of a symbol of %zu",
                  copy.bytes, offset, bytes);
        return cudaErrorInvalidValue;
    }
    *(is_to ? &copy.to : &copy.from) = address + offset;
    return cs_copy_queue(&copy);
}

cudaError_t cudaMemcpyToSymbol(const void *symbol, const void *from, size_t bytes, size_t offset,
                               enum cudaMemcpyKind kind) {
    RT_ENTER(cudaErrorInvalidSymbol);
    cs_copy copy = {.from = (uintptr_t)from, .bytes = bytes, .kind = kind};
    return rt_leave(copy_symbol(symbol, offset, true, copy));
}

cudaError_t cudaMemcpyToSymbolAsync(const void *symbol, const void *from, size_t bytes,
                                    size_t offset, enum cudaMemcpyKind kind, cudaStream_t stream) {
    RT_ENTER(cudaErrorInvalidSymbol);
    cs_copy copy = {
        .from = (uintptr_t)from, .bytes = bytes, .kind = kind, .stream = stream, .is_async = true};
    return rt_leave(copy_symbol(symbol, offset, true, copy));
}

cudaError_t cudaMemcpyFromSymbol(void *to, const void *symbol, size_t bytes, size_t offset,
                                 enum cudaMemcpyKind kind) {
    RT_ENTER(cudaErrorInvalidSymbol);
    cs_copy copy = {.to = (uintptr_t)to, .bytes = bytes, .kind = kind};
    return rt_leave(copy_symbol(symbol, offset, false, copy));
}

cudaError_t cudaMemcpyFromSymbolAsync(void *to, const void *symbol, size_t bytes, size_t offset,
                                      enum cudaMemcpyKind kind, cudaStream_t stream) {
    RT_ENTER(cudaErrorInvalidSymbol);
    cs_copy copy = {
        .to = (uintptr_t)to, .bytes = bytes, .kind = kind, .stream = stream, .is_async = true};
    return rt_leave(copy_symbol(symbol, offset, false, copy));
}
