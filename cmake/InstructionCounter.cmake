# SPDX-License-Identifier: GPL-2.0-or-later
# The TCG plugins behind './vhost-pci bench'. Their header comes with QEMU's source, which building QEMU brings.
add_library(insncount MODULE "${CMAKE_SOURCE_DIR}/tests/bench/plugin/insncount.c")
add_library(insnprofile MODULE "${CMAKE_SOURCE_DIR}/tests/bench/plugin/insnprofile.c")
add_dependencies(insncount qemu insnprofile)
add_dependencies(insnprofile qemu)
foreach(plugin insncount insnprofile)
    target_include_directories(${plugin} PRIVATE "${VHOST_PCI_OUT}/qemu-src/include/qemu")
    target_compile_options(${plugin} PRIVATE -O2 -Wall -Wextra -fvisibility=hidden)
    set_target_properties(${plugin} PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${VHOST_PCI_OUT}" C_STANDARD 11)
endforeach()
