/* One small file, rewritten in place by a thread (a rename would lose the flock):
 *
 *   tiltyard-lease 1
 *   host <name>  boot <id>  pid <n>  taken_ns <wall>  ttl_ms <n>  beat_ms <wall>     one a line
 *   check <XXH3-64 of what stands above, hex>
 *
 * padded with newlines to a fixed size, so that a heartbeat is one write of the same bytes. Holders
 * are told apart by host, boot, pid and the moment of taking. */
#include "base/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/io_retry.h"

enum { LEASE_BYTES = 512, WORD_BYTES = 128, MIN_TTL_MS = 100 };
enum { TAKE_TRIES = 20, READ_TRIES = 3, WAIT_MS = 10 };

typedef struct holder {
    char host[WORD_BYTES], boot[WORD_BYTES];
    int64_t pid, taken_ns, ttl_ms, beat_ms;
} holder;

struct ty_lease {
    ty_ctx ctx; /* the heartbeat's */
    char *path;
    int fd;
    holder self;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool must_stop; /* under lock */
    atomic_bool is_lost;
};

/* --- the file's text -------------------------------------------------------------------------- */

static void format_holder(const holder *h, char text[LEASE_BYTES]) {
    memset(text, '\n', LEASE_BYTES);
    int used = snprintf(text, LEASE_BYTES,
                        "tiltyard-lease 1\nhost %s\nboot %s\npid %" PRId64 "\ntaken_ns %" PRId64
                        "\nttl_ms %" PRId64 "\nbeat_ms %" PRId64 "\n",
                        h->host, h->boot, h->pid, h->taken_ns, h->ttl_ms, h->beat_ms);
    size_t length = (size_t)used;
    used = snprintf(text + length, LEASE_BYTES - length, "check %016" PRIx64 "\n",
                    ty_hash64(text, length));
    text[length + (size_t)used] = '\n'; /* over the NUL */
}

/* False for anything that format_holder does not write. */
static bool parse_holder(const char text[LEASE_BYTES + 1], holder *h) {
    int body = 0, all = 0;
    uint64_t check;
    int fields = sscanf(
        text,
        "tiltyard-lease 1\nhost %127s\nboot %127s\npid %" SCNd64 "\ntaken_ns %" SCNd64
        "\nttl_ms %" SCNd64 "\nbeat_ms %" SCNd64 "%n\ncheck %16" SCNx64 "%n",
        h->host, h->boot, &h->pid, &h->taken_ns, &h->ttl_ms, &h->beat_ms, &body, &check, &all);
    return fields == 7 && all > body && body < LEASE_BYTES &&
           ty_hash64(text, (size_t)body + 1) == check;
}

/* --- who is who ------------------------------------------------------------------------------- */

static int64_t wall_ms(const ty_ctx *ctx) {
    return ty_now_wall_ns(ctx) / 1000000;
}

/* A word that %s reads back. */
static void copy_word(char out[WORD_BYTES], const char *text) {
    size_t length = strcspn(text, " \t\r\n");
    if (length >= WORD_BYTES)
        length = WORD_BYTES - 1;
    memcpy(out, text, length);
    out[length] = '\0';
    if (length == 0)
        memcpy(out, "unknown", sizeof "unknown");
}

static void describe_self(ty_ctx *ctx, int ttl_ms, holder *h) {
    char name[256] = "", *boot = NULL;
    size_t bytes = 0;
    (void)gethostname(name, sizeof name - 1);
    copy_word(h->host, name);
    ty_status st = ty_file_read_all(ctx, "/proc/sys/kernel/random/boot_id", 256, &boot, &bytes);
    copy_word(h->boot, st == TY_OK ? boot : "");
    free(boot);
    h->pid = (int64_t)getpid();
    h->taken_ns = ty_now_wall_ns(ctx);
    h->ttl_ms = ttl_ms;
    h->beat_ms = wall_ms(ctx);
}

static bool is_same_holder(const holder *a, const holder *b) {
    return a->pid == b->pid && a->taken_ns == b->taken_ns && strcmp(a->host, b->host) == 0 &&
           strcmp(a->boot, b->boot) == 0;
}

/* With the flock free: whether whoever wrote the file is known to be gone. */
static bool is_dead(const ty_ctx *ctx, const holder *h, const holder *self) {
    if (wall_ms(ctx) - h->beat_ms > h->ttl_ms)
        return true;
    /* The same boot is the same kernel, and its flock would be held; another boot of this host has
     * ended. */
    return strcmp(h->boot, self->boot) == 0 || strcmp(h->host, self->host) == 0;
}

static void wait_ms(int milliseconds) {
    struct timespec time = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    (void)nanosleep(&time, NULL);
}

/* A heartbeat from another host may be seen half done, so a bad text is read again. */
static bool read_holder(ty_ctx *ctx, const char *path, int fd, holder *out) {
    for (int n = 0; n < READ_TRIES; n++) {
        char text[LEASE_BYTES + 1] = {0};
        if (n > 0)
            wait_ms(WAIT_MS);
        if (ty_file_pread(ctx, path, fd, text, LEASE_BYTES, 0) == TY_OK && parse_holder(text, out))
            return true;
    }
    return false;
}

/* --- taking ----------------------------------------------------------------------------------- */

/* Between opening and locking the file may have been removed: a lock on a file without a name is
 * worth nothing. */
static bool is_still_there(ty_ctx *ctx, const char *path, int fd) {
    struct stat by_fd, by_path;
    return ty_file_stat_fd(ctx, path, fd, &by_fd) == TY_OK &&
           ty_file_stat(ctx, path, &by_path) == TY_OK && by_fd.st_ino == by_path.st_ino &&
           by_fd.st_dev == by_path.st_dev;
}

static ty_status say_busy(ty_ctx *ctx, const char *path, int fd) {
    holder h;
    if (!read_holder(ctx, path, fd, &h))
        return ty_fail(ctx, TY_ERR_BUSY, "%s is held by another process", path);
    return ty_fail(ctx, TY_ERR_BUSY,
                   "%s is held by process %" PRId64 " on host %s, last seen %.1f s ago", path,
                   h.pid, h.host, (double)(wall_ms(ctx) - h.beat_ms) * 1e-3);
}

/* One try. *out_fd stays -1 where the file vanished under us, or somebody only looked at it: try
 * again. */
static ty_status try_to_take(ty_ctx *ctx, const char *path, const holder *self, bool is_last,
                             int *out_fd) {
    int fd, locked;
    holder other;
    TY_TRY(ty_file_open(ctx, path, O_RDWR | O_CREAT | O_NONBLOCK | O_NOCTTY, 0644, &fd));
    TY_IO_RETRY(locked, flock(fd, LOCK_EX | LOCK_NB));
    bool is_held =
        locked < 0 && errno == EWOULDBLOCK; /* other errors: no locks here, expiry decides */
    ty_status st = TY_OK;
    if (is_held)
        st = is_last ? say_busy(ctx, path, fd) : TY_OK;
    else if (is_still_there(ctx, path, fd)) {
        if (read_holder(ctx, path, fd, &other) && !is_dead(ctx, &other, self))
            st = say_busy(ctx, path, fd);
        else
            *out_fd = fd;
    }
    if (*out_fd < 0)
        (void)ctx->io->close(ctx->io->self, fd);
    return st;
}

static ty_status take(ty_ctx *ctx, const char *path, const holder *self, int *out_fd) {
    *out_fd = -1;
    for (int n = 1; n <= TAKE_TRIES && *out_fd < 0; n++) {
        if (n > 1)
            wait_ms(WAIT_MS);
        TY_TRY(try_to_take(ctx, path, self, n == TAKE_TRIES, out_fd));
    }
    if (*out_fd < 0)
        return ty_fail(ctx, TY_ERR_BUSY, "%s keeps changing hands", path);
    return TY_OK;
}

static ty_status write_self(ty_ctx *ctx, const ty_lease *lease) {
    char text[LEASE_BYTES];
    format_holder(&lease->self, text);
    return ty_file_pwrite(ctx, lease->path, lease->fd, text, sizeof text, 0);
}

/* --- heartbeat -------------------------------------------------------------------------------- */

/* Somebody else's file is there, or none. A disk that cannot be read just now says nothing. */
static bool was_taken(ty_ctx *ctx, const ty_lease *lease) {
    struct stat by_path;
    holder seen;
    ty_status st = ty_file_stat(ctx, lease->path, &by_path);
    if (st != TY_OK)
        return st == TY_ERR_NOT_FOUND;
    return !is_still_there(ctx, lease->path, lease->fd) ||
           (read_holder(ctx, lease->path, lease->fd, &seen) &&
            !is_same_holder(&seen, &lease->self));
}

static void beat(ty_lease *lease) {
    ty_ctx *ctx = &lease->ctx;
    if (was_taken(ctx, lease)) {
        atomic_store(&lease->is_lost, true);
        ty_log(ctx, TY_LOG_ERROR, "lease", "%s is not ours any more", lease->path);
        return;
    }
    lease->self.beat_ms = wall_ms(ctx);
    if (write_self(ctx, lease) != TY_OK)
        ty_log(ctx, TY_LOG_WARN, "lease", "%s; trying again", ctx->message);
}

static struct timespec after_ms(int64_t milliseconds) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += milliseconds / 1000;
    time.tv_nsec += milliseconds % 1000 * 1000000;
    if (time.tv_nsec >= 1000000000) {
        time.tv_sec++;
        time.tv_nsec -= 1000000000;
    }
    return time;
}

static void *run(void *argument) {
    ty_lease *lease = argument;
    (void)pthread_mutex_lock(&lease->lock);
    while (!lease->must_stop && !atomic_load(&lease->is_lost)) {
        struct timespec until = after_ms(lease->self.ttl_ms / 4);
        int result = 0;
        while (!lease->must_stop && result == 0)
            result = pthread_cond_timedwait(&lease->changed, &lease->lock, &until);
        if (!lease->must_stop)
            beat(lease);
    }
    (void)pthread_mutex_unlock(&lease->lock);
    return NULL;
}

static ty_status start_thread(ty_ctx *ctx, ty_lease *lease) {
    pthread_condattr_t monotonic;
    sigset_t all, before;
    (void)pthread_mutex_init(&lease->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&lease->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    (void)sigfillset(&all); /* signals are the main thread's business */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&lease->thread, NULL, run, lease);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result == 0 ? TY_OK : ty_fail_errno(ctx, result, "cannot start a lease's heartbeat");
}

/* --- the lease -------------------------------------------------------------------------------- */

static void release_memory(ty_lease *lease) {
    ty_ctx_clear(&lease->ctx);
    free(lease->path);
    free(lease);
}

ty_status ty_lease_acquire(ty_ctx *ctx, const char *path, int ttl_ms, ty_lease **out) {
    if (ttl_ms < MIN_TTL_MS)
        return ty_fail(ctx, TY_ERR_ARG, "a lease of %d ms, want at least %d", ttl_ms, MIN_TTL_MS);
    ty_lease *lease = calloc(1, sizeof *lease);
    if (!lease || !(lease->path = strdup(path))) {
        free(lease);
        return ty_fail_nomem(ctx, "a lease");
    }
    ty_ctx_init_child(&lease->ctx, ctx);
    lease->fd = -1;
    describe_self(ctx, ttl_ms, &lease->self);
    ty_status st = TY_OK;
    TY_TRY_GOTO(fail, st, take(ctx, path, &lease->self, &lease->fd));
    TY_TRY_GOTO(fail, st, write_self(ctx, lease));
    TY_TRY_GOTO(fail, st, start_thread(ctx, lease));
    *out = lease;
    return TY_OK;
fail:
    if (lease->fd >= 0)
        (void)ctx->io->close(ctx->io->self, lease->fd);
    release_memory(lease);
    return st;
}

bool ty_lease_is_held(ty_ctx *ctx, const char *path) {
    int fd, locked;
    holder h, self;
    if (ty_file_open(ctx, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd) != TY_OK)
        return false;
    TY_IO_RETRY(locked, flock(fd, LOCK_SH | LOCK_NB));
    bool is_held = locked < 0 && errno == EWOULDBLOCK;
    if (!is_held) {
        describe_self(ctx, MIN_TTL_MS, &self);
        is_held = read_holder(ctx, path, fd, &h) && !is_dead(ctx, &h, &self);
    }
    (void)ctx->io->close(ctx->io->self, fd);
    return is_held;
}

bool ty_lease_is_lost(const ty_lease *lease) {
    return atomic_load(&lease->is_lost);
}

void ty_lease_release(ty_ctx *ctx, ty_lease *lease) {
    if (!lease)
        return;
    (void)pthread_mutex_lock(&lease->lock);
    lease->must_stop = true;
    (void)pthread_cond_broadcast(&lease->changed);
    (void)pthread_mutex_unlock(&lease->lock);
    (void)pthread_join(lease->thread, NULL);
    if (!ty_lease_is_lost(lease) && ty_file_unlink(ctx, lease->path) != TY_OK)
        ty_log(ctx, TY_LOG_WARN, "lease", "%s", ctx->message);
    (void)ctx->io->close(ctx->io->self, lease->fd); /* frees the flock */
    (void)pthread_cond_destroy(&lease->changed);
    (void)pthread_mutex_destroy(&lease->lock);
    release_memory(lease);
}
