# Every tests/c/**/test_*.c and tests/kernels/check_*.c is a program and a test of its own.
find_library(cmocka_library cmocka REQUIRED)
file(GLOB_RECURSE test_files CONFIGURE_DEPENDS tests/c/test_*.c tests/kernels/check_*.c)
foreach(file IN LISTS test_files)
  get_filename_component(name ${file} NAME_WE)
  add_executable(${name} ${file})
  target_include_directories(${name} PRIVATE tests)
  target_compile_options(${name} PRIVATE -Wno-missing-prototypes)
  target_link_libraries(${name} PRIVATE vise_core ${cmocka_library})
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
endforeach()

# Every tests/lua/**/test_*.lua runs under stock lua5.4 with the module of this build.
find_program(lua_program lua5.4 REQUIRED)
file(GLOB_RECURSE lua_tests CONFIGURE_DEPENDS tests/lua/test_*.lua tests/cli/test_*.lua)
foreach(file IN LISTS lua_tests)
  get_filename_component(name ${file} NAME_WE)
  add_test(NAME lua_${name} COMMAND ${lua_program} ${file} WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  set_tests_properties(lua_${name} PROPERTIES ENVIRONMENT
    "LUA_PATH=${CMAKE_CURRENT_SOURCE_DIR}/lua/?.lua\;${CMAKE_CURRENT_SOURCE_DIR}/lua/?/init.lua\;${CMAKE_CURRENT_SOURCE_DIR}/tests/lua/?.lua\;\;;LUA_CPATH=${CMAKE_BINARY_DIR}/lua/?.so\;\;;VISE_BUILD=${CMAKE_BINARY_DIR}")
endforeach()

add_test(NAME layers COMMAND ${lua_program} tests/lint/check_layers.lua WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
