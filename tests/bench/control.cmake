# SPDX-License-Identifier: BSD-2-Clause
rawnet_bench(control SOURCES control.c)
add_dependencies(bench-control rawnetd)
