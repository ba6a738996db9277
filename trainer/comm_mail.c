/* Letters between any two ranks: messages of MPI that nobody ever waits for. A letter that goes out is
 * kept until MPI has done with it; one that comes in is received without blocking too, since its
 * sender may die in the middle of it. A letter to oneself takes no message. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "trainer/comm_mpi.h"

/* Looks grow rarer while nothing comes: 1/16 of the time waited, this at most. */
static const int64_t most_pause_ns = 5000000;

typedef struct letter {
    struct letter *next;
    MPI_Request request; /* MPI_REQUEST_NULL: done */
    int rank;            /* at the other end */
    bool is_lost;
    size_t bytes;
    char data[];
} letter;

typedef struct letters {
    letter *first, *last;
} letters;

struct ty_mail {
    ty_comm *comm;
    ty_ctx ctx; /* for what has none */
    letters out, in;
    letter *taken; /* what the caller has */
};

/* --- lists ------------------------------------------------------------------------------------ */

static letter *make_letter(int rank, size_t bytes) {
    letter *it = malloc(sizeof *it + bytes);
    if (it)
        *it = (letter){.request = MPI_REQUEST_NULL, .rank = rank, .bytes = bytes};
    return it;
}

static void append(letters *list, letter *it) {
    if (list->last)
        list->last->next = it;
    else
        list->first = it;
    list->last = it;
}

/* Takes the one behind `before` (NULL: the first) out. */
static letter *unlink_behind(letters *list, letter *before) {
    letter *it = before ? before->next : list->first;
    if (before)
        before->next = it->next;
    else
        list->first = it->next;
    if (list->last == it)
        list->last = before;
    it->next = NULL;
    return it;
}

static int count_of(const letters *list, int rank) {
    int n = 0;
    for (const letter *it = list->first; it; it = it->next)
        n += it->rank == rank;
    return n;
}

/* Whether MPI is through with it. A letter that MPI cannot move is one to or from a rank that is gone:
 * it is lost, and the others are not. */
static bool is_over(const ty_mail *mail, letter *it) {
    int flag = 1;
    if (it->request == MPI_REQUEST_NULL)
        return true;
    if (MPI_Test(&it->request, &flag, MPI_STATUS_IGNORE) == MPI_SUCCESS)
        return flag;
    ty_log(&mail->ctx, TY_LOG_WARN, "comm", "a letter between this rank and rank %d (%s) is lost",
           it->rank, mail->comm->peers[it->rank].host);
    it->request = MPI_REQUEST_NULL;
    it->is_lost = true;
    return true;
}

/* --- out -------------------------------------------------------------------------------------- */

/* Drops what is sent. */
static void look_after_out(ty_mail *mail) {
    letter *before = NULL;
    for (letter *it = mail->out.first; it;) {
        letter *next = it->next;
        if (is_over(mail, it))
            free(unlink_behind(&mail->out, before));
        else
            before = it;
        it = next;
    }
}

static ty_status post(ty_ctx *ctx, ty_mail *mail, letter *it) {
    if (it->rank == mail->comm->rank) {
        append(&mail->in, it);
        return TY_OK;
    }
    const int code = MPI_Isend(it->data, (int)it->bytes, MPI_BYTE, it->rank, TY_COMM_TAG_MAIL,
                               mail->comm->mpi->world, &it->request);
    const ty_status st = ty_comm_mpi_check(ctx, code, "sending a letter");
    if (st == TY_OK)
        append(&mail->out, it);
    else
        free(it);
    return st;
}

static ty_status check_address(ty_ctx *ctx, const ty_mail *mail, int rank, size_t bytes) {
    const ty_comm *comm = mail->comm;
    const letters *list = rank == comm->rank ? &mail->in : &mail->out;
    if (rank < 0 || rank >= comm->size || bytes > TY_MAIL_BYTES)
        return ty_fail(ctx, TY_ERR_ARG, "a letter of %zu bytes to rank %d: want <= %d, 0..%d",
                       bytes, rank, (int)TY_MAIL_BYTES, comm->size - 1);
    if (ty_comm_is_gone(comm, rank))
        return ty_fail(ctx, TY_ERR_COMM, "a letter to rank %d (%s): its process is gone", rank,
                       comm->peers[rank].host);
    if (count_of(list, rank) >= TY_MAIL_MOST)
        return ty_fail(ctx, TY_ERR_BUSY, "rank %d (%s) has not taken the last %d letters", rank,
                       comm->peers[rank].host, (int)TY_MAIL_MOST);
    return TY_OK;
}

ty_status ty_mail_send(ty_ctx *ctx, ty_mail *mail, int rank, const void *data, size_t bytes) {
    look_after_out(mail);
    TY_TRY(check_address(ctx, mail, rank, bytes));
    letter *it = make_letter(rank, bytes);
    if (!it)
        return ty_fail_nomem(ctx, "a letter");
    if (bytes)
        memcpy(it->data, data, bytes);
    return post(ctx, mail, it);
}

/* --- in --------------------------------------------------------------------------------------- */

/* Begins to receive a letter that has come to the door; *found false: none has. */
static ty_status open_door(ty_ctx *ctx, ty_mail *mail, bool *found) {
    int is_there = 0, bytes = 0;
    MPI_Status from;
    *found = false;
    if (!mail->comm->mpi)
        return TY_OK;
    MPI_Comm world = mail->comm->mpi->world;
    TY_TRY(ty_comm_mpi_check(ctx,
                             MPI_Iprobe(MPI_ANY_SOURCE, TY_COMM_TAG_MAIL, world, &is_there, &from),
                             "looking for letters"));
    if (!is_there)
        return TY_OK;
    (void)MPI_Get_count(&from, MPI_BYTE, &bytes);
    letter *it = make_letter(from.MPI_SOURCE, (size_t)bytes);
    if (!it)
        return ty_fail_nomem(ctx, "a letter");
    const int code =
        MPI_Irecv(it->data, bytes, MPI_BYTE, it->rank, TY_COMM_TAG_MAIL, world, &it->request);
    const ty_status st = ty_comm_mpi_check(ctx, code, "receiving a letter");
    if (st != TY_OK) {
        free(it);
        return st;
    }
    append(&mail->in, it);
    *found = true;
    return TY_OK;
}

static bool has_earlier(const letters *list, const letter *it) {
    for (const letter *other = list->first; other != it; other = other->next) {
        if (other->rank == it->rank)
            return true;
    }
    return false;
}

/* The oldest that is whole and not behind another of its sender; NULL: there is none. */
static letter *find_whole(ty_mail *mail) {
    letter *before = NULL;
    for (letter *it = mail->in.first; it;) {
        const bool is_next = is_over(mail, it) && !has_earlier(&mail->in, it);
        if (is_next && !it->is_lost)
            return unlink_behind(&mail->in, before);
        letter *next = it->next;
        if (is_next)
            free(unlink_behind(&mail->in, before));
        else
            before = it;
        it = next;
    }
    return NULL;
}

/* Nothing is received beyond the first whole letter, so that who sends faster than this rank takes
 * fills its own memory and not this one's. */
static ty_status take_one(ty_ctx *ctx, ty_mail *mail) {
    for (bool found = true; found;) {
        mail->taken = find_whole(mail);
        if (mail->taken)
            return TY_OK;
        TY_TRY(open_door(ctx, mail, &found));
    }
    return TY_OK;
}

static void pause_after(int64_t waited_ns) {
    const int64_t pause_ns = waited_ns / 16 < most_pause_ns ? waited_ns / 16 : most_pause_ns;
    const struct timespec pause = {.tv_nsec = pause_ns};
    (void)nanosleep(&pause, NULL);
}

ty_status ty_mail_take(ty_ctx *ctx, ty_mail *mail, double wait_s, ty_letter *out, bool *found) {
    const int64_t begin = ty_now_ns(ctx), wait_ns = (int64_t)(wait_s * 1e9);
    free(mail->taken);
    mail->taken = NULL;
    *found = false;
    for (;;) {
        look_after_out(mail);
        TY_TRY(take_one(ctx, mail));
        const int64_t waited_ns = ty_now_ns(ctx) - begin;
        if (mail->taken || waited_ns >= wait_ns)
            break;
        pause_after(waited_ns);
    }
    *found = mail->taken != NULL;
    if (*found)
        *out = (ty_letter){mail->taken->rank, mail->taken->bytes, mail->taken->data};
    return TY_OK;
}

/* --- open and close --------------------------------------------------------------------------- */

ty_status ty_mail_open(ty_ctx *ctx, ty_comm *comm, ty_mail **out) {
    if (comm->is_group)
        return ty_fail(ctx, TY_ERR_ARG, "letters go through the world, not through a group");
    ty_mail *mail = calloc(1, sizeof *mail);
    if (!mail)
        return ty_fail_nomem(ctx, "the mail");
    mail->comm = comm;
    ty_ctx_init_child(&mail->ctx, ctx);
    *out = mail;
    return TY_OK;
}

static bool waits_for_living(const ty_mail *mail) {
    for (const letter *it = mail->out.first; it; it = it->next) {
        if (!ty_comm_is_gone(mail->comm, it->rank))
            return true;
    }
    return false;
}

/* MPI may still write to or read from what it has not done with: that is left to it. */
static void drop(letters *list) {
    while (list->first) {
        letter *it = unlink_behind(list, NULL);
        if (it->request == MPI_REQUEST_NULL)
            free(it);
    }
}

void ty_mail_close(ty_mail *mail) {
    if (!mail)
        return;
    const int64_t begin = ty_now_ns(&mail->ctx);
    int64_t waited_ns = 0;
    for (look_after_out(mail); waited_ns < mail->comm->deadline_ns && waits_for_living(mail);
         look_after_out(mail)) {
        pause_after(waited_ns);
        waited_ns = ty_now_ns(&mail->ctx) - begin;
    }
    drop(&mail->out);
    drop(&mail->in);
    free(mail->taken);
    ty_ctx_clear(&mail->ctx);
    free(mail);
}
