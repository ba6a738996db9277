/* What the parts of the engine share: decoded instructions, warps, blocks. Private to the engine.
 *
 * A register is an array of 32 lanes (a predicate is a mask of 32 bits), 64-byte aligned in the warp's register file.
 * An operand is a byte offset there; an odd one means the kernel's constants, which have the same layout, so that
 * immediates cost what registers cost. */
#ifndef TY_CUDASIM_MACHINE_H
#define TY_CUDASIM_MACHINE_H

#include "tests/cudasim/engine.h"
#include "tests/cudasim/memory.h"
#include "tests/cudasim/ptx.h"
#include "tests/cudasim/sim.h"

#define CS_LANES 32
#define CS_FULL 0xffffffffu

/* Where shared, local and parameter memory appear among generic addresses. No host or device address is near. */
#define CS_SHARED_WINDOW (1ull << 56)
#define CS_LOCAL_WINDOW (2ull << 56)
#define CS_PARAM_WINDOW (3ull << 56)
#define CS_WINDOW_SPAN (1ull << 32)

typedef struct cs_warp cs_warp;
typedef struct cs_instr cs_instr;
typedef struct cs_opcode cs_opcode;

/* Executes an instruction for the lanes of mask, which is not 0. */
typedef void cs_exec(cs_warp *warp, const cs_instr *instr, uint32_t mask);

/* What an instruction means to the program counter. */
typedef enum cs_flow {
    CS_FLOW_NEXT,
    CS_FLOW_JUMP,    /* to target */
    CS_FLOW_TABLE,   /* to targets[a] */
    CS_FLOW_EXIT,    /* the lane ends */
    CS_FLOW_BARRIER, /* waits for the block */
    CS_FLOW_MEET,    /* waits for the lanes of its member mask */
    CS_FLOW_TRAP,    /* the launch ends */
} cs_flow;

typedef enum cs_rounding {
    CS_RN,
    CS_RZ,
    CS_RM,
    CS_RP,
    CS_RNI,
    CS_RZI,
    CS_RMI,
    CS_RPI,
    CS_RNA
} cs_rounding;

enum { CS_CHOICES = 4 };

struct cs_instr {
    cs_exec *run;
    uint32_t d, a, b, c, e; /* operands */
    uint32_t d2;            /* the second destination of d|p; 0: none */
    uint32_t guard;
    uint8_t guard_kind; /* 0: none, 1: runs where guard is set, 2: where it is not */
    uint8_t flow;
    uint8_t space;
    uint8_t type, type2; /* the first and second one of the opcode */
    uint8_t rounding;
    uint8_t choice
        [CS_CHOICES]; /* of the row's other groups of alternatives, in order; from 1, 0: left out */
    bool is_ftz, is_saturated;
    bool is_a_negated, is_c_negated; /* predicates */
    bool is_ordering;                /* carries a fence: .acquire, .release, .acq_rel */
    bool is_strong;           /* .relaxed and stronger: takes part in no race with its like */
    bool is_block_scope;      /* .cta: other blocks need not see it */
    bool is_read_only;        /* ld.global.nc */
    uint8_t bytes;            /* of one element in memory */
    uint8_t elements;         /* of a vector in memory */
    uint8_t width_d, width_a; /* bytes of a lane of the registers */
    uint8_t address_width;    /* bytes of a lane of the address's register */
    int64_t offset;           /* of an address */
    const uint32_t *items;    /* operands of a vector; targets of a table */
    uint32_t n_items;
    uint32_t target;
    uint32_t memory; /* its number among the kernel's memory instructions */
    uint32_t location;
    const cs_opcode *opcode;
};

typedef struct cs_shared_variable {
    cs_text name;
    uint32_t offset, bytes;
} cs_shared_variable;

struct cs_kernel {
    cs_module *module;
    const cs_function *function;
    char *name;
    cs_instr *code;
    uint8_t *executed; /* [n_code] whether any lane did */
    uint32_t n_code, n_memory;
    uint32_t register_bytes; /* a warp */
    uint8_t *constants;
    uint32_t constant_bytes;
    uint32_t local_bytes;
    cs_shared_variable *shared;
    uint32_t n_shared;
    uint32_t shared_bytes;  /* static, with gaps between variables */
    uint32_t static_shared; /* as the hardware would lay them out */
    uint32_t *param_sizes, *param_offsets;
    uint32_t n_params, param_bytes;
    uint32_t special[32]; /* register of each special register that is used; 0: unused */
    bool has_fences;
};

struct cs_module {
    cs_ptx *ptx;
    int device;
    struct cs_spelling *spellings; /* the decoder's, by hash */
    cs_kernel **kernels;
    size_t n_kernels;
    uint64_t *addresses; /* of the module's variables, by index; 0: shared ones */
    char **names;        /* theirs, which their allocations borrow */
};

/* Lanes at one place. */
typedef struct cs_group {
    uint32_t pc, mask;
    bool is_waiting;
} cs_group;

typedef struct cs_run cs_run;
typedef struct cs_block cs_block;

struct cs_warp {
    uint8_t *base[2]; /* registers, constants */
    cs_block *block;
    uint32_t index;
    uint32_t present; /* lanes that exist */
    uint32_t live;    /* and have not exited */
    cs_group groups[CS_LANES];
    uint32_t n_groups;
    uint32_t pc; /* of the instruction that runs */
    /* race.c: */
    uint32_t segment; /* changes with every barrier and fence */
    uint32_t tick, full_tick;
    uint32_t (*synced)[CS_LANES]; /* the tick at which lane x last learnt what lane y had done */
    uint32_t *records, *record_segments;
    struct cs_lane_sync *lane_sync;
    _Alignas(64) uint8_t scratch[CS_LANES * 8];
    _Alignas(64) uint64_t address[CS_LANES];
    uint8_t *data[CS_LANES];
};

struct cs_block {
    cs_run *run;
    uint32_t id[3];
    uint32_t serial; /* in the order of running, from 0 */
    uint32_t phase;  /* block-wide barriers so far */
    cs_warp *warps;
    uint32_t n_warps, n_threads;
    uint8_t *shared, *shared_init;
    uint64_t *shared_race;
    uint32_t shared_bytes;
    uint8_t *local, *local_init;
};

/* One launch. */
struct cs_run {
    const cs_launch *launch;
    const cs_kernel *kernel;
    unsigned checks;
    cs_random random;
    cs_block block;
    uint8_t *registers;
    uint64_t budget;   /* instructions of warps before the launch counts as hung */
    bool is_trapped;
    const cs_allocation *recent[4];
    uint32_t next_recent;
    struct cs_races *races;
};

/* --- operands ------------------------------------------------------------------------------------ */

#define CS_LANES_OF(warp, operand, type)                                                           \
    ((type *)(void *)((warp)->base[(operand)&1u] + ((operand) & ~1u)))

static inline uint32_t cs_mask_of(const cs_warp *warp, uint32_t operand) {
    return *CS_LANES_OF(warp, operand, const uint32_t);
}

static inline void cs_set_mask(cs_warp *warp, uint32_t operand, uint32_t mask, uint32_t value) {
    uint32_t *at = CS_LANES_OF(warp, operand, uint32_t);
    *at = (*at & ~mask) | (value & mask);
}

/* --- parts --------------------------------------------------------------------------------------- */

/* decode.c: false, and error says why. */
bool cs_decode_kernel(cs_module *module, const cs_function *function, cs_kernel **out, char *error,
                      size_t room);
void cs_kernel_free(cs_kernel *kernel);

/* warp.c */
typedef enum cs_stop { CS_STOP_QUANTUM, CS_STOP_WAITING, CS_STOP_DONE } cs_stop;
void cs_warp_start(cs_warp *warp);
cs_stop cs_warp_run(cs_warp *warp, uint64_t quantum);

/* schedule.c: runs the block to its end. */
void cs_block_run(cs_block *block);
/* The index of the n-th block to run. */
uint64_t cs_schedule_block(const cs_run *run, uint64_t n, uint64_t count);

/* barrier.c: called when no warp of the block can go on by itself; lets them go on, with a report where the barrier
 * is divergent. */
void cs_barrier_resolve(cs_block *block);
/* Lanes wait for lanes that will never come: reports and lets them go on. */
void cs_meet_stuck(cs_warp *warp);
/* Runs an instruction of CS_FLOW_MEET for those lanes of mask whose member masks are complete; returns them. */
uint32_t cs_meet(cs_warp *warp, const cs_instr *instr, uint32_t mask);
/* A shuffle read from a lane that does not take part in it. */
void cs_say_absent_source(cs_warp *warp, uint32_t lane, uint32_t source);

/* exec_memory.c: warp->address from the instruction's operand a and offset. */
void cs_form_addresses(cs_warp *warp, const cs_instr *instr);

/* access.c: fills warp->data for the lanes of mask that may access `bytes` at warp->address in instr->space; the
 * others are reported and left out of the returned mask. */
typedef enum cs_access { CS_READ, CS_WRITE, CS_ATOMIC } cs_access;
uint32_t cs_access_check(cs_warp *warp, const cs_instr *instr, uint32_t mask, uint32_t bytes,
                         cs_access access);

/* race.c */
void cs_race_start(cs_run *run);
void cs_race_warp_open(cs_warp *warp);
void cs_race_end(cs_run *run);
void cs_race_block_start(cs_block *block);
void cs_race_check(cs_warp *warp, const cs_instr *instr, uint32_t mask, uint32_t bytes,
                   cs_access access, uint64_t *const cells[CS_LANES]);
void cs_race_fence(cs_warp *warp, uint32_t mask);
void cs_race_atomic(cs_warp *warp, uint32_t mask); /* at warp->address */
void cs_race_warp_barrier(cs_warp *warp, uint32_t mask);
void cs_race_block_barrier(cs_block *block);

/* where.c: reports about lanes. */
typedef struct cs_where {
    char place[256];  /* file.cu:line */
    char thread[192]; /* kernel k, block (x,y,z), thread (x,y,z) */
} cs_where;
void cs_where_place(const cs_kernel *kernel, uint32_t pc, char *place, size_t room);
void cs_where_of(const cs_warp *warp, uint32_t pc, uint32_t lane, cs_where *out);
void cs_where_thread(const cs_block *block, uint32_t thread, uint32_t out[3]);

/* coverage.c, mutate.c */
void cs_coverage_note(const cs_kernel *kernel);
void cs_mutate_kernel(cs_kernel *kernel);

#endif
