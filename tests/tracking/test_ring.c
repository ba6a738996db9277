/* The ring between the threads that train and the one that writes. */
#include "tests/tracking/fixture.h"

#include <sched.h>

#include "tracking/journal/ring.h"

enum { N_THREADS = 3, N_EACH = 20000 };

static ty_ring *open_ring(fixture *f, size_t capacity) {
    ty_ring *ring = NULL;
    assert_ok(f, ty_ring_open(&f->ctx, capacity, &ring));
    return ring;
}

static void items_come_out_in_the_order_they_went_in(void **state) {
    ty_ring *ring = open_ring(*state, 8);
    for (int64_t i = 0; i < 100; i++) {
        ty_ring_item item;
        assert_true(ty_ring_push(ring, &(ty_ring_item){.step = i, .value = 0.5, .key = "loss"}));
        assert_true(ty_ring_peek(ring, &item));
        assert_int_equal(item.step, i);
        assert_string_equal(item.key, "loss");
        ty_ring_pop(ring);
    }
    ty_ring_close(ring);
}

static void a_full_ring_refuses_and_takes_again_after_one_is_out(void **state) {
    ty_ring *ring = open_ring(*state, 4);
    const ty_ring_item item = {.key = "loss"};
    for (int i = 0; i < 4; i++)
        assert_true(ty_ring_push(ring, &item));
    assert_false(ty_ring_push(ring, &item));
    assert_int_equal(ty_ring_count(ring), 4);
    ty_ring_pop(ring);
    assert_true(ty_ring_push(ring, &item));
    ty_ring_close(ring);
}

static void keys_of_any_length_and_payloads_come_through(void **state) {
    ty_ring *ring = open_ring(*state, 16);
    char key[300];
    for (size_t length = 70; length < 300; length += 5) {
        ty_ring_item item;
        memset(key, 'k', length);
        key[length] = '\0';
        assert_true(ty_ring_push(ring, &(ty_ring_item){.key = key}));
        assert_true(ty_ring_peek(ring, &item));
        assert_string_equal(item.key, key);
        ty_ring_pop(ring);
    }
    assert_true(ty_ring_push(ring, &(ty_ring_item){.type = 3, .payload = strdup("{}")}));
    ty_ring_close(ring); /* frees it */
}

typedef struct pusher {
    ty_ring *ring;
    int64_t id;
} pusher;

static void *push_many(void *self) {
    const pusher *p = self;
    for (int64_t i = 0; i < N_EACH; i++)
        while (!ty_ring_push(p->ring,
                             &(ty_ring_item){.step = i, .time_ns = p->id, .key = "train/loss"}))
            (void)sched_yield();
    return NULL;
}

static void many_threads_lose_nothing_and_keep_their_own_order(void **state) {
    ty_ring *ring = open_ring(*state, 64);
    pthread_t threads[N_THREADS];
    pusher pushers[N_THREADS];
    int64_t next[N_THREADS] = {0};
    for (int i = 0; i < N_THREADS; i++) {
        pushers[i] = (pusher){ring, i};
        assert_int_equal(pthread_create(&threads[i], NULL, push_many, &pushers[i]), 0);
    }
    for (int64_t n = 0; n < (int64_t)N_THREADS * N_EACH;) {
        ty_ring_item item;
        if (!ty_ring_peek(ring, &item)) {
            (void)sched_yield();
            continue;
        }
        assert_int_equal(item.step, next[item.time_ns]);
        next[item.time_ns]++;
        ty_ring_pop(ring);
        n++;
    }
    for (int i = 0; i < N_THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    ty_ring_close(ring);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(items_come_out_in_the_order_they_went_in, fixture_set_up,
                                        fixture_tear_down),
        cmocka_unit_test_setup_teardown(a_full_ring_refuses_and_takes_again_after_one_is_out,
                                        fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(keys_of_any_length_and_payloads_come_through,
                                        fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(many_threads_lose_nothing_and_keep_their_own_order,
                                        fixture_set_up, fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
