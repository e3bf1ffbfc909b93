# SPDX-License-Identifier: GPL-2.0-or-later
# Libraries in C#, compiled ahead of time: libvhostpci.so, and libedu.so, the example.
file(GLOB_RECURSE managed_inputs CONFIGURE_DEPENDS
    "${CMAKE_SOURCE_DIR}/managed/*.cs" "${CMAKE_SOURCE_DIR}/managed/*.csproj" "${CMAKE_SOURCE_DIR}/managed/*.props"
    "${CMAKE_SOURCE_DIR}/managed/*.targets")
list(FILTER managed_inputs EXCLUDE REGEX "/(bin|obj)/")
file(GLOB managed_rules CONFIGURE_DEPENDS
    "${CMAKE_SOURCE_DIR}/Directory.*.props" "${CMAKE_SOURCE_DIR}/Directory.*.targets" "${CMAKE_SOURCE_DIR}/BannedSymbols.txt"
    "${CMAKE_SOURCE_DIR}/global.json" "${CMAKE_SOURCE_DIR}/.editorconfig" "${CMAKE_SOURCE_DIR}/nuget.config")

function(managed_library target project library)
    add_custom_command(
        OUTPUT "${VHOST_PCI_OUT}/${library}"
        COMMAND "${VHOST_PCI_TOOLS}/build-managed" "${VHOST_PCI_OUT}" ${project} ${library}
        DEPENDS ${managed_inputs} ${managed_rules} "${VHOST_PCI_TOOLS}/build-managed"
        COMMENT "${library} (NativeAOT)" USES_TERMINAL VERBATIM)
    add_custom_target(${target} DEPENDS "${VHOST_PCI_OUT}/${library}")
endfunction()

managed_library(managed VhostPci.Plugin libvhostpci.so)
managed_library(edu Examples.Edu libedu.so)
