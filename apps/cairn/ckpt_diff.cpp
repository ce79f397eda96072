// cairn ckpt diff: compares two epochs, field by field and value by value.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "ckpt_commands.hpp"
#include "ckpt_element.hpp"
#include "ckpt_text.hpp"

namespace cairn::tool {

namespace {

using ckpt::Box;
using ckpt::EpochReader;
using ckpt::FieldInfo;
using ckpt::Shape;

constexpr std::size_t chunk_bytes = std::size_t{4} << 20;  // of each of the two

/// |a - b|, exact for integers of all sizes; NaN when it is not a number.
template <typename T>
auto distance(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return a > b ? static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b)
                 : static_cast<std::uint64_t>(b) - static_cast<std::uint64_t>(a);
  } else if constexpr (std::is_floating_point_v<T>) {
    return std::abs(static_cast<double>(a) - static_cast<double>(b));
  } else {
    return std::abs(std::complex<double>(a) - std::complex<double>(b));
  }
}

/// The largest of distances, which are all integers or all doubles.
struct Largest {
  std::uint64_t integer = 0;
  double real = 0;  ///< NaN once one was NaN

  void add(std::uint64_t value) { integer = std::max(integer, value); }
  void add(double value) {
    if (std::isnan(value) || value > real) real = std::isnan(real) ? real : value;
  }
};

bool is_integer(ckpt::ScalarType type) { return type <= ckpt::ScalarType::uint64; }

/// Where two arrays of one shape and type differ. Elements differ when their bits do.
struct Differences {
  std::uint64_t count = 0;
  Largest largest;
  Shape first;  ///< index of the first one
  std::vector<std::byte> first_a;
  std::vector<std::byte> first_b;
};

enum class Status : std::uint8_t { same, different, shape_or_type, only_in_a, only_in_b };

constexpr std::array<std::string_view, 5> status_names{"same", "different", "shape_or_type",
                                                       "only_in_a", "only_in_b"};

struct FieldComparison {
  Status status = Status::same;
  const FieldInfo* a = nullptr;
  const FieldInfo* b = nullptr;
  Differences differences;

  [[nodiscard]] const FieldInfo& any() const { return a == nullptr ? *b : *a; }
};

struct ValueComparison {
  Status status = Status::same;
  const ckpt::ValueInfo* a = nullptr;
  const ckpt::ValueInfo* b = nullptr;

  [[nodiscard]] const ckpt::ValueInfo& any() const { return a == nullptr ? *b : *a; }
};

/// The index in the array of element `element` of a box, counted in row-major order.
Shape index_in(const Box& box, std::size_t element) {
  Shape index = box.offset;
  for (std::size_t axis = box.count.size(); axis-- > 0;) {
    index[axis] += element % box.count[axis];
    element /= box.count[axis];
  }
  return index;
}

template <typename T>
void compare_chunk(const Box& chunk, std::span<const std::byte> a, std::span<const std::byte> b,
                   Differences& found) {
  for (std::size_t i = 0; i < a.size() / sizeof(T); ++i) {
    const auto bytes_a = a.subspan(i * sizeof(T), sizeof(T));
    const auto bytes_b = b.subspan(i * sizeof(T), sizeof(T));
    if (std::equal(bytes_a.begin(), bytes_a.end(), bytes_b.begin())) continue;
    if (found.count++ == 0) {
      found.first = index_in(chunk, i);
      found.first_a.assign(bytes_a.begin(), bytes_a.end());
      found.first_b.assign(bytes_b.begin(), bytes_b.end());
    }
    found.largest.add(distance(element_at<T>(a, i), element_at<T>(b, i)));
  }
}

Differences compare_elements(const EpochReader& a, std::size_t field_a, const EpochReader& b,
                             std::size_t field_b) {
  const auto& info = a.info().fields[field_a];
  Differences found;
  std::vector<std::byte> other;
  const auto compare = [&](const Box& chunk, std::span<const std::byte> bytes) {
    other.resize(bytes.size());
    b.read(field_b, chunk, other);
    if (std::equal(bytes.begin(), bytes.end(), other.begin())) return;
    with_type(info.type, [&]<typename T>(T) { compare_chunk<T>(chunk, bytes, other, found); });
  };
  a.stream(field_a, {Shape(info.shape.size(), 0), info.shape}, compare, chunk_bytes);
  return found;
}

/// The number of the entry of that name; the end when there is none.
template <typename Entry>
std::size_t find(const std::vector<Entry>& entries, const std::string& name) {
  return static_cast<std::size_t>(
      std::find_if(entries.begin(), entries.end(),
                   [&](const Entry& entry) { return entry.name == name; }) -
      entries.begin());
}

std::vector<FieldComparison> compare_fields(const EpochReader& a, const EpochReader& b) {
  const auto& fields_a = a.info().fields;
  const auto& fields_b = b.info().fields;
  std::vector<FieldComparison> all;
  for (std::size_t i = 0; i < fields_a.size(); ++i) {
    const auto j = find(fields_b, fields_a[i].name);
    auto& added = all.emplace_back(FieldComparison{Status::only_in_a, &fields_a[i], nullptr, {}});
    if (j == fields_b.size()) continue;
    added.b = &fields_b[j];
    added.status = Status::shape_or_type;
    if (added.a->type != added.b->type || added.a->shape != added.b->shape) continue;
    added.differences = compare_elements(a, i, b, j);
    added.status = added.differences.count == 0 ? Status::same : Status::different;
  }
  for (const auto& field : fields_b) {
    if (find(fields_a, field.name) == fields_a.size()) {
      all.push_back({Status::only_in_b, nullptr, &field, {}});
    }
  }
  return all;
}

std::vector<ValueComparison> compare_values(const EpochReader& a, const EpochReader& b) {
  const auto& values_a = a.info().values;
  const auto& values_b = b.info().values;
  std::vector<ValueComparison> all;
  for (const auto& value : values_a) {
    const auto j = find(values_b, value.name);
    auto& added = all.emplace_back(ValueComparison{Status::only_in_a, &value, nullptr});
    if (j == values_b.size()) continue;
    added.b = &values_b[j];
    added.status = value.type != added.b->type     ? Status::shape_or_type
                   : value.bytes == added.b->bytes ? Status::same
                                                   : Status::different;
  }
  for (const auto& value : values_b) {
    if (find(values_a, value.name) == values_a.size()) {
      all.push_back({Status::only_in_b, nullptr, &value});
    }
  }
  return all;
}

// --- text ------------------------------------------------------------------------------------

std::string kind_text(const FieldInfo& field) {
  return fmt::format("{} {}", name_of(field.type), shape_text(field.shape));
}

std::string largest_text(ckpt::ScalarType type, const Largest& largest) {
  return is_integer(type) ? fmt::format("{}", largest.integer) : fmt::format("{}", largest.real);
}

std::string text_of(const FieldComparison& field) {
  const auto& found = field.differences;
  const auto type = field.any().type;
  switch (field.status) {
    case Status::same:
      return "same";
    case Status::only_in_a:
      return "only in A";
    case Status::only_in_b:
      return "only in B";
    case Status::shape_or_type:
      return fmt::format("{} in A, {} in B", kind_text(*field.a), kind_text(*field.b));
    case Status::different:
      break;
  }
  return fmt::format("{} of {} elements differ, by at most {}; the first at {}: {} in A, {} in B",
                     found.count, ckpt::volume(field.a->shape), largest_text(type, found.largest),
                     index_text(found.first), element_text(type, found.first_a),
                     element_text(type, found.first_b));
}

std::string text_of(const ValueComparison& value) {
  if (value.status == Status::same) return "same";
  if (value.a == nullptr) return "only in B";
  if (value.b == nullptr) return "only in A";
  const auto text = [](const ckpt::ValueInfo& info) {
    return fmt::format("{} {}", name_of(info.type), element_text(info.type, info.bytes));
  };
  return fmt::format("{} in A, {} in B", text(*value.a), text(*value.b));
}

void print_epoch(char name, const EpochReader& epoch) {
  fmt::print("{}: epoch {} in {}, step {}\n", name, epoch.info().epoch, epoch.directory().string(),
             epoch.info().step);
}

// --- JSON ------------------------------------------------------------------------------------

Json epoch_json(const EpochReader& epoch) {
  return {{"directory", epoch.directory().string()},
          {"epoch", epoch.info().epoch},
          {"step", epoch.info().step}};
}

Json kind_json(const FieldInfo* field) {
  if (field == nullptr) return {};
  return {{"type", name_of(field->type)}, {"shape", field->shape}};
}

Json json_of(const FieldComparison& field) {
  const auto& found = field.differences;
  const bool is_compared = field.status == Status::same || field.status == Status::different;
  const auto type = field.any().type;
  Json json{{"name", field.any().name},
            {"status", status_names[static_cast<std::size_t>(field.status)]},
            {"a", kind_json(field.a)},
            {"b", kind_json(field.b)},
            {"different_elements", is_compared ? Json(found.count) : Json()},
            {"max_abs_difference", nullptr},
            {"first", nullptr}};
  if (is_compared) {
    json["max_abs_difference"] =
        is_integer(type) ? Json(found.largest.integer) : Json(found.largest.real);
  }
  if (field.status == Status::different) {
    json["first"] = {{"index", found.first},
                     {"a", element_json(type, found.first_a)},
                     {"b", element_json(type, found.first_b)}};
  }
  return json;
}

Json json_of(const ValueComparison& value) {
  const auto element = [](const ckpt::ValueInfo* info) {
    return info == nullptr ? Json() : element_json(info->type, info->bytes);
  };
  return {{"name", value.any().name},
          {"status", status_names[static_cast<std::size_t>(value.status)]},
          {"a", element(value.a)},
          {"b", element(value.b)}};
}

/// With a key, too, plain epochs may be compared: that trusts neither.
ckpt::EpochReader open_sealed_or_plain(Place place, const std::optional<ckpt::Key>& key) {
  auto opened = open_epoch(place, "diff", std::nullopt);
  if (!key || opened.info().key_id.empty()) return opened;
  place.epoch = opened.info().epoch;
  return open_epoch(place, "diff", key);
}

}  // namespace

int ckpt_diff_command(int argc, const char* const* argv) {
  bool as_json = false;
  std::vector<std::string> arguments;
  program::Options options(
      "cairn ckpt diff",
      "compares two epochs, bit by bit; ends with 0 when all fields and values "
      "are the same, with 1 when they differ",
      "A B", program::Options::Kind::tool);
  std::filesystem::path key_file;
  add_key_file(options, key_file);
  options.flag("json", as_json, "as one JSON document")
      .positional("A B", arguments, "two epochs, each DIR (its newest) or DIR:EPOCH")
      .example("cairn ckpt diff epochs:6 epochs:7");
  if (!read_options(options, argc, argv)) return 0;
  expect_arguments(arguments, 2, 2, "A B");

  const auto key = ckpt::Key::given(key_file);
  const auto a = open_sealed_or_plain(place_of(arguments[0]), key);
  const auto b = open_sealed_or_plain(place_of(arguments[1]), key);
  expect_unlocked(a, key);
  expect_unlocked(b, key);
  const auto fields = compare_fields(a, b);
  const auto values = compare_values(a, b);
  const auto is_same = [](const auto& each) { return each.status == Status::same; };
  const bool same = std::all_of(fields.begin(), fields.end(), is_same) &&
                    std::all_of(values.begin(), values.end(), is_same);
  if (as_json) {
    Json document{{"a", epoch_json(a)},
                  {"b", epoch_json(b)},
                  {"same", same},
                  {"fields", Json::array()},
                  {"values", Json::array()}};
    for (const auto& field : fields) document["fields"].push_back(json_of(field));
    for (const auto& value : values) document["values"].push_back(json_of(value));
    print_json(document);
  } else {
    print_epoch('A', a);
    print_epoch('B', b);
    for (const auto& each : fields)
      fmt::print("field {}: {}\n", one_line(each.any().name), text_of(each));
    for (const auto& each : values)
      fmt::print("value {}: {}\n", one_line(each.any().name), text_of(each));
    fmt::print("{}\n", same ? "the same" : "different");
  }
  return same ? 0 : 1;
}

}  // namespace cairn::tool
