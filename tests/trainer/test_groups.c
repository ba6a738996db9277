/* Ranks divided into groups, and letters between them, on any number of ranks: ctest runs this program
 * alone and under mpirun. Each test is run by every rank in step; each is done for groups of 1, 2 and 3
 * where the world has that many, so that with 4 ranks one is left over from groups of 3. */
#include <time.h>

#include "tests/trainer/job_fixture.h"

enum { MOST_WIDTH = 3, N_LETTERS = 60 };

typedef struct groups {
    world *w;
    ty_ctx *ctx;
    ty_comm *world, *comm; /* comm NULL: this rank is in no group */
    int rank, size;        /* in the world */
    int width, group;      /* group -1: none */
    int group_rank;
} groups;

static void check(const groups *g, ty_status st) {
    if (st != TY_OK)
        fail_msg("world rank %d: %s: %s", g->rank, ty_status_name(st), g->ctx->message);
}

static groups divide(world *w, int width) {
    groups g = {.w = w, .ctx = &w->ctx, .world = w->comm, .width = width};
    g.rank = ty_comm_rank(w->comm);
    g.size = ty_comm_size(w->comm);
    g.group = g.rank / width < g.size / width ? g.rank / width : -1;
    g.group_rank = g.rank % width;
    check(&g, ty_comm_split(&w->ctx, w->comm, g.group, &g.comm));
    return g;
}

/* Everybody waits here, so that no test's groups meet the next one's. */
static void unite(groups *g) {
    ty_comm_close(g->comm);
    check(g, ty_comm_barrier(g->ctx, g->world));
}

static bool is_wide_enough(const world *w, int width) {
    return width == 1 || ty_comm_size(w->comm) >= width;
}

/* --- groups ----------------------------------------------------------------------------------- */

static void ranks_are_divided_in_the_worlds_order(void **state) {
    for (int width = 1; width <= MOST_WIDTH && is_wide_enough(*state, width); width++) {
        groups g = divide(*state, width);
        if (g.group < 0) {
            assert_null(g.comm);
        } else {
            assert_int_equal(ty_comm_rank(g.comm), g.group_rank);
            assert_int_equal(ty_comm_size(g.comm), width);
            assert_int_equal(ty_comm_local_rank(g.comm), ty_comm_local_rank(g.world));
            assert_int_equal(ty_comm_local_size(g.comm), ty_comm_local_size(g.world));
        }
        assert_int_equal(g.ctx->rank, g.rank);
        unite(&g);
    }
}

static void a_group_of_mixed_ranks_is_ranked_by_the_worlds(void **state) {
    world *w = *state;
    ty_comm *comm = NULL;
    const int rank = ty_comm_rank(w->comm), size = ty_comm_size(w->comm);
    assert_int_equal(ty_comm_split(&w->ctx, w->comm, rank % 2 ? 7 : 3, &comm), TY_OK);
    assert_int_equal(ty_comm_rank(comm), rank / 2);
    assert_int_equal(ty_comm_size(comm), (size + (rank % 2 ? 0 : 1)) / 2);
    int64_t theirs[16] = {0}, mine = rank;
    assert_in_range(size, 1, 16);
    assert_int_equal(ty_comm_all_gather(&w->ctx, comm, &mine, sizeof mine, theirs), TY_OK);
    for (int i = 0; i < ty_comm_size(comm); i++)
        assert_int_equal(theirs[i], 2 * i + rank % 2);
    ty_comm_close(comm);
    assert_int_equal(ty_comm_barrier(&w->ctx, w->comm), TY_OK);
}

static void one_round_of_calls(const groups *g, int round) {
    uint64_t any = 0, mine = (uint64_t)1 << g->group_rank;
    int64_t least = 0;
    double sums[2] = {1 + g->group, round};
    int word = g->group_rank == g->width - 1 ? 100 * g->group + round : -1;
    const ty_comm_fact fact = {"group", g->group % 2 ? "odd" : "even"};
    check(g, ty_comm_vote(g->ctx, g->comm, mine, &any));
    assert_int_equal(any, ((uint64_t)1 << g->width) - 1);
    check(g, ty_comm_min(g->ctx, g->comm, 10 * g->group + g->group_rank, &least));
    assert_int_equal(least, 10 * g->group);
    check(g, ty_comm_sum(g->ctx, g->comm, sums, 2));
    assert_true(sums[0] == (1 + g->group) * g->width && sums[1] == round * g->width);
    check(g, ty_comm_broadcast(g->ctx, g->comm, g->width - 1, &word, sizeof word));
    assert_int_equal(word, 100 * g->group + round);
    check(g, ty_comm_handshake(g->ctx, g->comm, &fact, 1));
}

/* Groups call at their own pace: one three times as often as its neighbour. */
static void the_calls_of_a_group_stay_in_it(void **state) {
    for (int width = 1; width <= MOST_WIDTH && is_wide_enough(*state, width); width++) {
        groups g = divide(*state, width);
        for (int round = 0; g.comm && round < 30 * (1 + 2 * (g.group % 2)); round++)
            one_round_of_calls(&g, round);
        unite(&g);
    }
}

static void a_failure_in_one_group_is_only_agreed_on_there(void **state) {
    groups g = divide(*state, 1 + (ty_comm_size(((world *)*state)->comm) > 1));
    const bool fails = g.group == 0;
    ty_status mine = TY_OK;
    if (fails && g.group_rank == g.width - 1)
        mine = ty_fail(g.ctx, TY_ERR_DATA, "trouble of group %d", g.group);
    if (g.comm)
        assert_int_equal(ty_comm_agree(g.ctx, g.comm, mine), fails ? TY_ERR_DATA : TY_OK);
    if (fails)
        assert_non_null(strstr(g.ctx->message, "trouble of group 0"));
    if (fails && g.width > 1)
        assert_non_null(strstr(g.ctx->message, ", world rank 1): "));
    unite(&g);
}

static float noise(int64_t index, int who) {
    const uint64_t x = ((uint64_t)index + 1) * 0x9e3779b97f4a7c15u ^ (uint64_t)(who + 1) << 40;
    return ((float)(int64_t)(x >> 40) / 16777216.0f - 0.5f) * (float)(1 << (x & 15));
}

/* A small tree, (0 + 1) + 2. */
static float sum_of_members(int64_t index, int width) {
    float sum = noise(index, 0);
    for (int who = 1; who < width; who++)
        sum += noise(index, who);
    return sum;
}

static void large_sums_of_groups_are_exact_side_by_side(void **state) {
    enum { COUNT = 100003 };
    for (int width = 1; width <= MOST_WIDTH && is_wide_enough(*state, width); width++) {
        groups g = divide(*state, width);
        ty_reduction *reduction = NULL;
        if (g.comm) {
            check(&g, ty_reduction_open(g.ctx, g.comm, COUNT, true, &reduction));
            for (int64_t i = 0; i < COUNT; i++)
                ty_reduction_in(reduction)[i] = noise(i, g.group_rank);
            check(&g, ty_reduction_run(g.ctx, reduction));
            for (int64_t i = 0; i < COUNT; i++)
                assert_true(ty_reduction_out(reduction)[i] == sum_of_members(i, width));
            ty_reduction_close(reduction);
        }
        unite(&g);
    }
}

static void a_group_is_not_divided_again(void **state) {
    groups g = divide(*state, 1);
    ty_comm *again = NULL;
    ty_mail *mail = NULL;
    assert_int_equal(ty_comm_split(g.ctx, g.comm, 0, &again), TY_ERR_ARG);
    assert_int_equal(ty_mail_open(g.ctx, g.comm, &mail), TY_ERR_ARG);
    assert_null(again);
    assert_null(mail);
    unite(&g);
}

/* --- training --------------------------------------------------------------------------------- */

static const char *const config =
    "{\"data\": {\"source\": \"synthetic:90x6x3\", \"val_fraction\": 0.3},"
    "\"model\": {\"layers\": [{\"type\": \"linear\", \"out\": 9}, \"tanh\","
    "{\"type\": \"dropout\", \"rate\": 0.2}, \"linear\"]},"
    "\"device\": \"cpu\","
    "\"train\": {\"duration\": \"12 steps\", \"global_batch_size\": 24, \"threads\": 1},"
    "\"eval\": {\"every\": \"5 steps\"}}";

/* A whole run in comm; the hash of what was learned. */
static uint64_t learned(world *w, ty_comm *comm, int seed) {
    char set[32];
    (void)snprintf(set, sizeof set, "seed=%d", seed);
    job *j = calloc(1, sizeof *j);
    assert_non_null(j);
    const job_options options = {.text = config, .sets = {set}, .comm = comm};
    job_open(&w->ctx, j, &options);
    if (job_run(j) != TY_OK)
        fail_msg("%s", w->ctx.message);
    assert_int_equal(j->result.step, 12);
    const uint64_t hash = j->result.params_hash;
    job_close(j);
    free(j);
    return hash;
}

/* Exact sums give the same bits on 1 and 2 ranks, whatever the neighbours do. */
static void groups_that_train_side_by_side_learn_what_one_alone_learns(void **state) {
    world *w = *state;
    groups g = divide(w, 1);
    const uint64_t alone[2] = {learned(w, g.comm, 1), learned(w, g.comm, 2)};
    unite(&g);
    assert_true(alone[0] != alone[1]);
    if (!is_wide_enough(w, 2))
        return;
    g = divide(w, 2);
    for (int i = 0; g.comm && i < 2; i++)
        assert_true(learned(w, g.comm, 1 + (g.group + i) % 2) == alone[(g.group + i) % 2]);
    unite(&g);
}

/* --- groups that end -------------------------------------------------------------------------- */

static void a_group_that_is_given_up_ends_alone(void **state) {
    world *w = *state;
    if (!is_wide_enough(w, 2))
        return;
    groups g = divide(w, 2);
    if (g.group == 0 && g.group_rank == 1)
        ty_comm_abort(g.comm, 7);
    for (int round = 0; g.group > 0 && round < 20; round++)
        one_round_of_calls(&g, round);
    if (g.group == 0) {
        assert_int_equal(ty_comm_barrier(g.ctx, g.comm), TY_ERR_COMM);
        assert_non_null(strstr(g.ctx->message, ", world rank 1) gave its group up (7)"));
    }
    unite(&g);
}

static void ranks_out_of_step_end_their_group_alone(void **state) {
    world *w = *state;
    if (!is_wide_enough(w, 2))
        return;
    groups g = divide(w, 2);
    uint64_t any = 0;
    if (g.group == 0) {
        assert_int_equal(g.group_rank ? ty_comm_vote(g.ctx, g.comm, 0, &any)
                                      : ty_comm_barrier(g.ctx, g.comm),
                         TY_ERR_COMM);
        assert_non_null(strstr(g.ctx->message, ", world rank 1) calls vote #1"));
    }
    for (int round = 0; g.group > 0 && round < 20; round++)
        one_round_of_calls(&g, round);
    unite(&g);
}

/* --- letters ---------------------------------------------------------------------------------- */

static ty_mail *open_mail(const groups *g) {
    ty_mail *mail = NULL;
    check(g, ty_mail_open(g->ctx, g->world, &mail));
    return mail;
}

static groups undivided(world *w) {
    return (groups){.w = w,
                    .ctx = &w->ctx,
                    .world = w->comm,
                    .rank = ty_comm_rank(w->comm),
                    .size = ty_comm_size(w->comm)};
}

/* The next letter, however long it takes; what counts is that it comes. */
static ty_letter take(const groups *g, ty_mail *mail) {
    ty_letter letter;
    bool found = false;
    while (!found)
        check(g, ty_mail_take(g->ctx, mail, 1, &letter, &found));
    return letter;
}

static void a_missing_member_is_named_by_both_its_ranks(void **state) {
    world *w = *state;
    if (!is_wide_enough(w, 2))
        return;
    groups g = divide(w, 2);
    ty_mail *mail = open_mail(&g);
    if (g.group == 0 && g.group_rank == 0) {
        ty_comm_set_deadline(g.comm, 0.2);
        assert_int_equal(ty_comm_barrier(g.ctx, g.comm), TY_ERR_COMM);
        assert_non_null(strstr(g.ctx->message, "rank 1 ("));
        assert_non_null(strstr(g.ctx->message, ", world rank 1"));
        assert_non_null(strstr(g.ctx->message, "barrier #1 within 0.2 s"));
        check(&g, ty_mail_send(g.ctx, mail, 1, "", 0));
    } else if (g.group == 0) {
        assert_int_equal(take(&g, mail).rank, 0);
    }
    ty_mail_close(mail);
    unite(&g);
}

enum { SLOW_ROUNDS = 30, SLOW_MS = 100 };

/* Its word takes half as long again as a rank is waited for. */
static bool word_is_slow(void *self, ty_answer *answer, const char **reason) {
    const struct timespec nap = {.tv_nsec = SLOW_MS * 1000000L};
    int *rounds = self;
    (void)nanosleep(&nap, NULL);
    *answer = TY_STOP;
    *reason = "a slow word";
    return ++*rounds < SLOW_ROUNDS;
}

static void a_group_waits_longer_for_a_word_than_for_a_rank(void **state) {
    groups g = divide(*state, is_wide_enough(*state, 2) ? 2 : 1);
    int rounds = 0;
    const ty_observer slow = {.waits = word_is_slow, .self = &rounds};
    const ty_observers observers = {.v = &slow, .n = 1};
    ty_answer answer = TY_CONTINUE;
    const char *reason = NULL;
    if (g.comm) {
        ty_comm_set_deadline(g.comm, 2);
        check(&g, ty_observers_await(g.ctx, g.comm, g.group_rank == 0 ? &observers : NULL, &answer,
                                     &reason));
        assert_int_equal(rounds, g.group_rank == 0 ? SLOW_ROUNDS : 0);
        assert_int_equal(answer, g.group_rank == 0 ? TY_STOP : TY_CONTINUE);
        ty_comm_set_deadline(g.comm, 60);
    }
    unite(&g);
}

static void nothing_is_found_where_nothing_was_sent(void **state) {
    const groups g = undivided(*state);
    ty_mail *mail = open_mail(&g);
    ty_letter letter;
    bool found = true;
    check(&g, ty_mail_take(g.ctx, mail, 0, &letter, &found));
    assert_false(found);
    check(&g, ty_mail_take(g.ctx, mail, 0.02, &letter, &found));
    assert_false(found);
    ty_mail_close(mail);
    check(&g, ty_comm_barrier(g.ctx, g.world));
}

static void letters_to_oneself_come_in_order(void **state) {
    const groups g = undivided(*state);
    ty_mail *mail = open_mail(&g);
    for (int i = 0; i < TY_MAIL_MOST; i++)
        check(&g, ty_mail_send(g.ctx, mail, g.rank, &i, sizeof i));
    assert_int_equal(ty_mail_send(g.ctx, mail, g.rank, &g.rank, sizeof g.rank), TY_ERR_BUSY);
    for (int i = 0; i < TY_MAIL_MOST; i++) {
        const ty_letter letter = take(&g, mail);
        assert_int_equal(letter.rank, g.rank);
        assert_int_equal(letter.bytes, sizeof i);
        assert_memory_equal(letter.data, &i, sizeof i);
    }
    check(&g, ty_mail_send(g.ctx, mail, g.rank, NULL, 0));
    ty_mail_close(mail); /* with a letter in it */
    ty_mail_close(NULL);
}

static void letters_that_cannot_be_sent_are_refused(void **state) {
    static char large[TY_MAIL_BYTES + 1];
    const groups g = undivided(*state);
    ty_mail *mail = open_mail(&g);
    assert_int_equal(ty_mail_send(g.ctx, mail, g.size, "", 0), TY_ERR_ARG);
    assert_int_equal(ty_mail_send(g.ctx, mail, -1, "", 0), TY_ERR_ARG);
    assert_int_equal(ty_mail_send(g.ctx, mail, 0, large, sizeof large), TY_ERR_ARG);
    ty_mail_close(mail);
}

/* What letter i of a rank to a rank is: sizes from nothing to the most, on both sides of what MPI sends
 * at once. */
static size_t write_letter(int from, int to, int i, char out[TY_MAIL_BYTES]) {
    static const size_t sizes[] = {8, 0, 100, 5000, TY_MAIL_BYTES, 4096, 1, 33333};
    const size_t bytes = sizes[(from + to + i) % 8];
    for (size_t at = 0; at < bytes; at++)
        out[at] = (char)((size_t)(31 * from + 7 * to + 3 * i) + at * 13);
    return bytes;
}

typedef struct post_office {
    groups g;
    ty_mail *mail;
    int sent[16], got[16];
    char buffer[TY_MAIL_BYTES];
} post_office;

static void take_what_is_there(post_office *p) {
    ty_letter letter;
    for (bool found = true; found;) {
        check(&p->g, ty_mail_take(p->g.ctx, p->mail, 0, &letter, &found));
        if (!found)
            return;
        const int i = p->got[letter.rank]++;
        assert_int_equal(letter.bytes, write_letter(letter.rank, p->g.rank, i, p->buffer));
        assert_memory_equal(letter.data, p->buffer, letter.bytes);
    }
}

static void send_next(post_office *p, int to) {
    if (p->sent[to] == N_LETTERS)
        return;
    const size_t bytes = write_letter(p->g.rank, to, p->sent[to], p->buffer);
    const ty_status st = ty_mail_send(p->g.ctx, p->mail, to, p->buffer, bytes);
    if (st == TY_OK)
        p->sent[to]++;
    else if (st != TY_ERR_BUSY)
        check(&p->g, st);
}

/* Rank 0 writes to all, itself included, and all write to it. */
static bool is_through(const post_office *p) {
    const int n = p->g.rank == 0 ? p->g.size : 1;
    for (int other = 0; other < n; other++) {
        if (p->sent[other] < N_LETTERS || p->got[other] < N_LETTERS)
            return false;
    }
    return true;
}

static void letters_go_both_ways_while_groups_work(void **state) {
    for (int width = 1; width <= MOST_WIDTH && is_wide_enough(*state, width); width++) {
        post_office *p = calloc(1, sizeof *p);
        assert_non_null(p);
        p->g = divide(*state, width);
        p->mail = open_mail(&p->g);
        assert_in_range(p->g.size, 1, 16);
        uint64_t any = 1;
        for (int round = 0; any; round++) {
            for (int other = 0; other < (p->g.rank == 0 ? p->g.size : 1); other++)
                send_next(p, other);
            if (p->g.comm)
                one_round_of_calls(&p->g, round);
            take_what_is_there(p);
            any = !is_through(p);
            if (p->g.comm)
                check(&p->g, ty_comm_vote(p->g.ctx, p->g.comm, any, &any));
        }
        ty_mail_close(p->mail);
        unite(&p->g);
        free(p);
    }
}

/* A rank that takes nothing is not waited for, and costs the sender no more than its bound. */
static void who_takes_no_letters_is_not_waited_for(void **state) {
    static char large[TY_MAIL_BYTES];
    const groups g = undivided(*state);
    if (g.size == 1)
        return;
    ty_mail *mail = open_mail(&g);
    if (g.rank == 0) {
        ty_status st = TY_OK;
        int sent = 0;
        for (; st == TY_OK && sent <= TY_MAIL_MOST; sent += st == TY_OK)
            st = ty_mail_send(g.ctx, mail, 1, large, sizeof large);
        assert_int_equal(st, TY_ERR_BUSY);
        assert_int_equal(sent, TY_MAIL_MOST);
        assert_non_null(strstr(g.ctx->message, "has not taken the last 64 letters"));
    }
    check(&g, ty_comm_barrier(g.ctx, g.world));
    for (int i = 0; g.rank == 1 && i < TY_MAIL_MOST; i++)
        assert_int_equal(take(&g, mail).bytes, sizeof large);
    ty_mail_close(mail);
    check(&g, ty_comm_barrier(g.ctx, g.world));
}

static void nobody_of_a_world_that_works_is_gone(void **state) {
    const groups g = undivided(*state);
    for (int rank = -1; rank <= g.size; rank++)
        assert_false(ty_comm_is_gone(g.world, rank));
    check(&g, ty_comm_barrier(g.ctx, g.world));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_are_divided_in_the_worlds_order),
        cmocka_unit_test(a_group_of_mixed_ranks_is_ranked_by_the_worlds),
        cmocka_unit_test(the_calls_of_a_group_stay_in_it),
        cmocka_unit_test(a_failure_in_one_group_is_only_agreed_on_there),
        cmocka_unit_test(large_sums_of_groups_are_exact_side_by_side),
        cmocka_unit_test(a_group_is_not_divided_again),
        cmocka_unit_test(groups_that_train_side_by_side_learn_what_one_alone_learns),
        cmocka_unit_test(a_group_that_is_given_up_ends_alone),
        cmocka_unit_test(ranks_out_of_step_end_their_group_alone),
        cmocka_unit_test(a_missing_member_is_named_by_both_its_ranks),
        cmocka_unit_test(a_group_waits_longer_for_a_word_than_for_a_rank),
        cmocka_unit_test(nothing_is_found_where_nothing_was_sent),
        cmocka_unit_test(letters_to_oneself_come_in_order),
        cmocka_unit_test(letters_that_cannot_be_sent_are_refused),
        cmocka_unit_test(letters_go_both_ways_while_groups_work),
        cmocka_unit_test(who_takes_no_letters_is_not_waited_for),
        cmocka_unit_test(nobody_of_a_world_that_works_is_gone),
    };
    return cmocka_run_group_tests_name("groups", tests, world_open, world_close);
}
