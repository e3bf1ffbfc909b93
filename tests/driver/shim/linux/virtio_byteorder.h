/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHIM_LINUX_VIRTIO_BYTEORDER_H
#define SHIM_LINUX_VIRTIO_BYTEORDER_H

#include <endian.h>
#include <linux/types.h>
#include <linux/virtio_types.h>

/* The driver knows little-endian origins only */
#define __virtio16_to_cpu(little, val)	((void)(little), le16toh(val))
#define __virtio32_to_cpu(little, val)	((void)(little), le32toh(val))
#define __virtio64_to_cpu(little, val)	((void)(little), le64toh(val))
#define __cpu_to_virtio16(little, val)	((void)(little), htole16(val))
#define __cpu_to_virtio32(little, val)	((void)(little), htole32(val))
#define __cpu_to_virtio64(little, val)	((void)(little), htole64(val))

#endif /* SHIM_LINUX_VIRTIO_BYTEORDER_H */
