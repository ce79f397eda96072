#include "cairn/ckpt/xdmf.hpp"

#include <charconv>

#include "cairn/core/error.hpp"

namespace cairn::ckpt {

namespace {

/// Of text, and of an attribute in double quotes.
std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

/// The shortest decimal that reads back as the same number.
std::string decimal(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}

template <typename T, typename ToText>
std::string words(const std::vector<T>& values, ToText&& to_text) {
  std::string text;
  for (const auto& value : values) text += (text.empty() ? "" : " ") + to_text(value);
  return text;
}

/// NumberType and Precision.
std::string number_type(ScalarType type) {
  const auto name = name_of(type);
  std::string kind = name.starts_with("float") ? "Float" : "Int";
  if (size_of(type) == 1) kind = "Char";
  if (size_of(type) == 2) kind = "Short";
  if (name.starts_with("uint")) kind = "U" + kind;
  return "NumberType=\"" + kind + "\" Precision=\"" + std::to_string(size_of(type)) + "\"";
}

/// One layer of a mesh in space: ParaView lays the axes of a plane mesh out as y and z, where its
/// first view shows the edge alone. Axes in XDMF go from z to x.
template <typename T>
std::vector<T> in_space(std::vector<T> values, T filler) {
  values.insert(values.begin(), 3 - values.size(), filler);
  return values;
}

std::string grid_text(const XdmfField& field, const std::string& hdf5_name,
                      std::optional<double> time) {
  const auto axes = field.shape.size();
  auto origin = field.origin.empty() ? std::vector<double>(axes, 0) : field.origin;
  auto spacing = field.spacing.empty() ? std::vector<double>(axes, 1) : field.spacing;
  expects(has_xdmf(field.type, field.shape) && origin.size() == axes && spacing.size() == axes,
          "a field of one to three axes, with an origin and a spacing for each");
  const double layer = spacing.back();
  const auto size = [](std::size_t n) { return std::to_string(n); };
  const auto extents = words(in_space(field.shape, std::size_t{1}), size);
  const std::string item = "        <DataItem Format=\"XML\" NumberType=\"Float\" Precision=\"8\" ";
  const auto name = escaped(field.dataset);
  return "    <Grid Name=\"" + name + "\" GridType=\"Uniform\">\n" +
         (time ? "      <Time Value=\"" + decimal(*time) + "\"/>\n" : "") +
         "      <Topology TopologyType=\"3DCoRectMesh\" Dimensions=\"" + extents + "\"/>\n" +
         "      <Geometry GeometryType=\"ORIGIN_DXDYDZ\">\n" + item + "Dimensions=\"3\">" +
         words(in_space(origin, 0.0), decimal) + "</DataItem>\n" + item + "Dimensions=\"3\">" +
         words(in_space(spacing, layer), decimal) + "</DataItem>\n" + "      </Geometry>\n" +
         "      <Attribute Name=\"" + name + "\" AttributeType=\"Scalar\" Center=\"Node\">\n" +
         "        <DataItem Format=\"HDF\" " + number_type(field.type) + " Dimensions=\"" +
         extents + "\">" + escaped(hdf5_name) + ":/" + name + "</DataItem>\n" +
         "      </Attribute>\n" + "    </Grid>\n";
}

}  // namespace

bool has_xdmf(ScalarType type, const Shape& shape) noexcept {
  const bool is_complex = type == ScalarType::complex64 || type == ScalarType::complex128;
  return !is_complex && !shape.empty() && shape.size() <= 3 && volume(shape) > 0;
}

std::string xdmf_text(std::span<const XdmfField> fields, const std::string& hdf5_name,
                      std::optional<double> time) {
  std::string text =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Xdmf Version=\"3.0\">\n  <Domain>\n";
  for (const auto& field : fields) text += grid_text(field, hdf5_name, time);
  return text + "  </Domain>\n</Xdmf>\n";
}

std::filesystem::path xdmf_path(std::filesystem::path hdf5_file) {
  return hdf5_file.replace_extension(".xdmf");
}

}  // namespace cairn::ckpt
