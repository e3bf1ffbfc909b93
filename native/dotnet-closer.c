/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Closes descriptors that a peer has sent, on threads that may block.
 *
 * Whoever made a file decides how long its close() takes: a socket with
 * SO_LINGER sends what is left, a file on FUSE asks its daemon, an eventfd may
 * be in an epoll that its owner stalls.  We cannot tell in advance, so no
 * thread that the VM needs closes any of them.
 *
 * Descriptors are queued in lanes.  Each lane with something to close has a
 * thread, which closes one descriptor after the other, so a peer delays only
 * its own.  One thread stays; more are started while it is busy and exit when
 * they run out of work.  Each library has its own lanes and limits their
 * number.
 */
#include "qemu/osdep.h"
#include "qemu/thread.h"
#include "qemu/units.h"
#include "dotnet-host.h"

#define CLOSER_STACK_SIZE (256 * KiB)

/* Descriptors of one peer that still have to be closed */
typedef struct Lane {
    DotnetLibrary *library;
    uint64_t number;
    uint32_t unclosed;          /* queued, and the one in close() */
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

/* Called with the lock held; drops it for each close() */
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

/* Not qemu_thread_create(), which aborts if no thread can be created */
static int start_closer(bool stays)
{
    sigset_t all, before;
    pthread_attr_t attr;
    pthread_t thread;
    int r;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, CLOSER_STACK_SIZE);
    /* Only QEMU's main thread handles signals */
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
    /* If no thread can be started, a running one closes it in the end */
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
