/// The three sources of options, read with Boost.Program_options.
#pragma once

#include <boost/program_options.hpp>
#include <string>
#include <vector>

#include "cairn/program/options.hpp"

namespace cairn::program {

/// Reads command line, environment and configuration file of one Options. What an earlier source
/// gave is not overwritten by a later one.
class OptionSources {
 public:
  explicit OptionSources(const Options& options);

  void read_command_line(int argc, const char* const* argv);
  void read_environment();
  /// Reads the file that the sources so far name with --config; does nothing without one.
  void read_file();

  [[nodiscard]] GivenOptions take() { return std::move(given_); }

 private:
  /// The values of one source, for one option after the other.
  void add(const boost::program_options::parsed_options& parsed, const std::string& prefix);
  [[nodiscard]] std::vector<std::string> before_command(std::vector<std::string> arguments);
  [[nodiscard]] bool takes_next_argument(const std::string& argument) const;
  [[noreturn]] void unknown(const std::string& shown, const std::string& name) const;

  const Options& options_;
  boost::program_options::options_description description_;
  GivenOptions given_;
};

}  // namespace cairn::program
