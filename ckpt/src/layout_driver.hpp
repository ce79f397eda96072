/// A file driver of HDF5 for files that only get their structure: what HDF5 writes of it is kept in
/// memory, and of array data no more than where it goes.
#pragma once

#include <hdf5.h>

#include <cstdint>

#include "cairn/core/file.hpp"
#include "hdf5_handle.hpp"

namespace cairn::ckpt {

/// One file. HDF5 never meets the disk through it: it would hide the errno, and what it cannot
/// write it cannot close, and it crashes over that at the end of the process. Local.
class LayoutDriver {
 public:
  LayoutDriver();
  LayoutDriver(const LayoutDriver&) = delete;
  LayoutDriver& operator=(const LayoutDriver&) = delete;
  ~LayoutDriver();

  /// Lets a file that is created with these access properties be this one. The driver outlives it.
  void use_for(const Hdf5Handle& access) const;

  /// Array data that HDF5 would have written.
  struct RawWrite {
    std::uint64_t offset_bytes = 0;
    std::uint64_t length_bytes = 0;
  };
  [[nodiscard]] const RawWrite& last_raw_write() const noexcept { return state_.last; }

  /// What was written, as a file; for after HDF5 has closed it.
  [[nodiscard]] File contents() const;

  /// What the functions that HDF5 calls share with this object.
  struct State {
    int descriptor = -1;
    RawWrite last = {};
  };

 private:
  State state_;
  hid_t driver_ = H5I_INVALID_HID;
};

}  // namespace cairn::ckpt
