#include "output.hpp"

#include <fmt/format.h>

#include <string>

#include "cairn/ckpt/checkpointer.hpp"
#include "cairn/collectives/agree.hpp"
#include "cairn/core/atomic_file.hpp"

namespace cairn::heat {

namespace {

std::string xml_escaped(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

/// One layer of a mesh in space: ParaView lays the axes of a plane mesh out as y and z, where its
/// first view shows the edge alone. Axes in XDMF go from z to x.
std::string xdmf(const Field& field, double time, const std::string& hdf5_name) {
  return fmt::format(R"(<?xml version="1.0" encoding="UTF-8"?>
<Xdmf Version="3.0">
  <Domain>
    <Grid Name="heat" GridType="Uniform">
      <Time Value="{time}"/>
      <Topology TopologyType="3DCoRectMesh" Dimensions="1 {n} {n}"/>
      <Geometry GeometryType="ORIGIN_DXDYDZ">
        <DataItem Format="XML" NumberType="Float" Precision="8" Dimensions="3">0 {h} {h}</DataItem>
        <DataItem Format="XML" NumberType="Float" Precision="8" Dimensions="3">{h} {h} {h}</DataItem>
      </Geometry>
      <Attribute Name="u" AttributeType="Scalar" Center="Node">
        <DataItem Format="HDF" NumberType="Float" Precision="8" Dimensions="1 {n} {n}">{file}:/u</DataItem>
      </Attribute>
    </Grid>
  </Domain>
</Xdmf>
)",
                     fmt::arg("time", time), fmt::arg("n", field.n()), fmt::arg("h", field.h()),
                     fmt::arg("file", xml_escaped(hdf5_name)));
}

}  // namespace

std::filesystem::path xdmf_path(std::filesystem::path hdf5_file) {
  return hdf5_file.replace_extension(".xdmf");
}

void write_output(const Field& field, std::uint64_t step, double time,
                  const std::filesystem::path& file) {
  ckpt::export_hdf5(
      field.comm(), file, "u", field.now, block_of(field),
      {{"time", time}, {"step", static_cast<std::int64_t>(step)}, {"units", std::string("1")}});
  together(field.comm(), [&] {
    if (!field.comm().is_root()) return;
    write_file_atomically(xdmf_path(file), xdmf(field, time, file.filename().string()));
  });
}

}  // namespace cairn::heat
