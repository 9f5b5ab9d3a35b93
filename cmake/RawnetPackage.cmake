# SPDX-License-Identifier: BSD-2-Clause
# Debian packages, by CPack: scripts/package builds the preset "package" and then them.
#
#   component   package         what
#   daemon      rawnetd         the daemon, its configuration, units and manual pages
#   library     librawnet0      the shared library
#   client      librawnet-dev   headers, static library, pkg-config, CMake package, manual pages
#   python      python3-rawnet  the package "rawnet" for Python, without anything compiled
#   tools       rawnet-tools    the programs that users run, the exporter and its units
#
# Symbols for debuggers go into packages of their own, PACKAGE-dbgsym_*.ddeb.
# packaging/PACKAGE has the maintainer scripts and lintian's overrides of each. What packages need of
# each other stands here, all other dependencies are computed by dpkg-shlibdeps.
set(RAWNET_MAINTAINER "rawnet authors <rawnet@localhost>" CACHE STRING "Maintainer of the packages")
set(rawnet_packages daemon:rawnetd library:librawnet0 client:librawnet-dev tools:rawnet-tools
  python:python3-rawnet)
set(packaging ${CMAKE_SOURCE_DIR}/packaging)

set(CPACK_GENERATOR DEB)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
# The configuration is outside the prefix (conf/).
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ
  GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PACKAGE_NAME rawnet)
set(CPACK_PACKAGE_VENDOR "")
# Each package has its own; this one would stand in front of it.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")
set(CPACK_PACKAGE_CONTACT "${RAWNET_MAINTAINER}")
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_SOURCE_DIR}/build/packages)
set(CPACK_THREADS 2)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SOURCE rawnet)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_BINARY_DIR}/lib)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_DEBUGINFO_PACKAGE ON)
# What "make install" does not do for Debian: compressed pages, a changelog, a stripped archive.
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/RawnetPackageFiles.cmake)

# CPack 3.25 has no variable for Multi-Arch; fields are written as they are.
set(same_arch "\nMulti-Arch: same")

set(CPACK_DEBIAN_DAEMON_PACKAGE_SECTION net)
set(CPACK_COMPONENT_DAEMON_DESCRIPTION "raw packets of network interfaces for unprivileged programs
One privileged daemon owns the fast path of a network interface. Programs
without any privilege attach to it, ask for flows, and exchange those packets
with the wire through rings in shared memory, without a system call. Linux
keeps its interface, with its address, routes, ARP and ssh.
.
This is the daemon, with its units for systemd and its configuration.")
set(CPACK_DEBIAN_DAEMON_PACKAGE_DEPENDS "systemd | systemd-standalone-sysusers, passwd")
set(CPACK_DEBIAN_DAEMON_PACKAGE_RECOMMENDS "rawnet-tools")

set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION "libs${same_arch}")
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "client library of rawnetd
Programs without any privilege attach to rawnetd, ask for flows, and exchange
those packets with the wire through rings in shared memory, without a system
call on the polling path.
.
This is the shared library.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SUGGESTS "rawnetd")

set(CPACK_DEBIAN_CLIENT_PACKAGE_SECTION "libdevel${same_arch}")
set(CPACK_COMPONENT_CLIENT_DESCRIPTION "development files of the client library of rawnetd
Programs without any privilege attach to rawnetd, ask for flows, and exchange
those packets with the wire through rings in shared memory, without a system
call on the polling path.
.
These are the headers, the static library, what pkg-config and CMake need, and
the manual pages.")
set(CPACK_DEBIAN_CLIENT_PACKAGE_DEPENDS "librawnet0 (= ${PROJECT_VERSION}), libc6-dev")

set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION net)
set(CPACK_COMPONENT_TOOLS_DESCRIPTION "programs for rawnetd: control, capture, metrics, traffic
Programs without any privilege attach to rawnetd, ask for flows, and exchange
those packets with the wire through rings in shared memory.
.
These are rawnetctl, which shows and changes what the daemon does and captures
what it moves, an exporter of metrics, and programs that make, answer and
forward traffic.")
set(CPACK_DEBIAN_TOOLS_PACKAGE_DEPENDS
  "librawnet0 (= ${PROJECT_VERSION}), systemd | systemd-standalone-sysusers, passwd")
set(CPACK_DEBIAN_TOOLS_PACKAGE_SUGGESTS "rawnetd, wireshark, bpftrace")

set(CPACK_DEBIAN_PYTHON_PACKAGE_SECTION python)
set(CPACK_DEBIAN_PYTHON_PACKAGE_ARCHITECTURE all)
set(CPACK_COMPONENT_PYTHON_DESCRIPTION "client library of rawnetd, for Python
Programs without any privilege attach to rawnetd, ask for flows, and exchange
those packets with the wire through rings in shared memory.
.
This is the module rawnet for Python 3, by ctypes, with an example.")
set(CPACK_DEBIAN_PYTHON_PACKAGE_DEPENDS "librawnet0 (>= ${PROJECT_VERSION}), python3")
set(CPACK_DEBIAN_PYTHON_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_PYTHON_DEBUGINFO_PACKAGE OFF)

configure_file(${packaging}/changelog.in packaging/changelog @ONLY)
foreach(pair ${rawnet_packages})
  string(REPLACE ":" ";" pair ${pair})
  list(GET pair 0 component)
  list(GET pair 1 package)
  list(APPEND CPACK_COMPONENTS_ALL ${component})
  string(TOUPPER ${component} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${package})
  file(GLOB CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA CONFIGURE_DEPENDS
    ${packaging}/${package}/conffiles ${packaging}/${package}/triggers
    ${packaging}/${package}/p*inst ${packaging}/${package}/p*rm)
  install(FILES ${packaging}/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package}
    COMPONENT ${component} EXCLUDE_FROM_ALL)
  install(FILES ${CMAKE_BINARY_DIR}/packaging/changelog DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package}
    COMPONENT ${component} EXCLUDE_FROM_ALL)
  if(EXISTS ${packaging}/${package}/overrides)
    install(FILES ${packaging}/${package}/overrides RENAME ${package}
      DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides COMPONENT ${component} EXCLUDE_FROM_ALL)
  endif()
endforeach()
include(CPack)
