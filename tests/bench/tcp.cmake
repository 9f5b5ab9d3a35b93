# SPDX-License-Identifier: BSD-2-Clause
rawnet_bench(tcp SOURCES tcp.c)
add_dependencies(bench-tcp rawnetd)
