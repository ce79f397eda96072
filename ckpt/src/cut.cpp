#include "cut.hpp"

#include <algorithm>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/cartesian.hpp"
#include "cairn/collectives/reductions.hpp"
#include "cairn/core/error.hpp"
#include "fields.hpp"

namespace cairn::ckpt {

namespace {

Block block_of_rows(std::size_t total, std::size_t width, AxisRange mine) {
  if (width == 1) return {{total}, {mine.first}, {mine.count}};
  return {{total, width}, {mine.first, 0}, {mine.count, width}};
}

class Elements : public Cut {
 public:
  Elements(std::size_t width, std::function<void(std::size_t)> resize)
      : width_(width), resize_(std::move(resize)) {
    expects(width_ >= 1, "elements of one number or more");
  }

  [[nodiscard]] Block empty_block() const override { return block_of_rows(0, width_, {0, 0}); }

  [[nodiscard]] std::string signature() const override {
    return "elements of " + std::to_string(width_);
  }

  [[nodiscard]] bool takes(const Shape& saved) const override {
    return width_ == 1 ? saved.size() == 1 : saved.size() == 2 && saved[1] == width_;
  }

  void before_save(const Communicator& comm, RegisteredField& field) override {
    const std::uint64_t mine = together(comm, [&] {
      const auto numbers = field.storage().size() / size_of(field.type);
      expects(numbers % width_ == 0, "a whole number of elements in '" + field.name + "', of " +
                                         std::to_string(width_) + " numbers each, not " +
                                         std::to_string(numbers) + " numbers");
      return static_cast<std::uint64_t>(numbers / width_);
    });
    const auto before = exscan(comm, mine, Sum{});
    const auto total = all_reduce(comm, mine, Sum{});
    field.block = block_of_rows(total, width_, {comm.is_root() ? 0 : before, mine});
  }

  void before_load(const Communicator& comm, RegisteredField& field, const FieldRecord& saved,
                   const std::vector<FieldRecord>& /*fields*/, const File& /*file*/) override {
    take(field, saved, block_range(saved.global[0], comm.size(), comm.rank()));
  }

 protected:
  void take(RegisteredField& field, const FieldRecord& saved, AxisRange mine) {
    resize_(mine.count * width_);
    field.block = block_of_rows(saved.global[0], width_, mine);
  }

 private:
  std::size_t width_;
  std::function<void(std::size_t)> resize_;
};

// --- byte strings ----------------------------------------------------------------------------

/// The strings as two arrays.
struct Packed {
  std::vector<Blob>* blobs;
  std::vector<std::uint64_t> sizes;
  std::vector<std::byte> bytes;
};

class BlobSizes final : public Elements {
 public:
  explicit BlobSizes(std::shared_ptr<Packed> packed)
      : Elements(1, [packed](std::size_t n) { packed->sizes.resize(n); }), packed_(packed) {}

  void before_save(const Communicator& comm, RegisteredField& field) override {
    together(comm, [&] {
      packed_->sizes.clear();
      for (const auto& blob : *packed_->blobs) packed_->sizes.push_back(blob.size());
    });
    Elements::before_save(comm, field);
  }

 private:
  std::shared_ptr<Packed> packed_;
};

class BlobBytes final : public Elements {
 public:
  BlobBytes(std::shared_ptr<Packed> packed, std::string sizes)
      : Elements(1, [packed](std::size_t n) { packed->bytes.resize(n); }),
        packed_(packed),
        sizes_(std::move(sizes)) {}

  void before_save(const Communicator& comm, RegisteredField& field) override {
    together(comm, [&] {
      packed_->bytes.clear();
      for (const auto& blob : *packed_->blobs)
        packed_->bytes.insert(packed_->bytes.end(), blob.begin(), blob.end());
    });
    Elements::before_save(comm, field);
  }

  /// Where this rank's strings begin follows from the sizes of all strings before them.
  void before_load(const Communicator& comm, RegisteredField& field, const FieldRecord& saved,
                   const std::vector<FieldRecord>& fields, const File& file) override {
    const auto sizes = std::find_if(fields.begin(), fields.end(),
                                    [&](const FieldRecord& f) { return f.name == sizes_; });
    expects(sizes != fields.end(), "the sizes of '" + field.name + "'");
    const auto mine = block_range(sizes->global[0], comm.size(), comm.rank());
    std::vector<std::uint64_t> all(mine.first + mine.count);
    const auto up_to_mine = block_of_rows(sizes->global[0], 1, {0, all.size()});
    read_block(file, *sizes,
               {reinterpret_cast<std::byte*>(all.data()), sizeof all[0], &up_to_mine});
    AxisRange bytes;
    for (std::size_t i = 0; i < all.size(); ++i) {
      auto& sum = i < mine.first ? bytes.first : bytes.count;
      if (__builtin_add_overflow(sum, all[i], &sum)) sum = saved.global[0] + 1;
    }
    if (bytes.first > saved.global[0] || bytes.count > saved.global[0] - bytes.first)
      throw Error(Errc::bad_data, "the sizes of '" + field.name + "' are more than its bytes");
    take(field, saved, bytes);
  }

  void after_load(const Communicator& comm, RegisteredField& /*field*/) override {
    together(comm, [&] {
      packed_->blobs->clear();
      auto next = packed_->bytes.begin();
      for (const auto size : packed_->sizes) {
        const auto end = next + static_cast<std::ptrdiff_t>(size);
        packed_->blobs->emplace_back(next, end);
        next = end;
      }
    });
  }

 private:
  std::shared_ptr<Packed> packed_;
  std::string sizes_;
};

}  // namespace

RegisteredField make_elements(RegisteredField field, std::size_t width,
                              std::function<void(std::size_t)> resize) {
  field.cut = std::make_shared<Elements>(width, std::move(resize));
  return field;
}

std::vector<RegisteredField> make_blobs(const std::string& name, std::vector<Blob>& blobs) {
  const auto packed = std::make_shared<Packed>(Packed{&blobs, {}, {}});
  RegisteredField sizes{.name = name + "/sizes", .type = ScalarType::uint64};
  RegisteredField bytes{.name = name + "/bytes", .type = ScalarType::uint8};
  sizes.storage = [packed] { return std::as_writable_bytes(std::span(packed->sizes)); };
  bytes.storage = [packed] { return std::span(packed->bytes); };
  sizes.cut = std::make_shared<BlobSizes>(packed);
  bytes.cut = std::make_shared<BlobBytes>(packed, sizes.name);
  return {std::move(sizes), std::move(bytes)};
}

}  // namespace cairn::ckpt
