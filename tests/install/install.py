"""Installs a build tree into a temporary prefix and uses it as strangers would: find_package, add_subdirectory,
pkg-config. Arguments: cmake, the build tree, the source tree, the C++ compiler, mpirun."""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

CMAKE, BUILD, SOURCE, COMPILER, MPIRUN = sys.argv[1:]
EMBED = pathlib.Path(SOURCE, "apps/examples/embed")
# Everything that Cairn may look for beyond MPI and threads.
HIDDEN = [f"-DCMAKE_DISABLE_FIND_PACKAGE_{name}=ON"
          for name in ("HDF5", "OpenMP", "PkgConfig", "ZLIB", "PNG", "Boost", "nlohmann_json", "spdlog", "fmt",
                       "doctest", "Python3")]


def run(*command, expect_success=True, **environment):
    """Output of the command; ends the test unless it succeeds (or fails, where that is expected)."""
    ended = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=200,
                           env={**os.environ, **environment})
    if (ended.returncode == 0) != expect_success:
        sys.exit(f"{shlex.join(map(str, command))}\nended with {ended.returncode}\n{ended.stdout}\n{ended.stderr}")
    return ended.stdout + ended.stderr


def check(holds, message):
    if not holds:
        sys.exit(f"FAILED: {message}")


def configure(source, build, *options, expect_success=True):
    return run(CMAKE, "-G", "Ninja", "-S", source, "-B", build, f"-DCMAKE_CXX_COMPILER={COMPILER}", *options,
               expect_success=expect_success)


def embed(folder, *options):
    """Builds the example project and returns what it prints on 3 ranks; it must print the same on 1."""
    configure(EMBED, folder, *options)
    run(CMAKE, "--build", folder, "-j2")
    outputs = {ranks: run(MPIRUN, "-n", ranks, folder / "rms") for ranks in (1, 3)}
    check("333334 values" in outputs[3], f"3 ranks share the values: {outputs[3]}")
    first_words = {output.split(",")[0] for output in outputs.values()}
    check(len(first_words) == 1 and "rms 0x1" in outputs[3], f"the sum does not depend on the ranks: {outputs}")
    return outputs[3]


def find_package(folder, prefix, request, *options, languages="C CXX", expect_success=True):
    """Configures a project that is nothing but find_package(cairn <request>) and a program linking cairn::cairn."""
    folder.mkdir()
    (folder / "main.cpp").write_text("int main() {}\n")
    (folder / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.25)\nproject(p LANGUAGES {languages})\n"
        f"find_package(cairn {request})\nadd_executable(p main.cpp)\ntarget_link_libraries(p PRIVATE cairn::cairn)\n")
    output = configure(folder, folder / "build", f"-DCMAKE_PREFIX_PATH={prefix}", *options,
                       expect_success=expect_success)
    if expect_success:
        run(CMAKE, "--build", folder / "build")
    return " ".join(output.split())


def pkg_config(scratch, prefix):
    path = str(next(prefix.rglob("cairn.pc")).parent)
    flags = run("pkg-config", "--cflags", "--libs", "cairn", PKG_CONFIG_PATH=path).split()
    program = scratch / "with_ckpt"
    run(COMPILER, "-std=c++20", pathlib.Path(SOURCE, "tests/install/with_ckpt.cpp"), "-o", program, *flags)
    output = run(MPIRUN, "-n", 3, program, scratch / "epochs")
    check("restored step 7" in output, output)


def main(scratch):
    prefix = scratch / "prefix"
    run(CMAKE, "--install", BUILD, "--prefix", prefix)
    for exported in prefix.rglob("cairn-*.cmake"):
        text = exported.read_text()
        check("cairn_build_flags" not in text and "-Werror" not in text, f"{exported} exports the build's own flags")
        check(SOURCE not in text and BUILD not in text, f"{exported} names the build's folders")

    installed = embed(scratch / "installed", f"-DCMAKE_PREFIX_PATH={prefix}", *HIDDEN)
    along = embed(scratch / "along", f"-DCAIRN_SOURCE_DIR={SOURCE}", *HIDDEN)
    check(installed == along, f"both ways print the same: {installed} {along}")

    find_package(scratch / "all", prefix, "REQUIRED")
    find_package(scratch / "all-without-c", prefix, "REQUIRED", languages="CXX")
    find_package(scratch / "version", prefix, "0.1 REQUIRED COMPONENTS core trace")
    said = find_package(scratch / "newer", prefix, "0.2 REQUIRED", expect_success=False)
    check("0.1" in said, said)
    said = find_package(scratch / "unknown", prefix, "REQUIRED COMPONENTS collectivs", expect_success=False)
    check("no component 'collectivs'" in said and "collectives" in said, said)
    said = find_package(scratch / "hidden", prefix, "REQUIRED COMPONENTS ckpt", "-DCMAKE_DISABLE_FIND_PACKAGE_HDF5=ON",
                        expect_success=False)
    check("'ckpt' needs the parallel build of HDF5" in said, said)

    pkg_config(scratch, prefix)


if __name__ == "__main__":
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="cairn-install-"))
    try:
        main(scratch)
    finally:
        shutil.rmtree(scratch)
