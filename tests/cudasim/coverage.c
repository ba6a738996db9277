/* Line coverage of kernels (CUDASIM_COVERAGE): for each source line of each kernel, how many of its instructions some
 * thread executed. Appended when a module is unloaded or the process ends; scripts merge the files of many runs.
 *
 *   <kernel> <file> <line> <instructions executed> <instructions> */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/cudasim/machine.h"

typedef struct line {
    uint32_t file, line, executed, all;
} line;

static int by_place(const void *a, const void *b) {
    const line *x = a, *y = b;
    if (x->file != y->file)
        return x->file < y->file ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

static size_t collect(const cs_kernel *kernel, line *lines) {
    size_t n = 0;
    for (uint32_t pc = 0; pc < kernel->n_code; pc++) {
        const cs_location *at = cs_source_location(kernel->module->ptx, kernel->code[pc].location);
        if (at->file != 0 && kernel->code[pc].opcode) /* steps beside instructions have no opcode */
            lines[n++] = (line){at->file, at->line, kernel->executed[pc], 1};
    }
    qsort(lines, n, sizeof *lines, by_place);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || by_place(&lines[kept - 1], &lines[i]) != 0) {
            lines[kept++] = lines[i];
            continue;
        }
        lines[kept - 1].executed += lines[i].executed;
        lines[kept - 1].all++;
    }
    return kept;
}

void cs_coverage_note(const cs_kernel *kernel) {
    FILE *out = cs_sim.options.coverage ? fopen(cs_sim.options.coverage, "ae") : NULL;
    line *lines = out ? calloc(kernel->n_code, sizeof *lines) : NULL;
    const size_t n = lines ? collect(kernel, lines) : 0;
    char *text = NULL;
    size_t bytes = 0;
    FILE *whole = lines ? open_memstream(&text, &bytes) : NULL;
    for (size_t i = 0; i < n && whole; i++) {
        const cs_text path = cs_source_path(kernel->module->ptx, lines[i].file);
        fprintf(whole, "%s %.*s %u %u %u\n", kernel->name, (int)path.n, path.at, lines[i].line,
                lines[i].executed, lines[i].all);
    }
    if (whole)
        fclose(whole);
    /* One write: the ranks of a test share the file, and stdio would cut it in two. */
    if (text && write(fileno(out), text, bytes) != (ssize_t)bytes)
        cs_note("coverage of %s is cut", kernel->name);
    free(text);
    free(lines);
    if (out)
        fclose(out);
}
