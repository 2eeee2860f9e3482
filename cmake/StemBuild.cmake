# SPDX-License-Identifier: Apache-2.0
# What every target of the project shares: warnings, sanitizers, the compiler cache, and the rule
# that turns a BPF source into an embedded skeleton.

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Paths inside the tree count relative to it, so that another clone finds what this one compiled.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
               ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

# Interface target: our own code links it, generated code does not.
add_library(stem_options INTERFACE)
target_include_directories(stem_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(stem_options INTERFACE -Wall -Wextra -Werror)

if(STEM_SANITIZE)
  add_compile_options(-fsanitize=${STEM_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${STEM_SANITIZE})
endif()

# stem_library(NAME SOURCES... [LINK libs...]): a static library of our own code.
function(stem_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC stem_options ${ARG_LINK})
endfunction()

# What the sanitizers' builds are for: the tests with label `unit` or `peers`, and those with `threads`.
add_custom_target(unit_tests)
add_custom_target(threaded_tests)

# stem_test(NAME LABEL labels... SOURCES... LINK libs...): a GoogleTest binary, registered with ctest.
# Skipped tests are counted from its own report (tests/tally.py): ctest's SKIP_REGULAR_EXPRESSION would
# hide a binary that fails after it has skipped something.
function(stem_test name)
  cmake_parse_arguments(ARG "" "" "LABEL;SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE stem_options ${ARG_LINK} GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABEL}")
  if("unit" IN_LIST ARG_LABEL OR "peers" IN_LIST ARG_LABEL)
    add_dependencies(unit_tests ${name})
  endif()
  if("threads" IN_LIST ARG_LABEL)
    add_dependencies(threaded_tests ${name})
  endif()
  # Debian's gRPC and Abseil are not instrumented: what they do among themselves looks like races.
  if(STEM_SANITIZE MATCHES thread)
    set_tests_properties(${name} PROPERTIES ENVIRONMENT "TSAN_OPTIONS=ignore_noninstrumented_modules=1")
  endif()
endfunction()

find_program(CLANG_PROGRAM clang REQUIRED)
find_program(BPFTOOL_PROGRAM bpftool PATHS /usr/sbin REQUIRED)
find_program(LLVM_STRIP_PROGRAM llvm-strip REQUIRED)

# stem_bpf(NAME HEADERS...): NAME.bpf.c -> NAME.bpf.o -> NAME.skel.h, as target NAME_skel.
function(stem_bpf name)
  set(source ${CMAKE_CURRENT_SOURCE_DIR}/${name}.bpf.c)
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o)
  set(skeleton ${CMAKE_CURRENT_BINARY_DIR}/${name}.skel.h)
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${CLANG_PROGRAM} -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Werror
            -I${CMAKE_SOURCE_DIR} -idirafter /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
            -MD -MF ${object}.d -c ${source} -o ${object}
    COMMAND ${LLVM_STRIP_PROGRAM} -g ${object}
    DEPENDS ${source} DEPFILE ${object}.d
    COMMENT "Compiling ${name}.bpf.c for the kernel" VERBATIM)
  add_custom_command(
    OUTPUT ${skeleton}
    COMMAND ${BPFTOOL_PROGRAM} gen skeleton ${object} name ${name} > ${skeleton}
    DEPENDS ${object} COMMENT "Embedding ${name}.bpf.o" VERBATIM)
  add_custom_target(${name}_skeleton DEPENDS ${skeleton})
  add_library(${name}_skel INTERFACE)
  target_include_directories(${name}_skel SYSTEM INTERFACE ${CMAKE_CURRENT_BINARY_DIR})
  add_dependencies(${name}_skel ${name}_skeleton)
  target_link_libraries(${name}_skel INTERFACE PkgConfig::LIBBPF)
endfunction()
