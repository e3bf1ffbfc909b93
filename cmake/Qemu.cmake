# SPDX-License-Identifier: GPL-2.0-or-later
# QEMU with our patches and the shim. QEMU's ninja decides what to compile; this decides whether to start it at all.
file(GLOB_RECURSE qemu_inputs CONFIGURE_DEPENDS
    "${CMAKE_SOURCE_DIR}/native/*" "${CMAKE_SOURCE_DIR}/qemu-patches/7.2/*" "${CMAKE_SOURCE_DIR}/interop/*.h")

add_custom_command(
    OUTPUT "${VHOST_PCI_OUT}/qemu-system-x86_64"
    COMMAND "${VHOST_PCI_TOOLS}/build-qemu" "${VHOST_PCI_OUT}/qemu-system-x86_64"
    DEPENDS ${qemu_inputs} "${VHOST_PCI_TOOLS}/build-qemu" "${VHOST_PCI_TOOLS}/qemu-source"
    COMMENT "QEMU 7.2 with vhost-pci" USES_TERMINAL VERBATIM)
add_custom_target(qemu DEPENDS "${VHOST_PCI_OUT}/qemu-system-x86_64")
