#include "data_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "cairn/core/error.hpp"
#include "chunks.hpp"
#include "codec.hpp"
#include "crc.hpp"
#include "hdf5_handle.hpp"
#include "layout_driver.hpp"
#include "store.hpp"

namespace cairn::ckpt {

namespace {

hid_t native_type(ScalarType type) {
  switch (type) {
    case ScalarType::int8:
      return H5T_STD_I8LE;
    case ScalarType::int16:
      return H5T_STD_I16LE;
    case ScalarType::int32:
      return H5T_STD_I32LE;
    case ScalarType::int64:
      return H5T_STD_I64LE;
    case ScalarType::uint8:
      return H5T_STD_U8LE;
    case ScalarType::uint16:
      return H5T_STD_U16LE;
    case ScalarType::uint32:
      return H5T_STD_U32LE;
    case ScalarType::uint64:
      return H5T_STD_U64LE;
    case ScalarType::float32:
    case ScalarType::complex64:
      return H5T_IEEE_F32LE;
    case ScalarType::float64:
    case ScalarType::complex128:
      return H5T_IEEE_F64LE;
  }
  throw Error(Errc::internal, "unknown element type");
}

Hdf5Handle hdf5_type(ScalarType type) {
  if (type != ScalarType::complex64 && type != ScalarType::complex128) {
    return {H5Tcopy(native_type(type)), "H5Tcopy"};
  }
  const auto half = size_of(type) / 2;
  Hdf5Handle compound(H5Tcreate(H5T_COMPOUND, 2 * half), "H5Tcreate");
  check_hdf5(H5Tinsert(compound.get(), "r", 0, native_type(type)), "H5Tinsert");
  check_hdf5(H5Tinsert(compound.get(), "i", half, native_type(type)), "H5Tinsert");
  return compound;
}

void write_attribute(hid_t object, const Attribute& attribute) {
  const Hdf5Handle space(H5Screate(H5S_SCALAR), "H5Screate");
  const auto write = [&](hid_t type, const void* value) {
    const Hdf5Handle handle(
        H5Acreate2(object, attribute.name.c_str(), type, space.get(), H5P_DEFAULT, H5P_DEFAULT),
        "H5Acreate " + attribute.name);
    check_hdf5(H5Awrite(handle.get(), type, value), "H5Awrite " + attribute.name);
  };
  if (const auto* number = std::get_if<double>(&attribute.value)) {
    write(H5T_IEEE_F64LE, number);
  } else if (const auto* integer = std::get_if<std::int64_t>(&attribute.value)) {
    write(H5T_STD_I64LE, integer);
  } else {
    const auto& text = std::get<std::string>(attribute.value);
    const Hdf5Handle type(H5Tcopy(H5T_C_S1), "H5Tcopy");
    check_hdf5(H5Tset_size(type.get(), text.size() + 1), "H5Tset_size");
    check_hdf5(H5Tset_cset(type.get(), H5T_CSET_UTF8), "H5Tset_cset");
    write(type.get(), text.c_str());
  }
}

/// One scalar attribute; nothing for what an Attribute cannot hold.
std::optional<Attribute> read_attribute(hid_t object, const char* name) {
  const Hdf5Handle attribute(H5Aopen(object, name, H5P_DEFAULT), "H5Aopen");
  const Hdf5Handle space(H5Aget_space(attribute.get()), "H5Aget_space");
  const Hdf5Handle type(H5Aget_type(attribute.get()), "H5Aget_type");
  if (H5Sget_simple_extent_npoints(space.get()) != 1) return std::nullopt;
  const auto read = [&](hid_t memory_type, void* value) {
    check_hdf5(H5Aread(attribute.get(), memory_type, value), std::string("H5Aread ") + name);
  };
  switch (H5Tget_class(type.get())) {
    case H5T_FLOAT: {
      double value = 0;
      read(H5T_NATIVE_DOUBLE, &value);
      return Attribute{name, value};
    }
    case H5T_INTEGER: {
      std::int64_t value = 0;
      read(H5T_NATIVE_INT64, &value);
      return Attribute{name, value};
    }
    case H5T_STRING: {
      if (H5Tis_variable_str(type.get()) != 0) return std::nullopt;
      std::string text(H5Tget_size(type.get()), '\0');
      read(type.get(), text.data());
      text.resize(std::min(text.find('\0'), text.size()));
      return Attribute{name, std::move(text)};
    }
    default:
      return std::nullopt;
  }
}

/// Locking fails on many parallel file systems; the directory's own lock keeps others out.
void leave_unlocked([[maybe_unused]] const Hdf5Handle& access) {
#if H5_VERSION_GE(1, 10, 7)
  check_hdf5(H5Pset_file_locking(access.get(), false, true), "H5Pset_file_locking");
#endif
}

constexpr hsize_t alignment_bytes = hsize_t{1} << 20;

/// Chunks and the nodes of their index come in turn; where there are many, larger blocks for these
/// make fewer ranges.
constexpr hsize_t index_block_bytes = hsize_t{64} << 10;
constexpr std::size_t many_chunks = 64;

std::size_t chunks_of(std::span<const DatasetPlan> datasets) {
  std::size_t chunks = 0;
  for (const auto& plan : datasets)
    if (plan.chunks) chunks += plan.chunks->lengths_bytes.size();
  return chunks;
}

Hdf5Handle create_file(const LayoutDriver& driver, std::span<const DatasetPlan> datasets) {
  const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), "H5Pcreate");
  check_hdf5(H5Pset_alignment(access.get(), alignment_bytes, alignment_bytes), "H5Pset_alignment");
  if (chunks_of(datasets) >= many_chunks)
    check_hdf5(H5Pset_meta_block_size(access.get(), index_block_bytes), "H5Pset_meta_block_size");
  leave_unlocked(access);
  driver.use_for(access);
  return {H5Fcreate("layout", H5F_ACC_TRUNC, H5P_DEFAULT, access.get()), "H5Fcreate"};
}

void set_contiguous(const Hdf5Handle& creation) {
  check_hdf5(H5Pset_layout(creation.get(), H5D_CONTIGUOUS), "H5Pset_layout");
  check_hdf5(H5Pset_alloc_time(creation.get(), H5D_ALLOC_TIME_EARLY), "H5Pset_alloc_time");
}

/// The codec is called optional, since HDF5 then makes the dataset without having it here.
void set_chunked(const Hdf5Handle& creation, const DatasetPlan& plan) {
  const auto& chunk = plan.chunks->chunk;
  const std::vector<hsize_t> extents(chunk.begin(), chunk.end());
  check_hdf5(H5Pset_chunk(creation.get(), static_cast<int>(extents.size()), extents.data()),
             "H5Pset_chunk");
  check_hdf5(H5Pset_shuffle(creation.get()), "H5Pset_shuffle");
  const auto filter = filter_of(plan.chunks->compression, volume(chunk) * size_of(plan.type));
  check_hdf5(H5Pset_filter(creation.get(), filter.id, H5Z_FLAG_OPTIONAL, filter.parameters.size(),
                           filter.parameters.data()),
             "H5Pset_filter");
}

Hdf5Handle create_dataset(hid_t file, const DatasetPlan& plan) {
  const std::vector<hsize_t> extents(plan.global.begin(), plan.global.end());
  const Hdf5Handle space(
      H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
      "H5Screate_simple");
  const Hdf5Handle creation(H5Pcreate(H5P_DATASET_CREATE), "H5Pcreate");
  if (plan.chunks) {
    set_chunked(creation, plan);
  } else {
    set_contiguous(creation);
  }
  check_hdf5(H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER), "H5Pset_fill_time");
  check_hdf5(H5Pset_obj_track_times(creation.get(), false), "H5Pset_obj_track_times");
  const Hdf5Handle links(H5Pcreate(H5P_LINK_CREATE), "H5Pcreate");
  check_hdf5(H5Pset_create_intermediate_group(links.get(), 1), "H5Pset_create_intermediate_group");
  const auto type = hdf5_type(plan.type);
  Hdf5Handle dataset(H5Dcreate2(file, plan.name.c_str(), type.get(), space.get(), links.get(),
                                creation.get(), H5P_DEFAULT),
                     "create dataset '" + plan.name + "'");
  for (const auto& attribute : plan.attributes) write_attribute(dataset.get(), attribute);
  return dataset;
}

/// The offset of a contiguous dataset, which is allocated as it is made.
std::uint64_t offset_of(const Hdf5Handle& dataset, const DatasetPlan& plan) {
  if (plan.chunks || volume(plan.global) == 0) return 0;
  const haddr_t offset = H5Dget_offset(dataset.get());
  if (offset == HADDR_UNDEF) throw_hdf5("allocate dataset '" + plan.name + "'");
  return offset;
}

/// Lets HDF5 make room for every chunk and enter it into its index.
std::vector<std::uint64_t> allocate_chunks(const LayoutDriver& driver, const Hdf5Handle& dataset,
                                           const DatasetPlan& plan) {
  std::vector<std::uint64_t> offsets;
  if (!plan.chunks) return offsets;
  const ChunkGrid grid(plan.global, plan.chunks->chunk);
  const auto raw_bytes = grid.chunk_elements() * size_of(plan.type);
  const std::vector<std::byte> nothing(raw_bytes);  // swallowed by the driver
  constexpr std::uint32_t no_filter = 3;            // bits of the two filters that are left out
  for (std::size_t c = 0; c < grid.chunks(); ++c) {
    const auto corner = grid.box(c).offset;
    const std::vector<hsize_t> first(corner.begin(), corner.end());
    const auto length = plan.chunks->lengths_bytes.at(c);
    expects(length > 0 && length <= raw_bytes, "a chunk that is not longer than its elements");
    check_hdf5(H5Dwrite_chunk(dataset.get(), H5P_DEFAULT, length == raw_bytes ? no_filter : 0,
                              first.data(), length, nothing.data()),
               "allocate a chunk of dataset '" + plan.name + "'");
    if (driver.last_raw_write().length_bytes != length)
      throw Error(Errc::internal, "HDF5 writes chunks in another way than this program knows");
    offsets.push_back(driver.last_raw_write().offset_bytes);
  }
  return offsets;
}

/// The ranges of the file that no dataset covers, with their digests.
std::vector<StructureRecord> structure_of(const File& file, std::span<const DatasetPlan> datasets,
                                          const DataFileLayout& layout) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> taken;  // [first, last)
  for (std::size_t i = 0; i < datasets.size(); ++i) {
    const auto& chunks = layout.chunk_offsets_bytes[i];
    for (std::size_t c = 0; c < chunks.size(); ++c)
      taken.emplace_back(chunks[c], chunks[c] + datasets[i].chunks->lengths_bytes[c]);
    if (datasets[i].chunks) continue;
    const std::uint64_t length = volume(datasets[i].global) * size_of(datasets[i].type);
    const auto first = layout.dataset_offsets_bytes[i];
    if (length > 0) taken.emplace_back(first, first + length);
  }
  std::sort(taken.begin(), taken.end());
  taken.emplace_back(layout.size_bytes, layout.size_bytes);

  std::vector<StructureRecord> structure;
  std::uint64_t first = 0;
  for (const auto& [begin, end] : taken) {
    if (begin > first) structure.push_back({first, begin - first, 0});
    first = end;
  }
  for (auto& range : structure) {
    range.crc = crc32c_of(file, range.offset_bytes, range.length_bytes);
  }
  return structure;
}

/// All datasets first, so that the contiguous ones lie where they would if nothing were compressed.
void lay_out(const LayoutDriver& driver, std::span<const DatasetPlan> datasets,
             std::span<const Attribute> root_attributes, DataFileLayout& layout) {
  auto skeleton = create_file(driver, datasets);
  for (const auto& attribute : root_attributes) write_attribute(skeleton.get(), attribute);
  std::vector<Hdf5Handle> made;
  for (const auto& plan : datasets) {
    made.push_back(create_dataset(skeleton.get(), plan));
    layout.dataset_offsets_bytes.push_back(offset_of(made.back(), plan));
  }
  for (std::size_t i = 0; i < datasets.size(); ++i)
    layout.chunk_offsets_bytes.push_back(allocate_chunks(driver, made[i], datasets[i]));
  made.clear();
  check_hdf5(H5Fclose(skeleton.release()), "H5Fclose");
}

}  // namespace

DataFileLayout create_data_file(const std::filesystem::path& path,
                                std::span<const DatasetPlan> datasets,
                                std::span<const Attribute> root_attributes, Blocks blocks,
                                Readers readers) {
  const Hdf5ErrorsAsExceptions quiet;
  const LayoutDriver driver;
  DataFileLayout layout;
  lay_out(driver, datasets, root_attributes, layout);
  const auto skeleton = driver.contents();
  layout.size_bytes = skeleton.size_bytes();
  layout.structure = structure_of(skeleton, datasets, layout);
  int flags = O_RDWR;
  if (readers == Readers::owner) flags |= O_CREAT | O_EXCL | O_NOFOLLOW;
  if (readers == Readers::owner_of_reserved) flags |= O_TRUNC | O_NOFOLLOW;
  if (readers == Readers::by_umask) flags |= O_CREAT | O_TRUNC;
  File file(path, flags, readers == Readers::by_umask ? 0666 : private_file);
  file.resize(layout.size_bytes);
  if (blocks == Blocks::reserved) file.reserve(layout.size_bytes);
  copy_structure(skeleton, file, layout);
  file.close();
  return layout;
}

void copy_structure(const File& from, File& to, const DataFileLayout& layout) {
  std::vector<std::byte> buffer(piece_bytes);
  for (const auto& range : layout.structure) {
    for (std::uint64_t done = 0; done < range.length_bytes;) {
      const auto bytes = std::span(buffer).first(
          std::min<std::uint64_t>(buffer.size(), range.length_bytes - done));
      from.read_at(bytes, range.offset_bytes + done);
      to.write_at(bytes, range.offset_bytes + done);
      done += bytes.size();
    }
  }
}

File open_data_file(const std::filesystem::path& path) {
  File file(path, O_RDONLY | O_NONBLOCK);
  struct stat status = {};
  check_posix(::fstat(file.descriptor(), &status), "stat " + path.string());
  if (!S_ISREG(status.st_mode)) throw Error(Errc::bad_data, path.string() + " is not a file");
  return file;
}

std::vector<Attribute> read_attributes(const std::filesystem::path& path,
                                       const std::string& dataset) {
  const Hdf5ErrorsAsExceptions quiet;
  const Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), "H5Pcreate");
  leave_unlocked(access);
  const Hdf5Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.get()),
                        "open " + path.string());
  const Hdf5Handle object(H5Dopen2(file.get(), dataset.c_str(), H5P_DEFAULT),
                          "open dataset '" + dataset + "'");
  std::vector<std::string> names;
  hsize_t position = 0;
  check_hdf5(H5Aiterate2(
                 object.get(), H5_INDEX_NAME, H5_ITER_INC, &position,
                 [](hid_t, const char* name, const H5A_info_t*, void* list) -> herr_t {
                   static_cast<std::vector<std::string>*>(list)->emplace_back(name);
                   return 0;
                 },
                 &names),
             "H5Aiterate");
  std::vector<Attribute> attributes;
  for (const auto& name : names) {
    if (auto attribute = read_attribute(object.get(), name.c_str())) {
      attributes.push_back(std::move(*attribute));
    }
  }
  return attributes;
}

void verify_structure(const File& file, const EpochRecord& record) {
  if (file.size_bytes() != record.data_bytes) {
    throw Error(Errc::bad_data, file.path().string() + " has " + std::to_string(file.size_bytes()) +
                                    " bytes instead of " + std::to_string(record.data_bytes));
  }
  for (const auto& range : record.structure) {
    if (crc32c_of(file, range.offset_bytes, range.length_bytes) != range.crc) {
      throw Error(Errc::bad_data, file.path().string() +
                                      " is damaged in its HDF5 structure, bytes " +
                                      std::to_string(range.offset_bytes) + " to " +
                                      std::to_string(range.offset_bytes + range.length_bytes - 1));
    }
  }
  if (record.cipher && record.cipher->structure_mac(file, record) != record.seal->structure_mac) {
    throw Error(Errc::bad_data,
                file.path().string() + " has been tampered with: its HDF5 structure");
  }
}

}  // namespace cairn::ckpt
