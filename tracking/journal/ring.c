#include "tracking/journal/ring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* turn says whose move it is: pos while free for the pos-th push, pos + 1 once filled. */
typedef struct slot {
    _Atomic uint64_t turn;
    ty_ring_item item;
    char key[TY_RING_KEY_BYTES];
} slot;

struct ty_ring {
    slot *slots;
    size_t capacity;
    _Alignas(64) _Atomic uint64_t tail; /* next push */
    _Alignas(64) _Atomic uint64_t head; /* next pop; written by the one that pops */
};

ty_status ty_ring_open(ty_ctx *ctx, size_t capacity, ty_ring **out) {
    assert(capacity != 0 && (capacity & (capacity - 1)) == 0);
    ty_ring *ring = aligned_alloc(64, sizeof *ring);
    slot *slots = calloc(capacity, sizeof *slots);
    if (!ring || !slots) {
        free(ring);
        free(slots);
        return ty_fail_nomem(ctx, "the ring of metric points");
    }
    *ring = (ty_ring){.slots = slots, .capacity = capacity};
    for (size_t i = 0; i < capacity; i++)
        atomic_init(&slots[i].turn, i);
    *out = ring;
    return TY_OK;
}

void ty_ring_close(ty_ring *ring) {
    if (!ring)
        return;
    ty_ring_item item;
    while (ty_ring_peek(ring, &item))
        ty_ring_pop(ring);
    free(ring->slots);
    free(ring);
}

/* The slot that this push owns, or NULL where the ring is full. */
static slot *claim(ty_ring *ring, uint64_t *out_position) {
    uint64_t position = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    for (;;) {
        slot *s = &ring->slots[position & (ring->capacity - 1)];
        const uint64_t turn = atomic_load_explicit(&s->turn, memory_order_acquire);
        if (turn == position) {
            if (atomic_compare_exchange_weak_explicit(&ring->tail, &position, position + 1,
                                                      memory_order_relaxed, memory_order_relaxed)) {
                *out_position = position;
                return s;
            }
        } else if (turn < position) {
            return NULL;
        } else {
            position = atomic_load_explicit(&ring->tail, memory_order_relaxed);
        }
    }
}

bool ty_ring_push(ty_ring *ring, const ty_ring_item *item) {
    const size_t key_bytes = item->key ? strlen(item->key) + 1 : 0;
    char *long_key = NULL;
    if (key_bytes > TY_RING_KEY_BYTES && !(long_key = strdup(item->key)))
        return false;
    uint64_t position;
    slot *s = claim(ring, &position);
    if (!s) {
        free(long_key);
        return false;
    }
    s->item = *item;
    s->item.key = long_key;
    if (key_bytes != 0 && !long_key)
        s->item.key = memcpy(s->key, item->key, key_bytes);
    atomic_store_explicit(&s->turn, position + 1, memory_order_release);
    return true;
}

static slot *oldest(ty_ring *ring, uint64_t *out_position) {
    *out_position = atomic_load_explicit(&ring->head, memory_order_relaxed);
    slot *s = &ring->slots[*out_position & (ring->capacity - 1)];
    const uint64_t turn = atomic_load_explicit(&s->turn, memory_order_acquire);
    return turn == *out_position + 1 ? s : NULL;
}

bool ty_ring_peek(ty_ring *ring, ty_ring_item *out) {
    uint64_t position;
    const slot *s = oldest(ring, &position);
    if (s)
        *out = s->item;
    return s != NULL;
}

void ty_ring_pop(ty_ring *ring) {
    uint64_t position;
    slot *s = oldest(ring, &position);
    assert(s);
    free(s->item.payload);
    if (s->item.key != s->key)
        free((void *)(uintptr_t)s->item.key);
    atomic_store_explicit(&s->turn, position + ring->capacity, memory_order_release);
    atomic_store_explicit(&ring->head, position + 1, memory_order_relaxed);
}

size_t ty_ring_count(const ty_ring *ring) {
    const uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    const uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    return tail > head ? (size_t)(tail - head) : 0;
}
