/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bridge behind which vhost-pci-net devices are plugged: conventional PCI
 * with an SHPC.  SeaBIOS and OVMF, on i440fx and q35, give such a bridge
 * hot-plug slots and a large 64-bit window without any option.
 */
#include "qemu/osdep.h"
#include "qapi/error.h"
#include "hw/pci/msi.h"
#include "hw/pci/pci_ids.h"
#include "hw/pci/shpc.h"
#include "bridge.h"

void vhost_pci_bridge_realize(PCIDevice *d, Error **errp)
{
    VhostPciBridge *b = VHOST_PCI_BRIDGE(d);
    PCIResReserve reserve = {
        .bus = -1, .io = 0, .mem_pref_32 = -1,
        .mem_non_pref = b->mem_reserve, .mem_pref_64 = b->pref64_reserve,
    };

    b->parent_obj.bus_name = b->bus_name;
    pci_bridge_initfn(d, TYPE_PCI_BUS);
    d->config[PCI_INTERRUPT_PIN] = 1;
    memory_region_init(&b->shpc_bar, OBJECT(d), "vhost-pci-shpc",
                       shpc_bar_size(d));
    if (shpc_init(d, &b->parent_obj.sec_bus, &b->shpc_bar, 0, errp)) {
        pci_bridge_exitfn(d);
        return;
    }
    /* If this fails, the SHPC uses INTx */
    msi_init(d, 0, 1, true, true, NULL);
    if (pci_bridge_qemu_reserve_cap_init(d, 0, reserve, errp) < 0) {
        vhost_pci_bridge_exit(d);
        return;
    }
    /* 32 bits: a 64-bit BAR would spoil the alignment of the window */
    pci_register_bar(d, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &b->shpc_bar);
}

void vhost_pci_bridge_exit(PCIDevice *d)
{
    if (msi_present(d)) {
        msi_uninit(d);
    }
    shpc_cleanup(d, &VHOST_PCI_BRIDGE(d)->shpc_bar);
    pci_bridge_exitfn(d);
}

static void bridge_finalize(Object *obj)
{
    shpc_free(PCI_DEVICE(obj));
    g_free(VHOST_PCI_BRIDGE(obj)->bus_name);
}

static void bridge_write_config(PCIDevice *d, uint32_t address, uint32_t val,
                                int len)
{
    pci_bridge_write_config(d, address, val, len);
    if (msi_present(d)) {
        msi_write_config(d, address, val, len);
    }
    shpc_cap_write_config(d, address, val, len);
}

static void bridge_reset(DeviceState *dev)
{
    pci_bridge_reset(dev);
    shpc_reset(PCI_DEVICE(dev));
}

static void bridge_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *k = PCI_DEVICE_CLASS(klass);
    HotplugHandlerClass *hc = HOTPLUG_HANDLER_CLASS(klass);

    k->is_bridge = true;
    k->realize = vhost_pci_bridge_realize;
    k->exit = vhost_pci_bridge_exit;
    k->config_write = bridge_write_config;
    /* SeaBIOS honours the resource reservation of these ids only */
    k->vendor_id = PCI_VENDOR_ID_REDHAT;
    k->device_id = PCI_DEVICE_ID_REDHAT_BRIDGE;
    k->class_id = PCI_CLASS_BRIDGE_PCI;
    dc->desc = "more slots of a vhost-pci server";
    dc->reset = bridge_reset;
    dc->hotpluggable = false;
    /* Created by servers only */
    dc->user_creatable = false;
    set_bit(DEVICE_CATEGORY_BRIDGE, dc->categories);
    hc->plug = pci_bridge_dev_plug_cb;
    hc->unplug = pci_bridge_dev_unplug_cb;
    hc->unplug_request = pci_bridge_dev_unplug_request_cb;
}

static const TypeInfo bridge_info = {
    .name = TYPE_VHOST_PCI_BRIDGE,
    .parent = TYPE_PCI_BRIDGE,
    .instance_size = sizeof(VhostPciBridge),
    .instance_finalize = bridge_finalize,
    .class_init = bridge_class_init,
    .interfaces = (InterfaceInfo[]) {
        { TYPE_HOTPLUG_HANDLER },
        { INTERFACE_CONVENTIONAL_PCI_DEVICE },
        { }
    },
};

static void bridge_register_types(void)
{
    type_register_static(&bridge_info);
}

type_init(bridge_register_types)
