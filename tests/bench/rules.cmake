# SPDX-License-Identifier: BSD-2-Clause
# Over the daemon's own rule table and XDP program, without a daemon.
rawnet_bench(rules SOURCES rules.c LIBS rawnet-xdp rawnet-steer rawnet-data rawnet-net rawnet-xdp
  rawnet-loop rawnet-err rawnet-flow PkgConfig::urcu-qsbr PkgConfig::urcu-cds PkgConfig::bpf
  PkgConfig::xdp PkgConfig::mnl PkgConfig::pcap Threads::Threads)
target_include_directories(bench-rules PRIVATE ${CMAKE_SOURCE_DIR}/daemon/backend/xdp)
