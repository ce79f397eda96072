#include "layout_driver.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "cairn/core/error.hpp"

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

namespace cairn::ckpt {

namespace {

/// HDF5's part comes first, so that a pointer to it is one to this.
struct LayoutFile {
  H5FD_t base = {};
  LayoutDriver::State* state = nullptr;
  haddr_t eoa = 0;
  haddr_t eof = 0;
};

LayoutFile& file_of(H5FD_t* file) { return *reinterpret_cast<LayoutFile*>(file); }
const LayoutFile& file_of(const H5FD_t* file) { return *reinterpret_cast<const LayoutFile*>(file); }

H5FD_t* open_file(const char* /*name*/, unsigned /*flags*/, hid_t access, haddr_t /*maxaddr*/) {
  const auto* info = static_cast<LayoutDriver::State* const*>(H5Pget_driver_info(access));
  if (info == nullptr) return nullptr;
  auto file = std::make_unique<LayoutFile>();
  file->state = *info;
  return &file.release()->base;
}

herr_t close_file(H5FD_t* file) {
  delete &file_of(file);
  return 0;
}

herr_t query(const H5FD_t* /*file*/, unsigned long* flags) {
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA |
           H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
  return 0;
}

haddr_t get_eoa(const H5FD_t* file, H5FD_mem_t /*type*/) { return file_of(file).eoa; }
haddr_t get_eof(const H5FD_t* file, H5FD_mem_t /*type*/) { return file_of(file).eof; }
herr_t set_eoa(H5FD_t* file, H5FD_mem_t /*type*/, haddr_t address) {
  file_of(file).eoa = address;
  return 0;
}

herr_t read_bytes(H5FD_t* file, H5FD_mem_t /*type*/, hid_t /*transfer*/, haddr_t address,
                  std::size_t size, void* to) {
  std::memset(to, 0, size);  // behind the end of what is written there are zeros
  const auto got = ::pread(file_of(file).state->descriptor, to, size, static_cast<off_t>(address));
  return got < 0 ? -1 : 0;
}

herr_t write_bytes(H5FD_t* file, H5FD_mem_t type, hid_t /*transfer*/, haddr_t address,
                   std::size_t size, const void* from) {
  auto& layout = file_of(file);
  layout.eof = std::max<haddr_t>(layout.eof, address + size);
  if (type == H5FD_MEM_DRAW) {
    layout.state->last = {address, size};
    return 0;
  }
  const auto* bytes = static_cast<const char*>(from);
  while (size > 0) {
    const auto put = ::pwrite(layout.state->descriptor, bytes, size, static_cast<off_t>(address));
    if (put <= 0) return -1;
    bytes += put;
    address += static_cast<haddr_t>(put);
    size -= static_cast<std::size_t>(put);
  }
  return 0;
}

herr_t truncate(H5FD_t* file, hid_t /*transfer*/, hbool_t /*closing*/) {
  auto& layout = file_of(file);
  layout.eof = layout.eoa;
  return ::ftruncate(layout.state->descriptor, static_cast<off_t>(layout.eoa));
}

H5FD_class_t driver_class() {
  H5FD_class_t driver = {};
#if H5_VERSION_GE(1, 13, 0)
  driver.version = H5FD_CLASS_VERSION;
  driver.value = static_cast<H5FD_class_value_t>(512);  // of the range for private drivers
#endif
  driver.name = "cairn_layout";
  driver.maxaddr = static_cast<haddr_t>(INT64_MAX);
  driver.fc_degree = H5F_CLOSE_WEAK;
  driver.fapl_size = sizeof(LayoutDriver::State*);
  driver.open = open_file;
  driver.close = close_file;
  driver.query = query;
  driver.get_eoa = get_eoa;
  driver.set_eoa = set_eoa;
  driver.get_eof = get_eof;
  driver.read = read_bytes;
  driver.write = write_bytes;
  driver.truncate = truncate;
  for (auto& type : driver.fl_map) type = H5FD_MEM_DEFAULT;
  return driver;
}

}  // namespace

LayoutDriver::LayoutDriver() {
  static const auto driver = driver_class();
  driver_ = check_hdf5(H5FDregister(&driver), "H5FDregister");
  state_.descriptor = check_posix(::memfd_create("cairn.ckpt", MFD_CLOEXEC), "memfd_create");
}

LayoutDriver::~LayoutDriver() {
  H5FDunregister(driver_);
  ::close(state_.descriptor);
}

void LayoutDriver::use_for(const Hdf5Handle& access) const {
  const auto* state = &state_;
  check_hdf5(H5Pset_driver(access.get(), driver_, static_cast<const void*>(&state)),
             "H5Pset_driver");
}

File LayoutDriver::contents() const {
  return {"/proc/self/fd/" + std::to_string(state_.descriptor), O_RDONLY};
}

}  // namespace cairn::ckpt
