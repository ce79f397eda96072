#include "cairn/program/options.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "cairn/core/error.hpp"

using namespace cairn;
using program::Options;

namespace {

namespace fs = std::filesystem;

/// The targets of all types, and an Options over them.
struct Fixture {
  int size = 1024;
  std::uint64_t steps = 100;
  double alpha = 0.25;
  std::string initial = "sine";
  fs::path output;
  std::vector<std::string> names;
  bool fast = false;
  Options options{"cairn-test", "a test"};

  Fixture() {
    options.add("size,s", size, "grid points per side")
        .add("steps", steps, "time steps")
        .add("alpha", alpha, "diffusivity in m²/s")
        .add("initial", initial, "initial field")
        .add("output-file", output, "where to write")
        .add("name", names, "a name, repeatable")
        .flag("fast", fast, "hurry");
  }

  void parse(std::vector<std::string> arguments) {
    std::vector<const char*> argv{"cairn-test"};
    for (const auto& argument : arguments) argv.push_back(argument.c_str());
    options.parse(static_cast<int>(argv.size()), argv.data());
  }

  /// The message of the Error that parsing throws, behind its code.
  std::string error(std::vector<std::string> arguments) {
    try {
      parse(std::move(arguments));
    } catch (const Error& error) {
      return std::to_string(error.exit_code()) + " " + error.what();
    }
    return "no error";
  }
};

/// An environment variable for the time of a scope.
struct Environment {
  Environment(const char* variable, const char* value) : name(variable) { setenv(name, value, 1); }
  ~Environment() { unsetenv(name); }
  const char* name;
};

/// A file for the time of a scope.
struct ConfigFile {
  explicit ConfigFile(const std::string& text)
      : path(fs::temp_directory_path() / ("cairn-options-" + std::to_string(getpid()) + ".ini")) {
    std::ofstream(path) << text;
  }
  ~ConfigFile() { fs::remove(path); }
  fs::path path;
};

}  // namespace

TEST_CASE("each source wins over those below it") {
  // command line, environment, file: present or not; the default is 1024
  for (int sources = 0; sources < 8; ++sources) {
    CAPTURE(sources);
    Fixture f;
    const ConfigFile file((sources & 1) != 0 ? "size = 1\n" : "# size = 9\nsteps = 3\n");
    const Environment environment("CAIRN_SIZE", (sources & 2) != 0 ? "2" : "");
    std::vector<std::string> arguments{"--config", file.path.string()};
    if ((sources & 4) != 0) arguments.emplace_back("--size=3");
    f.parse(arguments);
    const int expected[] = {1024, 1, 2, 2, 3, 3, 3, 3};
    CHECK(f.size == expected[sources]);
    CHECK(f.options.given("size") == (sources != 0));
  }
}

TEST_CASE("every type, in every spelling") {
  Fixture f;
  f.parse({"-s", "-5", "--steps", "18446744073709551615", "--alpha=1e-3", "--initial", "a b",
           "--output-file=x/y.h5", "--name", "one", "--name=two", "--fast"});
  CHECK(f.size == -5);
  CHECK(f.steps == 18446744073709551615U);
  CHECK(f.alpha == 1e-3);
  CHECK(f.initial == "a b");
  CHECK(f.output == fs::path("x/y.h5"));
  CHECK(f.names == std::vector<std::string>{"one", "two"});
  CHECK(f.fast);
}

TEST_CASE("the last of a repeated option wins, short names take adjacent values") {
  Fixture f;
  f.parse({"--size", "1", "-s2"});
  CHECK(f.size == 2);
}

TEST_CASE("lists and flags from environment and file") {
  Fixture f;
  const ConfigFile file("name = one\nname = two words\noutput-file = out dir/x\n");
  const Environment config("CAIRN_CONFIG", file.path.c_str());
  const Environment fast("CAIRN_FAST", "on");
  const Environment output("CAIRN_OUTPUT_FILE", "other");
  f.parse({});
  CHECK(f.names == std::vector<std::string>{"one", "two words"});
  CHECK(f.fast);
  CHECK(f.output == fs::path("other"));
}

TEST_CASE("what makes no sense is an error of the caller, with the closest option named") {
  Fixture f;
  CHECK(f.error({"--siez", "5"}) ==
        "64 unknown option '--siez'; did you mean '--size'? (cairn-test --help lists all)");
  CHECK(
      f.error({"--output", "5"}) ==
      "64 unknown option '--output'; did you mean '--output-file'? (cairn-test --help lists all)");
  CHECK(f.error({"--zzzzzz"}) == "64 unknown option '--zzzzzz' (cairn-test --help lists all)");
  CHECK(f.error({"-z"}) == "64 unknown option '-z' (cairn-test --help lists all)");
  CHECK(f.error({"--size"}) == "64 option '--size' needs a value");
  CHECK(f.error({"--size="}) == "64 option '--size' needs a value");
  CHECK(f.error({"--fast=yes"}) == "64 option '--fast' takes no value");
  CHECK(f.error({"stray"}) ==
        "64 unexpected argument 'stray' (cairn-test --help lists what it takes)");
  CHECK(f.error({"--size", "12x"}) ==
        "64 --size: '12x' is not an integer between -2147483648 and 2147483647");
  CHECK(f.error({"--size", "3000000000"}) ==
        "64 --size: '3000000000' is not an integer between -2147483648 and 2147483647");
  CHECK(f.error({"--steps", "-1"}) ==
        "64 --steps: '-1' is not an integer between 0 and 18446744073709551615");
  CHECK(f.error({"--alpha", "nan"}) == "64 --alpha: 'nan' is not a finite number");
  CHECK(f.error({"--threads", "0"}) == "64 --threads: '0' is not a number from 1 to 65536");
  const Environment size("CAIRN_SIZE", "big");
  CHECK(f.error({}) == "64 CAIRN_SIZE: 'big' is not an integer between -2147483648 and 2147483647");
  CHECK(f.error({"--size", "5"}) == "no error");
}

TEST_CASE("a bad configuration file is told apart from a missing one") {
  Fixture f;
  CHECK(f.error({"--config", "/nonexistent/x.ini"}) ==
        "66 --config: open /nonexistent/x.ini: No such file or directory");
  CHECK(f.error({"--config", "/"}) == "64 / cannot be read");
  const ConfigFile binary(std::string("size = 5\0 5\n", 12));
  CHECK(f.error({"--config", binary.path}) ==
        "64 " + binary.path.string() + " is not text: it has a byte 0");
  const ConfigFile syntax("size 5\n");
  CHECK(f.error({"--config", syntax.path}).starts_with("64 " + syntax.path.string() + ": "));
  const ConfigFile unknown("siez = 5\n");
  CHECK(f.error({"--config", unknown.path}) == "64 " + unknown.path.string() +
                                                   ": unknown option 'siez'; did you mean 'size'? "
                                                   "(cairn-test --help lists all)");
  const ConfigFile value("steps = many\n");
  CHECK(f.error({"--config", value.path})
            .starts_with("64 " + value.path.string() + ": steps: 'many'"));
}

TEST_CASE("positional arguments, and -- in front of those that look like options") {
  Fixture f;
  std::vector<std::string> inputs;
  f.options.positional("INPUT", inputs, "files");
  f.parse({"a", "--size", "5", "b", "--", "--fast"});
  CHECK(inputs == std::vector<std::string>{"a", "b", "--fast"});
  CHECK(f.size == 5);
  CHECK(!f.fast);
}

TEST_CASE("a command takes everything behind it, with and without --") {
  for (const bool separated : {false, true}) {
    Fixture f;
    std::vector<std::string> command;
    f.options.command("PROGRAM", command, "what to start");
    std::vector<std::string> arguments{"-s",      "5",      "--fast", "--steps=3",
                                       "program", "--size", "7",      "--"};
    if (separated) arguments.insert(arguments.begin() + 4, "--");
    f.parse(arguments);
    CHECK(command == std::vector<std::string>{"program", "--size", "7", "--"});
    CHECK(f.size == 5);
    CHECK(f.steps == 3);
  }
}

TEST_CASE("the help names every option, its default and its environment, in 100 columns") {
  Fixture f;
  const auto text = f.options.help();
  for (const char* part :
       {"cairn-test: a test", "Usage: cairn-test [OPTION…]", "-s, --size N", "(default: 1024)",
        "CAIRN_SIZE for --size", "--log-level TEXT", "75 stopped after saving", "--quiet"}) {
    CHECK_MESSAGE(text.find(part) != std::string::npos, part);
  }
  CHECK(text.find("list-failpoints") == std::string::npos);
  std::size_t begin = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    CHECK(end - begin <= 110);  // bytes: a few characters take three
    begin = end + 1;
  }
}
