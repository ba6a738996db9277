/* What every fallible call answers, and the two macros that pass it on.
 * A status has a class, and the class decides the exit code; only cli/ turns it into one. */
#ifndef TY_BASE_STATUS_H
#define TY_BASE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, exit code, what it means in a few words) */
#define TY_STATUS_ROWS(X)                                                                          \
    X(OK, 0, "done")                                                                               \
    X(ERR_FAILED, 1, "failed")                                                                     \
    X(ERR_IO, 1, "a file could not be read or written")                                            \
    X(ERR_NOMEM, 1, "out of memory")                                                               \
    X(ERR_NOT_FOUND, 1, "not found")                                                               \
    X(ERR_ARG, 2, "wrong usage")                                                                   \
    X(ERR_CONFIG, 2, "wrong configuration")                                                        \
    X(ERR_GATE, 3, "not promoted")                                                                 \
    X(ERR_DATA, 4, "data rejected")                                                                \
    X(ERR_ALERT, 5, "alert")                                                                       \
    X(ERR_INTEGRITY, 6, "damaged or foreign file")                                                 \
    X(ERR_DIVERGED, 7, "training diverged")                                                        \
    X(ERR_DEVICE, 8, "device failed")                                                              \
    X(ERR_COMM, 8, "communication between ranks failed")                                           \
    X(ERR_INTERNAL, 70, "internal error")                                                          \
    X(ERR_BUSY, 75, "try again")                                                                   \
    X(STOP_REQUEUE, 75, "stopped with a checkpoint saved")                                         \
    X(STOP_INTERRUPT, 130, "interrupted")                                                          \
    X(STOP_TERMINATE, 143, "terminated")

typedef enum ty_status {
#define TY_STATUS_ENUM(name, exit_code, meaning) TY_##name,
    TY_STATUS_ROWS(TY_STATUS_ENUM)
#undef TY_STATUS_ENUM
        TY_STATUS_COUNT
} ty_status;

#define TY_MUST_USE __attribute__((warn_unused_result))
#define TY_PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))

/* Passes a failure on. Only while the function owns nothing that has to be released. */
#define TY_TRY(call)                                                                               \
    do {                                                                                           \
        const ty_status ty_try_status_ = (call);                                                   \
        if (ty_try_status_ != TY_OK)                                                               \
            return ty_try_status_;                                                                 \
    } while (0)

/* Keeps a failure in st and leaves through label, where everything owned is released. */
#define TY_TRY_GOTO(label, st, call)                                                               \
    do {                                                                                           \
        (st) = (call);                                                                             \
        if ((st) != TY_OK)                                                                         \
            goto label;                                                                            \
    } while (0)

/* "ERR_DATA" and the like; never NULL. */
const char *ty_status_name(ty_status st);

/* The few words of the row; never NULL. */
const char *ty_status_meaning(ty_status st);

/* The process exit code of the status's class (README.md has the table). */
int ty_status_exit_code(ty_status st);

#ifdef __cplusplus
}
#endif
#endif
