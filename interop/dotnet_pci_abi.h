/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The C <-> C# boundary of -device dotnet-pci: a PCI device whose model is C#.
 *
 * The interface "pci" of a library (see dotnet_host_abi.h, whose rules hold
 * here, too).  native/dotnet-pci.c has one half, managed/Qemu.Host/Pci the
 * other.
 *
 *  - "void *device" is QEMU's device.  It is valid from create() until
 *    destroy() returns, also when that is within a call that the model made: a
 *    DMA write can unplug the device that does it.
 *  - A model is not called from within its own call, but by reset() and
 *    destroy(): what its DMA would do to its own registers is refused, as for
 *    every device of QEMU's.
 *  - Nothing that a guest does ends the VM; what it may not do fails or is
 *    ignored.
 */
#ifndef DOTNET_PCI_ABI_H
#define DOTNET_PCI_ABI_H

#include <stdint.h>
#include "dotnet_host_abi.h"

#define DOTNET_PCI_INTERFACE "pci"

/* Raised with every change in here */
#define DOTNET_PCI_ABI_VERSION 1u

#define DOTNET_PCI_BARS 6
#define DOTNET_PCI_MSI_MAX 32
#define DOTNET_PCI_MSIX_MAX 2048
#define DOTNET_PCI_TIMERS_MAX 64

/* PCI Local Bus 3.0, 6.2.5.1 */
enum dotnet_pci_bar_kind {
    DOTNET_PCI_BAR_NONE = 0,
    DOTNET_PCI_BAR_IO = 1,
    DOTNET_PCI_BAR_MEMORY32 = 2,
    DOTNET_PCI_BAR_MEMORY64 = 3,    /* takes the number after it, too */
};

struct dotnet_pci_bar {
    uint64_t size;              /* bytes, a power of two */
    uint32_t kind;              /* enum dotnet_pci_bar_kind */
    uint32_t prefetchable;
    uint32_t access_min;        /* bytes of the accesses that reach the */
    uint32_t access_max;        /* model, 1 to 8; QEMU refuses others */
};

/* What the model wants to be; QEMU checks it */
struct dotnet_pci_plan {
    uint16_t vendor_id;
    uint16_t device_id;
    uint16_t subsystem_vendor_id; /* both 0: QEMU's own */
    uint16_t subsystem_id;
    uint32_t class_code;        /* class, subclass, interface: 24 bits */
    uint8_t revision;
    uint8_t interrupt_pin;      /* 0: none, 1 to 4: INTA to INTD */
    uint16_t msi_vectors;       /* 0: none; a power of two */
    uint16_t msix_vectors;      /* 0: none */
    uint16_t msix_bar;          /* the BAR that QEMU makes for their table */
    uint32_t timers;            /* numbered from 0 */
    struct dotnet_pci_bar bars[DOTNET_PCI_BARS];
};

/* What QEMU does for the library */
struct dotnet_pci_host {
    uint32_t version;           /* DOTNET_PCI_ABI_VERSION */
    uint32_t size;              /* sizeof(struct dotnet_pci_host) */

    /* The level of the interrupt pin */
    void (*set_line)(void *device, uint32_t level);
    /* Vectors of MSI or MSI-X that the guest has enabled; 0: it uses the pin */
    uint32_t (*vectors)(void *device);
    /*
     * Send the message of a vector.  A guest can grant fewer MSI vectors than
     * were asked for: then the upper bits of the number are dropped (PCI 3.0,
     * 6.8.1.3).  -EINVAL: no such vector, or none enabled.
     */
    int (*notify)(void *device, uint32_t vector);

    /*
     * Bus-master access at an address of the device's bus, to memory of the
     * VM.  -EIO when any of it failed: no memory there, bus mastering
     * switched off, refused by an IOMMU.
     */
    int (*dma_read)(void *device, uint64_t address, void *buffer,
                    uint64_t length);
    int (*dma_write)(void *device, uint64_t address, const void *buffer,
                     uint64_t length);

    /* The guest's time in nanoseconds; stands still while the VM is stopped */
    int64_t (*clock)(void);
    /* Call timer() when clock() has reached deadline; negative: never */
    void (*arm_timer)(void *device, uint32_t timer, int64_t deadline);
};

/* What the library does for QEMU */
struct dotnet_pci_api {
    uint32_t version;           /* DOTNET_PCI_ABI_VERSION */
    uint32_t size;              /* sizeof(struct dotnet_pci_api) */

    /* Make a model; options: the value of options=, or NULL */
    int (*create)(void *device, const char *options,
                  struct dotnet_pci_plan *plan, uint64_t *object,
                  struct dotnet_error *err);
    /* No call for object comes after this one */
    void (*destroy)(uint64_t object);
    /* The machine or the bus is reset; the pin is low and no timer is armed */
    void (*reset)(uint64_t object);

    /* size: as the BAR has it; addresses are multiples of it; no allocation */
    uint64_t (*read)(uint64_t object, uint32_t bar, uint64_t offset,
                     uint32_t size);
    void (*write)(uint64_t object, uint32_t bar, uint64_t offset,
                  uint64_t value, uint32_t size);
    void (*timer)(uint64_t object, uint32_t timer);

    /* Bytes that the library has allocated since it was loaded */
    uint64_t (*allocated)(void);
};

#endif /* DOTNET_PCI_ABI_H */
