# SPDX-License-Identifier: BSD-2-Clause
rawnet_fuzz_test(police SOURCES police_fuzz.c LIBS rawnet-net rawnet-flow PkgConfig::urcu-qsbr)
rawnet_fuzz_test(offload SOURCES offload_fuzz.c LIBS rawnet-net)
rawnet_fuzz_test(neigh SOURCES neigh_fuzz.c LIBS rawnet-net)
# The data path itself, without pollers: ring_fuzz.c has what it calls of them.
rawnet_fuzz_test(ring SOURCES ring_fuzz.c ${CMAKE_SOURCE_DIR}/daemon/tx.c ${CMAKE_SOURCE_DIR}/daemon/deliver.c
  LIBS rawnet-net rawnet-flow PkgConfig::urcu-qsbr)
# The XDP program in the kernel's test run. Needs root.
rawnet_fuzz_test(xdp SOURCES xdp_fuzz.c LIBS rawnet-xdp rawnet-steer rawnet-data rawnet-net rawnet-xdp
  rawnet-loop rawnet-err rawnet-flow PkgConfig::urcu-qsbr PkgConfig::urcu-cds PkgConfig::bpf PkgConfig::xdp
  PkgConfig::mnl PkgConfig::pcap Threads::Threads)
target_include_directories(xdp_fuzz PRIVATE ${CMAKE_SOURCE_DIR}/daemon/backend/xdp)
