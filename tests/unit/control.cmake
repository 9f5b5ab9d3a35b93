# SPDX-License-Identifier: BSD-2-Clause
# The control side. Its rooms and those of the data path refer to each other, hence the group.
set(control_libs tsan-rcu -Wl,--start-group rawnet-control rawnet-data rawnet-net rawnet-steer rawnet-loop
  rawnet-isolate rawnet-err rawnet-flow -Wl,--end-group PkgConfig::urcu-qsbr PkgConfig::urcu-cds
  PkgConfig::config PkgConfig::systemd PkgConfig::mnl PkgConfig::pcap PkgConfig::capng
  PkgConfig::seccomp Threads::Threads)
rawnet_unit_test(config_test SOURCES config_test.c LIBS ${control_libs})
rawnet_unit_test(bucket_test SOURCES bucket_test.c LIBS rawnet-daemon-paths)
rawnet_unit_test(policy_test SOURCES policy_test.c LIBS ${control_libs})
add_library(control-rig STATIC control_rig.c control_state.c control_people.c)
target_link_libraries(control-rig PUBLIC ${control_libs} PkgConfig::cmocka)
foreach(test messages pressure flow keep attach list admin reload explain route budget)
  rawnet_unit_test(control_${test}_test SOURCES control_${test}_test.c LIBS control-rig ${control_libs})
endforeach()
if(TARGET unit-steps)
  rawnet_unit_test(control_cost_test SOURCES control_cost_test.c LIBS unit-steps control-rig ${control_libs})
endif()
