# SPDX-License-Identifier: BSD-2-Clause
rawnet_fuzz_test(http SOURCES http_fuzz.c ${CMAKE_SOURCE_DIR}/tools/exporter/http.c)
target_include_directories(http_fuzz PRIVATE ${CMAKE_SOURCE_DIR}/tools/exporter)
set(l3fwd ${CMAKE_SOURCE_DIR}/tools/l3fwd)
rawnet_fuzz_test(routes SOURCES routes_fuzz.c ${l3fwd}/routes.c ${l3fwd}/hops.c ${l3fwd}/lpm4.c ${l3fwd}/lpm6.c)
target_include_directories(routes_fuzz PRIVATE ${l3fwd})
