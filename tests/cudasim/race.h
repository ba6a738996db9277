/* What the two halves of the race detector share: records of accesses, and what fences and atomics order. */
#ifndef TY_CUDASIM_RACE_H
#define TY_CUDASIM_RACE_H

#include "tests/cudasim/machine.h"

/* One memory instruction of one warp between two points of order. */
typedef struct cs_record {
    uint32_t block, phase, warp, pc, tick;
    bool is_atomic;
    bool is_block_wide; /* of scope .cta: seen by its own block alone */
} cs_record;

/* A thread has passed a fence and then an atomic on a word: what it knew before the fence is on offer there. */
typedef struct cs_release {
    uint32_t block, phase, warp, lane;
    uint32_t after; /* records below this number */
} cs_release;

typedef struct cs_sync_word {
    const void *at; /* NULL: free */
    cs_release *releases;
    uint32_t n_releases, room;
} cs_sync_word;

/* A thread has passed an atomic on a word and then a fence: it knows the word's first n releases. */
typedef struct cs_acquired {
    const void *at;
    uint32_t n, warp, lane, phase;
} cs_acquired;

struct cs_races {
    cs_record *records;
    uint32_t first, next, room; /* numbers; records[0] is the first one's */
    uint32_t block_first;
    cs_sync_word *words; /* a hash table, a power of two */
    uint32_t n_words, words_room;
    cs_acquired *acquired; /* of the current block */
    uint32_t n_acquired, acquired_room;
};
typedef struct cs_races cs_races;

/* What a lane has done towards an order since its last fence. */
typedef struct cs_lane_sync {
    bool has_fenced;
    uint32_t fence_phase, fence_after;
    struct {
        const void *at;
        uint32_t n;
    } pending[4]; /* atomics since the last fence */
    uint32_t n_pending;
} cs_lane_sync;

/* Record numbers go on from launch to launch; when they run out, all cells are forgotten and they begin anew. */
uint32_t cs_race_next_id(void);
void cs_race_set_next_id(uint32_t next);

/* race_order.c: whether a fence and an atomic after the record, and an atomic and a fence before now, order them. */
bool cs_race_is_released(const cs_warp *warp, uint32_t lane, uint32_t id, const cs_record *record,
                         uint32_t record_lane);
void cs_race_sync_clear(cs_races *races);

#endif
