// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes allocations fail where frames are received, on a kernel without fault
 * injection (Debian's): what may not sleep, in a softirq, fails every n-th
 * time.
 *
 *	echo N >/sys/module/vpfault/parameters/pages	pages, 0: none fail
 *	echo N >/sys/module/vpfault/parameters/slabs	objects
 */
#include <linux/gfp.h>
#include <linux/kprobes.h>
#include <linux/linkage.h>
#include <linux/module.h>
#include <linux/preempt.h>

static unsigned int pages;
module_param(pages, uint, 0644);
static unsigned int slabs;
module_param(slabs, uint, 0644);

static unsigned int failed_pages;
module_param(failed_pages, uint, 0444);
static unsigned int failed_slabs;
module_param(failed_slabs, uint, 0444);

/* Instead of the function, whose first instruction we are at */
void vpfault_return(void);
asm(".text\n"
    ".type vpfault_return, @function\n"
    "vpfault_return:\n\t"
    ASM_RET
    ".size vpfault_return, . - vpfault_return\n");

static bool vpfault_now(gfp_t gfp, unsigned int every, unsigned int *turn)
{
	if (!every || (gfp & __GFP_DIRECT_RECLAIM) || !in_serving_softirq())
		return false;
	return ++*turn % every == 0;
}

static int vpfault_fail(struct pt_regs *regs, long result,
			unsigned int *count)
{
	++*count;
	regs->ax = result;
	regs->ip = (unsigned long)vpfault_return;
	return 1;
}

/* struct page *__alloc_pages(gfp_t gfp, unsigned int order, ...) */
static int vpfault_pages(struct kprobe *p, struct pt_regs *regs)
{
	static unsigned int turn;

	if (!vpfault_now(regs->di, READ_ONCE(pages), &turn))
		return 0;
	return vpfault_fail(regs, 0, &failed_pages);
}

/* int should_failslab(struct kmem_cache *s, gfp_t gfp) */
static int vpfault_slabs(struct kprobe *p, struct pt_regs *regs)
{
	static unsigned int turn;

	if (!vpfault_now(regs->si, READ_ONCE(slabs), &turn))
		return 0;
	return vpfault_fail(regs, -ENOMEM, &failed_slabs);
}

static struct kprobe vpfault_probe_pages = {
	.symbol_name = "__alloc_pages",
	.pre_handler = vpfault_pages,
};

static struct kprobe vpfault_probe_slabs = {
	.symbol_name = "should_failslab",
	.pre_handler = vpfault_slabs,
};

static struct kprobe *vpfault_probes[] = {
	&vpfault_probe_pages, &vpfault_probe_slabs,
};

static int __init vpfault_init(void)
{
	return register_kprobes(vpfault_probes, ARRAY_SIZE(vpfault_probes));
}

static void __exit vpfault_exit(void)
{
	unregister_kprobes(vpfault_probes, ARRAY_SIZE(vpfault_probes));
}

module_init(vpfault_init);
module_exit(vpfault_exit);

MODULE_DESCRIPTION("Failing allocations for tests of vhost_pci_net");
MODULE_LICENSE("GPL");
