/* Connections between ranks: a Unix socket a pair, in the abstract namespace, so that nothing is left on disk. Lower
 * ranks are connected to, higher ones accepted. All of it goes on in cs_nccl_pump, a little at a time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gemm.h"
#include "nccl_fake.h"

/* --- bytes under way -------------------------------------------------------------------------- */

static void reserve(cs_nccl_bytes *b, size_t n) {
    if (b->begin > 0) {
        memmove(b->data, b->data + b->begin, b->end - b->begin);
        b->end -= b->begin;
        b->begin = 0;
    }
    if (b->end + n <= b->room)
        return;
    b->room = (b->end + n) * 2;
    b->data = realloc(b->data, b->room);
    if (!b->data)
        abort();
}

static void append(cs_nccl_bytes *b, const void *data, size_t n) {
    if (n == 0)
        return;
    reserve(b, n);
    memcpy(b->data + b->end, data, n);
    b->end += n;
}

/* --- addresses -------------------------------------------------------------------------------- */

static socklen_t address_of(const cs_nccl_comm *comm, int rank, struct sockaddr_un *out) {
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(out->sun_path + 1, sizeof out->sun_path - 1, "cudasim-nccl-%016llx-%d",
                     (unsigned long long)comm->id, rank);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

static int new_socket(void) {
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int cs_nccl_listen(cs_nccl_comm *comm) {
    struct sockaddr_un address;
    socklen_t n = address_of(comm, comm->rank, &address);
    comm->listener = new_socket();
    if (comm->listener < 0 || bind(comm->listener, (struct sockaddr *)&address, n) ||
        listen(comm->listener, CS_NCCL_RANKS))
        return errno;
    return 0;
}

static cs_nccl_hello own_hello(const cs_nccl_comm *comm) {
    cs_nccl_hello hello = {.id = comm->id,
                           .rank = comm->rank,
                           .size = comm->size,
                           .device = cs_sim.physical[comm->device],
                           .pid = (int32_t)getpid()};
    gethostname(hello.host, sizeof hello.host - 1);
    return hello;
}

static void greet(const cs_nccl_comm *comm, cs_nccl_peer *peer) {
    cs_nccl_hello hello = own_hello(comm);
    append(&peer->out, &hello, sizeof hello);
}

/* --- connecting ------------------------------------------------------------------------------- */

static void connect_to(cs_nccl_comm *comm, int rank) {
    struct sockaddr_un address;
    socklen_t n = address_of(comm, rank, &address);
    int fd = new_socket();
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, n)) {
        if (fd >= 0)
            close(fd); /* not there yet: again at the next pump */
        return;
    }
    comm->peers[rank].fd = fd;
    greet(comm, &comm->peers[rank]);
}

static void accept_all(cs_nccl_comm *comm) {
    for (int i = 0; i < CS_NCCL_RANKS; i++) {
        if (comm->strangers[i] >= 0)
            continue;
        comm->strangers[i] = accept4(comm->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (comm->strangers[i] < 0)
            return;
    }
}

static bool is_welcome(const cs_nccl_comm *comm, const cs_nccl_hello *hello) {
    return hello->id == comm->id && hello->rank >= 0 && hello->rank < comm->size &&
           hello->rank != comm->rank;
}

/* Ranks must agree on how many they are, and have a device each. */
static void note_hello(cs_nccl_comm *comm, const cs_nccl_hello *hello) {
    cs_nccl_hello own = own_hello(comm);
    comm->peers[hello->rank].hello = *hello;
    comm->peers[hello->rank].is_greeted = true;
    if (hello->device == own.device && strcmp(hello->host, own.host) == 0)
        cs_nccl_fail(comm, ncclInvalidUsage,
                     "Duplicate GPU detected : rank %d and rank %d both on CUDA device %d",
                     comm->rank, hello->rank, own.device);
    if (hello->size == comm->size)
        return;
    cs_nccl_report(comm, ncclInvalidUsage, "rank %d is one of %d, rank %d one of %d", comm->rank,
                   comm->size, hello->rank, hello->size);
    cs_nccl_fail(comm, ncclInvalidUsage, "ranks disagree about how many they are");
}

/* A stranger says who it is in one piece: hellos are far smaller than any socket's buffer. */
static void meet_strangers(cs_nccl_comm *comm) {
    accept_all(comm);
    for (int i = 0; i < CS_NCCL_RANKS; i++) {
        cs_nccl_hello hello;
        int fd = comm->strangers[i];
        if (fd < 0)
            continue;
        ssize_t n = recv(fd, &hello, sizeof hello, MSG_PEEK);
        if (n > 0 && n < (ssize_t)sizeof hello)
            continue;
        if (n == (ssize_t)sizeof hello && recv(fd, &hello, sizeof hello, 0) == n &&
            is_welcome(comm, &hello) && comm->peers[hello.rank].fd < 0) {
            comm->peers[hello.rank].fd = fd;
            note_hello(comm, &hello);
            greet(comm, &comm->peers[hello.rank]);
            comm->strangers[i] = -1;
        } else if (n >= 0 || (errno != EAGAIN && errno != EINTR)) {
            close(fd);
            comm->strangers[i] = -1;
        }
    }
}

bool cs_nccl_is_connected(const cs_nccl_comm *comm) {
    for (int i = 0; i < comm->size; i++)
        if (i != comm->rank && !comm->peers[i].is_greeted)
            return false;
    return true;
}

/* --- sending and receiving -------------------------------------------------------------------- */

static void lose(cs_nccl_comm *comm, int rank) {
    cs_nccl_peer *peer = &comm->peers[rank];
    close(peer->fd);
    peer->fd = -1;
    peer->is_lost = true;
    bool is_over =
        comm->state >= CS_NCCL_FINALIZED || (comm->has_sent_finalize && peer->collectives);
    if (!is_over && !getenv("CUDASIM_NCCL_SILENT"))
        cs_nccl_fail(comm, ncclRemoteError, "connection closed by rank %d (pid %d on %s)", rank,
                     peer->hello.pid, peer->hello.host);
}

static void send_some(cs_nccl_comm *comm, int rank) {
    cs_nccl_peer *peer = &comm->peers[rank];
    while (peer->fd >= 0 && peer->out.begin < peer->out.end) {
        ssize_t n = send(peer->fd, peer->out.data + peer->out.begin,
                         peer->out.end - peer->out.begin, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n < 0)
            lose(comm, rank);
        else
            peer->out.begin += (size_t)n;
    }
}

static void push(cs_nccl_message **list, cs_nccl_message *message) {
    while (*list)
        list = &(*list)->next;
    *list = message;
}

/* Takes whole messages out of what came. */
static void parse(cs_nccl_comm *comm, int rank) {
    cs_nccl_peer *peer = &comm->peers[rank];
    cs_nccl_bytes *in = &peer->in;
    cs_nccl_hello hello;
    if (!peer->is_greeted) {
        if (in->end - in->begin < sizeof hello)
            return;
        memcpy(&hello, in->data + in->begin, sizeof hello);
        in->begin += sizeof hello;
        note_hello(comm, &hello);
    }
    for (;;) {
        cs_nccl_header header;
        if (in->end - in->begin < sizeof header)
            return;
        memcpy(&header, in->data + in->begin, sizeof header);
        if (in->end - in->begin < sizeof header + header.bytes)
            return;
        cs_nccl_message *m = cs_must_alloc(sizeof *m + header.bytes);
        m->next = NULL;
        m->header = header;
        memcpy(m->data, in->data + in->begin + sizeof header, header.bytes);
        in->begin += sizeof header + header.bytes;
        push(header.kind == CS_NCCL_POINT ? &peer->points : &peer->collectives, m);
    }
}

static void receive_some(cs_nccl_comm *comm, int rank) {
    cs_nccl_peer *peer = &comm->peers[rank];
    while (peer->fd >= 0) {
        reserve(&peer->in, 65536);
        ssize_t n = recv(peer->fd, peer->in.data + peer->in.end, peer->in.room - peer->in.end, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n > 0)
            peer->in.end += (size_t)n;
        parse(comm, rank);
        if (n <= 0)
            lose(comm, rank);
    }
}

void cs_nccl_pump(cs_nccl_comm *comm) {
    if (comm->state == CS_NCCL_CONNECTING) {
        for (int i = 0; i < comm->rank; i++)
            if (comm->peers[i].fd < 0 && !comm->peers[i].is_lost)
                connect_to(comm, i);
        meet_strangers(comm);
    }
    for (int i = 0; i < comm->size; i++) {
        send_some(comm, i);
        receive_some(comm, i);
    }
}

void cs_nccl_post(cs_nccl_peer *peer, const cs_nccl_header *header, const void *data) {
    append(&peer->out, header, sizeof *header);
    append(&peer->out, data, header->bytes);
}

bool cs_nccl_is_flushed(const cs_nccl_comm *comm) {
    for (int i = 0; i < comm->size; i++)
        if (comm->peers[i].fd >= 0 && comm->peers[i].out.begin < comm->peers[i].out.end)
            return false;
    return true;
}

static void free_messages(cs_nccl_message *m) {
    while (m) {
        cs_nccl_message *next = m->next;
        free(m);
        m = next;
    }
}

void cs_nccl_close_wires(cs_nccl_comm *comm) {
    for (int i = 0; i < CS_NCCL_RANKS; i++) {
        cs_nccl_peer *peer = &comm->peers[i];
        if (peer->fd >= 0)
            close(peer->fd);
        if (comm->strangers[i] >= 0)
            close(comm->strangers[i]);
        peer->fd = comm->strangers[i] = -1;
        free_messages(peer->collectives);
        free_messages(peer->points);
        peer->collectives = peer->points = NULL;
        free(peer->in.data);
        free(peer->out.data);
        peer->in = peer->out = (cs_nccl_bytes){0};
    }
    if (comm->listener >= 0)
        close(comm->listener);
    comm->listener = -1;
}
