# Every system package that the build uses, found in one place. scripts/setup.sh installs them.

# A host project that adds this folder links what our targets link, from its own folder.
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL TRUE)
set(MPI_CXX_SKIP_MPICXX TRUE) # the C++ bindings cost 0.4 s and 130 kB per object file
find_package(MPI 3.1 REQUIRED COMPONENTS CXX)
set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

if(CAIRN_COLLECTIVES_ONLY)
  find_package(OpenMP COMPONENTS CXX) # exact sums use it where it is
else()
  find_package(OpenMP REQUIRED COMPONENTS CXX)

  set(HDF5_PREFER_PARALLEL ON)
  find_package(HDF5 REQUIRED COMPONENTS C)
  if(NOT HDF5_IS_PARALLEL)
    message(FATAL_ERROR "HDF5 ${HDF5_VERSION} at ${HDF5_C_INCLUDE_DIRS} is a serial build, and Cairn needs the "
                        "parallel one. Install libhdf5-openmpi-dev (scripts/setup.sh does), or set HDF5_ROOT to a "
                        "build configured with --enable-parallel.")
  endif()

  find_package(PkgConfig REQUIRED)
  pkg_check_modules(ISAL REQUIRED IMPORTED_TARGET GLOBAL libisal)
  pkg_check_modules(LZ4 REQUIRED IMPORTED_TARGET GLOBAL liblz4)
  pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET GLOBAL libsodium)
  pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET GLOBAL libxxhash)
  pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET GLOBAL libzstd)
  find_package(ZLIB REQUIRED)
  find_package(PNG REQUIRED)
  find_package(Boost 1.74 REQUIRED COMPONENTS program_options)
  find_package(nlohmann_json 3.10 REQUIRED)
  find_package(spdlog 1.10 REQUIRED)
endif()

if((CAIRN_BUILD_APPS OR CAIRN_BUILD_BENCHMARKS OR CAIRN_BUILD_TESTS) AND NOT CAIRN_COLLECTIVES_ONLY)
  find_package(Eigen3 3.4 REQUIRED NO_MODULE) # cairn-cg; a baseline of cairn-bench
endif()

if(CAIRN_BUILD_TESTS AND NOT CAIRN_COLLECTIVES_ONLY)
  find_package(doctest 2.4 REQUIRED)
  # The independent readers in the tests need h5py, which belongs to the system's interpreter.
  find_program(CAIRN_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
  if(NOT CAIRN_PYTHON)
    find_package(Python3 REQUIRED COMPONENTS Interpreter)
    set(CAIRN_PYTHON ${Python3_EXECUTABLE} CACHE FILEPATH "Interpreter with h5py, for the tests." FORCE)
  endif()
  # Memcheck and a sanitizer in one program do not go together.
  if(NOT CAIRN_SANITIZE)
    find_program(CAIRN_VALGRIND valgrind)
    find_path(CAIRN_VALGRIND_INCLUDE valgrind/memcheck.h)
    mark_as_advanced(CAIRN_VALGRIND CAIRN_VALGRIND_INCLUDE)
    if(NOT CAIRN_VALGRIND OR NOT CAIRN_VALGRIND_INCLUDE)
      message(STATUS "valgrind is missing: no tests under memcheck")
    endif()
  endif()
endif()

if(CAIRN_CCACHE AND PROJECT_IS_TOP_LEVEL)
  find_program(CAIRN_CCACHE_PROGRAM ccache)
  mark_as_advanced(CAIRN_CCACHE_PROGRAM)
  if(CAIRN_CCACHE_PROGRAM)
    set(CMAKE_C_COMPILER_LAUNCHER ${CAIRN_CCACHE_PROGRAM})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CAIRN_CCACHE_PROGRAM})
  endif()
endif()
