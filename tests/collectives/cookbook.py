"""Compiles every snippet of collectives/COOKBOOK.md, each as the body of a function.   cookbook.py COMPILER FLAG..."""

import pathlib
import re
import subprocess
import sys
import tempfile

PAGE = pathlib.Path(__file__).resolve().parents[2] / "collectives/COOKBOOK.md"
PRELUDE = """
#include <string>
#include <vector>
#include "cairn/collectives/collective.hpp"
#include "cairn/collectives/exact_async.hpp"
#include "cairn/collectives/fresh.hpp"
#include "cairn/collectives/neighbour.hpp"
#include "cairn/collectives/plan.hpp"
#include "cairn/collectives/point_to_point.hpp"
#include "cairn/collectives/sparse.hpp"
#include "cairn/collectives/unknown_counts.hpp"
using namespace cairn;
"""

snippets = re.findall(r"```cpp\n(.*?)```", PAGE.read_text(), re.DOTALL)
if len(snippets) < 5:
    sys.exit(f"only {len(snippets)} snippets found in {PAGE}")
source = PRELUDE + "\n".join(
    f"void snippet_{i}([[maybe_unused]] const Communicator& comm, [[maybe_unused]] std::vector<double>& x,\n"
    f"    [[maybe_unused]] std::vector<double>& y, [[maybe_unused]] std::vector<double>& all,\n"
    f"    [[maybe_unused]] std::size_t p) {{\n{body}}}" for i, body in enumerate(snippets))
with tempfile.TemporaryDirectory(prefix="cairn-test-") as folder:
    file = pathlib.Path(folder) / "cookbook.cpp"
    file.write_text(source)
    sys.exit(subprocess.run([sys.argv[1], "-std=c++20", "-fsyntax-only", *sys.argv[2:], file], timeout=120).returncode)
