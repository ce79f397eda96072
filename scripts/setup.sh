#!/usr/bin/env bash
# Installs what building, running and testing Cairn needs and this machine lacks: Debian 12 or a
# like Ubuntu, as root or with sudo. Does nothing, quickly, when all of it is there.
#
#   scripts/setup.sh                 everything, the tests' tools included
#   scripts/setup.sh --build-only    what building and running needs
set -euo pipefail

# One package a line, with its reason.
build_packages="
  g++                           # C++20, OpenMP, the sanitizers' run-time libraries
  cmake                         # 3.25 or newer
  ninja-build                   # the generator of the presets
  ccache                        # a second build tree costs seconds instead of minutes
  pkg-config                    # finds ISA-L, LZ4, libsodium, xxHash and zstd
  openmpi-bin                   # mpirun
  libopenmpi-dev                # MPI
  libhdf5-openmpi-dev           # checkpoint files and results (parallel build)
  hdf5-tools                    # h5dump, an independent reader
  libboost-program-options-dev  # options of the programs
  libisal-dev                   # CRC-32C of checkpoint blocks, at memory speed
  libsodium-dev                 # encryption of checkpoints, tags of connections
  libzstd-dev                   # compression of checkpoints, and its HDF5 filter
  liblz4-dev                    # the same, with LZ4
  libxxhash-dev                 # digests of results, hashes of words
  zlib1g-dev                    # reads compressed text
  libpng-dev                    # pictures
  nlohmann-json3-dev            # result files, reports
  libeigen3-dev                 # linear algebra inside a rank, the baseline of benchmarks
  libspdlog-dev                 # log of the programs
  libfmt-dev                    # text formatting (g++ 12 has no std::format)
"
test_packages="
  lld                           # links the tests in a quarter of the time
  doctest-dev                   # unit tests
  librandom123-dev              # known answers of Philox, from its authors
  python3                       # tests of processes: kills, signals, exit codes
  python3-h5py                  # an independent reader of checkpoints
  hdf5-filter-plugin            # an independent LZ4 filter for h5py and h5dump
  python3-numpy                 # the same, for the numbers in them
  libxdmf-dev                   # an independent reader of exported XDMF
  libxml2-dev                   # headers that those of libxdmf-dev include
  xxhash                        # xxhsum, an independent digest
  valgrind                      # memcheck on the tests of collectives
  shellcheck                    # checks the shell scripts
  clang-format                  # checks the layout of the C++ files
  clang-tidy                    # checks the C++ code
  slurmctld                     # a real Slurm of one machine for tests/slurm:
  slurmd                        #   its node daemon,
  slurm-client                  #   sbatch and friends,
  slurm-wlm-basic-plugins       #   its plugins,
  munge                         #   and its authentication
  iproute2                      # networks between the tests' virtual machines
  time                          # peak memory in the memory tests
"

die() {
  echo "setup.sh: $*" >&2
  exit 1
}

case "${1:-}" in
  --build-only) wanted=$build_packages ;;
  "" | --all) wanted="$build_packages$test_packages" ;;
  *) die "unknown option '$1'; usage: scripts/setup.sh [--build-only | --all]" ;;
esac

mapfile -t packages < <(grep --only-matching '^ *[^ #]\+' <<<"$wanted" | tr -d ' ')

missing_packages() {
  comm -23 <(printf '%s\n' "${packages[@]}" | sort -u) <(installed_packages | sort -u)
}
installed_packages() {
  # dpkg-query fails when one of them is unknown, and still lists the others.
  dpkg-query --show --showformat='${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null |
    sed -n 's/ installed$//p' || true
}

command -v dpkg-query apt-get >/dev/null || die "needs apt (Debian or Ubuntu); elsewhere install:" \
  "$(printf '\n  %s' "${packages[@]}")"
mapfile -t missing < <(missing_packages)
[[ ${#missing[@]} -gt 0 ]] || exit 0

as_root=()
if [[ $(id -u) -ne 0 ]]; then
  command -v sudo >/dev/null ||
    die "${#missing[@]} packages are missing and this is neither root nor is sudo here; as root run:" \
      "apt-get install --no-install-recommends ${missing[*]}"
  as_root=(sudo)
fi

# The tests start Slurm and munge themselves, from private folders; the system's own must not start.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null
  "${as_root[@]}" chmod 755 $policy
  trap '"${as_root[@]}" rm -f $policy' EXIT
fi

apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 "$@"; }
install_missing() { apt -qq update && apt -qq -y --no-install-recommends install "${missing[@]}"; }

echo "setup.sh: installing ${#missing[@]} packages: ${missing[*]}" >&2
log=$(mktemp)
if ! install_missing >"$log" 2>&1; then
  echo "setup.sh: apt failed, once more in 10 seconds" >&2
  sleep 10
  install_missing >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    die "apt could not install the packages; the log is $log"
  }
fi
rm -f "$log"
mapfile -t missing < <(missing_packages)
[[ ${#missing[@]} -eq 0 ]] || die "still missing after the installation: ${missing[*]}"
