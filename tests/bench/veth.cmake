# SPDX-License-Identifier: BSD-2-Clause
rawnet_bench(veth SOURCES veth.c asker.c echo_bare.c)
add_dependencies(bench-veth rawnetd rawnet-echo)
