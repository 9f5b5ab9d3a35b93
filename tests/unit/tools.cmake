# SPDX-License-Identifier: BSD-2-Clause
# What of the tools can be tested without a daemon.
rawnet_unit_test(echo_answer_test SOURCES echo_answer_test.c ${CMAKE_SOURCE_DIR}/tools/echo/answer.c
  INCLUDES ${CMAKE_SOURCE_DIR}/tools/echo)
rawnet_unit_test(exporter_http_test SOURCES exporter_http_test.c
  ${CMAKE_SOURCE_DIR}/tools/exporter/http.c INCLUDES ${CMAKE_SOURCE_DIR}/tools/exporter)
rawnet_unit_test(exporter_serve_test SOURCES exporter_serve_test.c
  ${CMAKE_SOURCE_DIR}/tools/exporter/serve.c ${CMAKE_SOURCE_DIR}/tools/exporter/http.c
  ${CMAKE_SOURCE_DIR}/tools/exporter/page.c LIBS Threads::Threads INCLUDES ${CMAKE_SOURCE_DIR}/tools/exporter)
target_compile_definitions(exporter_serve_test PRIVATE SERVE_MS=60000u)
rawnet_unit_test(exporter_metrics_test SOURCES exporter_metrics_test.c
  ${CMAKE_SOURCE_DIR}/tools/exporter/metrics.c ${CMAKE_SOURCE_DIR}/tools/exporter/page.c
  LIBS rawnet INCLUDES ${CMAKE_SOURCE_DIR}/tools/exporter)
set(l3fwd ${CMAKE_SOURCE_DIR}/tools/l3fwd)
rawnet_unit_test(l3fwd_lpm_test SOURCES l3fwd_lpm_test.c ${l3fwd}/lpm4.c ${l3fwd}/lpm6.c INCLUDES ${l3fwd})
rawnet_unit_test(l3fwd_routes_test SOURCES l3fwd_routes_test.c ${l3fwd}/routes.c ${l3fwd}/hops.c ${l3fwd}/lpm4.c ${l3fwd}/lpm6.c
  INCLUDES ${l3fwd})
rawnet_unit_test(l3fwd_packet_test SOURCES l3fwd_packet_test.c ${l3fwd}/packet.c ${l3fwd}/lpm6.c INCLUDES ${l3fwd})
rawnet_unit_test(l3fwd_due_test SOURCES l3fwd_due_test.c ${l3fwd}/due.c INCLUDES ${l3fwd})
rawnet_unit_test(l3fwd_hosts_test SOURCES l3fwd_hosts_test.c ${l3fwd}/hosts.c ${l3fwd}/due.c LIBS Threads::Threads INCLUDES ${l3fwd})
rawnet_unit_test(probe_test SOURCES probe_test.c LIBS rawnet-probes)
rawnet_unit_test(keys_test SOURCES keys_test.c LIBS rawnet-probes)
rawnet_unit_test(histogram_test SOURCES histogram_test.c
  ${CMAKE_SOURCE_DIR}/tools/latency/histogram.c LIBS rawnet-probes
  INCLUDES ${CMAKE_SOURCE_DIR}/tools/latency)
