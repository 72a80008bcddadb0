# Level avx512 on every x86 machine: its files once more, compiled for AVX2 through SIMDe. They are
# linked in place of the library's, and vise_cpu_used() says avx512 (tests/kernels/check.h). Not under
# sanitizers: one of its files alone takes them a minute and a half.
find_path(simde_folder simde/x86/avx512.h)
if(VISE_SANITIZE)
  message(STATUS "the avx512 level through SIMDe is left to the release build")
elseif(simde_folder AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  add_library(vise_simde OBJECT tests/kernels/simde_level.c)
  file(GLOB simde_files CONFIGURE_DEPENDS native/kernels/*_avx512.c)
  foreach(file IN LISTS simde_files)
    get_filename_component(name ${file} NAME)
    file(CONFIGURE OUTPUT simde/${name} CONTENT "#include \"kernels/simde.h\"\n#include \"${file}\"\n")
    target_sources(vise_simde PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/simde/${name})
  endforeach()
  target_include_directories(vise_simde PRIVATE native tests)
  # what SIMDe makes of 16 lanes takes minutes to optimise
  target_compile_options(vise_simde PRIVATE -O1 -mavx2 -mfma -mf16c -mbmi2 -w -Wno-psabi)
else()
  message(STATUS "libsimde-dev is not installed: the avx512 level is not checked on other CPUs")
endif()

# Make the program `target` work at level avx512.
function(vise_use_simde target)
  target_compile_definitions(${target} PRIVATE VISE_SIMDE=1)
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:vise_simde>)
  target_link_options(${target} PRIVATE -Wl,--wrap=vise_cpu_used)
endfunction()
