/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into QEMU: a VFIO group and container without an IOMMU.  What
 * QEMU maps for DMA is written into the file $FAKE_VFIO, a line "iova size"
 * for each; the group has no device.
 */
#include "preload.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int open(const char *path, int flags, ...)
{
    va_list arguments;
    mode_t mode;

    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
    if (!strncmp(path, "/dev/vfio/", strlen("/dev/vfio/"))) {
        path = "/dev/null";
    }
    return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* On 64-bit hosts they are the same */
int open64(const char *path, int flags, ...) __attribute__((alias("open")));

static void note(const struct vfio_iommu_type1_dma_map *map)
{
    FILE *file = fopen(getenv("FAKE_VFIO"), "a");

    fprintf(file, "%llx %llx\n", (unsigned long long)map->iova,
            (unsigned long long)map->size);
    fclose(file);
}

static int answer(int fd, unsigned long request, void *argument)
{
    switch (request) {
    case VFIO_CHECK_EXTENSION:
        return (uintptr_t)argument == VFIO_TYPE1v2_IOMMU;
    case VFIO_GROUP_GET_STATUS:
        ((struct vfio_group_status *)argument)->flags =
            VFIO_GROUP_FLAGS_VIABLE;
        return 0;
    case VFIO_IOMMU_GET_INFO:
        ((struct vfio_iommu_type1_info *)argument)->flags =
            VFIO_IOMMU_INFO_PGSIZES;
        ((struct vfio_iommu_type1_info *)argument)->iova_pgsizes = 4096;
        return 0;
    case VFIO_IOMMU_MAP_DMA:
        note(argument);
        return 0;
    case VFIO_GROUP_GET_DEVICE_FD:
        errno = ENODEV;
        return -1;
    }
    return _IOC_TYPE(request) == VFIO_TYPE ? 0 :
           ask_kernel(fd, request, argument);
}
