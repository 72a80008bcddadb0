# Every tests/fuzz/fuzz_NAME.c is a libFuzzer target, and a test that runs it for VISE_FUZZ_SECONDS.
# It starts from the files in tests/fuzz/seeds/NAME; what it finds new is kept in corpus/NAME of the
# build folder.
set(VISE_FUZZ_SECONDS 20 CACHE STRING "how long each fuzz target runs as a test")
file(GLOB fuzz_files CONFIGURE_DEPENDS tests/fuzz/fuzz_*.c)
foreach(file IN LISTS fuzz_files)
  get_filename_component(name ${file} NAME_WE)
  string(REPLACE fuzz_ "" subject ${name})
  add_executable(${name} ${file})
  target_include_directories(${name} PRIVATE tests)
  target_compile_options(${name} PRIVATE -Wno-missing-prototypes -fsanitize=fuzzer)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  target_link_libraries(${name} PRIVATE vise_core)
  set(corpus ${CMAKE_BINARY_DIR}/corpus/${subject})
  file(MAKE_DIRECTORY ${corpus})
  set(seeds)
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/tests/fuzz/seeds/${subject})
    set(seeds ${CMAKE_CURRENT_SOURCE_DIR}/tests/fuzz/seeds/${subject})
  endif()
  add_test(NAME ${name} COMMAND ${name} -max_total_time=${VISE_FUZZ_SECONDS} -timeout=10
    -rss_limit_mb=2048 -print_final_stats=1 ${corpus} ${seeds})
  set_tests_properties(${name} PROPERTIES LABELS fuzz)
endforeach()
