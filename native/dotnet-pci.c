/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dotnet-pci: a PCI device whose model is in a library in C#.
 *
 * What it is (ids, BARs, interrupts, timers) the model says when the device
 * is realized; everything that QEMU asserts is checked here before.
 */
#include "qemu/osdep.h"
#include "qemu/host-utils.h"
#include "qemu/timer.h"
#include "qapi/visitor.h"
#include "hw/pci/msi.h"
#include "hw/pci/msix.h"
#include "hw/pci/pci.h"
#include "hw/qdev-properties.h"
#include "migration/vmstate.h"
#include "dotnet-host.h"
#include "dotnet_pci_abi.h"

#define TYPE_DOTNET_PCI "dotnet-pci"
OBJECT_DECLARE_SIMPLE_TYPE(DotnetPci, DOTNET_PCI)

typedef struct DotnetPciBar {
    DotnetPci *d;
    MemoryRegion region;
    MemoryRegionOps ops;
} DotnetPciBar;

typedef struct DotnetPciTimer {
    DotnetPci *d;
    QEMUTimer timer;
} DotnetPciTimer;

struct DotnetPci {
    PCIDevice parent_obj;
    char *library;
    char *options;
    const struct dotnet_pci_api *api;
    uint64_t object;            /* the library's number of the model, or 0 */
    DotnetPciBar bar[DOTNET_PCI_BARS];
    DotnetPciTimer *timer;
    uint32_t timers;
};

/* -- what QEMU does for the model ------------------------------------------ */

static void host_set_line(void *device, uint32_t level)
{
    PCIDevice *pci = device;

    if (pci->config[PCI_INTERRUPT_PIN]) {
        pci_set_irq(pci, level);
    }
}

static uint32_t host_vectors(void *device)
{
    PCIDevice *pci = device;

    return msix_enabled(pci) ? pci->msix_entries_nr :
           msi_enabled(pci) ? msi_nr_vectors_allocated(pci) : 0;
}

static int host_notify(void *device, uint32_t vector)
{
    PCIDevice *pci = device;

    if (msix_enabled(pci) && vector < pci->msix_entries_nr) {
        msix_notify(pci, vector);
        return 0;
    }
    if (msi_enabled(pci) && vector < DOTNET_PCI_MSI_MAX) {
        msi_notify(pci, vector & (msi_nr_vectors_allocated(pci) - 1));
        return 0;
    }
    return -EINVAL;
}

static int host_dma_read(void *device, uint64_t address, void *buffer,
                         uint64_t length)
{
    return pci_dma_read(device, address, buffer, length) ? -EIO : 0;
}

/* May unplug the device, and then it is freed */
static int host_dma_write(void *device, uint64_t address, const void *buffer,
                          uint64_t length)
{
    return pci_dma_write(device, address, buffer, length) ? -EIO : 0;
}

static int64_t host_clock(void)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

static void host_arm_timer(void *device, uint32_t timer, int64_t deadline)
{
    DotnetPci *d = device;

    if (timer >= d->timers) {
        return;
    }
    if (deadline < 0) {
        timer_del(&d->timer[timer].timer);
    } else {
        timer_mod_ns(&d->timer[timer].timer, deadline);
    }
}

static const struct dotnet_pci_host dotnet_pci_host = {
    .version = DOTNET_PCI_ABI_VERSION,
    .size = sizeof(struct dotnet_pci_host),
    .set_line = host_set_line,
    .vectors = host_vectors,
    .notify = host_notify,
    .dma_read = host_dma_read,
    .dma_write = host_dma_write,
    .clock = host_clock,
    .arm_timer = host_arm_timer,
};

/* -- calls of the model ---------------------------------------------------- */

/*
 * The memory core does not let a device into its registers while it is in
 * them.  These calls come from elsewhere, and count as much.  The reference is
 * for a model whose DMA unplugs its own device.
 */
static bool model_enter(DotnetPci *d)
{
    MemReentrancyGuard *guard = &DEVICE(d)->mem_reentrancy_guard;
    bool engaged = guard->engaged_in_io;

    object_ref(OBJECT(d));
    guard->engaged_in_io = true;
    return engaged;
}

static void model_leave(DotnetPci *d, bool engaged)
{
    DEVICE(d)->mem_reentrancy_guard.engaged_in_io = engaged;
    object_unref(OBJECT(d));
}

static void timer_run(void *opaque)
{
    DotnetPciTimer *t = opaque;
    DotnetPci *d = t->d;
    bool engaged = model_enter(d);

    d->api->timer(d->object, t - d->timer);
    model_leave(d, engaged);
}

/*
 * A vCPU that was on its way when the device was unplugged may still get here,
 * until the device is freed.
 */
static MemTxResult bar_read(void *opaque, hwaddr addr, uint64_t *data,
                            unsigned size, MemTxAttrs attrs)
{
    DotnetPciBar *bar = opaque;
    DotnetPci *d = bar->d;

    if (!d->object) {
        *data = UINT64_MAX;
        return MEMTX_DECODE_ERROR;
    }
    *data = d->api->read(d->object, bar - d->bar, addr, size);
    return MEMTX_OK;
}

static MemTxResult bar_write(void *opaque, hwaddr addr, uint64_t data,
                             unsigned size, MemTxAttrs attrs)
{
    DotnetPciBar *bar = opaque;
    DotnetPci *d = bar->d;

    if (!d->object) {
        return MEMTX_DECODE_ERROR;
    }
    d->api->write(d->object, bar - d->bar, addr, data, size);
    return MEMTX_OK;
}

/* PCI's own part, such as the level of the pin, is reset by PCI's core */
static void dotnet_pci_reset(DeviceState *dev)
{
    DotnetPci *d = DOTNET_PCI(dev);
    bool engaged = model_enter(d);

    for (uint32_t i = 0; i < d->timers; i++) {
        timer_del(&d->timer[i].timer);
    }
    host_set_line(d, 0);
    d->api->reset(d->object);
    model_leave(d, engaged);
}

/* -- realize and unrealize ------------------------------------------------- */

static bool is_access_size(uint32_t size)
{
    return size >= 1 && size <= 8 && is_power_of_2(size);
}

static bool check_bar(const struct dotnet_pci_plan *plan, int i, Error **errp)
{
    static const struct {
        uint64_t least, most;
        uint32_t widest;
    } limits[] = {
        [DOTNET_PCI_BAR_IO] = { 4, 256, 4 },
        [DOTNET_PCI_BAR_MEMORY32] = { 16, 1ull << 31, 8 },
        [DOTNET_PCI_BAR_MEMORY64] = { 16, 1ull << 62, 8 },
    };
    const struct dotnet_pci_bar *bar = &plan->bars[i];
    const struct dotnet_pci_bar *next = i + 1 < DOTNET_PCI_BARS ? bar + 1 :
                                        NULL;

    if (bar->kind == DOTNET_PCI_BAR_NONE) {
        return true;
    }
    if (bar->kind >= ARRAY_SIZE(limits)) {
        error_setg(errp, "BAR %d is of the unknown kind %u", i, bar->kind);
        return false;
    }
    if (!is_power_of_2(bar->size) || bar->size < limits[bar->kind].least ||
        bar->size > limits[bar->kind].most) {
        error_setg(errp, "BAR %d cannot have %" PRIu64 " bytes: the size must "
                   "be a power of two from %" PRIu64 " to %" PRIu64, i,
                   bar->size, limits[bar->kind].least, limits[bar->kind].most);
        return false;
    }
    if (!is_access_size(bar->access_min) || !is_access_size(bar->access_max) ||
        bar->access_min > bar->access_max ||
        bar->access_max > limits[bar->kind].widest) {
        error_setg(errp, "BAR %d cannot have accesses of %u to %u bytes: "
                   "1, 2, 4 and in memory 8 are possible", i, bar->access_min,
                   bar->access_max);
        return false;
    }
    if (bar->kind == DOTNET_PCI_BAR_MEMORY64 &&
        (!next || next->kind != DOTNET_PCI_BAR_NONE)) {
        error_setg(errp, "BAR %d has 64 bits and needs the number after it, "
                   "too", i);
        return false;
    }
    return true;
}

static bool check_plan(const struct dotnet_pci_plan *plan, Error **errp)
{
    int table = plan->msix_bar;

    for (int i = 0; i < DOTNET_PCI_BARS; i++) {
        if (!check_bar(plan, i, errp)) {
            return false;
        }
    }
    if (plan->interrupt_pin > PCI_NUM_PINS || plan->class_code >> 24 ||
        plan->timers > DOTNET_PCI_TIMERS_MAX) {
        error_setg(errp, "interrupt pin %u, class 0x%x or %u timers: at most "
                   "4, 24 bits and %u", plan->interrupt_pin, plan->class_code,
                   plan->timers, DOTNET_PCI_TIMERS_MAX);
        return false;
    }
    if (plan->msi_vectors && (!is_power_of_2(plan->msi_vectors) ||
                              plan->msi_vectors > DOTNET_PCI_MSI_MAX)) {
        error_setg(errp, "%u MSI vectors: it must be a power of two up to %u",
                   plan->msi_vectors, DOTNET_PCI_MSI_MAX);
        return false;
    }
    if (plan->msix_vectors &&
        (plan->msix_vectors > DOTNET_PCI_MSIX_MAX || table >= DOTNET_PCI_BARS ||
         plan->bars[table].kind != DOTNET_PCI_BAR_NONE ||
         (table && plan->bars[table - 1].kind == DOTNET_PCI_BAR_MEMORY64))) {
        error_setg(errp, "%u MSI-X vectors in BAR %d: at most %u, in a BAR "
                   "that is free", plan->msix_vectors, table,
                   DOTNET_PCI_MSIX_MAX);
        return false;
    }
    return true;
}

static void make_config(DotnetPci *d, const struct dotnet_pci_plan *plan)
{
    uint8_t *config = PCI_DEVICE(d)->config;

    pci_config_set_vendor_id(config, plan->vendor_id);
    pci_config_set_device_id(config, plan->device_id);
    pci_config_set_revision(config, plan->revision);
    pci_config_set_prog_interface(config, plan->class_code & 0xff);
    pci_config_set_class(config, plan->class_code >> 8);
    pci_config_set_interrupt_pin(config, plan->interrupt_pin);
    if (plan->subsystem_vendor_id || plan->subsystem_id) {
        pci_set_word(config + PCI_SUBSYSTEM_VENDOR_ID,
                     plan->subsystem_vendor_id);
        pci_set_word(config + PCI_SUBSYSTEM_ID, plan->subsystem_id);
    }
}

static bool make_interrupts(DotnetPci *d, const struct dotnet_pci_plan *plan,
                            Error **errp)
{
    PCIDevice *pci = PCI_DEVICE(d);

    if (plan->msi_vectors &&
        msi_init(pci, 0, plan->msi_vectors, true, false, errp) < 0) {
        return false;
    }
    if (plan->msix_vectors) {
        if (msix_init_exclusive_bar(pci, plan->msix_vectors, plan->msix_bar,
                                    errp) < 0) {
            msi_uninit(pci);
            return false;
        }
        for (int i = 0; i < plan->msix_vectors; i++) {
            msix_vector_use(pci, i);
        }
    }
    return true;
}

static void make_bars(DotnetPci *d, const struct dotnet_pci_plan *plan)
{
    for (int i = 0; i < DOTNET_PCI_BARS; i++) {
        const struct dotnet_pci_bar *wanted = &plan->bars[i];
        DotnetPciBar *bar = &d->bar[i];
        uint8_t type = 0;

        if (wanted->kind == DOTNET_PCI_BAR_NONE) {
            continue;
        }
        if (wanted->kind == DOTNET_PCI_BAR_IO) {
            type = PCI_BASE_ADDRESS_SPACE_IO;
        } else {
            type = wanted->kind == DOTNET_PCI_BAR_MEMORY64 ?
                   PCI_BASE_ADDRESS_MEM_TYPE_64 : 0;
            type |= wanted->prefetchable ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0;
        }
        bar->d = d;
        bar->ops = (MemoryRegionOps) {
            .read_with_attrs = bar_read,
            .write_with_attrs = bar_write,
            .endianness = DEVICE_LITTLE_ENDIAN,
            .valid.min_access_size = wanted->access_min,
            .valid.max_access_size = wanted->access_max,
            .impl.min_access_size = wanted->access_min,
            .impl.max_access_size = wanted->access_max,
        };
        memory_region_init_io(&bar->region, OBJECT(d), &bar->ops, bar,
                              "dotnet-pci-bar", wanted->size);
        pci_register_bar(PCI_DEVICE(d), i, type, &bar->region);
    }
}

static void make_timers(DotnetPci *d, uint32_t count)
{
    d->timer = g_new0(DotnetPciTimer, count);
    d->timers = count;
    for (uint32_t i = 0; i < count; i++) {
        d->timer[i].d = d;
        timer_init_ns(&d->timer[i].timer, QEMU_CLOCK_VIRTUAL, timer_run,
                      &d->timer[i]);
    }
}

static void dotnet_pci_realize(PCIDevice *pci, Error **errp)
{
    DotnetPci *d = DOTNET_PCI(pci);
    struct dotnet_pci_plan plan = { 0 };
    struct dotnet_error err = { 0 };
    DotnetLibrary *library;
    ERRP_GUARD();

    if (!d->library) {
        error_setg(errp, "dotnet-pci needs library=");
        error_append_hint(errp, "Use -device dotnet-pci,library=./libFILE.so"
                          "[,options=KEY=VALUE;KEY=VALUE...]\n");
        return;
    }
    library = dotnet_library_load(d->library, errp);
    if (!library) {
        return;
    }
    d->api = dotnet_library_interface(library, DOTNET_PCI_INTERFACE,
                                      DOTNET_PCI_ABI_VERSION, &dotnet_pci_host,
                                      sizeof(*d->api), errp);
    if (!d->api) {
        return;
    }
    if (d->api->create(d, d->options, &plan, &d->object, &err) < 0) {
        dotnet_error_set(errp, &err);
        d->object = 0;
        return;
    }
    if (!check_plan(&plan, errp)) {
        error_prepend(errp, "%s: ", d->library);
        goto fail;
    }
    make_config(d, &plan);
    if (!make_interrupts(d, &plan, errp)) {
        goto fail;
    }
    make_bars(d, &plan);
    make_timers(d, plan.timers);
    return;

fail:
    d->api->destroy(d->object);
    d->object = 0;
}

static void dotnet_pci_exit(PCIDevice *pci)
{
    DotnetPci *d = DOTNET_PCI(pci);
    uint64_t object = d->object;

    d->object = 0;
    d->api->destroy(object);
    for (uint32_t i = 0; i < d->timers; i++) {
        timer_del(&d->timer[i].timer);
        timer_deinit(&d->timer[i].timer);
    }
    g_free(d->timer);
    d->timers = 0;
    msix_uninit_exclusive_bar(pci);
    msi_uninit(pci);
}

static void get_allocated(Object *obj, Visitor *v, const char *name,
                          void *opaque, Error **errp)
{
    DotnetPci *d = DOTNET_PCI(obj);
    uint64_t value = d->object ? d->api->allocated() : 0;

    visit_type_uint64(v, name, &value, errp);
}

static Property dotnet_pci_properties[] = {
    DEFINE_PROP_STRING("library", DotnetPci, library),
    DEFINE_PROP_STRING("options", DotnetPci, options),
    DEFINE_PROP_END_OF_LIST(),
};

/* What a model knows only C# could save */
static const VMStateDescription dotnet_pci_vmstate = {
    .name = TYPE_DOTNET_PCI,
    .unmigratable = 1,
};

static void dotnet_pci_class_init(ObjectClass *klass, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    PCIDeviceClass *k = PCI_DEVICE_CLASS(klass);

    k->realize = dotnet_pci_realize;
    k->exit = dotnet_pci_exit;
    k->class_id = PCI_CLASS_OTHERS;
    dc->reset = dotnet_pci_reset;
    dc->vmsd = &dotnet_pci_vmstate;
    dc->desc = "PCI device whose model is in a library in C#";
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    device_class_set_props(dc, dotnet_pci_properties);
    object_class_property_set_description(klass, "library",
        "file with the model; without a slash: beside QEMU, or one that the "
        "dynamic linker finds");
    object_class_property_set_description(klass, "options",
        "of the model, KEY=VALUE;KEY=VALUE...");
    object_class_property_add(klass, "allocated", "uint64", get_allocated,
                              NULL, NULL, NULL);
    object_class_property_set_description(klass, "allocated",
        "bytes of managed memory that the library has asked for so far");
}

static const TypeInfo dotnet_pci_info = {
    .name = TYPE_DOTNET_PCI,
    .parent = TYPE_PCI_DEVICE,
    .instance_size = sizeof(DotnetPci),
    .class_init = dotnet_pci_class_init,
    .interfaces = (InterfaceInfo[]) {
        { INTERFACE_CONVENTIONAL_PCI_DEVICE },
        { }
    },
};

static void dotnet_pci_register_types(void)
{
    type_register_static(&dotnet_pci_info);
}

type_init(dotnet_pci_register_types)
