#include "cairn/collectives/cartesian.hpp"

#include <algorithm>
#include <climits>
#include <string>
#include <utility>

#include "cairn/collectives/check.hpp"
#include "cairn/core/error.hpp"
#include "cairn/core/mpi_error.hpp"
#include "tags.hpp"

namespace cairn {

AxisRange block_range(std::size_t n, int parts, int index) {
  expects(index >= 0 && index < parts, "0 <= index < parts");
  const auto p = static_cast<std::size_t>(parts);
  const auto i = static_cast<std::size_t>(index);
  const std::size_t larger = n % p;
  return {i * (n / p) + std::min(i, larger), n / p + (i < larger ? 1 : 0)};
}

namespace {

std::vector<int> balanced_dims(int ranks, int axes) {
  std::vector<int> dims(static_cast<std::size_t>(axes), 0);
  check_mpi(MPI_Dims_create(ranks, axes, dims.data()), "MPI_Dims_create");
  return dims;
}

/// The shape of the grid, which is equal on all ranks, as the debug level sees to.
std::vector<int> compared_dims(const Communicator& parent, int axes,
                               CartesianGrid::Boundary boundary, const Where& where) {
  detail::Require(parent, {"CartesianGrid"}, where)(axes >= 1 && axes <= 4, "one to four axes");
  if (parent.is_checked()) {
    const std::string shape = std::to_string(axes) + " axes, " +
                              (boundary == CartesianGrid::Boundary::periodic ? "periodic" : "open");
    const detail::TypeName text{shape.c_str(), nullptr};
    detail::Signature signature{"CartesianGrid"};
    signature.operation = &text;
    detail::compare(parent, signature, where);
  }
  return balanced_dims(parent.size(), axes);
}

MPI_Comm grid_communicator(const Communicator& parent, const std::vector<int>& dims,
                           CartesianGrid::Boundary boundary) {
  const std::vector<int> periods(dims.size(),
                                 boundary == CartesianGrid::Boundary::periodic ? 1 : 0);
  MPI_Comm handle = MPI_COMM_NULL;
  check_mpi(
      MPI_Cart_create(parent.native(), static_cast<int>(dims.size()), dims.data(), periods.data(),
                      /*reorder=*/0, &handle),
      "MPI_Cart_create");
  return handle;
}

}  // namespace

CartesianGrid::CartesianGrid(const Communicator& parent, int axes, Boundary boundary, Where where)
    : CartesianGrid(parent, compared_dims(parent, axes, boundary, where), boundary) {}

CartesianGrid::CartesianGrid(const Communicator& parent, std::vector<int> dims, Boundary boundary)
    : comm_(Communicator::Adopt{}, grid_communicator(parent, dims, boundary), "cairn.grid"),
      dims_(std::move(dims)),
      coordinates_(dims_.size()),
      neighbours_(dims_.size()) {
  check_mpi(MPI_Cart_coords(comm_.native(), comm_.rank(), axes(), coordinates_.data()),
            "MPI_Cart_coords");
  for (int axis = 0; axis < axes(); ++axis) {
    auto& [down, up] = neighbours_[static_cast<std::size_t>(axis)];
    check_mpi(MPI_Cart_shift(comm_.native(), axis, 1, &down, &up), "MPI_Cart_shift");
  }
  (void)comm_.internal();  // which is made here, since starting an exchange is local
}

int CartesianGrid::neighbour(int axis, int step) const {
  expects(step == -1 || step == 1, "a step of -1 or +1");
  return neighbours_.at(static_cast<std::size_t>(axis))[step < 0 ? 0 : 1];
}

AxisRange CartesianGrid::range(std::size_t n, int axis) const {
  return block_range(n, dims(axis), coordinate(axis));
}

namespace {

enum class Layer { ghost, interior };

/// The `width` layers of ghosts, or of interior next to them, on one side of `axis`.
MPI_Datatype face_type(std::span<const std::size_t> extent, int axis, int step, int width,
                       Layer layer, MPI_Datatype element) {
  std::vector<int> sizes;
  std::vector<int> subsizes;
  std::vector<int> starts;
  for (int a = 0; a < static_cast<int>(extent.size()); ++a) {
    const int n = static_cast<int>(extent[static_cast<std::size_t>(a)]);
    sizes.push_back(n);
    if (a != axis) {
      subsizes.push_back(n - 2 * width);
      starts.push_back(width);
      continue;
    }
    const int inset = layer == Layer::ghost ? 0 : width;
    subsizes.push_back(width);
    starts.push_back(step < 0 ? inset : n - width - inset);
  }
  MPI_Datatype type = MPI_DATATYPE_NULL;
  check_mpi(MPI_Type_create_subarray(static_cast<int>(sizes.size()), sizes.data(), subsizes.data(),
                                     starts.data(), MPI_ORDER_C, element, &type),
            "MPI_Type_create_subarray");
  check_mpi(MPI_Type_commit(&type), "MPI_Type_commit");
  return type;
}

/// Messages that travel up and down an axis must not be confused when both neighbours are the same
/// rank, nor those of two exchanges.
int tag_of(int exchange, int axis, int step) {
  return detail::halo_tag + 8 * exchange + 2 * axis + (step < 0 ? 0 : 1);
}

}  // namespace

HaloExchange::HaloExchange(const CartesianGrid& grid, std::span<const std::size_t> extent,
                           int width, MPI_Datatype element)
    : grid_(grid) {
  const int number = std::exchange(grid.exchanges_, (grid.exchanges_ + 1) % detail::most_halo_tags);
  expects(static_cast<int>(extent.size()) == grid.axes(), "one extent per axis of the grid");
  expects(width >= 1, "a ghost width of 1 or more");
  for (const auto n : extent) {
    expects(n <= INT_MAX, "at most 2^31 - 1 elements along an axis");
    expects(n >= 3 * static_cast<std::size_t>(width), "an interior at least as wide as the ghosts");
  }
  for (int axis = 0; axis < grid.axes(); ++axis) {
    for (const int step : {-1, 1}) {
      const int neighbour = grid.neighbour(axis, step);
      if (neighbour == MPI_PROC_NULL) continue;
      faces_.push_back({face_type(extent, axis, step, width, Layer::interior, element),
                        face_type(extent, axis, step, width, Layer::ghost, element), neighbour,
                        tag_of(number, axis, step), tag_of(number, axis, -step)});
    }
  }
}

HaloExchange::~HaloExchange() {
  if (requests_.pending()) {
    detail::end_with(
        "a HaloExchange is destroyed while an exchange is under way; finish() it first");
  }
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (finalized != 0) return;
  for (auto& face : faces_) {
    MPI_Type_free(&face.send);
    MPI_Type_free(&face.receive);
  }
}

void HaloExchange::start(void* data) {
  expects(!requests_.pending(), "an exchange is finished before the next one is started");
  const MPI_Comm comm = grid_.comm().internal();
  for (const auto& face : faces_) {
    requests_.started(
        MPI_Irecv(data, 1, face.receive, face.neighbour, face.receive_tag, comm, &requests_.next()),
        "MPI_Irecv");
  }
  for (const auto& face : faces_) {
    requests_.started(
        MPI_Isend(data, 1, face.send, face.neighbour, face.send_tag, comm, &requests_.next()),
        "MPI_Isend");
  }
}

void HaloExchange::finish() {
  if (requests_.pending()) requests_.wait();
}

}  // namespace cairn
