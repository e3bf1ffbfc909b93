/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loading a library with devices in C#, and struct dotnet_host for it: log,
 * main loop and timers.
 *
 * Not before the first device needs it: QEMU without such devices has no .NET
 * runtime in it, -daemonize has forked by then, and a missing library is an
 * error of that device.
 */
#include "qemu/osdep.h"
#include <dlfcn.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "qemu/timer.h"
#include "dotnet-host.h"
#include "trace.h"

/* One watched descriptor; the key is the descriptor, which is the process's */
typedef struct Watch {
    DotnetLibrary *library;
    uint64_t object;
    int fd;
} Watch;

/* One armed timer of a library; the key is the object */
typedef struct Timer {
    DotnetLibrary *library;
    uint64_t object;
    QEMUTimer timer;
} Timer;

static DotnetLibrary *libraries;
static GHashTable *watches;

/*
 * The .NET runtime registers the process for membarrier(2).  In a process with
 * threads that waits for a grace period of the kernel's RCU, which is most of
 * the time that loading takes (10 ms and more).  Before there is a thread,
 * and QEMU's own constructors start one, it takes nothing; the runtime then
 * finds it done.
 */
static void __attribute__((constructor(101))) register_membarrier(void)
{
    syscall(__NR_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
}

void dotnet_error_set(Error **errp, const struct dotnet_error *err)
{
    error_setg(errp, "%.*s", (int)sizeof(err->text), err->text[0] ?
               err->text : "the library failed without a reason");
}

int dotnet_error_get(struct dotnet_error *err, Error *local)
{
    pstrcpy(err->text, sizeof(err->text), error_get_pretty(local));
    error_free(local);
    return -EIO;
}

static void host_log(uint32_t level, const char *text, uint32_t length)
{
    g_autofree char *line = g_strndup(text, length);

    switch (level) {
    case DOTNET_LOG_ERROR:
        error_report("%s", line);
        break;
    case DOTNET_LOG_WARNING:
        warn_report("%s", line);
        break;
    case DOTNET_LOG_INFO:
        info_report("%s", line);
        break;
    default:
        trace_dotnet_log(line);
        break;
    }
}

static uint32_t host_log_enabled(uint32_t level)
{
    return level != DOTNET_LOG_DEBUG ||
           trace_event_get_state_backends(TRACE_DOTNET_LOG);
}

/* The library may drop the watch, which frees @w, before these return */
static void watch_readable(void *opaque)
{
    Watch *w = opaque;

    w->library->api->fd_ready(w->object, w->fd, DOTNET_FD_READ);
}

static void watch_writable(void *opaque)
{
    Watch *w = opaque;

    w->library->api->fd_ready(w->object, w->fd, DOTNET_FD_WRITE);
}

static void host_watch_fd(void *library, uint64_t object, int32_t fd,
                          uint32_t events)
{
    Watch *w;

    if (!watches) {
        watches = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    }
    w = g_hash_table_lookup(watches, GINT_TO_POINTER(fd));
    if (!events) {
        if (w) {
            qemu_set_fd_handler(fd, NULL, NULL, NULL);
            g_hash_table_remove(watches, GINT_TO_POINTER(fd));
        }
        return;
    }
    if (!w) {
        w = g_new0(Watch, 1);
        w->fd = fd;
        g_hash_table_insert(watches, GINT_TO_POINTER(fd), w);
    }
    w->library = library;
    w->object = object;
    qemu_set_fd_handler(fd, events & DOTNET_FD_READ ? watch_readable : NULL,
                        events & DOTNET_FD_WRITE ? watch_writable : NULL, w);
}

static void timer_gone(gpointer opaque)
{
    Timer *t = opaque;

    timer_deinit(&t->timer);
    g_free(t);
}

static void timer_run(void *opaque)
{
    Timer *t = opaque;
    DotnetLibrary *library = t->library;
    uint64_t object = t->object;

    g_hash_table_remove(library->timers, &t->object);
    library->api->timer_fired(object);
}

static void host_arm_timer(void *library, uint64_t object, uint32_t ms)
{
    DotnetLibrary *l = library;
    Timer *t = g_hash_table_lookup(l->timers, &object);

    if (!ms) {
        if (t) {
            timer_del(&t->timer);
            g_hash_table_remove(l->timers, &object);
        }
        return;
    }
    if (!t) {
        t = g_new0(Timer, 1);
        t->library = l;
        t->object = object;
        timer_init_ms(&t->timer, QEMU_CLOCK_REALTIME, timer_run, t);
        g_hash_table_insert(l->timers, &t->object, t);
    }
    timer_mod(&t->timer, qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + ms);
}

static const struct dotnet_host host_table = {
    .version = DOTNET_HOST_ABI_VERSION,
    .size = sizeof(struct dotnet_host),
    .log = host_log,
    .log_enabled = host_log_enabled,
    .watch_fd = host_watch_fd,
    .arm_timer = host_arm_timer,
    .close_later = dotnet_close_later,
    .unclosed = dotnet_unclosed,
};

/* Once loaded a library stays: its runtime cannot be unloaded */
static void *library_open(const char *file, char **path)
{
    if (strchr(file, '/')) {
        *path = g_strdup(file);
    } else {
        *path = g_build_filename(qemu_get_exec_dir(), file, NULL);
        if (access(*path, F_OK) < 0) {
            g_free(*path);
            *path = g_strdup(file);
        }
    }
    return dlopen(*path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

static const struct dotnet_api *library_start(DotnetLibrary *library,
                                              Error **errp)
{
    dotnet_get_api_fn get_api =
        (dotnet_get_api_fn)dlsym(library->handle, DOTNET_GET_API_SYMBOL);
    const struct dotnet_api *api = NULL;
    struct dotnet_error err = { 0 };

    if (!get_api) {
        error_setg(errp, "%s has no %s", library->path, DOTNET_GET_API_SYMBOL);
        return NULL;
    }
    library->host = host_table;
    library->host.library = library;
    if (get_api(DOTNET_HOST_ABI_VERSION, &library->host, &api, &err) < 0) {
        error_setg(errp, "%s: %.*s", library->path, (int)sizeof(err.text),
                   err.text);
        return NULL;
    }
    if (api->version != DOTNET_HOST_ABI_VERSION || api->size != sizeof(*api)) {
        error_setg(errp, "%s has host ABI version %u (%u bytes), this QEMU "
                   "needs version %u (%zu bytes)", library->path,
                   api->version, api->size, DOTNET_HOST_ABI_VERSION,
                   sizeof(*api));
        error_append_hint(errp, "Build both from the same sources.\n");
        return NULL;
    }
    return api;
}

/* Finds one that could not be started, too: it may have kept its table */
static DotnetLibrary *library_find(void *handle, const char *path)
{
    DotnetLibrary *library = libraries;

    while (library && library->handle != handle) {
        library = library->next;
    }
    if (!library) {
        library = g_new0(DotnetLibrary, 1);
        library->handle = handle;
        library->path = g_strdup(path);
        library->timers = g_hash_table_new_full(g_int64_hash, g_int64_equal,
                                                NULL, timer_gone);
        library->lanes = dotnet_closer_lanes();
        library->next = libraries;
        libraries = library;
    }
    return library;
}

static DotnetLibrary *library_load(const char *file, Error **errp)
{
    int64_t start = qemu_clock_get_us(QEMU_CLOCK_REALTIME);
    g_autofree char *path = NULL;
    void *handle = library_open(file, &path);
    DotnetLibrary *library;

    if (!handle) {
        error_setg(errp, "cannot load %s: %s", path, dlerror());
        return NULL;
    }
    library = library_find(handle, path);
    if (!library->api) {
        library->api = library_start(library, errp);
        trace_dotnet_library(path, qemu_clock_get_us(QEMU_CLOCK_REALTIME) -
                             start);
    }
    return library->api ? library : NULL;
}

DotnetLibrary *dotnet_library_load(const char *file, Error **errp)
{
    DotnetLibrary *library;
    sigset_t sigbus, before;

    if (!dotnet_closer_start(errp)) {
        return NULL;
    }
    /*
     * The runtime's threads keep the mask that they are made with.  The main
     * thread has SIGBUS blocked, and blocked, the signal of a page that is
     * lost ends the process, whatever handler there is.
     */
    sigemptyset(&sigbus);
    sigaddset(&sigbus, SIGBUS);
    pthread_sigmask(SIG_UNBLOCK, &sigbus, &before);
    library = library_load(file, errp);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return library;
}

const void *dotnet_library_interface(DotnetLibrary *library, const char *name,
                                     uint32_t version, const void *host,
                                     uint32_t api_size, Error **errp)
{
    const void *api = NULL;
    struct dotnet_error err = { 0 };
    const uint32_t *head;

    if (library->api->get_interface(name, version, host, &api, &err) < 0) {
        error_setg(errp, "%s: %.*s", library->path, (int)sizeof(err.text),
                   err.text);
        return NULL;
    }
    head = api;                 /* every table begins with these two */
    if (head[0] != version || head[1] != api_size) {
        error_setg(errp, "%s has version %u (%u bytes) of the interface '%s', "
                   "this QEMU needs version %u (%u bytes)", library->path,
                   head[0], head[1], name, version, api_size);
        error_append_hint(errp, "Build both from the same sources.\n");
        return NULL;
    }
    return api;
}
