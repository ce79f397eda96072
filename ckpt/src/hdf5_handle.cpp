#include "hdf5_handle.hpp"

#include <string>

#include "cairn/core/error.hpp"

namespace cairn::ckpt {

namespace {

/// Keeps the message of this level of HDF5's error stack.
herr_t note_message(unsigned /*depth*/, const H5E_error2_t* error, void* message) {
  if (error->desc != nullptr) *static_cast<std::string*>(message) = error->desc;
  return 0;
}

}  // namespace

void throw_hdf5(std::string_view what) {
  std::string innermost;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, note_message, &innermost);  // from the call inwards
  throw Error(Errc::input_output, std::string(what) + ": HDF5: " + innermost);
}

}  // namespace cairn::ckpt
