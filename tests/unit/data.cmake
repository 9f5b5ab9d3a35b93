# SPDX-License-Identifier: BSD-2-Clause
# The data path over loop ports: rig.h. net and data refer to each other.
set(data_libs tsan-rcu rawnet-data rawnet-net rawnet-steer rawnet-loop rawnet-data rawnet-net rawnet-err rawnet-flow
  PkgConfig::urcu-qsbr PkgConfig::urcu-cds PkgConfig::pcap PkgConfig::mnl Threads::Threads)
rawnet_unit_test(data_test SOURCES data_test.c rig.c LIBS ${data_libs})
rawnet_unit_test(data_liars_test SOURCES data_liars_test.c rig.c LIBS ${data_libs})
rawnet_unit_test(police_flip_test SOURCES police_flip_test.c rig.c LIBS ${data_libs})
rawnet_unit_test(switch_test SOURCES switch_test.c rig.c LIBS ${data_libs})
rawnet_unit_test(switch_liars_test SOURCES switch_liars_test.c rig.c LIBS ${data_libs})
rawnet_unit_test(wake_test SOURCES wake_test.c rig.c LIBS ${data_libs})
rawnet_unit_test(ring_test SOURCES ring_test.c LIBS rawnet-daemon-paths)
rawnet_unit_test(ring_stress_test SOURCES ring_stress_test.c LIBS rawnet-daemon-paths Threads::Threads)
rawnet_unit_test(fair_test SOURCES fair_test.c rig.c LIBS ${data_libs})
rawnet_unit_test(steer_theft_test SOURCES steer_theft_test.c LIBS ${data_libs})
rawnet_unit_test(steer_hash_test SOURCES steer_hash_test.c LIBS ${data_libs})
rawnet_unit_test(wakes_test SOURCES wakes_test.c ${CMAKE_SOURCE_DIR}/daemon/wakes.c LIBS rawnet-daemon-paths rawnet-err)
rawnet_unit_test(spin_test SOURCES spin_test.c LIBS rawnet-daemon-paths)
rawnet_unit_test(probes_unit_test SOURCES probes_test.c LIBS rawnet-daemon-paths)
rawnet_unit_test(poller_test SOURCES poller_test.c poller_rig.c LIBS ${data_libs})
rawnet_unit_test(poller_share_test SOURCES poller_share_test.c poller_rig.c LIBS ${data_libs})
target_link_options(poller_test PRIVATE -Wl,--wrap=poll)
rawnet_unit_test(tx_paid_test SOURCES tx_paid_test.c ${CMAKE_SOURCE_DIR}/daemon/tx.c ${CMAKE_SOURCE_DIR}/daemon/offload.c
  ${CMAKE_SOURCE_DIR}/daemon/offload_csum.c ${CMAKE_SOURCE_DIR}/daemon/offload_tso.c
  LIBS rawnet-daemon-paths rawnet-err PkgConfig::urcu-qsbr)
if(NOT RAWNET_SANITIZE MATCHES "thread") # which takes a hundred steps for one
  add_library(unit-steps STATIC steps.c)
  target_link_libraries(unit-steps PRIVATE PkgConfig::cmocka)
  rawnet_unit_test(steer_owner_test SOURCES steer_owner_test.c LIBS unit-steps ${data_libs})
endif()
