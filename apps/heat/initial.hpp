/// What the field holds at time 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "field.hpp"

namespace cairn::heat {

/// A grey picture on every rank; row 0 is the top one.
struct Image {
  std::size_t width = 0;
  std::size_t height = 0;
  std::vector<std::uint8_t> grey;  ///< shape [height, width]

  /// Bilinear between pixel centres at (x, y) in [0, 1]², in [0, 1].
  [[nodiscard]] double at(double x, double y) const;
};

/// Fills a field: sine, spots or a picture. All of it is a function of the global indices, so that
/// the ranks do not change a bit.
class Initial {
 public:
  /// Collective: rank 0 reads the picture, if `name` is one.
  /// @param name  sine, spots, or the name of a PNG file (at most 32 million pixels)
  /// @param seed  of the spots
  /// @throws Error{Errc::no_input, permission, bad_data, usage} on all ranks
  Initial(const Communicator& comm, const std::string& name, std::uint64_t seed);

  /// What must be equal for a restart; for a picture it names the pixels, not the file.
  [[nodiscard]] std::string identity() const;

  /// Whether the solution is known in closed form.
  [[nodiscard]] bool is_sine() const noexcept { return name_ == "sine"; }

  /// Local. Fills the interior of field.now.
  void fill(Field& field) const;

 private:
  std::string name_;
  std::uint64_t seed_;
  Image image_;
};

}  // namespace cairn::heat
