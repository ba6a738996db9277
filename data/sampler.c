/* The order of training samples. Exact resumption promises these bits, so this file only ever
 * changes with a new version of everything that was trained with it.
 *
 * With n <= window, an epoch is one keyed permutation of [0, n):
 *     sample = permute(key(seed, epoch, 0), n, index)
 *
 * Otherwise the split is cut into blocks of neighbours, which are read together, and shuffled
 * twice:
 *     offset      drawn for each epoch; sample v of the shifted order is (v + offset) mod n of the
 *                 split, so that blocks are cut elsewhere each time
 *     block k     [k * block, (k + 1) * block) of the shifted order, k < n_full = n / block; what
 *                 remains, less than a block, comes last
 *     sequence    of blocks: permute(key(seed, epoch, 2), n_full, place)
 *     window w    indices [w * window, (w + 1) * window) of the epoch, cut off at n: window / block
 *                 blocks of that sequence
 *     order       inside a window: permute(key(seed, epoch, 3 + w), its size, index - w * window) */
#include <assert.h>

#include "data/loader.h"
#include "data/set.h"

enum { KEY_WHOLE, KEY_OFFSET, KEY_BLOCKS, KEY_WINDOWS };

static ty_rng_key epoch_key(const ty_sampler *sampler, int64_t epoch, int64_t purpose) {
    const ty_rng_key key = ty_rng_key_of(sampler->seed, TY_STREAM_SHUFFLE);
    return ty_rng_key_mix(ty_rng_key_mix(key, (uint64_t)epoch), (uint64_t)purpose);
}

/* The epoch's shift of the split. The remainder's bias is n / 2^64. */
static int64_t draw_offset(const ty_sampler *sampler, int64_t epoch) {
    const ty_rng_block draw = ty_rng_draw(epoch_key(sampler, epoch, KEY_OFFSET), 0, 0);
    const uint64_t bits = (uint64_t)draw.v[1] << 32 | draw.v[0];
    return (int64_t)(bits % (uint64_t)sampler->n);
}

int64_t ty_sampler_at(const ty_sampler *sampler, int64_t epoch, int64_t index) {
    const int64_t n = sampler->n, block = sampler->block;
    assert(index >= 0 && index < n);
    if (n <= sampler->window)
        return ty_rng_permute(epoch_key(sampler, epoch, KEY_WHOLE), n, index);
    const int64_t window = index / sampler->window, start = window * sampler->window;
    const int64_t size = n - start < sampler->window ? n - start : sampler->window;
    const int64_t place = start + ty_rng_permute(epoch_key(sampler, epoch, KEY_WINDOWS + window),
                                                 size, index - start);
    const int64_t n_full = n / block, slot = place / block;
    const int64_t shifted =
        slot < n_full
            ? ty_rng_permute(epoch_key(sampler, epoch, KEY_BLOCKS), n_full, slot) * block +
                  place % block
            : place;
    return (shifted + draw_offset(sampler, epoch)) % n;
}

void ty_sampler_init(ty_sampler *sampler, const ty_dataset *set, ty_split split, uint64_t seed) {
    const int64_t gib = (int64_t)1 << 30, block_bytes = (int64_t)1 << 22;
    const int64_t sample_bytes =
        set->info.x_count * (set->info.x_is_u8 ? 1 : (int64_t)sizeof(float));
    const int64_t n = set->info.count[split];
    int64_t block = block_bytes / sample_bytes, window = set->shuffle_window;
    if (window == TY_AUTO)
        window = n <= 8 * gib / sample_bytes ? n : 4 * gib / sample_bytes;
    *sampler = (ty_sampler){.seed = seed, .n = n, .block = n, .window = n};
    if (window >= n)
        return;
    block = block < 1 ? 1 : block > window ? window : block;
    sampler->block = block;
    sampler->window = window / block * block;
}
