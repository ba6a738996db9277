/* What ptxas made of our kernels, for predictions: kernels/cuda/resources.tsv as the build found it. */
#include "kernels/cuda/resources.h"

#include <string.h>

enum { SM_75, SM_80, SM_90, SM_100, SM_120, N_SMS };

typedef struct kernel_row {
    const char *name;
    int registers[N_SMS], occupancy_percent[N_SMS];
} kernel_row;

static const kernel_row rows[] = {
#include "resources.inc" /* written by resources.cmake */
};

/* The code that a GPU of this capability runs. */
static int column_of(const ty_gpu_facts *facts) {
    if (facts->major >= 12)
        return SM_120;
    if (facts->major >= 10)
        return SM_100;
    return facts->major == 9 ? SM_90 : facts->major == 8 ? SM_80 : SM_75;
}

void ty_cuda_note_kernel(const ty_device *dev, ty_op_cost *cost) {
    const int column = column_of(&ty_cuda_of_const(dev)->facts);
    for (size_t i = 0; cost->kernel && i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].name, cost->kernel) != 0)
            continue;
        cost->registers = rows[i].registers[column];
        cost->occupancy = rows[i].occupancy_percent[column] / 100.0;
        return;
    }
}
