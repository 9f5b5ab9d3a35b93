# SPDX-License-Identifier: BSD-2-Clause
rawnet_unit_test(hash_test SOURCES hash_test.c LIBS rawnet-flow)
rawnet_unit_test(match_test SOURCES match_test.c LIBS rawnet-flow)
rawnet_unit_test(key_test SOURCES key_test.c LIBS rawnet-flow)
