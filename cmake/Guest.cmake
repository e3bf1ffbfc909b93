# SPDX-License-Identifier: GPL-2.0-or-later
# The guests: Debian's kernel, our module for it, and one initramfs for both sides.
set(guest_kernel "${VHOST_PCI_OUT}/guest-kernel")
file(GLOB guest_headers "/usr/src/linux-headers-*-amd64/Makefile")

add_custom_command(
    OUTPUT "${VHOST_PCI_OUT}/vmlinuz"
    COMMAND "${VHOST_PCI_TOOLS}/guest-kernel" "${guest_kernel}"
    DEPENDS "${VHOST_PCI_TOOLS}/guest-kernel" ${guest_headers}
    COMMENT "guest kernel" USES_TERMINAL VERBATIM)
add_custom_target(kernel DEPENDS "${VHOST_PCI_OUT}/vmlinuz")

file(GLOB_RECURSE module_inputs CONFIGURE_DEPENDS
    "${CMAKE_SOURCE_DIR}/guest/linux/*.c" "${CMAKE_SOURCE_DIR}/guest/linux/*.h" "${CMAKE_SOURCE_DIR}/guest/linux/Kbuild"
    "${CMAKE_SOURCE_DIR}/guest/linux/Makefile" "${CMAKE_SOURCE_DIR}/interop/vhost_pci_guest_abi.h"
    "${CMAKE_SOURCE_DIR}/tests/driver/faults/*")
list(FILTER module_inputs EXCLUDE REGEX "\\.mod\\.c$")

add_custom_command(
    OUTPUT "${VHOST_PCI_OUT}/vhost_pci_net.ko"
    BYPRODUCTS "${VHOST_PCI_OUT}/vpfaults.ko"
    COMMAND "${VHOST_PCI_TOOLS}/build-module" "${VHOST_PCI_OUT}"
    DEPENDS ${module_inputs} "${VHOST_PCI_OUT}/vmlinuz" "${VHOST_PCI_TOOLS}/build-module"
    COMMENT "vhost_pci_net.ko" USES_TERMINAL VERBATIM)
add_custom_target(module DEPENDS "${VHOST_PCI_OUT}/vhost_pci_net.ko")

file(GLOB guest_scripts CONFIGURE_DEPENDS "${VHOST_PCI_TOOLS}/guest/*")
add_custom_command(
    OUTPUT "${VHOST_PCI_OUT}/guest.initramfs.gz"
    COMMAND "${VHOST_PCI_TOOLS}/make-initramfs" --kernel "${guest_kernel}" --out "${VHOST_PCI_OUT}/guest.initramfs.gz"
            --module "${VHOST_PCI_OUT}/vhost_pci_net.ko" --spare-module "${VHOST_PCI_OUT}/vpfaults.ko"
    DEPENDS "${VHOST_PCI_OUT}/vhost_pci_net.ko" "${VHOST_PCI_TOOLS}/make-initramfs" ${guest_scripts}
    COMMENT "guest.initramfs.gz" VERBATIM)
add_custom_target(initramfs DEPENDS "${VHOST_PCI_OUT}/guest.initramfs.gz")
