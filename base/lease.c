/* One small file, rewritten in place by its holder's thread:
 *
 *   tiltyard-lease 1
 *   host <name>  boot <id>  pid <n>  taken_ns <wall>  ttl_ms <n>  beat_ms <wall>     one a line
 *   may_wake 1                                                                       where it is so
 *   check <XXH3-64 of what stands above, hex>
 *
 * padded with newlines to a fixed size, so that a heartbeat is one write of the same bytes. Holders
 * are told apart by host, boot, pid and the moment of taking.
 *
 * Each holder brings a file of its own, so that the heartbeat of one that slept reaches nobody else's.
 * It is renamed into place between two looks: a temporary is made, whoever stands there is looked at
 * again, it is renamed, all other temporaries are removed, and it is looked whether it still stands
 * there. So of all who take a lease at once, on files without locks and with pauses of any length
 * between two calls, one has it: who looked before the other renamed finds its temporary gone. */
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
    bool may_wake; /* one before it, that still has something open */
} holder;

struct ty_lease {
    ty_ctx ctx; /* the heartbeat's */
    char *path;
    int fd;
    dev_t device; /* fd's file */
    ino_t inode;
    holder self; /* beat_ms and may_wake under lock once the thread runs */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool must_stop; /* under lock */
    atomic_bool is_lost, is_checked;
};

/* --- the file's text -------------------------------------------------------------------------- */

static const char may_wake_line[] = "may_wake 1\n";

static void format_holder(const holder *h, char text[LEASE_BYTES]) {
    memset(text, '\n', LEASE_BYTES);
    int used = snprintf(text, LEASE_BYTES,
                        "tiltyard-lease 1\nhost %s\nboot %s\npid %" PRId64 "\ntaken_ns %" PRId64
                        "\nttl_ms %" PRId64 "\nbeat_ms %" PRId64 "\n%s",
                        h->host, h->boot, h->pid, h->taken_ns, h->ttl_ms, h->beat_ms,
                        h->may_wake ? may_wake_line : "");
    size_t length = (size_t)used;
    used = snprintf(text + length, LEASE_BYTES - length, "check %016" PRIx64 "\n",
                    ty_hash64(text, length));
    text[length + (size_t)used] = '\n'; /* over the NUL */
}

/* False for anything that format_holder does not write. */
static bool parse_holder(const char text[LEASE_BYTES + 1], holder *h) {
    int body = 0;
    uint64_t check;
    const int fields =
        sscanf(text,
               "tiltyard-lease 1\nhost %127s\nboot %127s\npid %" SCNd64 "\ntaken_ns %" SCNd64
               "\nttl_ms %" SCNd64 "\nbeat_ms %" SCNd64 "%n",
               h->host, h->boot, &h->pid, &h->taken_ns, &h->ttl_ms, &h->beat_ms, &body);
    if (fields != 6 || body >= LEASE_BYTES || text[body] != '\n')
        return false;
    const char *rest = text + body + 1;
    h->may_wake = strncmp(rest, may_wake_line, sizeof may_wake_line - 1) == 0;
    rest += h->may_wake ? sizeof may_wake_line - 1 : 0;
    return sscanf(rest, "check %16" SCNx64, &check) == 1 &&
           ty_hash64(text, (size_t)(rest - text)) == check;
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

/* A flock that is free is one that its holder's kernel has let go of, if that is this one; another
 * boot of this host has ended. */
static bool is_gone(const holder *h, const holder *self, bool has_locks) {
    return has_locks && (strcmp(h->boot, self->boot) == 0 || strcmp(h->host, self->host) == 0);
}

/* With nobody's flock on it: whether whoever wrote the file counts as dead. */
static bool is_dead(const ty_ctx *ctx, const holder *h, const holder *self, bool has_locks) {
    return wall_ms(ctx) - h->beat_ms > h->ttl_ms || is_gone(h, self, has_locks);
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

/* By opening its name: NFS then asks its server who has it now. */
static ty_status stat_by_name(ty_ctx *ctx, const char *path, int *fd, struct stat *out) {
    TY_TRY(ty_file_open(ctx, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, fd));
    const ty_status st = ty_file_stat_fd(ctx, path, *fd, out);
    if (st != TY_OK)
        (void)ctx->io->close(ctx->io->self, *fd);
    return st;
}

/* Between opening and locking the file may have been removed: a lock on a file without a name is
 * worth nothing. */
static bool is_still_there(ty_ctx *ctx, const char *path, int fd) {
    struct stat by_fd, by_path;
    int other;
    if (ty_file_stat_fd(ctx, path, fd, &by_fd) != TY_OK ||
        stat_by_name(ctx, path, &other, &by_path) != TY_OK)
        return false;
    (void)ctx->io->close(ctx->io->self, other);
    return by_fd.st_ino == by_path.st_ino && by_fd.st_dev == by_path.st_dev;
}

static ty_status say_busy(ty_ctx *ctx, const char *path, int fd) {
    holder h;
    if (!read_holder(ctx, path, fd, &h))
        return ty_fail(ctx, TY_ERR_BUSY, "%s is held by another process", path);
    return ty_fail(ctx, TY_ERR_BUSY,
                   "%s is held by process %" PRId64 " on host %s, last seen %.1f s ago", path,
                   h.pid, h.host, (double)(wall_ms(ctx) - h.beat_ms) * 1e-3);
}

/* Who left took the file along, as it is when nobody was here yet: an empty file is one that was just made. Where
 * a lock of this host says nothing of others, one that slept may have removed the file of who followed it. */
static bool may_have_been_anybody(ty_ctx *ctx, const char *path, bool has_locks) {
    return !has_locks || ty_disk_is_network(ctx, path);
}

static ty_status look_at_last(ty_ctx *ctx, ty_lease *lease, int fd, bool has_locks) {
    holder last;
    struct stat info;
    TY_TRY(ty_file_stat_fd(ctx, lease->path, fd, &info));
    if (info.st_size == 0) {
        lease->self.may_wake = may_have_been_anybody(ctx, lease->path, has_locks);
        return TY_OK;
    }
    const bool is_known = read_holder(ctx, lease->path, fd, &last);
    if (is_known && !is_dead(ctx, &last, &lease->self, has_locks))
        return say_busy(ctx, lease->path, fd);
    const bool has_gone = is_known && is_gone(&last, &lease->self, has_locks);
    lease->self.may_wake = !has_gone || last.may_wake;
    if (is_known && !has_gone)
        ty_log(ctx, TY_LOG_WARN, "lease",
               "%s is taken over from process %" PRId64
               " on host %s, last seen %.1f s ago; if it wakes up, what it writes counts no more",
               lease->path, last.pid, last.host, (double)(wall_ms(ctx) - last.beat_ms) * 1e-3);
    return TY_OK;
}

static ty_status write_self(ty_ctx *ctx, const ty_lease *lease) {
    char text[LEASE_BYTES];
    format_holder(&lease->self, text);
    return ty_file_pwrite(ctx, lease->path, lease->fd, text, sizeof text, 0);
}

static ty_status fill_temp(ty_ctx *ctx, ty_lease *lease) {
    struct stat info;
    int locked;
    TY_IO_RETRY(locked, flock(lease->fd, LOCK_EX | LOCK_NB)); /* where there are locks */
    (void)locked;
    TY_TRY(ty_file_stat_fd(ctx, lease->path, lease->fd, &info));
    lease->device = info.st_dev;
    lease->inode = info.st_ino;
    return write_self(ctx, lease);
}

/* Somebody else's file is there, or none. A disk that cannot be read just now says nothing. */
static bool was_taken(ty_ctx *ctx, const ty_lease *lease) {
    struct stat info;
    holder seen;
    int fd;
    const ty_status st = stat_by_name(ctx, lease->path, &fd, &info);
    if (st != TY_OK)
        return st == TY_ERR_NOT_FOUND;
    const bool was =
        info.st_ino != lease->inode || info.st_dev != lease->device ||
        (read_holder(ctx, lease->path, fd, &seen) && !is_same_holder(&seen, &lease->self));
    (void)ctx->io->close(ctx->io->self, fd);
    return was;
}

static ty_status put_in_place(ty_ctx *ctx, ty_lease *lease, const char *temp, int last,
                              bool *took) {
    TY_TRY(fill_temp(ctx, lease));
    if (!is_still_there(ctx, lease->path, last))
        return TY_OK;
    const ty_status st = ty_file_rename(ctx, temp, lease->path);
    if (st == TY_ERR_NOT_FOUND) /* removed by one who was quicker */
        return TY_OK;
    TY_TRY(st);
    TY_TRY(ty_file_sweep_temps(ctx, lease->path));
    *took = !was_taken(ctx, lease);
    return TY_OK;
}

/* Puts an own file in the place of last's, if that is still there. *took is false where another one was
 * quicker. */
static ty_status replace(ty_ctx *ctx, ty_lease *lease, int last, bool *took) {
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    char *temp = NULL;
    ty_status st = ty_file_open_temp(ctx, lease->path, &ctx->scratch, &temp, &lease->fd);
    if (st == TY_OK) {
        st = put_in_place(ctx, lease, temp, last, took);
        if (!*took) {
            (void)ctx->io->unlink(ctx->io->self, temp);
            (void)ctx->io->close(ctx->io->self, lease->fd);
            lease->fd = -1;
        }
    }
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

/* One try; *took is false where the file vanished under us, or somebody only looked at it: try again. */
static ty_status try_to_take(ty_ctx *ctx, ty_lease *lease, bool is_last, bool *took) {
    int fd, locked;
    const char *path = lease->path;
    TY_TRY(ty_file_open(ctx, path, O_RDWR | O_CREAT | O_NONBLOCK | O_NOCTTY, 0644, &fd));
    TY_IO_RETRY(locked, flock(fd, LOCK_EX | LOCK_NB));
    bool is_held =
        locked < 0 && errno == EWOULDBLOCK; /* other errors: no locks here, expiry decides */
    ty_status st = TY_OK;
    if (is_held)
        st = is_last ? say_busy(ctx, path, fd) : TY_OK;
    else if (is_still_there(ctx, path, fd)) {
        st = look_at_last(ctx, lease, fd, locked == 0);
        if (st == TY_OK)
            st = replace(ctx, lease, fd, took);
    }
    (void)ctx->io->close(ctx->io->self, fd);
    return st;
}

static ty_status take(ty_ctx *ctx, ty_lease *lease) {
    bool took = false;
    for (int n = 1; n <= TAKE_TRIES && !took; n++) {
        if (n > 1)
            wait_ms(WAIT_MS);
        TY_TRY(try_to_take(ctx, lease, n == TAKE_TRIES, &took));
    }
    if (!took)
        return ty_fail(ctx, TY_ERR_BUSY, "%s keeps changing hands", lease->path);
    return TY_OK;
}

/* --- heartbeat -------------------------------------------------------------------------------- */

static void beat(ty_lease *lease) {
    ty_ctx *ctx = &lease->ctx;
    if (was_taken(ctx, lease)) {
        atomic_store(&lease->is_lost, true);
        if (!atomic_load(&lease->is_checked))
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
    TY_TRY_GOTO(fail, st, take(ctx, lease));
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
        is_held = read_holder(ctx, path, fd, &h) && !is_dead(ctx, &h, &self, locked == 0);
    }
    (void)ctx->io->close(ctx->io->self, fd);
    return is_held;
}

bool ty_lease_is_lost(const ty_lease *lease) {
    return atomic_load(&lease->is_lost);
}

ty_status ty_lease_check(ty_ctx *ctx, ty_lease *lease) {
    holder now;
    int fd;
    atomic_store(&lease->is_checked, true);
    if (!ty_lease_is_lost(lease) && !was_taken(ctx, lease))
        return TY_OK;
    atomic_store(&lease->is_lost, true);
    const bool is_there = ty_file_open(ctx, lease->path, O_RDONLY | O_NONBLOCK, 0, &fd) == TY_OK;
    const bool is_known = is_there && read_holder(ctx, lease->path, fd, &now);
    if (is_there)
        (void)ctx->io->close(ctx->io->self, fd);
    if (!is_known)
        return ty_fail(ctx, TY_ERR_BUSY, "%s is not ours any more", lease->path);
    return ty_fail(ctx, TY_ERR_BUSY, "%s was taken over by process %" PRId64 " on host %s",
                   lease->path, now.pid, now.host);
}

bool ty_lease_may_wake(const ty_lease *lease) {
    return lease->self.may_wake;
}

ty_status ty_lease_settle(ty_ctx *ctx, ty_lease *lease) {
    (void)pthread_mutex_lock(&lease->lock);
    lease->self.may_wake = false;
    const ty_status st = write_self(ctx, lease);
    (void)pthread_mutex_unlock(&lease->lock);
    return st;
}

void ty_lease_release(ty_ctx *ctx, ty_lease *lease) {
    if (!lease)
        return;
    (void)pthread_mutex_lock(&lease->lock);
    lease->must_stop = true;
    (void)pthread_cond_broadcast(&lease->changed);
    (void)pthread_mutex_unlock(&lease->lock);
    (void)pthread_join(lease->thread, NULL);
    const bool is_ours = !ty_lease_is_lost(lease) && !was_taken(ctx, lease);
    /* What the next one has to know stays. */
    if (is_ours && !lease->self.may_wake && ty_file_unlink(ctx, lease->path) != TY_OK)
        ty_log(ctx, TY_LOG_WARN, "lease", "%s", ctx->message);
    (void)ctx->io->close(ctx->io->self, lease->fd); /* frees the flock */
    (void)pthread_cond_destroy(&lease->changed);
    (void)pthread_mutex_destroy(&lease->lock);
    release_memory(lease);
}
