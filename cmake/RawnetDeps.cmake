# SPDX-License-Identifier: BSD-2-Clause
# The libraries the project stands on, all from Debian 12; scripts/deps installs them.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
foreach(lib
    "urcu-qsbr:liburcu-qsbr" "urcu-cds:liburcu-cds" "config:libconfig" "systemd:libsystemd"
    "mnl:libmnl" "bpf:libbpf" "xdp:libxdp" "capng:libcap-ng" "seccomp:libseccomp" "pcap:libpcap"
    "jansson:jansson" "numa:numa" "ibverbs:libibverbs" "mlx5:libmlx5")
  string(REPLACE ":" ";" pair ${lib})
  list(GET pair 0 name)
  list(GET pair 1 module)
  pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${module})
endforeach()
if(RAWNET_TESTS)
  pkg_check_modules(cmocka REQUIRED IMPORTED_TARGET cmocka)
endif()
