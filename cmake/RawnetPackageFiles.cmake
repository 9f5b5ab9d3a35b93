# SPDX-License-Identifier: BSD-2-Clause
# Run by CPack when the files of all components are in place, before they become packages: what
# Debian's policy wants of manual pages, changelogs and static libraries.
file(GLOB_RECURSE plain
  "${CPACK_TEMPORARY_DIRECTORY}/*/usr/share/man/man*/*.[0-9]"
  "${CPACK_TEMPORARY_DIRECTORY}/*/usr/share/doc/*/changelog")
foreach(file ${plain})
  execute_process(COMMAND gzip -9n ${file} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
file(GLOB_RECURSE archives "${CPACK_TEMPORARY_DIRECTORY}/*/usr/lib/*.a")
foreach(file ${archives})
  execute_process(COMMAND strip --strip-debug --enable-deterministic-archives ${file}
    COMMAND_ERROR_IS_FATAL ANY)
endforeach()
