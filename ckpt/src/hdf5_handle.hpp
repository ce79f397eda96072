/// HDF5 identifiers that close themselves, and HDF5's error stack as Error.
#pragma once

#include <hdf5.h>

#include <string_view>
#include <utility>

namespace cairn::ckpt {

/// Throws Error{input_output} with HDF5's innermost explanation.
[[noreturn]] void throw_hdf5(std::string_view what);

/// Passes an HDF5 return value through, or throws when it is negative.
template <typename Result>
Result check_hdf5(Result result, std::string_view what) {
  if (result < 0) throw_hdf5(what);
  return result;
}

/// Owns one identifier of any kind.
class Hdf5Handle {
 public:
  Hdf5Handle(hid_t id, std::string_view what) : id_(check_hdf5(id, what)) {}
  Hdf5Handle(Hdf5Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)) {}
  Hdf5Handle& operator=(Hdf5Handle&&) = delete;
  Hdf5Handle(const Hdf5Handle&) = delete;
  Hdf5Handle& operator=(const Hdf5Handle&) = delete;
  ~Hdf5Handle() {
    if (id_ >= 0) H5Idec_ref(id_);
  }
  [[nodiscard]] hid_t get() const noexcept { return id_; }
  [[nodiscard]] hid_t release() noexcept { return std::exchange(id_, H5I_INVALID_HID); }

 private:
  hid_t id_;
};

/// Keeps HDF5 from printing its error stack while it lives; the stack is read by throw_hdf5
/// instead.
class Hdf5ErrorsAsExceptions {
 public:
  Hdf5ErrorsAsExceptions() {
    H5Eget_auto2(H5E_DEFAULT, &function_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~Hdf5ErrorsAsExceptions() { H5Eset_auto2(H5E_DEFAULT, function_, data_); }
  Hdf5ErrorsAsExceptions(const Hdf5ErrorsAsExceptions&) = delete;
  Hdf5ErrorsAsExceptions& operator=(const Hdf5ErrorsAsExceptions&) = delete;

 private:
  H5E_auto2_t function_ = nullptr;
  void* data_ = nullptr;
};

}  // namespace cairn::ckpt
