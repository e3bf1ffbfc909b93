# SPDX-License-Identifier: GPL-2.0-or-later
# The TCG plugin behind './vhost-pci bench'. Its header comes with QEMU's source, which building QEMU brings.
add_library(insncount MODULE "${CMAKE_SOURCE_DIR}/tests/bench/plugin/insncount.c")
add_dependencies(insncount qemu)
target_include_directories(insncount PRIVATE "${VHOST_PCI_OUT}/qemu-src/include/qemu")
target_compile_options(insncount PRIVATE -O2 -Wall -Wextra -fvisibility=hidden)
set_target_properties(insncount PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${VHOST_PCI_OUT}" C_STANDARD 11)
