/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into QEMU: KVM_RUN ends with EFAULT once for each time that the
 * file $NO_PAGE is there, as it does on a processor's own virtualization when
 * a page of the guest's memory cannot be had.
 */
#include "preload.h"
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>

static int answer(int fd, unsigned long request, void *argument)
{
    if (request == KVM_RUN && !unlink(getenv("NO_PAGE"))) {
        errno = EFAULT;
        return -1;
    }
    return ask_kernel(fd, request, argument);
}
