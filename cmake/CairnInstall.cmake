# Install rules: headers, static libraries, find_package(cairn COMPONENTS …), pkg-config.
#
# Every module is an export set of its own, so that a code which wants the collectives alone is asked
# for MPI alone. What a module needs from outside is read off its link libraries.

include(CMakePackageConfigHelpers)
set(cairn_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/cairn)

# _cairn_foreign(<linked target> <package of the find table below> <pkg-config Requires> <linker flags>…)
function(_cairn_foreign target package requires)
  set_property(GLOBAL PROPERTY _cairn_package_of_${target} ${package})
  set_property(GLOBAL PROPERTY _cairn_requires_of_${target} "${requires}")
  set_property(GLOBAL PROPERTY _cairn_flags_of_${target} "${ARGN}")
endfunction()
set(cairn_mpi_libraries ${MPI_CXX_LIBRARIES})
list(FILTER cairn_mpi_libraries EXCLUDE REGEX "mpi_cxx") # the C++ bindings, which we skip
_cairn_foreign(MPI::MPI_CXX MPI "" ${cairn_mpi_libraries})
_cairn_foreign(Threads::Threads Threads "" -pthread)
_cairn_foreign(OpenMP::OpenMP_CXX OpenMP "" ${OpenMP_CXX_FLAGS})
_cairn_foreign(hdf5::hdf5 HDF5 "" ${HDF5_C_LIBRARIES})
_cairn_foreign(PkgConfig::ISAL ISAL libisal)
_cairn_foreign(PkgConfig::LZ4 LZ4 liblz4)
_cairn_foreign(PkgConfig::SODIUM SODIUM libsodium)
_cairn_foreign(PkgConfig::XXHASH XXHASH libxxhash)
_cairn_foreign(PkgConfig::ZSTD ZSTD libzstd)
_cairn_foreign(ZLIB::ZLIB ZLIB zlib)
_cairn_foreign(PNG::PNG PNG libpng)
_cairn_foreign(Boost::program_options Boost "" -lboost_program_options)
_cairn_foreign(spdlog::spdlog spdlog spdlog)
_cairn_foreign(fmt::fmt fmt fmt)

# Sorts what `module` links into cairn's modules and foreign targets.
function(_cairn_links module modules_var foreign_var)
  get_target_property(links cairn_${module} LINK_LIBRARIES)
  set(modules "")
  set(foreign "")
  foreach(link IN LISTS links)
    if(link MATCHES "^cairn::(.+)$")
      list(APPEND modules ${CMAKE_MATCH_1})
    elseif(link MATCHES "^-")
      list(APPEND foreign ${link}) # a flag, which no package stands for
      set_property(GLOBAL PROPERTY _cairn_flags_of_${link} ${link})
    elseif(NOT link MATCHES "^\\$<BUILD_INTERFACE:")
      get_property(known GLOBAL PROPERTY _cairn_package_of_${link} SET)
      if(NOT known)
        message(FATAL_ERROR "cairn::${module} links ${link}, which the installed package could not find: "
                            "add a line to cmake/CairnInstall.cmake and to cmake/cairn-config.cmake.in.")
      endif()
      list(APPEND foreign ${link})
    endif()
  endforeach()
  set(${modules_var} ${modules} PARENT_SCOPE)
  set(${foreign_var} ${foreign} PARENT_SCOPE)
endfunction()

get_property(cairn_modules GLOBAL PROPERTY CAIRN_MODULES) # in an order in which arrows go back
set(cairn_module_table "")
set(pc_libraries "")
set(pc_foreign "")
foreach(module IN LISTS cairn_modules)
  install(
    TARGETS cairn_${module}
    EXPORT cairn-${module}
    ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
    FILE_SET HEADERS)
  install(EXPORT cairn-${module} NAMESPACE cairn:: DESTINATION ${cairn_package_dir})

  _cairn_links(${module} below foreign)
  set(packages "")
  foreach(target IN LISTS foreign)
    get_property(package GLOBAL PROPERTY _cairn_package_of_${target})
    list(APPEND packages ${package})
  endforeach()
  list(JOIN below " " below)
  list(JOIN packages " " packages)
  string(APPEND cairn_module_table "set(_cairn_${module}_modules ${below})\nset(_cairn_${module}_packages ${packages})\n")
  list(PREPEND pc_libraries -lcairn_${module})
  list(APPEND pc_foreign ${foreign})
endforeach()

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/cairn-config.cmake.in ${PROJECT_BINARY_DIR}/cairn-config.cmake
                              INSTALL_DESTINATION ${cairn_package_dir} NO_SET_AND_CHECK_MACRO
                              NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cairn-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/cairn-config.cmake ${PROJECT_BINARY_DIR}/cairn-config-version.cmake
        DESTINATION ${cairn_package_dir})

# pkg-config: the libraries are static, so what they need stands in Libs and Requires.
list(REMOVE_DUPLICATES pc_foreign)
set(pc_requires "")
set(pc_flags "")
foreach(target IN LISTS pc_foreign)
  get_property(requires GLOBAL PROPERTY _cairn_requires_of_${target})
  get_property(flags GLOBAL PROPERTY _cairn_flags_of_${target})
  list(APPEND pc_requires ${requires})
  list(APPEND pc_flags ${flags})
endforeach()
set(pc_includes ${MPI_CXX_INCLUDE_DIRS})
list(TRANSFORM pc_includes PREPEND -I)
foreach(list IN ITEMS pc_libraries pc_flags pc_requires pc_includes)
  list(REMOVE_DUPLICATES ${list})
  list(JOIN ${list} " " ${list})
endforeach()
set(pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH pc_prefix /${pc_dir} /)
string(REGEX REPLACE "/$" "" pc_prefix ${pc_prefix})
configure_file(${CMAKE_CURRENT_LIST_DIR}/cairn.pc.in ${PROJECT_BINARY_DIR}/cairn.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/cairn.pc DESTINATION ${pc_dir})
