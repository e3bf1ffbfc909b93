// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests in a booted guest: what happens rarely, made to happen.  Knows of
 * vhost_pci_net only that its device is a virtio one, and changes nothing in
 * it.  In /sys/module/vpfaults/parameters:
 *
 * rtnl		1: hold the RTNL, 0: let it go
 * no_queues	virtio queues that have the size 0 when they are looked at,
 *		so that setting them up fails; counts down
 * down_delay	milliseconds by which this CPU is late with the next write of
 *		"the interface is down" to a vhost-pci-net device; once
 * config_version	what a vhost-pci-net device says instead of its version; 0: nothing
 * queue_names	what the virtio core calls that device's queues
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/virtio.h>
#include <linux/virtio_config.h>

#include "vhost_pci_guest_abi.h"

/* a thread holds the RTNL, so that the shell can go on */
static DECLARE_COMPLETION(taken);
static struct task_struct *holder;

static int hold(void *unused)
{
	rtnl_lock();
	complete(&taken);
	set_current_state(TASK_IDLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_IDLE);
	}
	__set_current_state(TASK_RUNNING);
	rtnl_unlock();
	return 0;
}

static void let_go(void)
{
	if (holder)
		kthread_stop(holder);
	holder = NULL;
}

static int rtnl_set(const char *val, const struct kernel_param *kp)
{
	struct task_struct *task;
	bool wanted;
	int err = kstrtobool(val, &wanted);

	if (err)
		return err;
	if (!wanted) {
		let_go();
		return 0;
	}
	if (holder)
		return -EBUSY;
	task = kthread_run(hold, NULL, "vpfaults");
	if (IS_ERR(task))
		return PTR_ERR(task);
	holder = task;
	wait_for_completion(&taken);
	return 0;
}

static int rtnl_get(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%d\n", !!holder);
}

static const struct kernel_param_ops rtnl_ops = {
	.set = rtnl_set,
	.get = rtnl_get,
};
module_param_cb(rtnl, &rtnl_ops, NULL, 0644);

/* queues */
static uint no_queues;
module_param(no_queues, uint, 0644);

static int queue_size(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	if (READ_ONCE(no_queues)) {
		WRITE_ONCE(no_queues, no_queues - 1);
		regs_set_return_value(regs, 0);
	}
	return 0;
}

static struct kretprobe queue_size_probe = {
	.kp.symbol_name = "vp_modern_get_queue_size",
	.handler = queue_size,
};

/* what the driver tells the device */
static uint down_delay;
module_param(down_delay, uint, 0644);

static int config_write(struct kprobe *p, struct pt_regs *regs)
{
	const struct virtio_device *vdev =
		(void *)regs_get_kernel_argument(regs, 0);
	unsigned int offset = regs_get_kernel_argument(regs, 1);
	const u32 *val = (void *)regs_get_kernel_argument(regs, 2);
	uint delay = READ_ONCE(down_delay);

	if (delay && vdev->id.device == VIRTIO_ID_VHOST_PCI_NET &&
	    offset == offsetof(struct vhost_pci_config, driver) && *val) {
		WRITE_ONCE(down_delay, 0);
		mdelay(delay);
	}
	return 0;
}

static struct kprobe config_write_probe = {
	.pre_handler = config_write,
};

/* what the device tells the driver */
static uint config_version;
module_param(config_version, uint, 0644);

/* Remembers where the version goes */
static int config_read_begins(struct kretprobe_instance *ri,
			      struct pt_regs *regs)
{
	const struct virtio_device *vdev =
		(void *)regs_get_kernel_argument(regs, 0);
	unsigned int offset = regs_get_kernel_argument(regs, 1);
	__le32 **to = (void *)ri->data;

	*to = NULL;
	if (vdev->id.device == VIRTIO_ID_VHOST_PCI_NET &&
	    offset == offsetof(struct vhost_pci_config, version))
		*to = (void *)regs_get_kernel_argument(regs, 2);
	return 0;
}

static int config_read(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	__le32 *to = *(__le32 **)ri->data;
	uint version = READ_ONCE(config_version);

	if (to && version)
		*to = cpu_to_le32(version);
	return 0;
}

static struct kretprobe config_read_probe = {
	.entry_handler = config_read_begins,
	.handler = config_read,
	.data_size = sizeof(__le32 *),
};

/* The driver's first interface; the RTNL keeps it there */
static struct virtio_device *find_device(void)
{
	struct virtio_device *vdev;
	struct net_device *dev;

	for_each_netdev(&init_net, dev) {
		if (!dev->dev.parent || !dev->dev.parent->bus ||
		    strcmp(dev->dev.parent->bus->name, "virtio"))
			continue;
		vdev = dev_to_virtio(dev->dev.parent);
		if (vdev->id.device == VIRTIO_ID_VHOST_PCI_NET)
			return vdev;
	}
	return NULL;
}

/* All virtio-pci devices read and write with the same functions */
static bool find_functions(void)
{
	struct virtio_device *vdev;

	rtnl_lock();
	vdev = find_device();
	if (vdev) {
		config_read_probe.kp.addr = (void *)vdev->config->get;
		config_write_probe.addr = (void *)vdev->config->set;
	}
	rtnl_unlock();
	return vdev;
}

static int names_get(char *buffer, const struct kernel_param *kp)
{
	struct virtio_device *vdev;
	struct virtqueue *vq;
	int len = 0;

	rtnl_lock();
	vdev = find_device();
	if (vdev)
		virtio_device_for_each_vq(vdev, vq)
			len += sysfs_emit_at(buffer, len, "%s ", vq->name);
	rtnl_unlock();
	return len;
}

static const struct kernel_param_ops names_ops = {
	.get = names_get,
};
module_param_cb(queue_names, &names_ops, NULL, 0444);

static int __init vpfaults_init(void)
{
	int err;

	if (!find_functions())
		return -ENODEV;
	err = register_kprobe(&config_write_probe);
	if (err)
		return err;
	err = register_kretprobe(&config_read_probe);
	if (err)
		goto unregister_write;
	err = register_kretprobe(&queue_size_probe);
	if (err)
		goto unregister_read;
	return 0;

unregister_read:
	unregister_kretprobe(&config_read_probe);
unregister_write:
	unregister_kprobe(&config_write_probe);
	return err;
}

static void __exit vpfaults_exit(void)
{
	let_go();
	unregister_kretprobe(&queue_size_probe);
	unregister_kretprobe(&config_read_probe);
	unregister_kprobe(&config_write_probe);
}

module_init(vpfaults_init);
module_exit(vpfaults_exit);
MODULE_DESCRIPTION("Faults for the tests of vhost_pci_net");
MODULE_LICENSE("GPL");
