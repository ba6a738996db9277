/* What puts accesses of different threads in order: barriers, warp barriers, and fences around atomics (the pattern of
 * "the last block sums up": write, fence, atomic; then atomic, fence, read). */
#include "tests/cudasim/race.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/cudasim/opcodes.h"

/* --- barriers ------------------------------------------------------------------------------------ */

void cs_race_block_barrier(cs_block *block) {
    block->phase++;
    for (uint32_t i = 0; i < block->n_warps; i++)
        block->warps[i].segment++;
}

/* Each lane of mask learns what every other of them knew. */
void cs_race_warp_barrier(cs_warp *warp, uint32_t mask) {
    warp->tick++;
    warp->segment++;
    if ((mask & warp->live) == warp->live)
        warp->full_tick = warp->tick;
    uint32_t known[CS_LANES] = {0};
    for (uint32_t left = mask; left; left &= left - 1)
        for (int y = 0; y < CS_LANES; y++) {
            const uint32_t tick = warp->synced[__builtin_ctz(left)][y];
            known[y] = tick > known[y] ? tick : known[y];
        }
    for (uint32_t left = mask; left; left &= left - 1)
        known[__builtin_ctz(left)] = warp->tick;
    for (uint32_t left = mask; left; left &= left - 1)
        memcpy(warp->synced[__builtin_ctz(left)], known, sizeof known);
}

void cs_race_warp_open(cs_warp *warp) {
    warp->lane_sync = calloc(CS_LANES, sizeof *warp->lane_sync);
    if (!warp->lane_sync)
        abort();
}

/* --- words that atomics meet at ------------------------------------------------------------------- */

static cs_sync_word *slot_of(cs_sync_word *words, uint32_t room, const void *at) {
    uint64_t hash = (uint64_t)(uintptr_t)at * 0x9e3779b97f4a7c15ull;
    uint32_t i = (uint32_t)(hash >> 40) & (room - 1);
    while (words[i].at && words[i].at != at)
        i = (i + 1) & (room - 1);
    return &words[i];
}

static void grow_words(cs_races *races) {
    const uint32_t room = races->words_room ? 2 * races->words_room : 64;
    cs_sync_word *words = calloc(room, sizeof *words);
    if (!words)
        abort();
    for (uint32_t i = 0; i < races->words_room; i++)
        if (races->words[i].at)
            *slot_of(words, room, races->words[i].at) = races->words[i];
    free(races->words);
    races->words = words;
    races->words_room = room;
}

static cs_sync_word *word_at(cs_races *races, const void *at) {
    if (2 * races->n_words >= races->words_room)
        grow_words(races);
    cs_sync_word *word = slot_of(races->words, races->words_room, at);
    races->n_words += word->at == NULL;
    word->at = at;
    return word;
}

static void append_release(cs_sync_word *word, const cs_release *release) {
    if (word->n_releases == word->room) {
        word->room = word->room ? 2 * word->room : 4;
        word->releases = realloc(word->releases, word->room * sizeof *word->releases);
        if (!word->releases)
            abort();
    }
    word->releases[word->n_releases++] = *release;
}

void cs_race_sync_clear(cs_races *races) {
    for (uint32_t i = 0; i < races->words_room; i++)
        free(races->words[i].releases);
    free(races->words);
    free(races->acquired);
}

/* What names the word of a lane's atomic: its bytes, and for shared memory, which all blocks have at one place here,
 * the block too (in the bits that no address uses). */
static const void *word_name(const cs_warp *warp, uint32_t lane) {
    const cs_block *block = warp->block;
    const uint8_t *at = warp->data[lane];
    const bool is_shared = at >= block->shared && at < block->shared + block->shared_bytes;
    const uint64_t mark = is_shared ? (uint64_t)(block->serial % 0xffff + 1) << 48 : 0;
    return (const void *)(uintptr_t)((uint64_t)(uintptr_t)at | mark);
}

void cs_race_atomic(cs_warp *warp, uint32_t mask) {
    cs_run *run = warp->block->run;
    if (!run->races || !run->kernel->has_fences)
        return;
    for (uint32_t left = mask; left; left &= left - 1) {
        const uint32_t lane = (uint32_t)__builtin_ctz(left);
        cs_lane_sync *sync = &warp->lane_sync[lane];
        cs_sync_word *word = word_at(run->races, word_name(warp, lane));
        sync->pending[sync->n_pending % 4].at = word->at;
        sync->pending[sync->n_pending++ % 4].n = word->n_releases;
        const cs_release release = {warp->block->serial, sync->fence_phase, warp->index, lane,
                                    sync->fence_after};
        if (sync->has_fenced)
            append_release(word, &release);
    }
}

static void acquire(cs_warp *warp, uint32_t lane, const void *at, uint32_t n) {
    cs_races *races = warp->block->run->races;
    if (races->n_acquired == races->acquired_room) {
        races->acquired_room = races->acquired_room ? 2 * races->acquired_room : 16;
        races->acquired = realloc(races->acquired, races->acquired_room * sizeof *races->acquired);
        if (!races->acquired)
            abort();
    }
    races->acquired[races->n_acquired++] =
        (cs_acquired){at, n, warp->index, lane, warp->block->phase};
}

void cs_race_fence(cs_warp *warp, uint32_t mask) {
    cs_run *run = warp->block->run;
    if (!run->races || mask == 0)
        return;
    for (uint32_t left = mask; left; left &= left - 1) {
        const uint32_t lane = (uint32_t)__builtin_ctz(left);
        cs_lane_sync *sync = &warp->lane_sync[lane];
        for (uint32_t i = 0; i < sync->n_pending && i < 4; i++)
            if (sync->pending[i].n)
                acquire(warp, lane, sync->pending[i].at, sync->pending[i].n);
        sync->n_pending = 0;
        sync->has_fenced = true;
        sync->fence_phase = warp->block->phase;
        sync->fence_after = run->races->next;
    }
    warp->segment++;
}

/* Whether a release covers the record: the thread's own, or what a barrier had put before the fence. */
static bool covers(const cs_release *release, uint32_t id, const cs_record *record,
                   uint32_t record_lane) {
    if (release->block != record->block || id >= release->after)
        return false;
    return record->phase < release->phase ||
           (record->warp == release->warp && record_lane == release->lane);
}

bool cs_race_is_released(const cs_warp *warp, uint32_t lane, uint32_t id, const cs_record *record,
                         uint32_t record_lane) {
    const cs_races *races = warp->block->run->races;
    for (uint32_t i = 0; i < races->n_acquired; i++) {
        const cs_acquired *a = &races->acquired[i];
        const bool is_own = a->warp == warp->index && a->lane == lane;
        if (!is_own && a->phase >= warp->block->phase)
            continue;
        const cs_sync_word *word = slot_of(races->words, races->words_room, a->at);
        for (uint32_t k = 0; k < a->n; k++)
            if (covers(&word->releases[k], id, record, record_lane))
                return true;
    }
    return false;
}

/* --- numbers ------------------------------------------------------------------------------------- */

uint32_t cs_race_next_id(void) {
    if (cs_sim.races_noted >= 1u << 24) {
        madvise((void *)(uintptr_t)CS_RACE_BASE, CS_DEVICE_SPAN * 8, MADV_DONTNEED);
        cs_sim.races_noted = 0;
    }
    return cs_sim.races_noted + 1;
}

void cs_race_set_next_id(uint32_t next) {
    cs_sim.races_noted = next - 1;
}
