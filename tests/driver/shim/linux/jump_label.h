/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Static branches as ordinary ones, always taken: the slow way is right, too */
#ifndef SHIM_LINUX_JUMP_LABEL_H
#define SHIM_LINUX_JUMP_LABEL_H

#define DECLARE_STATIC_KEY_FALSE(name)	extern const bool name
#define DEFINE_STATIC_KEY_FALSE(name)	const bool name = true
#define static_branch_unlikely(key)	(*(key))

#endif /* SHIM_LINUX_JUMP_LABEL_H */
