# SPDX-License-Identifier: BSD-2-Clause
# What is installed beside the daemon: the configuration and its manual page.
rawnet_unit_test(conf_test SOURCES conf_test.c
  LIBS rawnet-control rawnet-err rawnet-flow PkgConfig::config)
target_compile_definitions(conf_test PRIVATE RAWNET_SOURCE="${CMAKE_SOURCE_DIR}")
target_link_options(conf_test PRIVATE -Wl,--wrap=getpwnam -Wl,--wrap=getgrnam)
rawnet_unit_test(log_test SOURCES log_test.c LIBS rawnet-control)
target_link_options(log_test PRIVATE -Wl,--wrap=clock_gettime -Wl,--wrap=sd_journal_sendv
  -Wl,--wrap=access)
rawnet_unit_test(flows_test SOURCES flows_test.c
  LIBS rawnet-steer rawnet-data rawnet-net rawnet-flow rawnet-err PkgConfig::urcu-qsbr PkgConfig::urcu-cds
  INCLUDES ${CMAKE_SOURCE_DIR}/daemon)
target_compile_definitions(flows_test PRIVATE RAWNET_SOURCE="${CMAKE_SOURCE_DIR}")
rawnet_unit_test(store_test SOURCES store_test.c ${CMAKE_SOURCE_DIR}/daemon/store.c
  LIBS rawnet-daemon-paths rawnet-err)
rawnet_unit_test(isolate_test SOURCES isolate_test.c
  LIBS rawnet-isolate PkgConfig::urcu-qsbr PkgConfig::urcu-cds INCLUDES ${CMAKE_SOURCE_DIR}/daemon)
