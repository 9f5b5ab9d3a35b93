# SPDX-License-Identifier: BSD-2-Clause
# Compiler settings that every target of the project shares: warnings are errors, hardening is on.
add_compile_options(
  -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
  -Wcast-qual -Wwrite-strings -Wvla -Wundef -Wformat=2 -fno-strict-aliasing -fno-common
  -fstack-protector-strong -fvisibility=hidden)
# liburcu's caa_container_of() casts a const away. gcc passes over macros of system headers, clang
# reports them where they are used; gcc keeps the check for our own casts.
add_compile_options($<$<C_COMPILER_ID:Clang>:-Wno-cast-qual>)
# Intel's processors from Skylake to Cascade Lake keep no decoded instructions of 32 bytes that a branch
# crosses or ends (erratum SKX102, Intel document 341810). Padded, loops are as fast wherever the linker
# puts them; what is one byte longer elsewhere does not move them there.
include(CheckCCompilerFlag)
foreach(flag -Wa,-mbranches-within-32B-boundaries -mbranches-within-32B-boundaries)
  string(MAKE_C_IDENTIFIER "RAWNET_HAS${flag}" has)
  check_c_compiler_flag(${flag} ${has})
  if(${has})
    add_compile_options($<$<COMPILE_LANGUAGE:C>:${flag}>)
    break()
  endif()
endforeach()
# liburcu: what is read for every packet is inlined instead of called (urcu/pointer.h).
add_compile_definitions(_GNU_SOURCE)
# For ThreadSanitizer they are calls, which tests/unit/tsan_rcu.c sees.
if(NOT RAWNET_SANITIZE MATCHES "thread")
  add_compile_definitions(URCU_INLINE_SMALL_FUNCTIONS)
endif()
add_link_options(-Wl,-z,relro,-z,now,--as-needed)
if(RAWNET_SANITIZE)
  add_compile_definitions(RAWNET_SANITIZED)
  add_compile_options(-fsanitize=${RAWNET_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${RAWNET_SANITIZE})
  # ThreadSanitizer ignores fences. Ours stand only where two sides go to sleep (rawnet/ring.h): data
  # is published by release and acquire, which it understands.
  if(RAWNET_SANITIZE MATCHES "thread" AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan)
  endif()
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Debug")
  add_compile_definitions(_FORTIFY_SOURCE=2)
endif()
if(RAWNET_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link) # coverage of the code under test; tests/fuzz links the rest
endif()
