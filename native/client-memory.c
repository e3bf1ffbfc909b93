/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Selects the memory that the origin shows to the mirror: the machine's own
 * RAM, if it is a shared mapping of a file.  RAM of PCI devices (ivshmem,
 * another VM's memory in a window) belongs to others and is left out; so is
 * storage (nvdimm, virtio-pmem), whatever backs it.
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/units.h"
#include "exec/address-spaces.h"
#include "hw/boards.h"
#include "hw/mem/nvdimm.h"
#include "hw/mem/pc-dimm.h"
#include "hw/virtio/virtio-mem.h"
#include "hw/virtio/virtio-pmem.h"
#include "qapi/error.h"
#include "sysemu/hostmem.h"
#include "client-memory.h"
#include "compat.h"

struct VhostPciLeftOut {
    char *client;
    GHashTable *backends;       /* ids */
};

VhostPciLeftOut *vhost_pci_left_out_new(const char *client)
{
    VhostPciLeftOut *left_out = g_new0(VhostPciLeftOut, 1);

    left_out->client = g_strdup(client);
    left_out->backends = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                               NULL);
    return left_out;
}

void vhost_pci_left_out_free(VhostPciLeftOut *left_out)
{
    g_hash_table_destroy(left_out->backends);
    g_free(left_out->client);
    g_free(left_out);
}

static const char *backend_id(const MemoryRegion *mr)
{
    Object *owner = memory_region_owner((MemoryRegion *)mr);

    return owner && object_dynamic_cast(owner, TYPE_MEMORY_BACKEND) ?
        object_get_canonical_path_component(owner) : memory_region_name(mr);
}

/* How a device uses its memory backend */
typedef struct BackendUse {
    Object *backend;
    bool ram;
    bool storage;
} BackendUse;

/* The list of memory devices lacks a device that is just being plugged */
static int find_use(Object *obj, void *opaque)
{
    BackendUse *use = opaque;

    if (!object_dynamic_cast(obj, TYPE_DEVICE) ||
        object_property_get_link(obj, "memdev", NULL) != use->backend) {
        return 0;
    }
    use->ram |= object_dynamic_cast(obj, TYPE_VIRTIO_MEM) ||
                (object_dynamic_cast(obj, TYPE_PC_DIMM) &&
                 !object_dynamic_cast(obj, TYPE_NVDIMM));
    use->storage |= object_dynamic_cast(obj, TYPE_NVDIMM) ||
                    object_dynamic_cast(obj, TYPE_VIRTIO_PMEM);
    return 0;
}

static BackendUse backend_use(const MemoryRegion *mr)
{
    BackendUse use = {
        .backend = memory_region_owner((MemoryRegion *)mr),
    };

    if (use.backend && object_dynamic_cast(use.backend, TYPE_MEMORY_BACKEND)) {
        object_child_foreach_recursive(qdev_get_machine(), find_use, &use);
    }
    return use;
}

/* The machine's RAM: one backend, or one per NUMA node */
static bool is_first_ram(const MemoryRegion *mr)
{
    MemoryRegion *ram = MACHINE(qdev_get_machine())->ram;

    return ram && (mr == ram || mr->container == ram);
}

static void warn_once(VhostPciLeftOut *left_out, const MemoryRegion *mr,
                      const char *why)
{
    const char *id = backend_id(mr);

    if (left_out && g_hash_table_add(left_out->backends, g_strdup(id))) {
        warn_report("vhost-pci-client of '%s': memory backend '%s' is not "
                    "given to the mirror, which reads zeroes in its place: %s",
                    left_out->client, id, why);
    }
}

bool vhost_pci_memory_is_shared(const MemoryRegion *mr,
                                VhostPciLeftOut *left_out)
{
    if (!memory_region_is_ram((MemoryRegion *)mr) || !mr->ram_block ||
        memory_region_is_rom((MemoryRegion *)mr)) {
        return false;
    }
    if (!is_first_ram(mr)) {
        BackendUse use = backend_use(mr);

        if (use.storage) {
            warn_once(left_out, mr, "it is storage, not RAM; send nothing "
                      "straight out of it (DAX)");
        }
        if (!use.ram) {
            return false;
        }
    }
    /* Having a descriptor is not enough: the mapping may be private */
    if (memory_region_get_fd((MemoryRegion *)mr) < 0 ||
        !qemu_ram_is_shared(mr->ram_block)) {
        warn_once(left_out, mr, "it is private; make it a "
                  "memory-backend-memfd with share=on");
        return false;
    }
    return true;
}

void vhost_pci_memory_describe(const struct vhost_memory_region *r,
                               struct vhost_pci_memory_region *to)
{
    ram_addr_t offset;
    MemoryRegion *mr =
        memory_region_from_host((void *)(uintptr_t)r->userspace_addr, &offset);

    *to = (struct vhost_pci_memory_region) {
        .guest_address = r->guest_phys_addr,
        .size = r->memory_size,
        .fd_offset = offset + vhost_pci_compat_fd_offset(mr),
        .fd = memory_region_get_fd(mr),
        .seals = fcntl(memory_region_get_fd(mr), F_GET_SEALS),
        .backend = backend_id(mr),
    };
}

static bool memory_end_cb(Int128 start, Int128 len, const MemoryRegion *mr,
                          hwaddr offset, void *opaque)
{
    uint64_t *end = opaque;

    if (vhost_pci_memory_is_shared(mr, NULL)) {
        *end = MAX(*end, int128_get64(int128_add(start, len)));
    }
    return false;
}

uint64_t vhost_pci_memory_end(void)
{
    MachineState *ms = MACHINE(qdev_get_machine());
    uint64_t end = 0;

    RCU_READ_LOCK_GUARD();
    flatview_for_each_range(address_space_to_flatview(&address_space_memory),
                            memory_end_cb, &end);
    if (end && ms->maxram_size > ms->ram_size) {
        /* Hot-plugged memory starts at, and is aligned to, 1 GiB */
        end = ROUND_UP(end, GiB) + ms->maxram_size - ms->ram_size +
              ms->ram_slots * GiB;
    }
    return end;
}

void vhost_pci_memory_explain(Error **errp)
{
    MachineState *ms = MACHINE(qdev_get_machine());
    MachineClass *mc = MACHINE_GET_CLASS(ms);
    const char *id = ms->memdev ?
        object_get_canonical_path_component(OBJECT(ms->memdev)) : NULL;

    if (id && g_strcmp0(id, mc->default_ram_id)) {
        error_setg(errp, "vhost-pci-client: this VM's memory is not shared: "
                   "memory backend '%s' is a %s", id,
                   object_get_typename(OBJECT(ms->memdev)));
        error_append_hint(errp, "Make it -object memory-backend-memfd,id=%s,"
                          "size=%" PRIu64 "M,share=on\n", id,
                          ms->ram_size / MiB);
        return;
    }
    error_setg(errp, "vhost-pci-client: this VM's memory is not shared");
    if (ms->memdev) {
        error_append_hint(errp, "Add -object memory-backend-memfd,id=mem,"
                          "size=%" PRIu64 "M,share=on "
                          "-machine memory-backend=mem\n", ms->ram_size / MiB);
    } else {
        error_append_hint(errp, "Make the memory backends of its NUMA nodes "
                          "memory-backend-memfd with share=on\n");
    }
}
