#include "hdf5_handle.hpp"

#include <string>

#include "cairn/core/error.hpp"

namespace cairn::ckpt {

namespace {

/// Remembers the innermost message of HDF5's error stack.
herr_t note_message(unsigned /*depth*/, const H5E_error2_t* error, void* message) {
  if (error->desc != nullptr) *static_cast<std::string*>(message) = error->desc;
  return 0;
}

}  // namespace

void throw_hdf5(std::string_view what) {
  std::string message;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, note_message, &message);
  std::string innermost;
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_DOWNWARD,
      [](unsigned, const H5E_error2_t* error, void* text) -> herr_t {
        if (error->desc != nullptr) *static_cast<std::string*>(text) = error->desc;
        return 0;
      },
      &innermost);
  throw Error(Errc::input_output,
              std::string(what) + ": HDF5: " + (innermost.empty() ? message : innermost));
}

}  // namespace cairn::ckpt
