/* A TCP and Unix socket proxy that harms what goes through it, for the tests of faults:
 *
 *   proxy LISTEN CONNECT [SEED]     each a path of a socket, or HOST:PORT (numbers)
 *
 * Lines on standard input say how, at any time; end of file ends it:
 *   cut P          each connection ends with P percent of chance, in the middle of a message if it can:
 *                  a random part of what is under way is still delivered
 *   stall MS       nothing moves for that long, then everything goes on
 *   silence P      each connection with P percent of chance moves nothing ever again, but stays open
 *   refuse 0|1     new connections end at once
 *   delay MS       what arrives is held for that long, in each direction
 *   loss P MS      a piece comes MS late with P percent of chance, and what follows waits for it: what
 *                  the loss of a packet is to those above TCP
 *   piece BYTES    at most so many bytes at a time (0: as they come)
 *   count          prints how many connections are open
 * Each command is answered by a line on standard output. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MAX_PAIRS 200
#define BACKLOG_BYTES (1u << 20)

struct piece {
    struct piece *next;
    int64_t due_ms;
    size_t len, sent;
    char data[];
};

/* One direction of a pair. */
struct flow {
    int from, to;
    struct piece *first, *last;
    size_t bytes;
    bool eof, done;
};

struct pair {
    struct flow flows[2];
    bool used, silent;
};

static struct pair pairs[MAX_PAIRS];
static const char *connect_to;
static int64_t stalled_until_ms;
static int64_t delay_ms, loss_percent, loss_ms, piece_bytes;
static bool refuse;

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool chance(int64_t percent)
{
    return random() % 100 < percent;
}

/* --- sockets --- */

static socklen_t address(const char *text, struct sockaddr_storage *out)
{
    struct sockaddr_in *in = (struct sockaddr_in *)out;
    struct sockaddr_un *un = (struct sockaddr_un *)out;
    const char *colon = strrchr(text, ':');
    char host[64];

    memset(out, 0, sizeof *out);
    if (text[0] == '/' || !colon) {
        un->sun_family = AF_UNIX;
        snprintf(un->sun_path, sizeof un->sun_path, "%s", text);
        return sizeof *un;
    }
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    in->sin_family = AF_INET;
    in->sin_port = htons((uint16_t)atoi(colon + 1));
    inet_pton(AF_INET, host, &in->sin_addr);
    return sizeof *in;
}

static int open_socket(const char *where, bool listening)
{
    struct sockaddr_storage addr;
    socklen_t len = address(where, &addr);
    int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    if (listening && addr.ss_family == AF_UNIX)
        unlink(where);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    int bad = listening ? bind(fd, (struct sockaddr *)&addr, len) || listen(fd, 64)
                        : connect(fd, (struct sockaddr *)&addr, len);
    if (bad) {
        close(fd);
        return -1;
    }
    if (addr.ss_family == AF_INET)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* With a reset where there is one: data under way is lost, as when a host goes away. */
static void slam(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

static void end_pair(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        struct piece *next;
        for (struct piece *piece = pair->flows[i].first; piece; piece = next) {
            next = piece->next;
            free(piece);
        }
        slam(pair->flows[i].from);
    }
    *pair = (struct pair){0};
}

static void accept_one(int listener)
{
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (client < 0)
        return;
    for (size_t i = 0; i < MAX_PAIRS && !refuse; i++) {
        if (pairs[i].used)
            continue;
        int server = open_socket(connect_to, false);
        if (server < 0)
            break;
        pairs[i] = (struct pair){.used = true,
                                 .flows = {{.from = client, .to = server},
                                           {.from = server, .to = client}}};
        return;
    }
    slam(client);
}

/* --- moving --- */

static void take_in(struct flow *flow)
{
    size_t room = piece_bytes ? (size_t)piece_bytes : 65536;
    struct piece *piece = malloc(sizeof *piece + room);
    ssize_t got = piece ? recv(flow->from, piece->data, room, 0) : -1;

    if (got <= 0) {
        flow->eof = got == 0 || (errno != EAGAIN && errno != EINTR);
        free(piece);
        return;
    }
    int64_t due = now_ms() + delay_ms + (chance(loss_percent) ? loss_ms : 0);
    if (flow->last && flow->last->due_ms > due)
        due = flow->last->due_ms;
    piece->next = NULL;
    piece->due_ms = due;
    piece->len = (size_t)got;
    piece->sent = 0;
    if (flow->last)
        flow->last->next = piece;
    else
        flow->first = piece;
    flow->last = piece;
    flow->bytes += (size_t)got;
}

/* False when the other side is gone. */
static bool give_out(struct flow *flow)
{
    while (flow->first && flow->first->due_ms <= now_ms()) {
        struct piece *piece = flow->first;
        ssize_t put = send(flow->to, piece->data + piece->sent, piece->len - piece->sent, MSG_NOSIGNAL);
        if (put < 0)
            return errno == EAGAIN || errno == EINTR;
        piece->sent += (size_t)put;
        flow->bytes -= (size_t)put;
        if (piece->sent < piece->len)
            return true;
        flow->first = piece->next;
        if (!flow->first)
            flow->last = NULL;
        free(piece);
    }
    if (!flow->first && flow->eof && !flow->done) {
        shutdown(flow->to, SHUT_WR);
        flow->done = true;
    }
    return true;
}

static void cut(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        const struct piece *piece = pair->flows[i].first;
        if (piece && piece->len > piece->sent && chance(70))
            (void)!send(pair->flows[i].to, piece->data + piece->sent,
                        (size_t)random() % (piece->len - piece->sent) + 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    end_pair(pair);
}

/* --- commands --- */

static int each(int64_t percent, bool silence)
{
    int hit = 0;

    for (size_t i = 0; i < MAX_PAIRS; i++) {
        if (!pairs[i].used || !chance(percent))
            continue;
        hit++;
        if (silence)
            pairs[i].silent = true;
        else
            cut(&pairs[i]);
    }
    return hit;
}

static int count_open(void)
{
    int count = 0;

    for (size_t i = 0; i < MAX_PAIRS; i++)
        count += pairs[i].used;
    return count;
}

static void command(const char *line)
{
    char word[16] = "";
    long long a = 0;
    long long b = 0;

    sscanf(line, "%15s %lld %lld", word, &a, &b);
    if (strcmp(word, "cut") == 0)
        printf("cut %d\n", each(a, false));
    else if (strcmp(word, "silence") == 0)
        printf("silenced %d\n", each(a, true));
    else if (strcmp(word, "count") == 0)
        printf("open %d\n", count_open());
    else if (strcmp(word, "stall") == 0)
        stalled_until_ms = now_ms() + a, puts("stalled");
    else if (strcmp(word, "refuse") == 0)
        refuse = a != 0, puts(refuse ? "refusing" : "accepting");
    else if (strcmp(word, "delay") == 0)
        delay_ms = a, puts("delayed");
    else if (strcmp(word, "loss") == 0)
        loss_percent = a, loss_ms = b, puts("losing");
    else if (strcmp(word, "piece") == 0)
        piece_bytes = a, puts("in pieces");
    else
        printf("unknown: %s", line);
    fflush(stdout);
}

/* False at the end of the input. */
static bool read_commands(void)
{
    static char text[4096];
    static size_t len;
    ssize_t got = read(STDIN_FILENO, text + len, sizeof text - len - 1);
    char *end;

    if (got <= 0)
        return got < 0 && errno == EINTR;
    len += (size_t)got;
    text[len] = '\0';
    while ((end = strchr(text, '\n'))) {
        *end = '\0';
        command(text);
        len -= (size_t)(end + 1 - text);
        memmove(text, end + 1, len + 1);
    }
    return true;
}

/* --- the loop --- */

struct watch {
    struct pollfd fds[2 + 4 * MAX_PAIRS];
    nfds_t count;
    int timeout_ms;
};

static void sooner(struct watch *watch, int64_t due_ms)
{
    int64_t left = due_ms - now_ms();

    if (left < 0)
        left = 0;
    if (watch->timeout_ms < 0 || left < watch->timeout_ms)
        watch->timeout_ms = (int)left;
}

static void watch_flow(struct watch *watch, const struct flow *flow)
{
    bool room = !flow->eof && flow->bytes < BACKLOG_BYTES;
    bool due = flow->first && flow->first->due_ms <= now_ms();

    /* What is not wanted is not watched: a peer that is gone would wake it without end. */
    watch->fds[watch->count++] = (struct pollfd){.fd = room ? flow->from : -1, .events = POLLIN};
    watch->fds[watch->count++] = (struct pollfd){.fd = due ? flow->to : -1, .events = POLLOUT};
    if (flow->first && !due)
        sooner(watch, flow->first->due_ms);
}

static void move(struct pair *pair)
{
    bool alive = true;

    for (int i = 0; i < 2 && alive; i++) {
        if (!pair->flows[i].eof && pair->flows[i].bytes < BACKLOG_BYTES)
            take_in(&pair->flows[i]);
        alive = give_out(&pair->flows[i]);
    }
    if (!alive || (pair->flows[0].done && pair->flows[1].done))
        end_pair(pair);
}

static bool turn(int listener)
{
    static struct watch watch;
    bool stalled = now_ms() < stalled_until_ms;

    watch.count = 2;
    watch.timeout_ms = -1;
    watch.fds[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    watch.fds[1] = (struct pollfd){.fd = listener, .events = POLLIN};
    if (stalled)
        sooner(&watch, stalled_until_ms);
    for (size_t i = 0; i < MAX_PAIRS && !stalled; i++)
        for (int k = 0; k < 2 && pairs[i].used && !pairs[i].silent; k++)
            watch_flow(&watch, &pairs[i].flows[k]);
    if (poll(watch.fds, watch.count, watch.timeout_ms) < 0 && errno != EINTR)
        return false;
    if (watch.fds[1].revents)
        accept_one(listener);
    for (size_t i = 0; i < MAX_PAIRS && !stalled; i++)
        if (pairs[i].used && !pairs[i].silent)
            move(&pairs[i]);
    return !watch.fds[0].revents || read_commands();
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: proxy LISTEN CONNECT [SEED]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    connect_to = argv[2];
    srandom(argc > 3 ? (unsigned)atoi(argv[3]) : 1);
    int listener = open_socket(argv[1], true);
    if (listener < 0) {
        fprintf(stderr, "proxy: could not listen on \"%s\": %s\n", argv[1], strerror(errno));
        return 1;
    }
    puts("listening");
    fflush(stdout);
    while (turn(listener))
        ;
    return 0;
}
