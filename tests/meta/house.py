"""Checks that the house is in order: versions, the shape of the modules, the top level, and that the documents speak
of what exists.  house.py CHECK, with CHECK one of the functions below."""

import pathlib
import re
import subprocess
import sys

from layers import HERE, ORDER, TOWER

PROBLEMS = []


def expect(holds, message):
    if not holds:
        PROBLEMS.append(message)


def read(name):
    path = HERE / name
    if not path.is_file():
        PROBLEMS.append(f"{name} is missing")
        return ""
    return path.read_text()


def tracked_files():
    """The files of the project: git's list, or in an unpacked archive every file outside build folders."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=HERE,
                            capture_output=True, text=True, timeout=30)
    if listed.returncode == 0:
        return [name for name in listed.stdout.splitlines() if (HERE / name).is_file()]
    outside = ("build", "demo-out", ".git")
    return [str(path.relative_to(HERE)) for path in HERE.rglob("*")
            if path.is_file() and path.relative_to(HERE).parts[0] not in outside]


def first_match(pattern, name):
    match = re.search(pattern, read(name), re.MULTILINE)
    return match[1] if match else f"no match in {name}"


def versions():
    """One version in CMake, the header, CITATION.cff and the newest entry of the change log."""
    cmake = first_match(r"^project\(cairn VERSION (\S+)", "CMakeLists.txt")
    found = {
        "lib/core/include/cairn/core/version.hpp":
            first_match(r'string_view version = "(.+)";', "lib/core/include/cairn/core/version.hpp"),
        "CITATION.cff": first_match(r'^version: "?([^"\n]+)', "CITATION.cff"),
        "CHANGELOG.md": first_match(r"^## \[(.+?)\]", "CHANGELOG.md"),
    }
    for name, version in found.items():
        expect(version == cmake, f"{name} says version {version}, CMakeLists.txt says {cmake}")
    expect(re.fullmatch(r"\d+\.\d+\.\d+", cmake), f"CMakeLists.txt: {cmake}")


def modules():
    """Every module has the same shape: README, CMakeLists with one call, headers under its own name."""
    for module, folder in TOWER.items():
        if not (HERE / folder).is_dir():
            continue
        calls = re.findall(r"\bcairn_add_library\(\s*NAME (\w+)", read(f"{folder}/CMakeLists.txt"))
        expect(calls == [module], f"{folder}/CMakeLists.txt makes {calls}, not just {module}")
        expect(len(read(f"{folder}/README.md")) > 400, f"{folder}/README.md says hardly anything")
        expect(list((HERE / folder / "include/cairn" / module).glob("*.hpp")),
               f"{folder}/include/cairn/{module} has no header")
        others = [path.name for path in (HERE / folder / "include/cairn").glob("*") if path.name != module]
        expect(not others, f"{folder}/include/cairn has also {others}")
        for header in (HERE / folder / "include/cairn" / module).glob("*.hpp"):
            expect(re.search(rf"\b{re.escape(header.name)}\b", read(f"{folder}/CMakeLists.txt")),
                   f"{folder}/CMakeLists.txt does not list {header.name}: it would not be installed")
    unknown = {path.name for path in (HERE / "lib").iterdir() if path.is_dir()} - set(ORDER)
    expect(not unknown, f"lib/ has folders that the tower does not know: {unknown}")


def top_level():
    """Only the folders of ARCHITECTURE.md stand at the top, and no source file is a long one."""
    architecture = read("ARCHITECTURE.md")
    files = tracked_files()
    for folder in sorted({name.split("/")[0] for name in files if "/" in name}):
        expect(f"{folder}/" in architecture, f"ARCHITECTURE.md does not know the folder {folder}/")
    for name in files:
        if name.endswith((".hpp", ".cpp", ".py", ".sh")):
            lines = (HERE / name).read_text().count("\n")
            if lines > 400:
                print(f"warning: {name} has {lines} lines; a file has one main thing")


PATH_IN_TEXT = re.compile(r"(?<![\w/.])(?:scripts|cmake|lib|apps|collectives|ckpt|slurm|tests|\.ci)/[\w./-]*\w")


def documents():
    """Links and paths in the documents lead somewhere, snippets equal the files that they show."""
    programs = set()
    for name in tracked_files():
        if name.endswith("CMakeLists.txt"):
            programs |= set(re.findall(r"cairn_add_program\(\s*NAME ([\w-]+)", read(name)))
    for name in tracked_files():
        if not name.endswith(".md"):
            continue
        folder = (HERE / name).parent
        text = read(name)
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            expect("://" in link or link.startswith("mailto:") or (folder / link).exists(), f"{name} links to {link}")
        if name in ("ARCHITECTURE.md", "CHANGELOG.md"):
            continue  # they also speak of what is planned, and of what was
        for path in PATH_IN_TEXT.findall(" ".join(re.findall(r"`([^`\n]+)`", text))):
            expect((HERE / path).exists() or (folder / path).exists(), f"{name} mentions {path}")
        for program in re.findall(r"\bcairn-(?:heat|cg|wordcount|terasort|uts|queens|mandelbrot|bench)\b", text):
            expect(program in programs, f"{name} mentions the program {program}, which no CMakeLists.txt makes")
        for path, shown in re.findall(r"<!-- the whole of (\S+) -->\n```\w*\n(.*?)```", text, re.DOTALL):
            expect(shown == read(path), f"{name} shows {path} as it is not")
    expect("<!-- the whole of apps/examples/01_hello.cpp -->" in read("README.md"),
           "README.md does not show apps/examples/01_hello.cpp")


CHECKS = {check.__name__: check for check in (versions, modules, top_level, documents)}

if __name__ == "__main__":
    CHECKS[sys.argv[1]]()
    print("\n".join(PROBLEMS) or f"{sys.argv[1]}: in order")
    sys.exit(1 if PROBLEMS else 0)
