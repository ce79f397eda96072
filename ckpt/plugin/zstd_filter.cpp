/// HDF5's registered filter 32015, Zstandard, as a plugin: h5py, h5dump and the like load it from a
/// folder in HDF5_PLUGIN_PATH. It calls nothing of libhdf5, so it fits every build of that.
#include <H5PLextern.h>
#include <zstd.h>

#include <cstddef>
#include <cstdlib>

namespace {

constexpr H5Z_filter_t zstd_filter_id = 32015;
constexpr unsigned long long longest_chunk_bytes = 0xffffffffULL;  // HDF5's limit

/// The result takes the place of the input, whose memory is HDF5's, which takes it from malloc().
std::size_t replace(void** buffer, std::size_t* buffer_bytes, void* result, std::size_t room,
                    std::size_t bytes) {
  if (ZSTD_isError(bytes) != 0) {
    std::free(result);
    return 0;
  }
  std::free(*buffer);
  *buffer = result;
  *buffer_bytes = room;
  return bytes;
}

std::size_t unpack(std::size_t bytes, std::size_t* buffer_bytes, void** buffer) {
  const auto size = ZSTD_getFrameContentSize(*buffer, bytes);
  if (size == 0 || size > longest_chunk_bytes) return 0;  // also its two error codes
  void* result = std::malloc(size);
  if (result == nullptr) return 0;
  return replace(buffer, buffer_bytes, result, size, ZSTD_decompress(result, size, *buffer, bytes));
}

std::size_t pack(int level, std::size_t bytes, std::size_t* buffer_bytes, void** buffer) {
  const auto room = ZSTD_compressBound(bytes);
  void* result = std::malloc(room);
  if (result == nullptr) return 0;
  return replace(buffer, buffer_bytes, result, room,
                 ZSTD_compress(result, room, *buffer, bytes, level));
}

/// As HDF5 calls it: the bytes of the result, or 0 for a failure.
std::size_t filter(unsigned flags, std::size_t parameters, const unsigned parameter[],
                   std::size_t bytes, std::size_t* buffer_bytes, void** buffer) {
  if ((flags & H5Z_FLAG_REVERSE) != 0) return unpack(bytes, buffer_bytes, buffer);
  return pack(parameters > 0 ? static_cast<int>(parameter[0]) : ZSTD_CLEVEL_DEFAULT, bytes,
              buffer_bytes, buffer);
}

const H5Z_class2_t zstd_class = {H5Z_CLASS_T_VERS, zstd_filter_id, 1,       1,
                                 "zstd",           nullptr,        nullptr, filter};

}  // namespace

extern "C" H5PL_type_t H5PLget_plugin_type() { return H5PL_TYPE_FILTER; }
extern "C" const void* H5PLget_plugin_info() { return &zstd_class; }
