/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded into QEMU: the file $FAKE_VDPA answers ioctl() as a vhost-vdpa
 * network device does that has nothing to say.
 */
#include "preload.h"
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int is_fake(int fd)
{
    struct stat device, file;

    return !stat(getenv("FAKE_VDPA"), &device) && !fstat(fd, &file) &&
           device.st_ino == file.st_ino && device.st_dev == file.st_dev;
}

static int answer(int fd, unsigned long request, void *argument)
{
    if (_IOC_TYPE(request) != VHOST_VIRTIO || !is_fake(fd)) {
        return ask_kernel(fd, request, argument);
    }
    if (_IOC_DIR(request) & _IOC_READ) {
        memset(argument, 0, _IOC_SIZE(request));
    }
    switch (request) {
    case VHOST_GET_FEATURES:
        *(uint64_t *)argument = 1ULL << VIRTIO_F_VERSION_1 |
                                1ULL << VIRTIO_F_ACCESS_PLATFORM;
        break;
    case VHOST_VDPA_GET_DEVICE_ID:
        *(uint32_t *)argument = 1;
        break;
    case VHOST_VDPA_GET_IOVA_RANGE:
        ((struct vhost_vdpa_iova_range *)argument)->last = UINT64_MAX;
        break;
    }
    return 0;
}
