# SPDX-License-Identifier: BSD-2-Clause
rawnet_unit_test(offload_test SOURCES offload_test.c LIBS rawnet-net)
rawnet_unit_test(netdev_test SOURCES netdev_test.c LIBS rawnet-net PkgConfig::mnl Threads::Threads)
rawnet_unit_test(copies_test SOURCES copies_test.c LIBS rawnet-net PkgConfig::urcu-qsbr)
rawnet_unit_test(route_test SOURCES route_test.c LIBS rawnet-net PkgConfig::mnl PkgConfig::urcu-qsbr)
rawnet_unit_test(neigh_msg_test SOURCES neigh_msg_test.c LIBS rawnet-net)
rawnet_unit_test(neigh_test SOURCES neigh_test.c LIBS rawnet-net PkgConfig::urcu-qsbr)
foreach(test police police_random)
  rawnet_unit_test(${test}_test SOURCES ${test}_test.c LIBS rawnet-net rawnet-flow PkgConfig::urcu-qsbr)
  rawnet_unit_test(${test}_steer_test SOURCES ${test}_test.c
    LIBS rawnet-net rawnet-steer rawnet-flow PkgConfig::urcu-qsbr)
  target_compile_definitions(${test}_steer_test PRIVATE REAL_TABLE)
endforeach()
