# SPDX-License-Identifier: BSD-2-Clause
rawnet_bench(fair SOURCES fair.c fair_rings.c)
add_dependencies(bench-fair rawnetd)
rawnet_bench(many SOURCES many.c fair_rings.c)
add_dependencies(bench-many rawnetd)
rawnet_bench(capture SOURCES capture.c fair_rings.c)
add_dependencies(bench-capture rawnetd rawnetctl)
