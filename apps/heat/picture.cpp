#include "picture.hpp"

#include "cairn/ckpt/stream.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/core/atomic_file.hpp"
#include "cairn/program/picture.hpp"

namespace cairn::heat {

void write_picture(const Field& field, double minimum, double maximum,
                   const std::filesystem::path& file) {
  const auto n = field.n();
  program::Canvas canvas(n, n, minimum, maximum);
  const auto add = [&](std::size_t, std::span<const double> values) {
    for (std::size_t i = 0; i * n < values.size(); ++i) canvas.add_row(values.subspan(i * n, n));
  };
  ckpt::stream_rows(field.comm(), field.now, block_of(field), add);
  together(field.comm(), [&] {
    if (field.comm().is_root()) write_file_atomically(file, canvas.png());
  });
}

}  // namespace cairn::heat
