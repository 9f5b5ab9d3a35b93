# SPDX-License-Identifier: BSD-2-Clause
# rawnetd on a veth between two namespaces; netns.py is what these tests share.
add_executable(system-client client/client.c client/commands.c client/frames.c
  ${CMAKE_SOURCE_DIR}/tools/echo/answer.c)
target_include_directories(system-client PRIVATE ${CMAKE_SOURCE_DIR}/tools/echo)
target_link_libraries(system-client PRIVATE rawnet)

rawnet_system_test(traffic_test traffic_test)
rawnet_system_test(stamps_test stamps_test)
rawnet_system_test(models_test models_test)
rawnet_system_test(death_test death_test)
rawnet_system_test(groups_test groups_test)
rawnet_system_test(frames_test frames_test)
rawnet_system_test(offloads_test offloads_test)
rawnet_system_test(link_test link_test)
rawnet_system_test(nexthop_test nexthop_test)
rawnet_system_test(l3fwd_test l3fwd_test)
