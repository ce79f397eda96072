#include "cairn/ckpt/checkpointer.hpp"

#include <unistd.h>

#include <array>
#include <chrono>
#include <set>
#include <utility>

#include "cairn/collectives/agree.hpp"
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/unknown_counts.hpp"
#include "cairn/core/error.hpp"
#include "cairn/trace/trace.hpp"
#include "checkpointer_implementation.hpp"
#include "cut.hpp"
#include "utf8.hpp"

namespace cairn::ckpt {

namespace {

/// The record is JSON. These texts may hold what a user typed, so it is not called a bug.
void expect_utf8(const std::string& option, const std::string& text) {
  if (is_utf8(text)) return;
  throw Error(Errc::usage,
              "checkpoints need the " + option + " in UTF-8, and this is not: " + escaped(text));
}

/// The names of the machines that the ranks are on. Collective; on rank 0, which alone needs them.
std::vector<std::string> hosts_of(const Communicator& comm) {
  std::array<char, 65> name{};
  ::gethostname(name.data(), name.size() - 1);
  std::vector<char> all;
  gather(comm, std::span<const char>(name), into(all));
  std::set<std::string> hosts;
  for (std::size_t at = 0; at + name.size() <= all.size(); at += name.size())
    hosts.insert(all.data() + at);
  return {hosts.begin(), hosts.end()};
}

/// All ranks have one command line.
[[noreturn]] void refuse_word(std::string_view word, const std::string& what) {
  Error error(Errc::usage, "'" + std::string(word) + "' is no " + what);
  error.mark_agreed();
  throw error;
}

/// All ranks register the same fields.
[[noreturn]] void refuse_compression_with_mpio(const std::string& field) {
  Error error(Errc::usage, "the driver mpio writes no compressed fields, such as '" + field +
                               "'; choose the driver posix, or no compression");
  error.mark_agreed();
  throw error;
}

Pacing::Settings pacing_of(const Options& options) {
  Pacing::Settings settings{.every = options.every,
                            .interval_seconds = options.interval_seconds,
                            .is_automatic = options.interval == Options::Interval::automatic,
                            .mtbf_seconds = options.mtbf_seconds};
  if (options.directory.empty()) {  // nothing to save into
    settings.every = 0;
    settings.interval_seconds = 0;
    settings.is_automatic = false;
  }
  if (options.time_limit) {
    const std::chrono::duration<double> left =
        *options.time_limit - std::chrono::system_clock::now();
    settings.limit_seconds = pacing_clock() + left.count();
  }
  return settings;
}

}  // namespace

double pacing_clock() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

Checkpointer::Implementation::Implementation(MPI_Comm comm, Options options)
    : comm_(comm, "cairn.ckpt"),
      options_(std::move(options)),
      pacing_(pacing_of(options_), pacing_clock()) {
  if (options_.signals == Options::Signals::catch_stop) catch_stop_signals();
  together(comm_, [&] {
    if (is_on()) key_ = Key::given(options_.key_file);
  });
  const auto mine = signature();
  auto roots = mine;
  bcast(comm_, into(roots));
  together(comm_, [&] {
    expects(mine == roots,
            "the same checkpoint options on every rank; here: " + mine + " on rank 0: " + roots);
    expects(options_.keep >= 1, "at least one epoch to keep");
    expects(options_.local.keep >= 1, "at least one local epoch to keep");
    expects(options_.interval_seconds >= 0 && options_.mtbf_seconds > 0,
            "an interval that is not negative, and a mean time between failures");
    expects(options_.patience_seconds >= 0, "a patience that is not negative");
    expects(options_.most_given_up >= 1, "at least one epoch that is given up");
    expect_utf8("program", options_.program);
    expect_utf8("identity", options_.identity);
    if (key_ && !options_.local.directory.empty()) {
      throw Error(Errc::usage,
                  "the checkpoints of the nodes are not encrypted, so a key and a local directory "
                  "do not go together; leave one out");
    }
    if (options_.driver == Options::Driver::mpio && options_.mode == Options::Mode::async) {
      throw Error(Errc::usage,
                  "checkpoints in the background are written without MPI; with the driver mpio "
                  "choose mode sync");
    }
    if (options_.driver == Options::Driver::mpio && options_.patience_seconds > 0) {
      throw Error(
          Errc::usage,
          "the driver mpio writes by collective calls, in which every rank waits for all, so "
          "a patience does not go with it; leave one out");
    }
  });
  if (pacing_.is_limit_near(pacing_clock()))
    warn("the time limit is over in " + std::to_string(static_cast<int>(Pacing::margin_seconds)) +
         " seconds or less, which are kept for the last checkpoint: the run stops at once");
  const auto nodes = is_on() ? hosts_of(comm_) : std::vector<std::string>{};
  together(comm_, [&] {
    if (!is_on() || !comm_.is_root()) return;
    find_former_claim();
    store_.emplace(options_.directory, Access{.kind = consensus::Claimant::Kind::launch,
                                              .patience_seconds = options_.lock_patience_seconds,
                                              .stale_seconds = options_.stale_seconds,
                                              .heartbeat_seconds = options_.heartbeat_seconds,
                                              .nodes = nodes});
    spare_.emplace(options_.directory);
  });
  if (is_on()) domains_ = find_failure_domains(comm_, options_.local.host);
  open_local_tier();
  if (is_on() && comm_.size() > 1 && comm_.size() <= consensus::EpochVote::most_ranks)
    vote_.emplace(comm_, domains_.host_of, options_.patience_seconds);
  open_journal();
}

Checkpointer::Implementation::~Implementation() {
  if (in_flight_) {
    (void)detail::error_of([&] { (void)writer_.take(); });
    if (store_ && !is_packing_) store_->discard(next_.epoch);
    warn("an epoch was still being written and is given up; wait() makes it whole");
  }
  end_journal();
  // One that was refused, or that another launch has taken over from, leaves all as it is.
  if (spare_ && epoch_ && !detail::error_of([&] { store_->check_owner(); })) spare_->remove();
}

void Checkpointer::Implementation::add(RegisteredField field) {
  expects(!in_flight_, "fields before the first save");
  if (field.cut) field.block = field.cut->empty_block();
  if (!field.compression) field.compression = options_.compression;
  if (options_.driver == Options::Driver::mpio && field.compression != Compression::none)
    refuse_compression_with_mpio(field.name);
  check_field(field);
  fields_.push_back(std::move(field));
  boxes_.reset();
}

void Checkpointer::Implementation::add(RegisteredValue value) {
  expects(!in_flight_, "values before the first save");
  expects(is_utf8(value.name), "a name in UTF-8 of value '" + escaped(value.name) + "'");
  values_.push_back(std::move(value));
  boxes_.reset();
}

void Checkpointer::Implementation::gather_boxes_once() {
  if (!boxes_) boxes_ = gather_boxes(comm_, fields_, values_);
}

/// Before a save: the blocks of this rank now. Collective.
void Checkpointer::Implementation::cut_fields() {
  for (auto& field : fields_) {
    if (!field.cut) continue;
    field.cut->before_save(comm_, field);
    boxes_.reset();
  }
}

// --- the interface ---------------------------------------------------------------------------

Options::Mode mode_of(std::string_view word) {
  if (word == "sync") return Options::Mode::sync;
  if (word == "async") return Options::Mode::async;
  refuse_word(word, "mode of checkpoints; sync or async");
}

Options::Driver driver_of(std::string_view word) {
  if (word == "posix") return Options::Driver::posix;
  if (word == "mpio") return Options::Driver::mpio;
  refuse_word(word, "driver of checkpoints; posix or mpio");
}

Options::Direct direct_of(std::string_view word) {
  if (word == "auto") return Options::Direct::automatic;
  if (word == "on") return Options::Direct::on;
  if (word == "off") return Options::Direct::off;
  refuse_word(word, "answer to direct writes; auto, on or off");
}

Options::OnError on_error_of(std::string_view word) {
  if (word == "stop") return Options::OnError::stop;
  if (word == "continue") return Options::OnError::go_on;
  refuse_word(word, "answer to a failed checkpoint; stop or continue");
}

Checkpointer::Checkpointer(MPI_Comm comm, Options options)
    : implementation_(std::make_unique<Implementation>(comm, std::move(options))) {}
Checkpointer::Checkpointer(const Communicator& comm, Options options)
    : Checkpointer(comm.native(), std::move(options)) {}
Checkpointer::Checkpointer(Checkpointer&&) noexcept = default;
Checkpointer::~Checkpointer() = default;

RegisteredField Checkpointer::registered(std::string name, ScalarType type,
                                         std::function<Bytes()> storage, FieldOptions options) {
  return {.name = std::move(name),
          .type = type,
          .attributes = std::move(options.attributes),
          .storage =
              [storage = std::move(storage)] {
                const auto bytes = storage();
                return std::span(bytes.data, bytes.size);
              },
          .compression = options.compression};
}

void Checkpointer::add_field(std::string name, ScalarType type, std::function<Bytes()> storage,
                             Block block, FieldOptions options) {
  auto field = registered(std::move(name), type, std::move(storage), std::move(options));
  field.block = std::move(block);
  implementation_->add(std::move(field));
}

void Checkpointer::add_elements(std::string name, ScalarType type, std::function<Bytes()> storage,
                                std::size_t width, std::function<void(std::size_t)> resize,
                                FieldOptions options) {
  implementation_->add(
      make_elements(registered(std::move(name), type, std::move(storage), std::move(options)),
                    width, std::move(resize)));
}

void Checkpointer::add_rows(std::string name, ScalarType type, std::function<Bytes()> storage,
                            Rows rows, FieldOptions options) {
  implementation_->add(make_rows(
      registered(std::move(name), type, std::move(storage), std::move(options)), std::move(rows)));
}

void Checkpointer::blobs(const std::string& name, std::vector<Blob>& blobs) {
  for (auto& field : make_blobs(name, blobs)) implementation_->add(std::move(field));
}

void Checkpointer::add_value(std::string name, ScalarType type, std::byte* data) {
  implementation_->add(RegisteredValue{std::move(name), type, data});
}

std::optional<std::uint64_t> Checkpointer::restore() {
  const auto step = implementation_->noting_errors([&] { return implementation_->restore(); });
  implementation_->note_restart();
  trace::flush();  // a report is most wanted of runs that die
  return step;
}

bool Checkpointer::due(std::uint64_t step) {
  return implementation_->noting_errors([&] { return implementation_->due(step); });
}

bool Checkpointer::is_wanted() noexcept { return implementation_->is_wanted(); }

void Checkpointer::save(std::uint64_t step) {
  implementation_->noting_errors([&] { implementation_->save(step); });
  trace::flush();
}

void Checkpointer::wait() {
  implementation_->noting_errors([&] { implementation_->settle(); });
  trace::flush();
}

int Checkpointer::stop_signal() const noexcept { return implementation_->stop_signal(); }
std::optional<std::uint64_t> Checkpointer::epoch() const noexcept {
  return implementation_->epoch();
}

std::optional<std::uint64_t> Checkpointer::saved_step() const noexcept {
  return implementation_->saved_step();
}

}  // namespace cairn::ckpt
