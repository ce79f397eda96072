#include "cairn/consensus/sequence.hpp"

#include <algorithm>
#include <map>

namespace cairn::consensus {
namespace {

using What = Sequence::What;

std::string name_of(transport::NodeIndex node) { return "n" + std::to_string(node); }

std::string line_of(const Sequence::Entry& entry) {
  auto line = std::to_string(entry.time) + "\t";
  switch (entry.what) {
    case What::note:
      return line + "* " + entry.text;
    case What::violation:
      return line + "! " + entry.text;
    case What::sent:
      return line + name_of(entry.node) + " -> " + name_of(entry.peer) + "  " + entry.text;
    case What::lost:
      return line + name_of(entry.node) + " -x " + name_of(entry.peer) + "  " + entry.text;
    case What::received:
      return line + name_of(entry.node) + " <- " + name_of(entry.peer) + "  " + entry.text +
             " (sent at " + std::to_string(entry.since) + ")";
    case What::at_node:
    case What::crash:
    case What::restart:
      break;
  }
  return line + name_of(entry.node) + " " + entry.text;
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '<')
      result += "&lt;";
    else if (c == '>')
      result += "&gt;";
    else if (c == '&')
      result += "&amp;";
    else
      result += c;
  }
  return result;
}

constexpr int column_width = 170;
constexpr int row_height = 16;
constexpr int top = 60;

/// Places times on rows: hours in which nothing happened take no room.
class Rows {
 public:
  explicit Rows(const std::vector<Sequence::Entry>& entries) {
    for (const auto& entry : entries) {
      row_.emplace(entry.time, 0);
      row_.emplace(entry.since, 0);
    }
    int row = 0;
    for (auto& [time, place] : row_) place = row++;
  }
  [[nodiscard]] int y(std::uint64_t time) const {
    return top + 30 + row_.at(time) * row_height * 2;
  }
  [[nodiscard]] int bottom() const {
    return top + 60 + static_cast<int>(row_.size()) * row_height * 2;
  }

 private:
  std::map<std::uint64_t, int> row_;
};

int x_of(transport::NodeIndex node) { return 100 + node * column_width; }

std::string text_at(int x, int y, const std::string& style, const std::string& text) {
  return "<text x=\"" + std::to_string(x) + "\" y=\"" + std::to_string(y) + "\" class=\"" + style +
         "\">" + escaped(text) + "</text>\n";
}

std::string line_from(int x1, int y1, int x2, int y2, const std::string& style) {
  return "<line x1=\"" + std::to_string(x1) + "\" y1=\"" + std::to_string(y1) + "\" x2=\"" +
         std::to_string(x2) + "\" y2=\"" + std::to_string(y2) + "\" class=\"" + style + "\"/>\n";
}

std::string arrow(const Sequence::Entry& entry, const Rows& rows) {
  const int x1 = x_of(entry.peer);
  const int x2 = x_of(entry.node);
  const int y1 = rows.y(entry.since);
  const int y2 = rows.y(entry.time);
  if (x1 == x2) return text_at(x2 + 4, y2, "self", "\u21ba " + entry.text);
  return line_from(x1, y1, x2, y2, "arrow") +
         text_at(x1 + (x2 - x1) / 3, y1 + (y2 - y1) / 3 - 3, "word", entry.text);
}

std::string lost_arrow(const Sequence::Entry& entry, const Rows& rows) {
  const int x1 = x_of(entry.node);
  const int x2 = x1 + (x_of(entry.peer) - x1) / 3;
  const int y = rows.y(entry.time);
  return line_from(x1, y, x2, y + row_height, "lost") +
         text_at(x2, y + row_height, "bad", "\u2715 " + entry.text);
}

std::string drawn(const Sequence::Entry& entry, const Rows& rows, int width) {
  const int y = rows.y(entry.time);
  switch (entry.what) {
    case What::received:
      return arrow(entry, rows);
    case What::lost:
      return lost_arrow(entry, rows);
    case What::sent:
      return {};
    case What::note:
      return line_from(10, y, width - 10, y, "note") + text_at(12, y - 3, "self", entry.text);
    case What::violation:
      return text_at(12, y + row_height, "violation", entry.text);
    case What::crash:
      return text_at(x_of(entry.node) - 5, y + 5, "bad", "\u2716 " + entry.text);
    case What::restart:
    case What::at_node:
      break;
  }
  return text_at(x_of(entry.node) + 4, y + row_height / 2, "self", entry.text);
}

}  // namespace

std::string Sequence::text() const {
  std::string text;
  for (const auto& entry : entries_) text += line_of(entry) + "\n";
  return text;
}

std::string Sequence::svg(int nodes, const std::string& title) const {
  const Rows rows(entries_);
  const int width = 100 + nodes * column_width;
  auto picture = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + std::to_string(width) +
                 "\" height=\"" + std::to_string(rows.bottom()) + "\">\n" +
                 "<style>text{font:11px sans-serif}.title{font-size:15px}.self{fill:#357}"
                 ".bad{fill:#b00}.violation{fill:#b00;font-size:14px;font-weight:bold}"
                 "line{stroke:#999}.arrow{stroke:#07a;marker-end:url(#head)}.lost{stroke:#b00}"
                 ".note{stroke:#ccc;stroke-dasharray:4}</style>\n"
                 "<defs><marker id=\"head\" markerWidth=\"8\" markerHeight=\"6\" refX=\"8\" "
                 "refY=\"3\" orient=\"auto\"><path d=\"M0,0 L8,3 L0,6 z\" fill=\"#07a\"/></marker>"
                 "</defs>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n" +
                 text_at(12, 22, "title", title);
  for (transport::NodeIndex node = 0; node < nodes; ++node)
    picture += text_at(x_of(node) - 6, top - 6, "title", name_of(node)) +
               line_from(x_of(node), top, x_of(node), rows.bottom() - 10, "life");
  for (const auto& entry : entries_) picture += drawn(entry, rows, width);
  return picture + "</svg>\n";
}

}  // namespace cairn::consensus
