/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For libraries that are preloaded into QEMU to answer some of its ioctl()s.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Defined by the file that includes this one */
static int answer(int fd, unsigned long request, void *argument);

static inline int ask_kernel(int fd, unsigned long request, void *argument)
{
    return syscall(SYS_ioctl, fd, request, argument);
}

int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    void *argument;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    return answer(fd, request, argument);
}
