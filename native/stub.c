/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For machines without virtio-pci: nothing to report.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/qapi-commands-vhost-pci.h"
#include "monitor/hmp.h"

VhostPciInfo *qmp_query_vhost_pci(Error **errp)
{
    return g_new0(VhostPciInfo, 1);
}

void hmp_info_vhost_pci(Monitor *mon, const QDict *qdict)
{
}
