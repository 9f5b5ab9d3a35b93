# SPDX-License-Identifier: BSD-2-Clause
# The daemon itself. A sanitizer's runtime needs more than the sandbox leaves.
if(NOT RAWNET_SANITIZE)
  rawnet_system_test(sandbox_test sandbox_test)
endif()
rawnet_system_test(device_again_test device_again_test)
rawnet_system_test(restart_test restart_test)
set_property(TEST restart_test APPEND PROPERTY ENVIRONMENT ROUNDS=6)
rawnet_system_test(restart_long_test restart_test TIMEOUT 14400 LABEL long)
set_property(TEST restart_long_test APPEND PROPERTY ENVIRONMENT ROUNDS=500)
rawnet_system_test(gap_test gap_test)
rawnet_system_test(churn_test churn_test)
