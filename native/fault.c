/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Window pages that the origin has taken away.
 *
 * The origin can truncate its file, punch holes into it, or put it on a file
 * system that is full.  Whatever then touches such a page in the window, be it
 * a vCPU, a device model or the library, gets SIGBUS.  The handler replaces
 * the whole window by anonymous memory, as a withdrawal does: the access
 * succeeds and none after it can fault.  The library then drops the connection
 * from the main loop.
 *
 * Under KVM, KVM_RUN may fail with EFAULT instead, which gives no address: the
 * library then searches for the window.  If it finds none and a retry fails as
 * well, all windows are replaced before the VM is stopped.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/event_notifier.h"
#include "qemu/main-loop.h"
#include "qemu/seqlock.h"
#include "qemu/timer.h"
#include "exec/memory.h"
#include "hw/core/cpu.h"
#include "sysemu/sysemu.h"
#ifdef CONFIG_KVM
#include "sysemu/kvm_int.h"
#endif
#include "vhost-pci.h"
#include "trace.h"

/* Reused but never freed, because a handler may be walking the list */
struct VhostPciFaultWindow {
    VhostPciFaultWindow *next;
    QemuSeqLock lock;           /* for base and size; writers hold the BQL */
    uintptr_t base;
    uintptr_t size;             /* 0: not in use */
    uint64_t object;
    unsigned epoch;             /* incremented by each withdrawal */
    bool lost;
};

static VhostPciFaultWindow *windows;
static unsigned withdrawals;    /* from any window */
static EventNotifier notifier;
static struct sigaction previous;

/*
 * An empty file, as long as the largest window, for when the kernel refuses
 * anonymous memory: strict overcommit charges that, but not a sparse file.
 */
static int spare = -1;
static uint64_t spare_size;

/* Poisoned pages of the machine's own RAM, reported before any access */
static void *bad_pages[16];
static unsigned bad_page_count;

/* From here to on_sigbus() everything runs in a signal handler */

static VhostPciFaultWindow *find_window(void *address, unsigned *epoch)
{
    VhostPciFaultWindow *w = qatomic_load_acquire(&windows);

    for (; w; w = w->next) {
        unsigned now = qatomic_load_acquire(&w->epoch);
        unsigned start = seqlock_read_begin(&w->lock);
        uintptr_t base = qatomic_read(&w->base);
        uintptr_t size = qatomic_read(&w->size);

        /* A window that changes right now is not in use: skip it */
        if (!seqlock_read_retry(&w->lock, start) &&
            (uintptr_t)address - base < size) {
            *epoch = now;
            return w;
        }
    }
    return NULL;
}

/*
 * Replace the whole window.  Replacing single pages could exceed the number of
 * mappings that a process may have.
 */
static bool empty_window(VhostPciFaultWindow *w)
{
    void *base = (void *)w->base;
    int prot = PROT_READ | PROT_WRITE;

    if (mmap(base, w->size, prot,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) !=
        base &&
        mmap(base, w->size, prot, MAP_SHARED | MAP_FIXED, spare, 0) != base) {
        return false;
    }
    madvise(base, w->size, MADV_DONTDUMP);
    qatomic_inc(&withdrawals);
    qatomic_set(&w->lost, true);
    event_notifier_set(&notifier);
    return true;
}

static void pass_on(int number, siginfo_t *info, void *context)
{
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(number, info, context);
    } else if (previous.sa_handler == SIG_IGN && info->si_code <= 0) {
        return;
    } else if (previous.sa_handler == SIG_DFL ||
               previous.sa_handler == SIG_IGN) {
        signal(number, SIG_DFL);
        raise(number);
    } else {
        previous.sa_handler(number);
    }
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    VhostPciFaultWindow *w = NULL;
    unsigned epoch;

    if (info->si_code > 0) {    /* from the kernel, not from kill() */
        w = find_window(info->si_addr, &epoch);
    }
    /* If it was withdrawn meanwhile, the access is simply repeated */
    if (w && (qatomic_read(&w->epoch) != epoch || empty_window(w))) {
        errno = saved_errno;
        return;
    }
    if (info->si_code == BUS_MCEERR_AO && context && !current_cpu) {
        /*
         * QEMU reads these from a signalfd, which gets nothing while SIGBUS is
         * unblocked: hand it over from the main loop.
         */
        if (bad_page_count < ARRAY_SIZE(bad_pages)) {
            bad_pages[bad_page_count++] = info->si_addr;
            event_notifier_set(&notifier);
        }
        errno = saved_errno;
        return;
    }
    pass_on(number, info, context);
    errno = saved_errno;
}

static void report_bad_pages(void)
{
    siginfo_t info = { .si_signo = SIGBUS, .si_code = BUS_MCEERR_AO };
    sigset_t sigbus;
    void *page;

    sigemptyset(&sigbus);
    sigaddset(&sigbus, SIGBUS);
    while (qatomic_read(&bad_page_count)) {
        /* The handler runs on this thread: blocking keeps it out */
        pthread_sigmask(SIG_BLOCK, &sigbus, NULL);
        page = bad_pages[--bad_page_count];
        pthread_sigmask(SIG_UNBLOCK, &sigbus, NULL);
        info.si_addr = page;
        pass_on(SIGBUS, &info, NULL);
    }
}

static void notified(EventNotifier *e)
{
    event_notifier_test_and_clear(e);
    report_bad_pages();
    for (VhostPciFaultWindow *w = windows; w; w = w->next) {
        if (w->size && qatomic_read(&w->lost)) {
            trace_vhost_pci_window_fault(w->object);
            vhost_pci_library_loaded()->device_window_fault(w->object);
        }
    }
}

#ifdef CONFIG_KVM
/* If a window caused the failure, this removes the cause */
static void empty_all_windows(void)
{
    warn_report("vhost-pci: a vCPU cannot reach memory, and no origin's is "
                "known to be lost: all windows are withdrawn");
    for (VhostPciFaultWindow *w = windows; w; w = w->next) {
        if (w->size) {
            empty_window(w);
        }
    }
}

static bool kvm_window_fault(void)
{
    static __thread unsigned seen;
    static __thread int64_t first_try;
    static __thread unsigned tries;
    int64_t now = qemu_clock_get_ms(QEMU_CLOCK_REALTIME);
    uint32_t ended = 0;
    bool again = true;

    qemu_mutex_lock_iothread();
    /* Another thread may have handled it already */
    if (qatomic_read(&withdrawals) == seen) {
        ended = vhost_pci_library_loaded()->check_windows();
    }
    if (qatomic_read(&withdrawals) == seen && !ended) {
        if (!tries || now - first_try >= 1000) {
            tries = 0;
            first_try = now;
        }
        if (tries == 1) {
            empty_all_windows();
        }
        /* The first retry is for a page that has come back */
        again = tries++ < 2;
    }
    seen = qatomic_read(&withdrawals);
    qemu_mutex_unlock_iothread();
    trace_vhost_pci_kvm_fault(ended);
    return again;
}
#endif

/* Done once, early: later, descriptors may have run out */
static bool handle_faults(Error **errp)
{
    static bool handling;
    struct sigaction action = {
        .sa_sigaction = on_sigbus,
        .sa_flags = SA_SIGINFO | SA_RESTART,
    };
    sigset_t sigbus;
    int ret;

    if (handling) {
        return true;
    }
    ret = event_notifier_init(&notifier, false);
    if (ret < 0) {
        error_setg_errno(errp, -ret, "cannot handle lost memory");
        return false;
    }
    spare = memfd_create("vhost-pci-spare", MFD_CLOEXEC);
    if (spare < 0) {
        error_setg_errno(errp, errno, "cannot provide for lost memory");
        event_notifier_cleanup(&notifier);
        return false;
    }
    event_notifier_set_handler(&notifier, notified);
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &previous);
    /* QEMU blocks it in the main thread only */
    sigemptyset(&sigbus);
    sigaddset(&sigbus, SIGBUS);
    pthread_sigmask(SIG_UNBLOCK, &sigbus, NULL);
#ifdef CONFIG_KVM
    kvm_memory_fault_hook = kvm_window_fault;
#endif
    handling = true;
    return true;
}

VhostPciFaultWindow *vhost_pci_fault_add(uint64_t object, void *base,
                                         uint64_t size, Error **errp)
{
    VhostPciFaultWindow *w = windows;

    if (size > spare_size) {
        if (ftruncate(spare, size) < 0) {
            error_setg_errno(errp, errno, "cannot provide for lost memory");
            return NULL;
        }
        spare_size = size;
    }
    while (w && w->size) {
        w = w->next;
    }
    if (!w) {
        w = g_new0(VhostPciFaultWindow, 1);
        w->next = windows;
        qatomic_store_release(&windows, w);
    }
    seqlock_write_begin(&w->lock);
    qatomic_set(&w->base, (uintptr_t)base);
    qatomic_set(&w->size, (uintptr_t)size);
    seqlock_write_end(&w->lock);
    w->object = object;
    qatomic_set(&w->lost, false);
    return w;
}

void vhost_pci_fault_remove(VhostPciFaultWindow *w)
{
    seqlock_write_begin(&w->lock);
    qatomic_set(&w->size, 0);
    seqlock_write_end(&w->lock);
}

bool vhost_pci_fault_take(VhostPciFaultWindow *w)
{
    /* A handler that still works on the old contents starts again */
    qatomic_inc(&w->epoch);
    qatomic_inc(&withdrawals);
    if (!qatomic_xchg(&w->lost, false)) {
        return false;
    }
    /* Drop what was written there meanwhile */
    fallocate(spare, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, spare_size);
    return true;
}

bool vhost_pci_window_allowed(Error **errp)
{
    ERRP_GUARD();

    if (enable_mlock) {
        error_setg(errp, "vhost-pci does not work with locked memory: it "
                   "would fill the windows of all origins with real pages");
        error_append_hint(errp, "Leave -overcommit mem-lock=on away; huge "
                          "pages and prealloc=on in this VM's memory backend "
                          "keep its own memory in place.\n");
        return false;
    }
    if (!handle_faults(errp)) {
        return false;
    }
    /*
     * VFIO skips the window, because it is RAM_PROTECTED: for QEMU that is a
     * coordinated discard.
     */
    if (ram_block_coordinated_discard_require(true)) {
        error_setg(errp, "vhost-pci does not work with a device that pins all "
                   "memory of this VM");
        error_append_hint(errp, "Leave vhost-vdpa, SEV, nvme:// and libblkio "
                          "away from this VM; vfio-pci can stay.\n");
        return false;
    }
    return true;
}

void vhost_pci_window_unneeded(void)
{
    ram_block_coordinated_discard_require(false);
}
