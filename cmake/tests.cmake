# A test is labelled quick, unless its file says "tier: slow" in its first lines; slow tests are
# left out of the sanitizer run. Linters are labelled lint.
set(vise_test_env ASAN_OPTIONS=allocator_may_return_null=1)
if(EXISTS ${CMAKE_BINARY_DIR}/venv/bin/python)
  list(APPEND vise_test_env VISE_PYTHON=${CMAKE_BINARY_DIR}/venv/bin/python)
endif()

set(vise_test_timeout 300)
if(VISE_SANITIZE)
  set(vise_test_timeout 900)
endif()

function(vise_add_test name file)
  add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  file(STRINGS ${file} is_slow LIMIT_COUNT 1 REGEX "tier: slow")
  set(label quick)
  if(is_slow)
    set(label slow)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${vise_test_timeout} ENVIRONMENT "${vise_test_env}")
endfunction()

# Every tests/c/**/test_*.c and tests/kernels/check_*.c is a program and a test of its own; the checks
# of kernels, and the tests named here, are one more as NAME_simde.
include(cmake/simde.cmake)
set(simde_tests test_gemm test_method)
find_library(cmocka_library cmocka REQUIRED)
function(vise_add_c_program name file)
  add_executable(${name} ${file})
  target_include_directories(${name} PRIVATE tests)
  target_compile_options(${name} PRIVATE -Wno-missing-prototypes)
  target_link_libraries(${name} PRIVATE vise_core ${cmocka_library})
endfunction()
file(GLOB_RECURSE test_files CONFIGURE_DEPENDS tests/c/test_*.c tests/kernels/check_*.c)
foreach(file IN LISTS test_files)
  get_filename_component(name ${file} NAME_WE)
  vise_add_c_program(${name} ${file})
  vise_add_test(${name} ${file} ${name})
  if(TARGET vise_simde AND (name MATCHES "^check_" OR name IN_LIST simde_tests))
    target_compile_definitions(${name} PRIVATE VISE_HAVE_SIMDE=1)
    vise_add_c_program(${name}_simde ${file})
    vise_use_simde(${name}_simde)
    if(NOT name STREQUAL test_method) # which compares the digest of its other form itself
      vise_add_test(${name}_simde ${file} ${name}_simde)
    endif()
  endif()
endforeach()

# The whole program at level avx512, in a folder of its own: its artifacts are compared with vise's.
if(TARGET vise_simde)
  add_executable(vise_at_avx512 native/bind/main.c $<TARGET_OBJECTS:vise_bind>)
  target_link_libraries(vise_at_avx512 PRIVATE vise_core PkgConfig::lua)
  vise_use_simde(vise_at_avx512)
  target_compile_definitions(vise_at_avx512 PRIVATE
    $<TARGET_PROPERTY:vise,COMPILE_DEFINITIONS>)
  set_target_properties(vise_at_avx512 PROPERTIES OUTPUT_NAME vise
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/simde)
endif()

# Every tests/lua/**/test_*.lua and tests/cli/test_*.lua runs under stock lua5.4 with the module of
# this build; with sanitizers, their libraries have to be there before Lua loads the module, and the
# collector never rests.
find_program(lua_program lua5.4 REQUIRED)
set(lua_env
  "LUA_PATH=${CMAKE_CURRENT_SOURCE_DIR}/lua/?.lua\;${CMAKE_CURRENT_SOURCE_DIR}/lua/?/init.lua\;${CMAKE_CURRENT_SOURCE_DIR}/tests/lua/?.lua\;\;"
  "LUA_CPATH=${CMAKE_BINARY_DIR}/lua/?.so\;\;"
  VISE_BUILD=${CMAKE_BINARY_DIR})
set(lua_command ${lua_program} tests/support/run.lua)
if(VISE_SANITIZE)
  foreach(library IN ITEMS asan ubsan)
    execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=lib${library}.so
      OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE)
    list(APPEND preload ${found})
  endforeach()
  list(JOIN preload ":" preload)
  list(APPEND lua_env LD_PRELOAD=${preload} VISE_TEST_GC=hostile
    LSAN_OPTIONS=suppressions=${CMAKE_CURRENT_SOURCE_DIR}/tests/support/lsan.supp:print_suppressions=0)
endif()
# What a recipe that broke out of Lua could do, for the tests of the sandbox.
add_library(attack MODULE tests/support/attack.c)
target_include_directories(attack PRIVATE ${lua_INCLUDE_DIRS})
target_link_libraries(attack PRIVATE seccomp)
set_target_properties(attack PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY
  ${CMAKE_BINARY_DIR}/tests/lua)
# A program at a terminal, for the tests of the REPL.
add_executable(pty tests/support/pty.c)
target_link_libraries(pty PRIVATE util)
file(GLOB_RECURSE lua_tests CONFIGURE_DEPENDS tests/lua/test_*.lua tests/cli/test_*.lua)
foreach(file IN LISTS lua_tests)
  get_filename_component(name ${file} NAME_WE)
  file(RELATIVE_PATH path ${CMAKE_CURRENT_SOURCE_DIR} ${file}) # as it is in messages
  vise_add_test(lua_${name} ${file} ${lua_command} ${path})
  set_property(TEST lua_${name} APPEND PROPERTY ENVIRONMENT "${lua_env}")
endforeach()

# Linters: every tests/lint/check_*.lua, run in the source folder.
file(GLOB lint_files CONFIGURE_DEPENDS tests/lint/check_*.lua)
foreach(file IN LISTS lint_files)
  get_filename_component(name ${file} NAME_WE)
  string(REPLACE check_ lint_ name ${name})
  add_test(NAME ${name} COMMAND ${lua_program} ${file} WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS lint ENVIRONMENT
    "CC=${CMAKE_C_COMPILER};LUA_INCLUDE=${lua_INCLUDE_DIRS}" SKIP_RETURN_CODE 77)
endforeach()

# What `cmake --install` leaves behind works from there.
add_test(NAME install COMMAND ${lua_program} tests/cli/check_install.lua ${CMAKE_COMMAND} ${CMAKE_BINARY_DIR}
  WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
set_tests_properties(install PROPERTIES LABELS slow)
