# SPDX-License-Identifier: BSD-2-Clause
# The tables of rawnet-l3fwd; rte_lpm beside them where DPDK is installed.
set(l3fwd ${CMAKE_SOURCE_DIR}/tools/l3fwd)
rawnet_bench(lpm SOURCES lpm.c lpm_dpdk.c ${l3fwd}/lpm4.c ${l3fwd}/lpm6.c)
target_include_directories(bench-lpm PRIVATE ${l3fwd})
pkg_check_modules(dpdk QUIET IMPORTED_TARGET libdpdk)
if(dpdk_FOUND)
  # Its headers are not made for our warnings; of its libraries only these are used.
  set_source_files_properties(lpm_dpdk.c PROPERTIES COMPILE_DEFINITIONS HAVE_DPDK
    COMPILE_OPTIONS "-w;${dpdk_CFLAGS}")
  target_link_libraries(bench-lpm PRIVATE rte_eal rte_lpm)
endif()
