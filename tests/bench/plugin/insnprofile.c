/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCG plugin: counts the guest instructions of each translated block into a
 * file that is mapped shared; tests/bench/insnprofile.py adds them up by function.
 *
 *   -plugin libinsnprofile.so,out=FILE
 *
 * FILE is an array of struct slot; one without instructions ends it.  For one
 * vCPU: the additions are not atomic.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "qemu-plugin.h"

/* A booted guest under load has about 200 000 blocks */
#define SLOTS (1u << 20)

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

struct slot {
    uint64_t address;
    uint64_t instructions;  /* in the block */
    uint64_t executed;      /* instructions, in all its runs */
};

static struct slot *slots;
static uint32_t used;
static uint32_t table[2 * SLOTS];   /* slot number + 1 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The same block may be translated many times */
static struct slot *slot_of(uint64_t address, uint64_t instructions)
{
    uint32_t at = (address * 0x9e3779b97f4a7c15ull + instructions) >> 32;

    for (;; at++) {
        uint32_t *entry = &table[at % (2 * SLOTS)];
        struct slot *slot = &slots[*entry - 1];

        if (!*entry) {
            if (used == SLOTS - 1) {
                return NULL;
            }
            slot = &slots[used];
            slot->address = address;
            slot->instructions = instructions;
            *entry = ++used;
            return slot;
        }
        if (slot->address == address && slot->instructions == instructions) {
            return slot;
        }
    }
}

static void block_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    uint64_t instructions = qemu_plugin_tb_n_insns(tb);
    struct slot *slot;

    (void)id;
    pthread_mutex_lock(&lock);
    slot = slot_of(qemu_plugin_tb_vaddr(tb), instructions);
    pthread_mutex_unlock(&lock);
    if (slot) {
        qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64,
                                                 &slot->executed, instructions);
    }
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
                                           const qemu_info_t *info,
                                           int argc, char **argv)
{
    const char *path = NULL;
    int fd;

    if (!info->system_emulation || info->system.max_vcpus != 1) {
        fprintf(stderr, "insnprofile: for one vCPU\n");
        return -1;
    }
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0) {
            path = argv[i] + 4;
        }
    }
    if (!path) {
        fprintf(stderr, "insnprofile: give out=FILE\n");
        return -1;
    }
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, SLOTS * sizeof(*slots)) < 0) {
        perror(path);
        return -1;
    }
    slots = mmap(NULL, SLOTS * sizeof(*slots), PROT_READ | PROT_WRITE,
                 MAP_SHARED, fd, 0);
    close(fd);
    if (slots == MAP_FAILED) {
        perror(path);
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
    return 0;
}
