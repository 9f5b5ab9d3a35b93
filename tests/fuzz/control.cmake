# SPDX-License-Identifier: BSD-2-Clause
# The control side. Its rooms and those of the data path refer to each other, hence the group.
set(control_libs -Wl,--start-group rawnet-control rawnet-data rawnet-net rawnet-steer rawnet-loop
  rawnet-isolate rawnet-err rawnet-flow -Wl,--end-group PkgConfig::urcu-qsbr PkgConfig::urcu-cds
  PkgConfig::config PkgConfig::systemd PkgConfig::mnl PkgConfig::pcap PkgConfig::capng
  PkgConfig::seccomp Threads::Threads)
rawnet_fuzz_test(config SOURCES config_fuzz.c LIBS ${control_libs})
rawnet_fuzz_test(control SOURCES control_fuzz.c control_request.c control_check.c LIBS ${control_libs})
target_link_options(control_fuzz PRIVATE -Wl,--wrap=getsockopt) # clients of any user
