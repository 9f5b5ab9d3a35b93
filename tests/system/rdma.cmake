# SPDX-License-Identifier: BSD-2-Clause
# The same tests as on a veth, unchanged, over raw packet queues of a software ConnectX: netns.py.
# rdma_system_test(NAME BACKEND SCRIPT [ENVIRONMENT VARIABLE=VALUE...] [ARGS...])
function(rdma_system_test name backend script)
  cmake_parse_arguments(R "" "TIMEOUT;LABEL" "ENVIRONMENT;ARGS" ${ARGN})
  if(NOT R_TIMEOUT)
    set(R_TIMEOUT 600)
  endif()
  if(NOT R_LABEL)
    set(R_LABEL quick)
  endif()
  rawnet_system_test(${name} ${script} TIMEOUT ${R_TIMEOUT} LABEL ${R_LABEL} ARGS ${R_ARGS} ${R_UNPARSED_ARGUMENTS})
  get_property(environment TEST ${name} PROPERTY ENVIRONMENT)
  set_tests_properties(${name} PROPERTIES
    ENVIRONMENT "${environment};RAWNET_BACKEND=${backend};${R_ENVIRONMENT}")
endfunction()

foreach(backend verbs mlx5)
  rdma_system_test(traffic_${backend}_test ${backend} traffic_test)
  rdma_system_test(stamps_${backend}_test ${backend} stamps_test)
  rdma_system_test(groups_${backend}_test ${backend} groups_test)
  rdma_system_test(reload_${backend}_test ${backend} reload_test)
  rdma_system_test(host_${backend}_test ${backend} host_test)
  rdma_system_test(errors_${backend}_test ${backend} errors_test)
  rdma_system_test(steering_${backend}_test ${backend} steering_test)
  rdma_system_test(device_${backend}_test ${backend} device_test)
  # What the two share is all of what these see: once is enough for the short form.
  set(short quick)
  if(backend STREQUAL verbs)
    set(short long)
  endif()
  rdma_system_test(gap_${backend}_test ${backend} gap_test LABEL ${short})
  # An interface that is removed is about XDP: the device's end of it is another program's here.
  rdma_system_test(restart_${backend}_test ${backend} restart_test ARGS test_killed_under_traffic
    test_stopped_under_traffic test_what_was_published_stays test_stopped_out_of_turn
    test_nothing_reaches_the_kernel_in_the_gap test_group_and_waiting_rules_come_back test_client_that_died_meanwhile
    ENVIRONMENT ROUNDS=3 LABEL ${short})
  rdma_system_test(churn_${backend}_test ${backend} churn_test ENVIRONMENT SECONDS_OF_CHURN=10 LABEL ${short})
  rdma_system_test(churn_${backend}_long_test ${backend} churn_test ENVIRONMENT SECONDS_OF_CHURN=600
    LABEL long TIMEOUT 1800)
  # Of the systems over the model this one is run under AddressSanitizer, too (.ci/run passes over names
  # that end as the others do).
  rdma_system_test(killed_${backend} ${backend} killed_test)
  rdma_system_test(killed_${backend}_long ${backend} killed_test ENVIRONMENT KILLS=10000
    LABEL long TIMEOUT 14400)
  rdma_system_test(steering_${backend}_long_test ${backend} steering_test ARGS test_full_table
    ENVIRONMENT TABLE=14 LABEL long)
  # A thousand times each.
  rdma_system_test(errors_${backend}_long_test ${backend} errors_test ENVIRONMENT REPEATS=1000
    LABEL long TIMEOUT 14400)
endforeach()
# Kernels without the ioctl interface, which mlx5 needs for its flows.
rdma_system_test(traffic_verbs_write_test verbs traffic_test ENVIRONMENT "RAWNET_CX_FLAGS=--uverbs write")
rdma_system_test(pitfalls_mlx5_test mlx5 pitfalls_test)
rdma_system_test(death_mlx5_test mlx5 death_test)
rdma_system_test(models_mlx5_test mlx5 models_test)
rdma_system_test(local_mlx5_test mlx5 local_test)
# Not what is said of verbs below, and no VLANs.
rdma_system_test(local_verbs_test verbs local_test ARGS test_ip4 test_ip6_macvlan test_questions test_policing
  test_full_ring test_every_poller test_route test_switched_off)
# Removal, and programs and sockets of others, are about XDP. A NIC may not look behind IPv6 extension
# headers, and verbs refuses VLANs.
foreach(backend verbs mlx5)
  rdma_system_test(link_${backend}_test ${backend} link_test ARGS test_down_and_up test_mtu)
endforeach()
rdma_system_test(frames_mlx5_test mlx5 frames_test ARGS test_queues test_vlans test_fragments
  test_unsegmented test_jumbo)
rdma_system_test(frames_verbs_test verbs frames_test ARGS test_queues test_unsegmented test_jumbo)
# The two beside each other.
rawnet_system_test(compare_test compare_test)
rawnet_system_test(compare_long_test compare_test TIMEOUT 14400 LABEL long)
set_property(TEST compare_long_test APPEND PROPERTY ENVIRONMENT SEEDS=1000)
rawnet_system_test(compare_nic_test compare_test)
set_property(TEST compare_nic_test APPEND PROPERTY ENVIRONMENT NIC_POLICING=1)
rdma_system_test(nic_policing_mlx5_test mlx5 nic_policing_test)
# Of an ipvlan client's IPv6 verbs could not leave neighbour discovery to the kernel, and refuses it.
rdma_system_test(death_verbs_test verbs death_test)
rdma_system_test(models_verbs_test verbs models_test ARGS test_macvlan test_macvlan_asks_itself
  test_copies test_copies_are_bounded)
# Checksums that are left unfinished never reach a device, which computes them.
rdma_system_test(offloads_mlx5_test mlx5 offloads_test ARGS test_checksums test_segmentation test_tags
  test_malformed)
rdma_system_test(offloads_verbs_test verbs offloads_test ARGS test_checksums test_segmentation
  test_malformed)
