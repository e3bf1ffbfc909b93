/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Closing what a peer has sent, where nobody waits for it.
 *
 * close() can last as long as whoever made the file likes: a socket with
 * SO_LINGER sends what is left, a file on FUSE asks its daemon, an eventfd can
 * be in an epoll that its owner holds up.  Nothing tells beforehand, so none
 * of them is closed by a thread that the VM needs.
 *
 * The descriptors of one lane are closed one after the other by one thread,
 * and each lane with something to close has a thread: so a peer holds up
 * itself only.  One thread is always there; the others come when it is busy
 * and go when nothing is left to do.  How many lanes there may be is decided
 * by each library, which has lanes of its own.
 */
#include "qemu/osdep.h"
#include "qemu/thread.h"
#include "qemu/units.h"
#include "dotnet-host.h"

#define CLOSER_STACK_SIZE (256 * KiB)

/* Descriptors that one peer has to do with, none of them closed yet */
typedef struct Lane {
    DotnetLibrary *library;
    uint64_t number;
    uint32_t unclosed;          /* those below and the one in close() */
    GQueue descriptors;
} Lane;

static QemuMutex lock;
static QemuCond more;
static GQueue unserved = G_QUEUE_INIT;
static unsigned idle;
static bool running;

static void lane_free(gpointer opaque)
{
    g_free(opaque);
}

/* With the lock held, which is dropped for each close() */
static void serve(Lane *lane)
{
    while (!g_queue_is_empty(&lane->descriptors)) {
        int fd = GPOINTER_TO_INT(g_queue_pop_head(&lane->descriptors));

        qemu_mutex_unlock(&lock);
        close(fd);
        qemu_mutex_lock(&lock);
        lane->unclosed--;
    }
    g_hash_table_remove(lane->library->lanes, &lane->number);
}

static void *closer(void *stays)
{
    pthread_setname_np(pthread_self(), "dotnet-close");
    qemu_mutex_lock(&lock);
    while (stays || !g_queue_is_empty(&unserved)) {
        if (g_queue_is_empty(&unserved)) {
            idle++;
            qemu_cond_wait(&more, &lock);
            idle--;
        } else {
            serve(g_queue_pop_head(&unserved));
        }
    }
    qemu_mutex_unlock(&lock);
    return NULL;
}

/* Not qemu_thread_create(), which ends the VM when there can be no thread */
static int start_closer(bool stays)
{
    sigset_t all, before;
    pthread_attr_t attr;
    pthread_t thread;
    int r;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, CLOSER_STACK_SIZE);
    /* Signals are QEMU's main thread's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&thread, &attr, closer, stays ? &running : NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return r;
}

GHashTable *dotnet_closer_lanes(void)
{
    return g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, lane_free);
}

bool dotnet_closer_start(Error **errp)
{
    int r;

    if (running) {
        return true;
    }
    qemu_mutex_init(&lock);
    qemu_cond_init(&more);
    r = start_closer(true);
    if (r) {
        error_setg_errno(errp, r, "no thread to close descriptors");
        qemu_cond_destroy(&more);
        qemu_mutex_destroy(&lock);
        return false;
    }
    running = true;
    return true;
}

void dotnet_close_later(void *library, uint64_t number, int32_t fd)
{
    DotnetLibrary *l = library;
    Lane *lane;

    qemu_mutex_lock(&lock);
    lane = g_hash_table_lookup(l->lanes, &number);
    if (!lane) {
        lane = g_new0(Lane, 1);
        lane->library = l;
        lane->number = number;
        g_queue_init(&lane->descriptors);
        g_hash_table_insert(l->lanes, &lane->number, lane);
        g_queue_push_tail(&unserved, lane);
    }
    lane->unclosed++;
    g_queue_push_tail(&lane->descriptors, GINT_TO_POINTER(fd));
    /* Without a thread more it is closed when one of the others gets to it */
    if (g_queue_get_length(&unserved) > idle) {
        start_closer(false);
    } else {
        qemu_cond_signal(&more);
    }
    qemu_mutex_unlock(&lock);
}

uint32_t dotnet_unclosed(void *library, uint64_t number)
{
    DotnetLibrary *l = library;
    Lane *lane;
    uint32_t count;

    qemu_mutex_lock(&lock);
    lane = g_hash_table_lookup(l->lanes, &number);
    count = lane ? lane->unclosed : 0;
    qemu_mutex_unlock(&lock);
    return count;
}
