# SPDX-License-Identifier: BSD-2-Clause
add_executable(bench-police police.c)
target_link_libraries(bench-police PRIVATE rawnet-net rawnet-flow PkgConfig::urcu-qsbr)
