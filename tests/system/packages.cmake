# SPDX-License-Identifier: BSD-2-Clause
# What is delivered: the library's ABI, how programs are hardened, the packages.
if(NOT RAWNET_SANITIZE AND NOT CMAKE_CROSSCOMPILING)
  rawnet_system_test(abi_test abi_test)
  rawnet_system_test(hardening_test hardening_test)
  rawnet_system_test(package_test package_test LABEL long TIMEOUT 1200 SERIAL)
  rawnet_system_test(installed_test installed_test LABEL long TIMEOUT 1800 SERIAL)
  rawnet_system_test(first_packet_test first_packet_test LABEL long TIMEOUT 1800 SERIAL)
endif()
