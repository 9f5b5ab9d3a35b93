# SPDX-License-Identifier: BSD-2-Clause
# Who may include whom (docs/architecture.md). The targets below carry the include paths of each
# room; headers of the system are on every path, so scripts/layers checks those, at each build.
add_library(rawnet-abi INTERFACE)
target_include_directories(rawnet-abi INTERFACE
  $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
file(GLOB_RECURSE layer_sources CONFIGURE_DEPENDS
  ${CMAKE_SOURCE_DIR}/include/*.h ${CMAKE_SOURCE_DIR}/flow/*.[ch] ${CMAKE_SOURCE_DIR}/daemon/*.[ch]
  ${CMAKE_SOURCE_DIR}/client-lib/*.[ch] ${CMAKE_SOURCE_DIR}/tools/*.[ch])
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/layers.ok
  COMMAND ${CMAKE_SOURCE_DIR}/scripts/layers
  COMMAND ${CMAKE_COMMAND} -E touch ${CMAKE_BINARY_DIR}/layers.ok
  DEPENDS ${layer_sources} ${CMAKE_SOURCE_DIR}/scripts/layers
  COMMENT "Checking who includes whom" VERBATIM)
add_custom_target(layers ALL DEPENDS ${CMAKE_BINARY_DIR}/layers.ok)
