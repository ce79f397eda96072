#include "cairn/core/error.hpp"

#include <doctest/doctest.h>
#include <mpi.h>

#include <cerrno>
#include <string>

#include "cairn/core/mpi_error.hpp"

using namespace cairn;

namespace {

template <typename Work>
Error thrown_by(Work&& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  FAIL("nothing was thrown");
  return {Errc::internal, ""};
}

}  // namespace

TEST_CASE("an errno chooses the code, and a full disk says what to do") {
  const auto full = thrown_by([] { throw_errno(ENOSPC, "write /data/epoch-1.h5"); });
  CHECK(full.code() == Errc::input_output);
  CHECK(std::string(full.what()) ==
        "write /data/epoch-1.h5: No space left on device; free some space or choose another "
        "directory");
  CHECK(thrown_by([] { throw_errno(ENOENT, "x"); }).exit_code() == 66);
  CHECK(thrown_by([] { throw_errno(EACCES, "x"); }).exit_code() == 77);
  CHECK(thrown_by([] { throw_errno(EROFS, "x"); }).exit_code() == 77);
  CHECK(thrown_by([] { throw_errno(EIO, "x"); }).exit_code() == 74);
}

TEST_CASE("check_posix passes results through and throws on -1") {
  CHECK(check_posix(3, "x") == 3);
  errno = ENOENT;
  CHECK(thrown_by([] { check_posix(-1, "open /nowhere"); }).code() == Errc::no_input);
}

TEST_CASE("a broken precondition names the caller's file") {
  const auto error = thrown_by([] { expects(false, "n > 0"); });
  CHECK(error.code() == Errc::internal);
  CHECK(std::string(error.what()).find("error.cpp:") != std::string::npos);
  CHECK(std::string(error.what()).find("precondition: n > 0") != std::string::npos);
}

TEST_CASE("an MPI code becomes an Error that names the call") {
  check_mpi(MPI_SUCCESS, "MPI_Send");
  const auto error = thrown_by([] { check_mpi(MPI_ERR_RANK, "MPI_Send"); });
  CHECK(error.code() == Errc::mpi_failure);
  CHECK(std::string(error.what()) ==
        "MPI_Send: MPI error " + std::to_string(MPI_ERR_RANK));  // MPI is not running
}
