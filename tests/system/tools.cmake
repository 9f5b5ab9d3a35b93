# SPDX-License-Identifier: BSD-2-Clause
# The tools against rawnetd with loop ports: no interface is touched.
# ThreadSanitizer does not see how liburcu orders the daemon's threads.
if(NOT RAWNET_SANITIZE MATCHES "thread")
  rawnet_system_test(echo_test echo_test)
  rawnet_system_test(rawnetctl_test rawnetctl_test)
  rawnet_system_test(tools_install_test tools_install_test)
  rawnet_system_test(pktgen_test pktgen_test)
  rawnet_system_test(xconnect_test xconnect_test)
  rawnet_system_test(latency_test latency_test)
  rawnet_system_test(capture_test capture_test)
  rawnet_system_test(top_test top_test)
  rawnet_system_test(explain_test explain_test)
  rawnet_system_test(exporter_test exporter_test)
  rawnet_system_test(probes_test probes_test)
endif()
