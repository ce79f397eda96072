#include "channels.hpp"

#include <cstring>

#include "cairn/collectives/buffer.hpp"
#include "cairn/collectives/requests.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/mpi_error.hpp"

namespace cairn::detail {

std::size_t received_bytes(const MPI_Status& status) {
  MPI_Count bytes = 0;
  check_mpi(MPI_Get_elements_x(&status, MPI_BYTE, &bytes), "MPI_Get_elements_x");
  return static_cast<std::size_t>(bytes);
}

Channels::Channels(MPI_Comm comm, int ranks, int tag)
    : comm_(comm),
      tag_(tag),
      short_bytes_(short_bytes(ranks)),
      slot_bytes_(short_bytes_ + sizeof(std::size_t)),
      in_(static_cast<std::size_t>(ranks)),
      sends_long_(static_cast<std::size_t>(ranks)) {
  slots_.reserve(static_cast<std::size_t>(ranks) * slot_bytes_);
  announcement_.reserve(slot_bytes_);
  started_.reserve(2 * static_cast<std::size_t>(ranks));
}

void Channels::post(int source) {
  Incoming& in = in_[static_cast<std::size_t>(source)];
  if (in.expects_long) return;
  const Wire slot_type(slot_bytes_, MPI_BYTE);
  check_mpi(
      MPI_Irecv(slot(source), slot_type.count, slot_type.type, source, tag_, comm_, &in.posted),
      "MPI_Irecv");
}

void Channels::send(int destination, std::span<const std::byte> data) {
  unsigned char& sends_long = sends_long_[static_cast<std::size_t>(destination)];
  if (sends_long != 0) {
    start_send(destination, data);
  } else if (data.size() <= short_bytes_) {
    send_short(destination, data);
  } else {
    announce(destination, data);
    start_send(destination, data.subspan(short_bytes_));
  }
  sends_long = data.size() > short_bytes_ ? 1 : 0;
}

/// It may block: its receive is posted, or will be before the receiver waits for anything of ours.
void Channels::send_short(int destination, std::span<const std::byte> data) {
  const Wire type(data.size(), MPI_BYTE);
  check_mpi(MPI_Send(data.data(), type.count, type.type, destination, tag_, comm_), "MPI_Send");
}

void Channels::announce(int destination, std::span<const std::byte> data) {
  const std::size_t length = data.size();
  std::memcpy(announcement_.data(), &length, sizeof length);
  std::memcpy(announcement_.data() + sizeof length, data.data(), short_bytes_);
  send_short(destination, {announcement_.data(), slot_bytes_});
}

void Channels::start_send(int destination, std::span<const std::byte> data) {
  const Wire type(data.size(), MPI_BYTE);
  check_mpi(MPI_Isend(data.data(), type.count, type.type, destination, tag_, comm_,
                      &started_.emplace_back(MPI_REQUEST_NULL)),
            "MPI_Isend");
}

std::size_t Channels::length(int source) {
  Incoming& in = in_[static_cast<std::size_t>(source)];
  MPI_Status status;
  if (in.expects_long) {
    check_mpi(MPI_Mprobe(source, tag_, comm_, &in.probed, &status), "MPI_Mprobe");
    return in.length = received_bytes(status);
  }
  if (in.posted != MPI_REQUEST_NULL) {
    check_mpi(MPI_Wait(&in.posted, &status), "MPI_Wait");
  } else {
    const Wire type(slot_bytes_, MPI_BYTE);
    check_mpi(MPI_Recv(slot(source), type.count, type.type, source, tag_, comm_, &status),
              "MPI_Recv");
  }
  in.length = received_bytes(status);
  const bool is_announcement = in.length > short_bytes_;
  if (is_announcement) std::memcpy(&in.length, slot(source), sizeof in.length);
  return in.length;
}

void Channels::take(int source, std::byte* data) {
  Incoming& in = in_[static_cast<std::size_t>(source)];
  const bool is_long = in.length > short_bytes_;
  if (in.expects_long) {
    const Wire type(in.length, MPI_BYTE);
    check_mpi(MPI_Imrecv(data, type.count, type.type, &in.probed,
                         &started_.emplace_back(MPI_REQUEST_NULL)),
              "MPI_Imrecv");
  } else if (!is_long) {
    if (in.length > 0) std::memcpy(data, slot(source), in.length);
  } else {
    std::memcpy(data, slot(source) + sizeof in.length, short_bytes_);
    start_receive(source, {data + short_bytes_, in.length - short_bytes_});
  }
  in.expects_long = is_long;
}

void Channels::start_receive(int source, std::span<std::byte> data) {
  const Wire type(data.size(), MPI_BYTE);
  check_mpi(MPI_Irecv(data.data(), type.count, type.type, source, tag_, comm_,
                      &started_.emplace_back(MPI_REQUEST_NULL)),
            "MPI_Irecv");
}

void Channels::finish() {
  if (started_.empty()) return;
  const int code = wait_for_all(started_);
  started_.clear();
  check_mpi(code, "MPI_Wait");
}

}  // namespace cairn::detail
