# SPDX-License-Identifier: GPL-2.0-or-later
# libvhostpci.so: the C# side, compiled ahead of time.
file(GLOB_RECURSE managed_inputs CONFIGURE_DEPENDS
    "${CMAKE_SOURCE_DIR}/managed/*.cs" "${CMAKE_SOURCE_DIR}/managed/*.csproj" "${CMAKE_SOURCE_DIR}/managed/*.props"
    "${CMAKE_SOURCE_DIR}/managed/*.targets")
list(FILTER managed_inputs EXCLUDE REGEX "/(bin|obj)/")
file(GLOB managed_rules CONFIGURE_DEPENDS
    "${CMAKE_SOURCE_DIR}/Directory.*.props" "${CMAKE_SOURCE_DIR}/Directory.*.targets" "${CMAKE_SOURCE_DIR}/BannedSymbols.txt"
    "${CMAKE_SOURCE_DIR}/global.json" "${CMAKE_SOURCE_DIR}/.editorconfig" "${CMAKE_SOURCE_DIR}/nuget.config")

add_custom_command(
    OUTPUT "${VHOST_PCI_OUT}/libvhostpci.so"
    COMMAND "${VHOST_PCI_TOOLS}/build-managed" "${VHOST_PCI_OUT}"
    DEPENDS ${managed_inputs} ${managed_rules} "${VHOST_PCI_TOOLS}/build-managed"
    COMMENT "libvhostpci.so (NativeAOT)" USES_TERMINAL VERBATIM)
add_custom_target(managed DEPENDS "${VHOST_PCI_OUT}/libvhostpci.so")
