/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A library for dotnet-pci that is what its options say, right or wrong:
 * options=FIELD=NUMBER;... with the names of struct dotnet_pci_plan and, for
 * BAR N, kindN, sizeN, leastN, mostN.  Any BAR holds one register, which reads
 * back what was written to it; a write to offset 8 does something:
 *   0x10000 + V  send the message of vector V   0x20000 + L  set the pin
 *   0x30000      how many vectors are enabled   0x40000      arm all timers
 * and offset 8 reads the result, or how often a timer ran out.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "dotnet_pci_abi.h"

#ifndef HOST_VERSION
#define HOST_VERSION DOTNET_HOST_ABI_VERSION
#endif
#ifndef PCI_VERSION
#define PCI_VERSION DOTNET_PCI_ABI_VERSION
#endif

static const struct dotnet_pci_host *host;

static struct model {
    void *device;
    uint32_t timers;
    uint64_t value;
    uint64_t result;
} models[16];

static bool set(struct dotnet_pci_plan *plan, const char *name, uint64_t value)
{
    int bar = name[strlen(name) - 1] - '0';

#define FIELD(f) if (!strcmp(name, #f)) { plan->f = value; return true; }
    FIELD(vendor_id) FIELD(device_id) FIELD(subsystem_vendor_id)
    FIELD(subsystem_id) FIELD(class_code) FIELD(revision) FIELD(interrupt_pin)
    FIELD(msi_vectors) FIELD(msix_vectors) FIELD(msix_bar) FIELD(timers)
#undef FIELD
    if (bar < 0 || bar >= DOTNET_PCI_BARS) {
        return false;
    }
#define FIELD(text, f) if (!strncmp(name, text, strlen(name) - 1)) { plan->bars[bar].f = value; return true; }
    FIELD("kind", kind) FIELD("size", size) FIELD("least", access_min) FIELD("most", access_max) FIELD("prefetchable", prefetchable)
#undef FIELD
    return false;
}

static int create(void *device, const char *options, struct dotnet_pci_plan *plan, uint64_t *object, struct dotnet_error *err)
{
    char *copy = strdup(options ? options : ""), *rest = copy, *word;
    int ret = -ENOSPC;

    for (int i = 0; i < DOTNET_PCI_BARS; i++) {
        plan->bars[i].access_min = 1;
        plan->bars[i].access_max = 4;
    }
    while ((word = strsep(&rest, ";"))) {
        char *equals = strchr(word, '=');

        if (equals) {
            *equals = 0;
            if (!set(plan, word, strtoull(equals + 1, NULL, 0))) {
                snprintf(err->text, sizeof(err->text), "no %s", word);
                free(copy);
                return -EINVAL;
            }
        }
    }
    free(copy);
    for (int i = 0; i < 16; i++) {
        if (!models[i].device) {
            models[i] = (struct model) { .device = device, .timers = plan->timers };
            *object = i + 1;
            ret = 0;
            break;
        }
    }
    return ret;
}

static void destroy(uint64_t object)
{
    models[object - 1].device = NULL;
}

static void reset(uint64_t object)
{
    models[object - 1].value = 0;
}

static uint64_t read_bar(uint64_t object, uint32_t bar, uint64_t offset, uint32_t size)
{
    return offset == 8 ? models[object - 1].result : models[object - 1].value;
}

static void write_bar(uint64_t object, uint32_t bar, uint64_t offset, uint64_t value, uint32_t size)
{
    struct model *m = &models[object - 1];

    if (offset != 8) {
        m->value = value;
        return;
    }
    m->result = 0;
    switch (value >> 16) {
    case 1:
        m->result = host->notify(m->device, value & 0xffff);
        break;
    case 2:
        host->set_line(m->device, value & 1);
        break;
    case 3:
        m->result = host->vectors(m->device);
        break;
    case 4:
        for (uint32_t i = 0; i < m->timers + 2; i++) {
            host->arm_timer(m->device, i, host->clock() + 1000);
        }
        break;
    }
}

static void timer(uint64_t object, uint32_t timer)
{
    models[object - 1].result++;
}

static uint64_t allocated(void)
{
    return 4711;
}

static const struct dotnet_pci_api pci_api = {
    .version = PCI_VERSION,
    .size = sizeof(struct dotnet_pci_api),
    .create = create,
    .destroy = destroy,
    .reset = reset,
    .read = read_bar,
    .write = write_bar,
    .timer = timer,
    .allocated = allocated,
};

static int get_interface(const char *name, uint32_t version, const void *table, const void **api, struct dotnet_error *err)
{
    host = table;
    *api = &pci_api;
    return 0;
}

static const struct dotnet_api common_api = {
    .version = HOST_VERSION,
    .size = sizeof(struct dotnet_api),
    .get_interface = get_interface,
};

int dotnet_get_api(uint32_t version, const struct dotnet_host *table, const struct dotnet_api **api, struct dotnet_error *err);

int dotnet_get_api(uint32_t version, const struct dotnet_host *table, const struct dotnet_api **api, struct dotnet_error *err)
{
    *api = &common_api;
    return 0;
}
