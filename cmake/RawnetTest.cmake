# SPDX-License-Identifier: BSD-2-Clause
# rawnet_unit_test(NAME SOURCES... [LIBS lib...] [INCLUDES dir...]): a cmocka program, label quick.
# rawnet_system_test(NAME SCRIPT [LABEL quick|long] [TIMEOUT s] [SERIAL]): a script that needs root.
# Every test that cannot run here exits 77 and prints one line "SKIP: reason"; CTest shows it as skipped.
function(rawnet_unit_test name)
  cmake_parse_arguments(T "" "LABEL;TIMEOUT" "SOURCES;LIBS;INCLUDES" ${ARGN})
  add_executable(${name} ${T_SOURCES} ${T_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE ${T_LIBS} PkgConfig::cmocka)
  target_include_directories(${name} PRIVATE ${T_INCLUDES})
  add_test(NAME ${name} COMMAND ${name})
  rawnet_test_properties(${name} "${T_LABEL}" "${T_TIMEOUT}")
endfunction()

function(rawnet_system_test name script)
  cmake_parse_arguments(T "SERIAL" "LABEL;TIMEOUT" "ARGS" ${ARGN})
  add_test(NAME ${name} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/${script} ${T_ARGS})
  set_tests_properties(${name} PROPERTIES
    ENVIRONMENT "RAWNET_BIN=${CMAKE_BINARY_DIR}/bin;RAWNET_LIB=${CMAKE_BINARY_DIR}/lib;RAWNET_SRC=${CMAKE_SOURCE_DIR};RAWNET_BUILD=${CMAKE_BINARY_DIR};RAWNET_SANITIZE=${RAWNET_SANITIZE};LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/lsan.supp:print_suppressions=0")
  if(T_SERIAL)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL TRUE)
  endif()
  rawnet_test_properties(${name} "${T_LABEL}" "${T_TIMEOUT}")
endfunction()

function(rawnet_test_properties name label timeout)
  if(NOT label)
    set(label quick)
  endif()
  if(NOT timeout)
    set(timeout 600) # for what hangs: a machine with other work takes several times as long
  endif()
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${timeout} SKIP_RETURN_CODE 77)
  if(RAWNET_SANITIZE MATCHES "thread")
    set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT
      "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/tsan.supp")
  endif()
endfunction()
