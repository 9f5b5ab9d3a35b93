# SPDX-License-Identifier: BSD-2-Clause
# What a ConnectX reads and writes: pure encoders and decoders.
rawnet_unit_test(mlx5_wqe_test SOURCES mlx5_wqe_test.c LIBS rawnet-daemon-paths)
rawnet_unit_test(mlx5_cqe_test SOURCES mlx5_cqe_test.c LIBS rawnet-daemon-paths)
rawnet_unit_test(mlx5_slots_test SOURCES mlx5_slots_test.c LIBS rawnet-daemon-paths)
rawnet_unit_test(mlx5_match_test SOURCES mlx5_match_test.c LIBS rawnet-daemon-paths)
# What its egress tables are told, beside policing.
rawnet_unit_test(mlx5_mirror_test SOURCES mlx5_mirror_test.c ${CMAKE_SOURCE_DIR}/daemon/backend/mlx5/mirror.c
  ${CMAKE_SOURCE_DIR}/tests/model/frame.c
  LIBS rawnet-net rawnet-steer rawnet-flow rawnet-daemon-paths PkgConfig::mlx5 PkgConfig::urcu-qsbr)
target_compile_definitions(mlx5_mirror_test PRIVATE REAL_TABLE)
# The order of shapes in a NIC, without the NIC.
rawnet_unit_test(layers_test SOURCES layers_test.c ${CMAKE_SOURCE_DIR}/daemon/backend/verbs/layers.c
  LIBS rawnet-daemon-paths rawnet-err rawnet-flow)
rawnet_unit_test(mlx5_ways_test SOURCES mlx5_ways_test.c ${CMAKE_SOURCE_DIR}/daemon/backend/mlx5/ways.c
  LIBS rawnet-net rawnet-daemon-paths PkgConfig::ibverbs PkgConfig::mlx5 PkgConfig::urcu-qsbr)
# When a queue is served.
rawnet_unit_test(mlx5_queue_test SOURCES mlx5_queue_test.c
  LIBS rawnet-mlx5 rawnet-verbs ${data_libs} PkgConfig::ibverbs PkgConfig::mlx5)
# The same of the verbs backend.
rawnet_unit_test(verbs_tx_test SOURCES verbs_tx_test.c ${CMAKE_SOURCE_DIR}/daemon/backend/verbs/tx.c
  ${CMAKE_SOURCE_DIR}/daemon/backend/verbs/runs.c ${CMAKE_SOURCE_DIR}/daemon/backend/verbs/send.c
  ${CMAKE_SOURCE_DIR}/daemon/offload.c ${CMAKE_SOURCE_DIR}/daemon/offload_csum.c
  ${CMAKE_SOURCE_DIR}/daemon/offload_tso.c
  LIBS rawnet-daemon-paths rawnet-err PkgConfig::ibverbs PkgConfig::urcu-qsbr)
rawnet_unit_test(verbs_rx_test SOURCES verbs_rx_test.c ${CMAKE_SOURCE_DIR}/daemon/backend/verbs/rx.c
  LIBS rawnet-daemon-paths rawnet-err PkgConfig::ibverbs PkgConfig::urcu-qsbr)
# Where rules send packets: how long they wait for buffers.
rawnet_unit_test(target_test SOURCES target_test.c ${CMAKE_SOURCE_DIR}/daemon/backend/verbs/target.c
  LIBS rawnet-daemon-paths rawnet-err PkgConfig::ibverbs PkgConfig::urcu-qsbr)
target_link_options(target_test PRIVATE -Wl,--wrap=nanosleep)
# Reads the clock of a device: the software one.
add_executable(mlx5_clock_test mlx5_clock_test.c ${CMAKE_SOURCE_DIR}/daemon/backend/mlx5/clock.c)
target_link_libraries(mlx5_clock_test PRIVATE rawnet-daemon-paths PkgConfig::cmocka PkgConfig::ibverbs PkgConfig::mlx5)
add_test(NAME mlx5_clock_test COMMAND cx-run --leaks --device wire=loop -- $<TARGET_FILE:mlx5_clock_test>)
rawnet_test_properties(mlx5_clock_test "" "")
