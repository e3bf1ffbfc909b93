// SPDX-License-Identifier: GPL-2.0-only
/*
 * Offload of the one tc filter that makes a forwarder:
 *
 *	tc filter add dev A ingress matchall action mirred egress redirect dev B
 *
 * Packets go from the round of work straight to B's transmit queue.  The
 * result is the same as without, but for taps on A and for other filters of
 * A, which do not see them; so it is off until somebody says
 *
 *	ethtool -K A hw-tc-offload on
 *
 * While B's queue is stopped nothing is taken from the origin, so that frames
 * wait in its ring and none is dropped in between.
 */
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <net/flow_offload.h>
#include <net/pkt_cls.h>

#include "tc.h"

/* Microseconds before we look at a stopped queue again; doubled each time */
#define VPNET_TC_HOLD_MIN	64
#define VPNET_TC_HOLD_MAX	512

static LIST_HEAD(vpnet_tc_blocks);

/* Under the RTNL; on return nobody sends to the old target any more */
static void vpnet_tc_set(struct vpnet *vp, struct net_device *to,
			 unsigned long cookie)
{
	struct net_device *old = rtnl_dereference(vp->redirect);

	if (to)
		dev_hold(to);
	rcu_assign_pointer(vp->redirect, to);
	vp->tc_cookie = cookie;
	if (!old)
		return;
	synchronize_net();
	dev_put(old);
}

static int vpnet_tc_replace(struct vpnet *vp, struct tc_cls_matchall_offload *f)
{
	struct netlink_ext_ack *extack = f->common.extack;
	const struct flow_action *action = &f->rule->action;
	const struct flow_action_entry *act = &action->entries[0];

	if (!tc_cls_can_offload_and_chain0(vp->dev, &f->common))
		return -EOPNOTSUPP;
	if (f->common.protocol != htons(ETH_P_ALL) ||
	    !flow_offload_has_one_action(action) ||
	    act->id != FLOW_ACTION_REDIRECT || !act->dev ||
	    act->dev == vp->dev) {
		NL_SET_ERR_MSG_MOD(extack,
				   "Only protocol all, redirected to another device");
		return -EOPNOTSUPP;
	}
	if (vp->tc_cookie && vp->tc_cookie != f->cookie) {
		NL_SET_ERR_MSG_MOD(extack, "Only one filter");
		return -EOPNOTSUPP;
	}
	if (!flow_action_basic_hw_stats_check(action, extack))
		return -EOPNOTSUPP;
	vpnet_tc_set(vp, act->dev, f->cookie);
	return 0;
}

/* What has been forwarded since the last request */
static void vpnet_tc_stats(struct vpnet *vp, struct tc_cls_matchall_offload *f)
{
	u64 packets = 0, bytes = 0;
	unsigned int i;

	for (i = 0; i < vp->pairs; i++) {
		packets += READ_ONCE(vp->pair[i].tc_packets);
		bytes += READ_ONCE(vp->pair[i].tc_bytes);
	}
	flow_stats_update(&f->stats, bytes - vp->tc_bytes_told,
			  packets - vp->tc_packets_told, 0,
			  packets != vp->tc_packets_told ? jiffies : 0,
			  FLOW_ACTION_HW_STATS_IMMEDIATE);
	vp->tc_packets_told = packets;
	vp->tc_bytes_told = bytes;
}

static int vpnet_tc_matchall(struct vpnet *vp,
			     struct tc_cls_matchall_offload *f)
{
	switch (f->command) {
	case TC_CLSMATCHALL_REPLACE:
		return vpnet_tc_replace(vp, f);
	case TC_CLSMATCHALL_DESTROY:
		if (vp->tc_cookie == f->cookie)
			vpnet_tc_set(vp, NULL, 0);
		return 0;
	case TC_CLSMATCHALL_STATS:
		if (vp->tc_cookie != f->cookie)
			return -EOPNOTSUPP;
		vpnet_tc_stats(vp, f);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

static int vpnet_tc_block(enum tc_setup_type type, void *data, void *priv)
{
	return type == TC_SETUP_CLSMATCHALL ? vpnet_tc_matchall(priv, data) :
					      -EOPNOTSUPP;
}

int vpnet_setup_tc(struct net_device *dev, enum tc_setup_type type, void *data)
{
	struct vpnet *vp = netdev_priv(dev);

	if (type != TC_SETUP_BLOCK)
		return -EOPNOTSUPP;
	return flow_block_cb_setup_simple(data, &vpnet_tc_blocks,
					  vpnet_tc_block, vp, vp, true);
}

/* tc does not tell us when a target goes away */
static int vpnet_tc_event(struct notifier_block *nb, unsigned long event,
			  void *info)
{
	struct vpnet *vp = container_of(nb, struct vpnet, tc_notifier);
	struct net_device *dev = netdev_notifier_info_to_dev(info);

	if (event == NETDEV_UNREGISTER &&
	    dev == rcu_access_pointer(vp->redirect))
		vpnet_tc_set(vp, NULL, vp->tc_cookie);
	return NOTIFY_DONE;
}

int vpnet_tc_start(struct vpnet *vp)
{
	vp->tc_notifier.notifier_call = vpnet_tc_event;
	return register_netdevice_notifier(&vp->tc_notifier);
}

void vpnet_tc_stop(struct vpnet *vp)
{
	unregister_netdevice_notifier(&vp->tc_notifier);
}

/**
 * vpnet_tc_busy - had the frames better wait?
 * @pair: where they come from
 * @to: where they go
 * @round: gets the time to wait
 */
bool vpnet_tc_busy(struct vpnet_pair *pair, const struct net_device *to,
		   struct vpnet_round *round)
{
	const struct netdev_queue *txq = netdev_get_tx_queue(to, 0);

	/*
	 * one queue of several says nothing about the others; nor does a dead
	 * link
	 */
	if (to->real_num_tx_queues > 1 || !netif_xmit_stopped(txq) ||
	    !netif_running(to) || !netif_carrier_ok(to)) {
		pair->tc_hold = VPNET_TC_HOLD_MIN;
		return false;
	}
	round->hold = clamp_t(u32, pair->tc_hold, VPNET_TC_HOLD_MIN,
			      VPNET_TC_HOLD_MAX);
	pair->tc_hold = round->hold * 2;
	return true;
}

/* Send a packet to @to instead of passing it to the stack */
void vpnet_tc_forward(struct vpnet_pair *pair, struct net_device *to,
		      struct sk_buff *skb)
{
	skb_reset_network_header(skb);
	skb_reset_mac_len(skb);
	skb->skb_iif = skb->dev->ifindex;
	__skb_push(skb, ETH_HLEN);
	skb->dev = to;
	WRITE_ONCE(pair->tc_packets, pair->tc_packets + 1);
	WRITE_ONCE(pair->tc_bytes, pair->tc_bytes + skb->len);
	dev_queue_xmit(skb);
}
