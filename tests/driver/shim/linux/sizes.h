/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHIM_LINUX_SIZES_H
#define SHIM_LINUX_SIZES_H

#define SZ_16K		0x4000
#define SZ_32K		0x8000
#define SZ_2M		0x200000

#endif /* SHIM_LINUX_SIZES_H */
