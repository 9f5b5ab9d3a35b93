# SPDX-License-Identifier: BSD-2-Clause
# The client library's tests, against a daemon of their own (lib_fake.c).
add_library(lib-fake STATIC lib_fake.c lib_fake_poller.c)
target_link_libraries(lib-fake PUBLIC rawnet-static Threads::Threads)

foreach(test broken burst conn end fault flow idmap kick restart route wait)
  rawnet_unit_test(lib_${test}_test SOURCES lib_${test}_test.c LIBS lib-fake
    INCLUDES ${CMAKE_SOURCE_DIR}/client-lib)
endforeach()
target_link_options(lib_wait_test PRIVATE -Wl,--wrap=recv)
target_link_options(lib_fault_test PRIVATE
  -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=aligned_alloc)

# A sanitized library would ask for its runtime in every program.
if(NOT RAWNET_SANITIZE AND NOT CMAKE_CROSSCOMPILING)
  rawnet_system_test(lib_install_test lib_install_test)
endif()

# With the daemon's data path in one program, the library must be the shared one: both have inner
# names of their own.
rawnet_unit_test(lib_data_test SOURCES lib_data_test.c lib_fake.c rig.c LIBS rawnet tsan-rcu rawnet-data
  rawnet-net rawnet-steer rawnet-loop rawnet-data rawnet-net rawnet-err rawnet-flow
  PkgConfig::urcu-qsbr PkgConfig::urcu-cds PkgConfig::pcap PkgConfig::mnl Threads::Threads)
