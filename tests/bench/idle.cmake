# SPDX-License-Identifier: BSD-2-Clause
rawnet_bench(idle SOURCES idle.c)
add_dependencies(bench-idle rawnetd)
