# SPDX-License-Identifier: BSD-2-Clause
rawnet_bench(hop SOURCES hop.c hop_bare.c hop_rawnet.c ring_bare.c)
# DPDK is a peer to compare with, of this benchmark alone, and only where it is installed (scripts/deps bench).
pkg_check_modules(dpdk QUIET IMPORTED_TARGET libdpdk)
if(dpdk_FOUND AND NOT CMAKE_CROSSCOMPILING)
  target_sources(bench-hop PRIVATE hop_dpdk.c)
  target_compile_definitions(bench-hop PRIVATE BENCH_DPDK)
  # Its headers are not written for our warnings.
  set_source_files_properties(hop_dpdk.c PROPERTIES COMPILE_OPTIONS "-Wno-cast-qual;-Wno-pointer-arith;-Wno-shadow;-Wno-vla")
  target_link_libraries(bench-hop PRIVATE PkgConfig::dpdk)
endif()
