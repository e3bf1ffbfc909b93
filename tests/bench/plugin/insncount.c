/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCG plugin: counts the guest instructions of each vCPU into a file that is
 * mapped shared, so that a benchmark reads the counters while the VM runs.
 *
 *   -plugin libinsncount.so,out=FILE
 *
 * FILE is an array of native 64-bit counters, one per vCPU.  A block adds its
 * length when it is entered: blocks left early (a fault, an interrupt) count
 * whole, a bias far below the noise of what is measured here.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "qemu-plugin.h"

#define MAX_VCPUS 64

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

static uint64_t *counters;

static void block_entered(unsigned int vcpu, void *instructions)
{
    if (vcpu < MAX_VCPUS) {
        counters[vcpu] += (uintptr_t)instructions;
    }
}

static void block_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, block_entered,
                                         QEMU_PLUGIN_CB_NO_REGS,
                                         (void *)qemu_plugin_tb_n_insns(tb));
}

static void block_translated_inline(qemu_plugin_id_t id,
                                    struct qemu_plugin_tb *tb)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64,
                                             counters,
                                             qemu_plugin_tb_n_insns(tb));
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id,
                                           const qemu_info_t *info,
                                           int argc, char **argv)
{
    const char *path = NULL;
    void *map;
    int fd;

    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0) {
            path = argv[i] + 4;
        }
    }
    if (!path) {
        fprintf(stderr, "insncount: give out=FILE\n");
        return -1;
    }
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, MAX_VCPUS * sizeof(*counters)) < 0) {
        perror(path);
        return -1;
    }
    map = mmap(NULL, MAX_VCPUS * sizeof(*counters), PROT_READ | PROT_WRITE,
               MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED) {
        perror(path);
        return -1;
    }
    counters = map;

    /*
     * The inline addition is not atomic and has one address for all vCPUs:
     * exact and nearly free with one vCPU, a lost-update race with more.
     */
    if (info->system_emulation && info->system.max_vcpus == 1) {
        qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated_inline);
    } else {
        qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
    }
    return 0;
}
