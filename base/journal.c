/* The journal's one writer. The file's good part only ever grows: [0, synced) survives power loss,
 * [synced, end) is waiting for a sync, and whatever is behind end is nobody's and is cut. */
#include "base/journal_frame.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/io_retry.h"

struct ty_journal {
    char *path;
    ty_lease *lease; /* NULL: none */
    int fd;
    int64_t end, synced;
    uint64_t last_sequence, synced_sequence;
    /* Bytes behind end could not be cut: only opening again can tell what is true. */
    bool is_broken;
    bool needs_rewrite; /* a sync failed: the system may have dropped what it could not write */
    unsigned char *frame;
    size_t frame_capacity;
};

static ty_status lock_file(ty_ctx *ctx, const char *path, int fd, bool has_lease) {
    int result;
    TY_IO_RETRY(result, flock(fd, LOCK_EX | LOCK_NB));
    if (result < 0 && errno == EWOULDBLOCK)
        return ty_fail(ctx, TY_ERR_BUSY, "%s is being written by another process", path);
    if (result < 0 && !has_lease)
        ty_log(ctx, TY_LOG_WARN, "journal",
               "%s cannot be locked here (%s); make sure that one process writes it", path,
               strerror(errno));
    return TY_OK;
}

static ty_status cut(ty_ctx *ctx, const char *path, int fd, int64_t length) {
    int result;
    TY_IO_RETRY(result, ctx->io->ftruncate(ctx->io->self, fd, (off_t)length));
    if (result < 0)
        return ty_fail_errno(ctx, errno, "cannot cut %s to %" PRId64 " bytes", path, length);
    return TY_OK;
}

static ty_status sync_data(ty_ctx *ctx, const char *path, int fd) {
    int result;
    TY_IO_RETRY(result, ctx->io->fdatasync(ctx->io->self, fd));
    if (result < 0)
        return ty_fail_errno(ctx, errno, "cannot flush %s to the disk", path);
    return TY_OK;
}

/* A new file, or one whose creation was cut short. */
static ty_status write_header(ty_ctx *ctx, const char *path, int fd) {
    TY_TRY(cut(ctx, path, fd, 0));
    TY_TRY(ty_file_pwrite(ctx, path, fd, ty_journal_magic, TY_JOURNAL_HEADER_BYTES, 0));
    TY_TRY(ty_file_sync(ctx, path, fd));
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    char *folder = ty_path_folder(&ctx->scratch, path);
    ty_status st = folder ? ty_dir_sync(ctx, folder) : ty_fail_nomem(ctx, "a folder's name");
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

static ty_status scan(ty_ctx *ctx, ty_journal_reader *reader) {
    ty_journal_record record;
    bool has_record = true;
    while (has_record)
        TY_TRY(ty_journal_reader_next(ctx, reader, &record, &has_record));
    return TY_OK;
}

static ty_status cut_tail(ty_ctx *ctx, const ty_journal *journal, int64_t size) {
    ty_log(ctx, TY_LOG_WARN, "journal",
           "%s: cutting a torn tail of %" PRId64 " bytes behind record %" PRIu64, journal->path,
           size - journal->end, journal->last_sequence);
    return cut(ctx, journal->path, journal->fd, journal->end);
}

/* Finds the end of what is good and cuts the rest. What was there counts as waiting for a sync: a killed
 * writer may not have come to it, and the first sync of this one makes all of it last at once. */
static ty_status recover(ty_ctx *ctx, ty_journal *journal) {
    struct stat info;
    ty_journal_reader reader = {0};
    ty_status st =
        ty_frame_reader_init(ctx, &reader, journal->path, journal->fd, TY_JOURNAL_HEADER_BYTES, 1);
    if (st == TY_OK)
        st = scan(ctx, &reader);
    bool has_header = reader.has_header;
    journal->end = reader.offset;
    journal->synced = TY_JOURNAL_HEADER_BYTES;
    journal->last_sequence = reader.next_sequence - 1;
    ty_frame_reader_clear(&reader);
    TY_TRY(st);
    if (!has_header)
        return write_header(ctx, journal->path, journal->fd);
    TY_TRY(ty_file_stat_fd(ctx, journal->path, journal->fd, &info));
    return (int64_t)info.st_size > journal->end ? cut_tail(ctx, journal, (int64_t)info.st_size)
                                                : TY_OK;
}

/* What is known without asking the disk, which may be far away: records come by the thousand. */
static ty_status check_not_lost(ty_ctx *ctx, const ty_journal *journal) {
    return journal->lease && ty_lease_is_lost(journal->lease) ? ty_lease_check(ctx, journal->lease)
                                                              : TY_OK;
}

/* A call that failed under a lease that is somebody else's by now failed because of that. */
static ty_status check_held(ty_ctx *ctx, const ty_journal *journal, ty_status st) {
    char message[TY_MESSAGE_BYTES];
    if (!journal->lease)
        return st;
    memcpy(message, ctx->message, sizeof message);
    TY_TRY(ty_lease_check(ctx, journal->lease));
    memcpy(ctx->message, message, sizeof message);
    return st;
}

/* The lease is looked at between opening and the first change: what is open then is no follower's. */
static ty_status open_file(ty_ctx *ctx, ty_journal *journal) {
    const int flags = O_RDWR | O_CREAT | O_NONBLOCK | O_NOCTTY;
    if (journal->lease)
        TY_TRY(ty_journal_fence(ctx, journal->path, journal->lease));
    TY_TRY(ty_file_open(ctx, journal->path, flags, 0644, &journal->fd));
    TY_TRY(check_held(ctx, journal, TY_OK));
    TY_TRY(lock_file(ctx, journal->path, journal->fd, journal->lease != NULL));
    return recover(ctx, journal);
}

ty_status ty_journal_open(ty_ctx *ctx, const char *path, ty_journal **out) {
    return ty_journal_open_held(ctx, path, NULL, out);
}

ty_status ty_journal_open_held(ty_ctx *ctx, const char *path, ty_lease *lease, ty_journal **out) {
    ty_status st = TY_OK;
    ty_journal *journal = calloc(1, sizeof *journal);
    if (!journal)
        return ty_fail_nomem(ctx, "a journal");
    journal->fd = -1;
    journal->lease = lease;
    if (!(journal->path = strdup(path))) {
        st = ty_fail_nomem(ctx, "a journal");
        goto fail;
    }
    TY_TRY_GOTO(fail, st, open_file(ctx, journal));
    *out = journal;
    return TY_OK;
fail:
    if (journal->fd >= 0)
        (void)ctx->io->close(ctx->io->self, journal->fd);
    free(journal->path);
    free(journal);
    return st;
}

static ty_status reserve_frame(ty_ctx *ctx, ty_journal *journal, size_t bytes) {
    if (bytes <= journal->frame_capacity)
        return TY_OK;
    size_t capacity = bytes < 4096 ? 4096 : bytes;
    unsigned char *frame = malloc(capacity);
    if (!frame)
        return ty_fail_nomem(ctx, "a journal's record");
    free(journal->frame);
    journal->frame = frame;
    journal->frame_capacity = capacity;
    return TY_OK;
}

/* One write call for the whole frame, so that a reader seldom meets half of one. */
static ty_status write_frame(ty_ctx *ctx, ty_journal *journal, int64_t offset,
                             const ty_journal_record *record) {
    size_t bytes = TY_FRAME_BYTES + record->payload_bytes;
    TY_TRY(reserve_frame(ctx, journal, bytes));
    ty_frame_encode(journal->frame, record->type, record->sequence, record->payload,
                    record->payload_bytes);
    if (record->payload_bytes > 0)
        memcpy(journal->frame + TY_FRAME_BYTES, record->payload, record->payload_bytes);
    return ty_file_pwrite(ctx, journal->path, journal->fd, journal->frame, bytes, offset);
}

/* Takes back what a failed append left, and keeps its message. */
static void take_back(ty_ctx *ctx, ty_journal *journal) {
    char message[TY_MESSAGE_BYTES];
    memcpy(message, ctx->message, sizeof message);
    journal->is_broken = cut(ctx, journal->path, journal->fd, journal->end) != TY_OK;
    memcpy(ctx->message, message, sizeof message);
}

ty_status ty_journal_append(ty_ctx *ctx, ty_journal *journal, uint32_t type, const void *payload,
                            size_t payload_bytes, uint64_t *out_sequence) {
    if (payload_bytes > TY_JOURNAL_MAX_PAYLOAD)
        return ty_fail(ctx, TY_ERR_ARG, "a record of %zu bytes for %s, want at most %d",
                       payload_bytes, journal->path, TY_JOURNAL_MAX_PAYLOAD);
    if (journal->is_broken)
        return ty_fail(ctx, TY_ERR_IO,
                       "%s takes no records since a failed one could not be cut; open it again",
                       journal->path);
    TY_TRY(check_not_lost(ctx, journal));
    ty_journal_record record = {.type = type,
                                .sequence = journal->last_sequence + 1,
                                .payload = payload,
                                .payload_bytes = payload_bytes};
    ty_status st = write_frame(ctx, journal, journal->end, &record);
    if (st != TY_OK) {
        take_back(ctx, journal);
        return check_held(ctx, journal, st);
    }
    journal->end += TY_FRAME_BYTES + (int64_t)payload_bytes;
    journal->last_sequence = record.sequence;
    if (out_sequence)
        *out_sequence = record.sequence;
    return TY_OK;
}

/* After a failed sync the system may call pages clean that never reached the disk, and a second
 * sync would say yes to nothing. So what is not yet synced is written once more. */
static ty_status rewrite_unsynced(ty_ctx *ctx, ty_journal *journal) {
    ty_journal_reader reader;
    TY_TRY(ty_frame_reader_init(ctx, &reader, journal->path, journal->fd, journal->synced,
                                journal->synced_sequence + 1));
    reader.has_header = true;
    ty_journal_record record;
    bool has_record = true;
    ty_status st = TY_OK;
    while (st == TY_OK && reader.offset < journal->end) {
        int64_t offset = reader.offset;
        st = ty_journal_reader_next(ctx, &reader, &record, &has_record);
        if (st == TY_OK && !has_record)
            st = ty_fail(ctx, TY_ERR_INTEGRITY, "%s lost records behind offset %" PRId64,
                         journal->path, offset);
        if (st == TY_OK)
            st = write_frame(ctx, journal, offset, &record);
    }
    ty_frame_reader_clear(&reader);
    return st;
}

static ty_status sync_all(ty_ctx *ctx, ty_journal *journal) {
    if (journal->needs_rewrite)
        TY_TRY(rewrite_unsynced(ctx, journal));
    journal->needs_rewrite = true;
    TY_TRY(sync_data(ctx, journal->path, journal->fd));
    journal->needs_rewrite = false;
    return TY_OK;
}

/* The lease last of all: one who takes it later finds what is written by now. */
ty_status ty_journal_sync(ty_ctx *ctx, ty_journal *journal) {
    if (journal->synced == journal->end)
        return TY_OK;
    TY_TRY(check_held(ctx, journal, sync_all(ctx, journal)));
    journal->synced = journal->end;
    journal->synced_sequence = journal->last_sequence;
    return TY_OK;
}

uint64_t ty_journal_last_sequence(const ty_journal *journal) {
    return journal->last_sequence;
}

ty_status ty_journal_close(ty_ctx *ctx, ty_journal *journal) {
    if (!journal)
        return TY_OK;
    ty_status st = ty_journal_sync(ctx, journal);
    char message[TY_MESSAGE_BYTES];
    memcpy(message, ctx->message, sizeof message);
    ty_status closed = ty_file_close(ctx, journal->path, journal->fd);
    if (st != TY_OK)
        memcpy(ctx->message, message, sizeof message);
    free(journal->path);
    free(journal->frame);
    free(journal);
    return st != TY_OK ? st : closed;
}
