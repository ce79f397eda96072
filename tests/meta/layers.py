"""Checks that the arrows of ARCHITECTURE.md go down, and what else each floor of the tower may not do.

    layers.py [ROOT]       prints each violation, exit code 1 if there is one
    layers.py --self-test  plants each kind of violation in a copy and expects it to be found
"""

import pathlib
import re
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parents[2]

# Lowest first. A module may use what stands before it.
TOWER = {"core": "lib/core", "trace": "lib/trace", "collectives": "collectives", "transport": "lib/transport",
         "consensus": "lib/consensus", "ckpt": "ckpt", "loadbalance": "loadbalance", "mapreduce": "lib/mapreduce",
         "program": "lib/program"}
ORDER = list(TOWER)
# An embedding code that wants these needs MPI and nothing else.
MPI_ALONE = ("core", "trace", "collectives")
MAY_NAME_THE_WORLD = "collectives/src/runtime.cpp"

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)
COMMENT_OR_STRING = re.compile(r'''//[^\n]*|/\*.*?\*/|'(?:\\.|[^'\\\n])'|"(?:\\.|[^"\\\n])*"''', re.DOTALL)
PRINTS = re.compile(r"std::(cout|cerr|clog)\b|(?<![\w.])(std::)?(printf|puts|putchar|perror)\s*\("
                    r"|(?<![\w.])(std::)?f(printf|puts|write)\s*\([^;]*\b(stderr|stdout)\b"
                    r"|(?<![\w.])(::)?write\s*\(\s*(1|2|STD\w+_FILENO)\b")
LEAVES = re.compile(r"(?<![\w.])(std::)?(exit|quick_exit)\s*\(")


def code_of(text):
    """The text without comments and strings, its lines kept."""
    return COMMENT_OR_STRING.sub(lambda match: "\n" * match.group().count("\n"), text)


def sources(folder):
    return sorted(path for path in folder.rglob("*") if path.suffix in (".hpp", ".cpp"))


def check_includes(module, name, text):
    is_public = "/include/" in name
    for bracket, header in INCLUDE.findall(text):
        target = re.match(r"cairn/(\w+)/", header)
        if target and target[1] not in ORDER:
            yield f"{name}: includes {header}, and there is no module {target[1]}"
        elif target and ORDER.index(target[1]) > ORDER.index(module):
            yield f"{name}: includes {header}, which stands above {module}"
        elif bracket == "<" and module in MPI_ALONE and is_public and re.search(r"[./]", header) and header != "mpi.h":
            yield f"{name}: a public header includes <{header}>; only the standard library and mpi.h may be there"


def check_code(module, name, code):
    if "MPI_COMM_WORLD" in code and name != MAY_NAME_THE_WORLD:
        yield f"{name}: names MPI_COMM_WORLD; the caller passes the communicator"
    if module != "program":
        for match in PRINTS.finditer(code):
            yield f"{name}: prints ({match.group().split('(')[0].strip()}); only lib/program writes to the terminal"
    for match in LEAVES.finditer(code):
        yield f"{name}: calls {match.group().rstrip('( ')}(); a library throws"


def check_links(module, name, text):
    text = re.sub(r"#[^\n]*", "", text)
    for target in re.findall(r"\bcairn::(\w+)", text):
        if target not in ORDER or ORDER.index(target) >= ORDER.index(module):
            yield f"{name}: links cairn::{target}, which does not stand below {module}"
    if module in MPI_ALONE:
        for target in re.findall(r"\b(?!cairn::)\w+::\w+", text):
            if target not in ("MPI::MPI_CXX", "Threads::Threads"):
                yield f"{name}: links {target}; {module} needs MPI and nothing else"


def violations(root):
    for module, folder in TOWER.items():
        if not (root / folder).is_dir():
            continue
        for path in sources(root / folder):
            name = str(path.relative_to(root))
            text = path.read_text()
            yield from check_includes(module, name, text)
            yield from check_code(module, name, code_of(text))
        lists = root / folder / "CMakeLists.txt"
        if lists.exists():
            yield from check_links(module, str(lists.relative_to(root)), lists.read_text())


# (file, line to add, what the check must say)
PLANTED = [
    ("lib/core/src/error.cpp", '#include "cairn/trace/trace.hpp"', "stands above core"),
    ("collectives/src/agree.cpp", '#include "cairn/ckpt/checkpointer.hpp"', "stands above collectives"),
    ("lib/trace/src/trace.cpp", '#include "cairn/nowhere/a.hpp"', "there is no module nowhere"),
    ("lib/core/include/cairn/core/error.hpp", "#include <fmt/format.h>", "a public header includes <fmt/format.h>"),
    ("collectives/include/cairn/collectives/agree.hpp", "#include <hdf5.h>", "a public header includes <hdf5.h>"),
    ("lib/core/CMakeLists.txt", "target_link_libraries(cairn_core PUBLIC cairn::trace)", "links cairn::trace"),
    ("collectives/CMakeLists.txt", "target_link_libraries(c PUBLIC hdf5::hdf5)", "needs MPI and nothing else"),
    ("ckpt/src/store.cpp", "static MPI_Comm all = MPI_COMM_WORLD;", "names MPI_COMM_WORLD"),
    ("ckpt/src/store.cpp", 'static void f() { std::cerr << "x"; }', "prints (std::cerr)"),
    ("lib/mapreduce/src/shuffle.cpp", 'static void f() { std::printf("x"); }', "prints (std::printf)"),
    ("lib/trace/src/trace.cpp", 'static void f() { std::fprintf(stderr, "x"); }', "prints (std::fprintf)"),
    ("lib/program/src/log.cpp", "static void f() { std::exit(1); }", "calls std::exit()"),
]
# Must not be mistaken for violations.
HARMLESS = [
    ("ckpt/src/store.cpp", '// MPI_COMM_WORLD and std::cerr in a comment, printf("x")'),
    ("ckpt/src/store.cpp", 'static int f(char* b) { return std::snprintf(b, 1, "std::cout"); }'),
]


def self_test():
    missed = []
    with tempfile.TemporaryDirectory(prefix="cairn-layers-") as scratch:
        copy = pathlib.Path(scratch)
        for folder in TOWER.values():
            if (HERE / folder).is_dir():
                shutil.copytree(HERE / folder, copy / folder)
        before = set(violations(copy))

        def found_by(file, line):
            path = copy / file
            original = path.read_text()
            path.write_text(original + line + "\n")
            found = set(violations(copy)) - before
            path.write_text(original)
            return found

        for file, line, expected in PLANTED:
            found = found_by(file, line)
            if not any(said.startswith(file + ":") and expected in said for said in found):
                missed.append(f"planted in {file}: {line}\n  found: {found or 'nothing'}")
        for file, line in HARMLESS:
            if found := found_by(file, line):
                missed.append(f"harmless in {file}: {line}\n  found: {found}")
    print("\n".join(missed) or f"{len(PLANTED)} planted violations found, {len(HARMLESS)} harmless lines passed")
    return 1 if missed else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    found = list(violations(pathlib.Path(sys.argv[1]) if sys.argv[1:] else HERE))
    print("\n".join(found) or "every arrow goes down")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
