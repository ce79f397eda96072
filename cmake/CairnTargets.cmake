# cairn_add_library, cairn_add_parts, cairn_add_program, cairn_add_test: every target of the project is made by one of them.

if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
endif()
set_property(GLOBAL PROPERTY CAIRN_MODULES "")

# What every target compiles with. Nothing of it reaches a user of the library.
add_library(cairn_build_flags INTERFACE)
target_compile_options(
  cairn_build_flags
  INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor
            -Wsuggest-override -Wzero-as-null-pointer-constant
            $<$<BOOL:${CAIRN_WARNINGS_AS_ERRORS}>:-Werror>
            # False alarms on std::string (GCC bug 105651).
            $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
            # A fused multiply-add in one loop and not in another would change bits.
            -ffp-contract=off
            $<$<CONFIG:Debug>:-Og>)
# A hundred test programs: GNU's linker takes four times as long.
find_program(CAIRN_LLD ld.lld)
mark_as_advanced(CAIRN_LLD)
if(CAIRN_LLD AND PROJECT_IS_TOP_LEVEL)
  target_link_options(cairn_build_flags INTERFACE $<$<CONFIG:Debug>:-fuse-ld=lld>)
endif()
if(CAIRN_SANITIZE)
  target_compile_options(cairn_build_flags INTERFACE -fsanitize=${CAIRN_SANITIZE} -fno-omit-frame-pointer
                                                     -fno-sanitize-recover=all)
  target_link_options(cairn_build_flags INTERFACE -fsanitize=${CAIRN_SANITIZE})
endif()

function(_cairn_common target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:cairn_build_flags>)
endfunction()

# cairn_add_library(NAME core HEADERS error.hpp … SOURCES src/error.cpp … [PUBLIC targets…] [PRIVATE targets…])
#
# Makes cairn::NAME from the module in the current folder. HEADERS stand in include/cairn/NAME/.
function(cairn_add_library)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "HEADERS;SOURCES;PUBLIC;PRIVATE")
  set(target cairn_${arg_NAME})
  add_library(${target})
  add_library(cairn::${arg_NAME} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${arg_NAME} POSITION_INDEPENDENT_CODE ON)
  list(TRANSFORM arg_HEADERS PREPEND include/cairn/${arg_NAME}/)
  target_sources(
    ${target}
    PRIVATE ${arg_SOURCES}
    PUBLIC FILE_SET HEADERS BASE_DIRS include FILES ${arg_HEADERS})
  # Header-only libraries inside the sources are nothing that an installed library still needs.
  list(TRANSFORM arg_PRIVATE REPLACE "^(nlohmann_json::.+)$" "$<BUILD_INTERFACE:\\1>")
  target_link_libraries(${target} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
  _cairn_common(${target})
  set_property(GLOBAL APPEND PROPERTY CAIRN_MODULES ${arg_NAME})
endfunction()

# cairn::cairn links every module that this build has.
function(cairn_add_umbrella)
  get_property(modules GLOBAL PROPERTY CAIRN_MODULES)
  list(TRANSFORM modules PREPEND cairn::)
  add_library(cairn_cairn INTERFACE)
  target_link_libraries(cairn_cairn INTERFACE ${modules})
  set_target_properties(cairn_cairn PROPERTIES EXPORT_NAME cairn)
  add_library(cairn::cairn ALIAS cairn_cairn)
endfunction()

# cairn_add_parts(NAME heat SOURCES … [PUBLIC targets…] [PRIVATE targets…])
#
# Makes cairn_heat_parts: the sources of a program that tests, benchmarks or another program also link.
function(cairn_add_parts)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SOURCES;PUBLIC;PRIVATE")
  set(target cairn_${arg_NAME}_parts)
  add_library(${target} STATIC ${arg_SOURCES})
  target_include_directories(${target} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(${target} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
  _cairn_common(${target})
endfunction()

# cairn_add_program(NAME cairn-heat SOURCES … LINK targets… [NO_INSTALL])
function(cairn_add_program)
  cmake_parse_arguments(PARSE_ARGV 0 arg "NO_INSTALL" "NAME" "SOURCES;LINK")
  add_executable(${arg_NAME} ${arg_SOURCES})
  target_link_libraries(${arg_NAME} PRIVATE ${arg_LINK})
  _cairn_common(${arg_NAME})
  if(CAIRN_INSTALL AND NOT arg_NO_INSTALL)
    install(TARGETS ${arg_NAME} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endfunction()

# The environment of every test, and of the scripts: one file says what Open MPI needs here.
file(STRINGS ${PROJECT_SOURCE_DIR}/tests/support/mpi.env CAIRN_TEST_ENVIRONMENT REGEX "^[A-Z]")
# In tests mpirun kills the ranks that a dead one leaves behind at once, and not after two seconds, in which users' ranks
# write a last checkpoint.
list(APPEND CAIRN_TEST_ENVIRONMENT
     "OMPI_MCA_odls_base_sigkill_timeout=0"
     "LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/support/lsan.supp:print_suppressions=0"
     "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/support/tsan.supp:ignore_noninstrumented_modules=1")

function(_cairn_register name labels timeout processors)
  set(environment ${CAIRN_TEST_ENVIRONMENT})
  if(NOT "slurm" IN_LIST labels)
    # A folder of its own: mpiruns that share one trip over each other's session files.
    set(folder ${PROJECT_BINARY_DIR}/tmp/${name})
    file(MAKE_DIRECTORY ${folder})
    list(APPEND environment TMPDIR=${folder})
  endif()
  if("mpi" IN_LIST labels OR "command" IN_LIST labels)
    # Open MPI leaks on purpose, from plug-ins that are gone when the leaks are told, so that no suppression fits.
    list(APPEND environment ASAN_OPTIONS=detect_leaks=0)
  endif()
  math(EXPR timeout "${timeout} * ${CAIRN_TEST_PATIENCE}")
  set_tests_properties(
    ${name} PROPERTIES ENVIRONMENT "${environment}" LABELS "${labels}" TIMEOUT ${timeout} PROCESSORS ${processors}
                       SKIP_RETURN_CODE 77)
endfunction()

# cairn_add_test(NAME collectives.bcast SOURCES bcast.cpp LINK cairn::collectives [RANKS 1 2 3 4 7] [LABELS …] [TIMEOUT s])
# cairn_add_test(NAME faults.kill COMMAND python3 kill.py … [LABELS …] [TIMEOUT s])
#
# A doctest program; with RANKS it has an MPI main and becomes one ctest entry per rank count, without it
# needs no MPI at all. Or a command, which brings its own verdict.
function(cairn_add_test)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;TIMEOUT;PROCESSORS" "SOURCES;LINK;RANKS;LABELS;COMMAND")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  if(NOT arg_PROCESSORS)
    set(arg_PROCESSORS 1)
  endif()
  if(arg_COMMAND)
    add_test(NAME ${arg_NAME} COMMAND ${arg_COMMAND})
    _cairn_register(${arg_NAME} "command;${arg_LABELS}" ${arg_TIMEOUT} ${arg_PROCESSORS})
    return()
  endif()

  set(target test-${arg_NAME})
  add_executable(${target} ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  _cairn_common(${target})
  if("threads" IN_LIST arg_LABELS)
    add_dependencies(threaded-tests ${target})
  endif()
  if(NOT arg_RANKS)
    target_link_libraries(${target} PRIVATE ${arg_LINK} cairn_test_main)
    add_test(NAME ${arg_NAME} COMMAND ${target})
    _cairn_register(${arg_NAME} "${arg_LABELS}" ${arg_TIMEOUT} ${arg_PROCESSORS})
    return()
  endif()
  target_link_libraries(${target} PRIVATE ${arg_LINK} cairn_test_mpi_main)
  foreach(ranks IN LISTS arg_RANKS)
    set(entry ${arg_NAME}.${ranks}-ranks)
    add_test(NAME ${entry} COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks} $<TARGET_FILE:${target}>)
    if(ranks GREATER 1)
      set(processors 2)
    else()
      set(processors 1)
    endif()
    _cairn_register(${entry} "mpi;${arg_LABELS}" ${arg_TIMEOUT} ${processors})
  endforeach()
endfunction()
