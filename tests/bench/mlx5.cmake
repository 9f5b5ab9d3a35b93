# SPDX-License-Identifier: BSD-2-Clause
# The daemon's data path over mlx5 and verbs, in one process with the device model.
rawnet_bench(mlx5 SOURCES mlx5.c mlx5_paths.c mlx5_ports.c mlx5_lab.c mlx5_bare.c ../unit/rig.c LIBS
  -Wl,--start-group rawnet-mlx5 rawnet-verbs rawnet-data rawnet-net rawnet-steer rawnet-loop rawnet-err
  rawnet-flow -Wl,--end-group PkgConfig::urcu-qsbr PkgConfig::urcu-cds PkgConfig::pcap PkgConfig::mnl
  PkgConfig::ibverbs PkgConfig::mlx5 PkgConfig::cmocka Threads::Threads)
target_include_directories(bench-mlx5 PRIVATE ${CMAKE_SOURCE_DIR}/daemon ${CMAKE_SOURCE_DIR}/tools/common)
add_dependencies(bench-mlx5 cx-run)

# DPDK's driver beside it, where DPDK is installed.
pkg_check_modules(dpdk IMPORTED_TARGET libdpdk)
if(dpdk_FOUND)
  add_executable(bench-mlx5-dpdk mlx5_dpdk.c bench.c)
  target_link_libraries(bench-mlx5-dpdk PRIVATE PkgConfig::dpdk)
  add_dependencies(bench-mlx5 bench-mlx5-dpdk)
endif()
