/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHIM_LINUX_KERNEL_H
#define SHIM_LINUX_KERNEL_H

#define min(a, b)				\
({						\
	typeof(a) min_a_ = (a);			\
	typeof(b) min_b_ = (b);			\
						\
	min_a_ < min_b_ ? min_a_ : min_b_;	\
})

#define U32_MAX		((u32)~0U)

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#endif /* SHIM_LINUX_KERNEL_H */
