#!/usr/bin/env bash
# Installs what is missing, builds the dev preset and runs the tests; ctest's summary ends the output.
#
#   scripts/test.sh [--long] [ctest arguments…]      for example: scripts/test.sh -R collectives
#
# --long also runs the tests labelled "long", and sets CAIRN_TEST_LONG=1, which makes the seeded
# short forms run every case, and gives all of them thirty times as long. It takes many hours.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

selection=(--label-exclude '^long$')
patience=1
if [[ ${1:-} == --long ]]; then
  shift
  selection=()
  patience=30
  export CAIRN_TEST_LONG=1
fi

scripts/setup.sh
cmake --preset dev -DCAIRN_TEST_PATIENCE=$patience >/dev/null
cmake --build build/dev -j2 --target all all_verify_interface_header_sets -- --quiet
exec ctest --preset dev "${selection[@]}" "$@"
