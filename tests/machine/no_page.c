/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into QEMU: KVM_RUN ends with EFAULT once for each time that the
 * file $NO_PAGE is there, as it does on a processor's own virtualization when
 * a page of the guest's memory cannot be had.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    void *argument;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    if (request == KVM_RUN && !unlink(getenv("NO_PAGE"))) {
        errno = EFAULT;
        return -1;
    }
    return syscall(SYS_ioctl, fd, request, argument);
}
