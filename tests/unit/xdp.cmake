# SPDX-License-Identifier: BSD-2-Clause
# The XDP program in the kernel's own test run, against the reference classifier. Needs CAP_BPF.
rawnet_unit_test(xdp_prog_test SOURCES xdp_prog_test.c xdp_random.c LIBS rawnet-xdp rawnet-steer rawnet-data
  rawnet-net rawnet-xdp rawnet-loop rawnet-err rawnet-flow PkgConfig::urcu-qsbr PkgConfig::urcu-cds
  PkgConfig::bpf PkgConfig::xdp PkgConfig::mnl PkgConfig::pcap Threads::Threads)
target_include_directories(xdp_prog_test PRIVATE ${CMAKE_SOURCE_DIR}/daemon/backend/xdp)
target_link_options(xdp_prog_test PRIVATE -Wl,--wrap=bpf_map_update_elem)
rawnet_unit_test(xdp_front_test SOURCES xdp_front_test.c ${CMAKE_SOURCE_DIR}/daemon/backend/xdp/front.c
  LIBS rawnet-daemon-paths PkgConfig::urcu-qsbr)
target_include_directories(xdp_front_test PRIVATE ${CMAKE_SOURCE_DIR}/daemon/backend/xdp)
