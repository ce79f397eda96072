// Rows that the ranks hold in any order, and the exchange that sorts them.

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/cartesian.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/error.hpp"
#include "cut.hpp"
#include "fields.hpp"

namespace cairn::ckpt {

namespace {

/// The part of `n` items cut by block_range() into `parts` that holds item `i`.
std::size_t part_of(std::size_t i, std::size_t n, std::size_t parts) {
  const auto length = n / parts;
  const auto longer = n % parts;  // parts of length + 1, which come first
  const auto behind = longer * (length + 1);
  return i < behind ? i / (length + 1) : longer + (i - behind) / length;
}

/// Who sends which row to whom. The writer of a row is the rank whose even block holds it.
struct Exchange {
  std::vector<std::size_t> order;        ///< this rank's rows, by writer
  std::vector<std::size_t> sent;         ///< of them to each rank
  std::vector<std::size_t> destination;  ///< of the rows that come: which row of this rank's block
  std::vector<std::size_t> received;     ///< of them from each rank
};

class ScatteredRows final : public Cut {
 public:
  ScatteredRows(const RegisteredField& field, Rows rows, std::vector<std::byte>& sorted)
      : rows_(std::move(rows)),
        row_bytes_(rows_.width * size_of(field.type)),
        storage_(field.storage),
        sorted_(sorted) {
    expects(rows_.width >= 1, "rows of one number or more");
    for (const auto row : rows_.mine)
      expects(row < rows_.global, "rows of '" + field.name + "' below " +
                                      std::to_string(rows_.global) + ", not row " +
                                      std::to_string(row));
  }

  [[nodiscard]] Block empty_block() const override {
    if (rows_.width == 1) return {{rows_.global}, {0}, {0}};
    return {{rows_.global, rows_.width}, {0, 0}, {0, rows_.width}};
  }

  [[nodiscard]] std::string signature() const override { return "rows in any order"; }

  [[nodiscard]] bool takes(const Shape& saved) const override {
    return saved == empty_block().global;
  }

  void before_save(const Communicator& comm, RegisteredField& field) override {
    prepare(comm, field);
    const auto mine = together(comm, [&] { return memory_of_rows(field); });
    std::vector<std::byte> leaving;
    Parts<std::byte> coming;
    together(comm, [&] {
      leaving.resize(mine.size());
      for (std::size_t i = 0; i < exchange_.order.size(); ++i)
        copy_row(mine.data(), exchange_.order[i], leaving.data(), i);
    });
    all_to_all_v(comm, std::span<const std::byte>(leaving), in_bytes(exchange_.sent), coming);
    const auto values = coming.values();
    for (std::size_t i = 0; i < exchange_.destination.size(); ++i)
      copy_row(values.data(), i, sorted_.data(), exchange_.destination[i]);
  }

  void before_load(const Communicator& comm, RegisteredField& field, const FieldRecord& /*saved*/,
                   const std::vector<FieldRecord>& /*fields*/, const File& /*file*/) override {
    take_block(comm, field);
  }

  void after_load(const Communicator& comm, RegisteredField& field) override {
    prepare(comm, field);
    const auto mine = together(comm, [&] { return memory_of_rows(field); });
    std::vector<std::byte> leaving;
    Parts<std::byte> coming;
    together(comm, [&] {
      leaving.resize(exchange_.destination.size() * row_bytes_);
      for (std::size_t i = 0; i < exchange_.destination.size(); ++i)
        copy_row(sorted_.data(), exchange_.destination[i], leaving.data(), i);
    });
    all_to_all_v(comm, std::span<const std::byte>(leaving), in_bytes(exchange_.received), coming);
    const auto values = coming.values();
    for (std::size_t i = 0; i < exchange_.order.size(); ++i)
      copy_row(values.data(), i, mine.data(), exchange_.order[i]);
  }

 private:
  void copy_row(const std::byte* from, std::size_t i, std::byte* to, std::size_t j) const {
    std::memcpy(to + j * row_bytes_, from + i * row_bytes_, row_bytes_);
  }

  [[nodiscard]] std::vector<std::size_t> in_bytes(std::vector<std::size_t> rows) const {
    for (auto& n : rows) n *= row_bytes_;
    return rows;
  }

  [[nodiscard]] std::span<std::byte> memory_of_rows(const RegisteredField& field) const {
    const auto bytes = storage_();
    expects(bytes.size() == rows_.mine.size() * row_bytes_,
            "storage of '" + field.name + "' for its " + std::to_string(rows_.mine.size()) +
                " rows of " + std::to_string(row_bytes_) + " bytes, not " +
                std::to_string(bytes.size()) + " bytes");
    return bytes;
  }

  void take_block(const Communicator& comm, RegisteredField& field) {
    const auto mine = block_range(rows_.global, comm.size(), comm.rank());
    field.block = empty_block();
    field.block.offset[0] = mine.first;
    field.block.count[0] = mine.count;
    sorted_.resize(mine.count * row_bytes_);
  }

  /// Once: the ranks tell the writers which rows they will send. Collective.
  void prepare(const Communicator& comm, RegisteredField& field) {
    together(comm, [&] { take_block(comm, field); });
    if (is_prepared_) return;
    const auto ranks = static_cast<std::size_t>(comm.size());
    std::vector<std::uint64_t> numbers(rows_.mine.size());
    Parts<std::uint64_t> coming;
    together(comm, [&] {
      auto& [order, sent, destination, received] = exchange_;
      order.resize(rows_.mine.size());
      std::iota(order.begin(), order.end(), std::size_t{0});
      const auto writer = [&](std::size_t i) {
        return part_of(rows_.mine[i], rows_.global, ranks);
      };
      std::stable_sort(order.begin(), order.end(),
                       [&](std::size_t a, std::size_t b) { return writer(a) < writer(b); });
      sent.assign(ranks, 0);
      for (std::size_t i = 0; i < order.size(); ++i) {
        ++sent[writer(order[i])];
        numbers[i] = rows_.mine[order[i]];
      }
    });
    all_to_all_v(comm, std::span<const std::uint64_t>(numbers), exchange_.sent, coming);
    together(comm, [&] { note_what_comes(field, coming); });
    is_prepared_ = true;
  }

  void note_what_comes(const RegisteredField& field, const Parts<std::uint64_t>& coming) {
    exchange_.received.clear();
    for (std::size_t r = 0; r < coming.size(); ++r) exchange_.received.push_back(coming.count(r));
    const auto first = field.block.offset[0];
    std::vector<bool> held(field.block.count[0], false);
    exchange_.destination.clear();
    for (const auto row : coming.values()) {
      expects(!held[row - first], "each row of '" + field.name + "' on one rank; row " +
                                      std::to_string(row) + " is held twice");
      held[row - first] = true;
      exchange_.destination.push_back(row - first);
    }
    const auto missing = std::find(held.begin(), held.end(), false);
    expects(missing == held.end(),
            "each row of '" + field.name + "' on a rank; row " +
                std::to_string(first + static_cast<std::size_t>(missing - held.begin())) +
                " is on none");
  }

  Rows rows_;
  std::size_t row_bytes_;
  std::function<std::span<std::byte>()> storage_;
  std::vector<std::byte>& sorted_;  ///< this rank's block of the array in order
  Exchange exchange_;
  bool is_prepared_ = false;
};

}  // namespace

RegisteredField make_rows(RegisteredField field, Rows rows) {
  const auto sorted = std::make_shared<std::vector<std::byte>>();
  field.cut = std::make_shared<ScatteredRows>(field, std::move(rows), *sorted);
  field.storage = [sorted] { return std::span(*sorted); };
  return field;
}

}  // namespace cairn::ckpt
