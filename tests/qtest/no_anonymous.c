/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into QEMU: while the file $NO_ANONYMOUS is there, the kernel gives
 * no writable anonymous memory in place of what is mapped, as it can happen
 * with vm.overcommit_memory=2.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *mmap64(void *address, size_t length, int prot, int flags, int fd,
             off64_t offset)
{
    if ((flags & MAP_FIXED) && (flags & MAP_ANONYMOUS) &&
        (prot & PROT_WRITE) && !access(getenv("NO_ANONYMOUS"), F_OK)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, address, length, prot, flags, fd, offset);
}
