# bin/vise, and a module that stock lua5.4 finds: /usr/local is on its path as it is. LuaRocks sets
# the two directories; everywhere else the defaults serve.
include(GNUInstallDirs)
set(VISE_LUA_CDIR lib/lua/5.4 CACHE STRING "where Lua's modules in C go, below the prefix or absolute")
set(VISE_LUA_DIR share/lua/5.4 CACHE STRING "where Lua's modules in Lua go, below the prefix or absolute")

install(TARGETS vise DESTINATION ${CMAKE_INSTALL_BINDIR})
install(TARGETS vise_native DESTINATION ${VISE_LUA_CDIR}/vise)
install(DIRECTORY lua/vise DESTINATION ${VISE_LUA_DIR} FILES_MATCHING PATTERN "*.lua")
install(DIRECTORY lua/meta DESTINATION share/vise FILES_MATCHING PATTERN "*.lua")
install(DIRECTORY recipes bench DESTINATION share/vise FILES_MATCHING PATTERN "*.lua")
install(DIRECTORY share/doc share/models share/text share/slurm share/recipe share/report DESTINATION share/vise)
install(FILES share/man/vise.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES share/completion/vise.bash DESTINATION share/bash-completion/completions RENAME vise)

# The program looks for its Lua files beside itself, then here (built), then where they were
# installed if that is somewhere else.
cmake_path(ABSOLUTE_PATH VISE_LUA_DIR BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX}
  OUTPUT_VARIABLE vise_lua_dir)
target_compile_definitions(vise PRIVATE
  VISE_SOURCE_DIR="${CMAKE_CURRENT_SOURCE_DIR}" VISE_LUA_DIR="${vise_lua_dir}")

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "the vise authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "workbench for compressing neural networks")
set(CPACK_DEBIAN_PACKAGE_DEPENDS "lua5.4, libopenblas0") # the second is loaded at run time
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
include(CPack)
