/// XDMF: describes datasets of an HDF5 file as fields on regular grids, for ParaView and VisIt.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cairn/ckpt/box.hpp"
#include "cairn/ckpt/scalar_type.hpp"

namespace cairn::ckpt {

/// A dataset whose elements stand on the points of a regular grid.
struct XdmfField {
  std::string dataset;  ///< its name in the file, which is also the field's
  ScalarType type = ScalarType::float64;
  Shape shape = {};                  ///< one to three axes
  std::vector<double> origin = {};   ///< of the first point, per axis; empty: zeros
  std::vector<double> spacing = {};  ///< of the points, per axis; empty: ones
};

/// Whether XDMF has a grid for it: one to three axes, each of one point or more, and no complex
/// numbers.
[[nodiscard]] bool has_xdmf(ScalarType type, const Shape& shape) noexcept;

/// The description, an XDMF 3 document: one uniform grid per field.
/// @param hdf5_name  of the file, relative to where the description will stand
/// @param time       of all fields
[[nodiscard]] std::string xdmf_text(std::span<const XdmfField> fields, const std::string& hdf5_name,
                                    std::optional<double> time = {});

/// Where the description of an HDF5 file stands: beside it, FILE.xdmf.
[[nodiscard]] std::filesystem::path xdmf_path(std::filesystem::path hdf5_file);

}  // namespace cairn::ckpt
