/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signalling an eventfd that somebody else may make blocking.
 *
 * O_NONBLOCK belongs to the open file, which an origin shares: it can clear the
 * flag and fill the counter at any time, also between a poll() and the write(),
 * which would then hold the VM's lock for as long as it likes.  The kernel's
 * own way of signalling never waits, and asynchronous I/O has it: a read of
 * nothing, which is complete at once and signals the eventfd.
 */
#include "qemu/osdep.h"
#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/syscall.h>
#include "qemu/event_notifier.h"
#include "net-pci.h"

static aio_context_t context;
static int nothing = -1;

static bool signal_open(void)
{
    static bool tried;

    if (!tried) {
        tried = true;
        nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (nothing >= 0 && syscall(__NR_io_setup, 1, &context) < 0) {
            close(nothing);
            nothing = -1;
        }
    }
    return nothing >= 0;
}

void vhost_pci_signal(EventNotifier *e)
{
    struct iocb cb = {
        .aio_fildes = nothing,
        .aio_lio_opcode = IOCB_CMD_PREAD,
        .aio_flags = IOCB_FLAG_RESFD,
        .aio_resfd = event_notifier_get_fd(e),
    };
    struct iocb *list = &cb;
    struct timespec now = { 0 };
    struct io_event done;
    struct pollfd room = { .fd = cb.aio_resfd, .events = POLLOUT };

    if (signal_open()) {
        cb.aio_fildes = nothing;
        if (syscall(__NR_io_submit, context, 1, &list) == 1) {
            syscall(__NR_io_getevents, context, 1, 1, &done, &now);
            return;
        }
    }
    /* A kernel without it: as good as can be */
    if (poll(&room, 1, 0) == 1 && room.revents & POLLOUT) {
        event_notifier_set(e);
    }
}
