/* An append-only file of framed, checksummed records: the truth about a run, a sweep, a retraining
 * policy.
 *
 *   file   = header record*
 *   header = "TYJRNL1\n" (8 bytes)
 *   record = u32 payload bytes | u32 type | u64 sequence | u64 XXH3 of (the 16 bytes before, payload) | payload
 *
 * All little-endian. Sequences count from 1 without a gap. A torn tail (power cut, kill, full disk)
 * is cut when the journal is opened for appending and ignored by readers; a bad record in the
 * middle is an integrity error. */
#ifndef TY_BASE_JOURNAL_H
#define TY_BASE_JOURNAL_H

#include "base/lease.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_journal ty_journal;
typedef struct ty_journal_reader ty_journal_reader;

typedef struct ty_journal_record {
    uint32_t type;
    uint64_t sequence;
    const void *payload; /* valid until the next call on the reader */
    size_t payload_bytes;
} ty_journal_record;

enum { TY_JOURNAL_MAX_PAYLOAD = 16 * 1024 * 1024 };

/* Opens path for appending, creating it (folder fsynced) where it is missing. One writer at a time:
 * a second one, on this host, gets TY_ERR_BUSY (flock). *out is the caller's to close.
 * Errors: TY_ERR_BUSY; TY_ERR_INTEGRITY not a journal, or damaged before its tail; TY_ERR_IO. */
ty_status ty_journal_open(ty_ctx *ctx, const char *path, ty_journal **out) TY_MUST_USE;

/* The same under a lease, which is borrowed until the journal is closed. Who had the lease before and
 * may wake up in the middle of a write is left with a file that nobody reads: a copy takes the
 * journal's place. The lease is looked at behind each sync: what was synced by then is in whatever
 * copy a later holder takes.
 * Errors: TY_ERR_BUSY, also of each later call, somebody else holds the lease by now. */
ty_status ty_journal_open_held(ty_ctx *ctx, const char *path, ty_lease *lease,
                               ty_journal **out) TY_MUST_USE;

/* Appends one record; durable after the next ty_journal_sync. A failed append leaves the journal as
 * it was (the partial record is cut), so that it may be tried again. One thread at a time.
 * Errors: TY_ERR_ARG payload too long; TY_ERR_IO. */
ty_status ty_journal_append(ty_ctx *ctx, ty_journal *journal, uint32_t type, const void *payload,
                            size_t payload_bytes, uint64_t *out_sequence) TY_MUST_USE;

/* Everything appended so far survives power loss when this returns TY_OK. */
ty_status ty_journal_sync(ty_ctx *ctx, ty_journal *journal) TY_MUST_USE;

/* The sequence of the last record, 0 for none. */
uint64_t ty_journal_last_sequence(const ty_journal *journal);

/* Syncs and closes; accepts NULL. The close happens whatever the status says. */
ty_status ty_journal_close(ty_ctx *ctx, ty_journal *journal);

/* Reads a journal, also one that another process is writing. *out is the caller's to close. */
ty_status ty_journal_reader_open(ty_ctx *ctx, const char *path,
                                 ty_journal_reader **out) TY_MUST_USE;

/* *has_record is false at the end (or at a torn tail); calling again later sees what was appended
 * since.
 * Errors: TY_ERR_INTEGRITY with file and offset. */
ty_status ty_journal_reader_next(ty_ctx *ctx, ty_journal_reader *reader, ty_journal_record *out,
                                 bool *has_record) TY_MUST_USE;
void ty_journal_reader_close(ty_journal_reader *reader);

#ifdef __cplusplus
}
#endif
#endif
