#include "output.hpp"

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/ckpt/xdmf.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/core/atomic_file.hpp"

namespace cairn::heat {

void write_output(const Field& field, std::uint64_t step, double time,
                  const std::filesystem::path& file) {
  ckpt::export_hdf5(
      field.comm(), file, "u", field.now, block_of(field),
      {{"time", time}, {"step", static_cast<std::int64_t>(step)}, {"units", std::string("1")}});
  together(field.comm(), [&] {
    if (!field.comm().is_root()) return;
    const ckpt::XdmfField u{.dataset = "u",
                            .shape = {field.n(), field.n()},
                            .origin = {field.h(), field.h()},
                            .spacing = {field.h(), field.h()}};
    write_file_atomically(ckpt::xdmf_path(file),
                          ckpt::xdmf_text({&u, 1}, file.filename().string(), time));
  });
}

}  // namespace cairn::heat
