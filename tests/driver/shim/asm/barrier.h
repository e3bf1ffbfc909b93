/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SHIM_ASM_BARRIER_H
#define SHIM_ASM_BARRIER_H

#define virt_mb()			__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define virt_load_acquire(p)		__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define virt_store_release(p, val)	\
	__atomic_store_n((p), (val), __ATOMIC_RELEASE)

#endif /* SHIM_ASM_BARRIER_H */
