# SPDX-License-Identifier: BSD-2-Clause
# The daemon itself. A sanitizer's runtime needs more than the sandbox leaves.
if(NOT RAWNET_SANITIZE)
  rawnet_system_test(sandbox_test sandbox_test)
endif()
rawnet_system_test(device_again_test device_again_test)
rawnet_system_test(restart_test restart_test)
rawnet_system_test(gap_test gap_test)
rawnet_system_test(churn_test churn_test TIMEOUT 300)
