#!/usr/bin/env bash
# The main job, end to end, on a bare Debian 12: installs what is missing, builds, then runs
# the heat equation on 4 ranks through two real crashes, and compares every bit with a run that nobody
# disturbed. Counts words, and checks the totals with coreutils. Leaves pictures in demo-out/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export LC_ALL=C

steps=4000
bin=build/release/bin
out=demo-out

die() {
  printf 'demo.sh: %s\n' "$*" >&2
  exit 1
}
say() { printf '%s\n' "$*"; }
heading() { printf '\n%s\n' "$*"; }

build() {
  scripts/setup.sh --build-only
  [[ -e build/release/build.ninja ]] || cmake --preset release >/dev/null
  local quiet=(--quiet)
  [[ ! -t 1 ]] || quiet=() # ninja's one status line
  cmake --build build/release -j2 -- "${quiet[@]}"
}

# What Open MPI needs as root, with more ranks than cores.
mpi_environment() {
  set -a
  # shellcheck source=/dev/null
  source tests/support/mpi.env
  set +a
  [[ -z ${SLURM_JOB_ID:-} ]] || unset OMPI_MCA_plm
  timeout 2 getent hosts "$(uname -n)" >/dev/null || printf '%s\n' "demo.sh: this machine's own name, $(uname -n)," \
    "does not resolve, so every start of MPI takes seconds and may fail; add '127.0.0.1 $(uname -n)' to /etc/hosts" >&2
}

# heat NAME: the options of one heat run; its results are called NAME.
heat() {
  heat_options=(--size 1024 --steps "$steps" --initial sine --norm-every $((steps / 20)) --quiet
    --result "$out/$1.json")
}

# Rank 2 dies in the first launch; in the second rank 1, while its second epoch is being written.
disturbed_run() {
  local kill_step=$((steps * 3 / 8))
  heat heat
  CAIRN_FAILPOINTS="heat.step=kill,rank=2,hit=$kill_step,launch=0; ckpt.data.sync=kill,rank=1,hit=2,launch=1" \
    "$bin/cairn" run -n 4 --restart-ranks 4,3 --report "$out" --report-picture "$out/heat.png" -- \
    "$bin/cairn-heat" "${heat_options[@]}" --threads 1 --ckpt-dir "$out/epochs" --ckpt-every $((steps / 10)) \
    --picture "$out/heat.png" --output "$out/heat.h5" >"$out/heat.txt" 2>"$out/heat.log" || {
    tail -n 15 "$out/heat.log" >&2
    die "the disturbed run failed"
  }
  grep '^cairn run:' "$out/heat.log" | grep -v 'the report is' | sed 's/^/  /'
  [[ $(grep -c 'restart [12] of' "$out/heat.log") -eq 2 ]] || die "expected two crashes, see $out/heat.log"
}

undisturbed_run() {
  heat undisturbed
  mpirun -n 1 "$bin/cairn-heat" "${heat_options[@]}" --threads "$(nproc)" >"$out/undisturbed.txt"
}

# member FILE NAME: the value of "NAME" in a JSON result, without quotes.
member() { sed -n "s/^ *\"$2\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}$/\1/p" "$1" | head -n 1; }

# Every norm that any launch printed, also of steps that were computed twice, against the undisturbed
# run's; and the digests of the final fields.
compare_bits() {
  local norms digests
  norms=$(grep -c '^step ' "$out/undisturbed.txt")
  digests="$(member "$out/heat.json" digest) $(member "$out/undisturbed.json" digest)"
  say "  field on 3 ranks after 2 restarts  ${digests% *}"
  say "  field on 1 rank, undisturbed       ${digests#* }"
  [[ -n ${digests% *} && ${digests% *} == "${digests#* }" ]] || die "DIFFERENT: the final fields differ"
  diff <(grep '^step ' "$out/heat.txt" | sort -u) <(grep '^step ' "$out/undisturbed.txt" | sort -u) >&2 ||
    die "DIFFERENT: the norms above differ"
  [[ $norms -eq 20 ]] || die "expected 20 lines of norms, found $norms"
  say "  IDENTICAL: every bit of the field, and all $norms lines of norms"
  say "  error against the closed form: $(member "$out/heat.json" error_max) at most"
}

text_folders() {
  local folder
  for folder in /usr/share/doc /usr/share/common-licenses; do
    [[ ! -d $folder ]] || printf '%s\n' "$folder"
  done
}

# The text of all files as cairn-wordcount defines it: gzip unpacked, other compressed files left out,
# symbolic links not followed, the end of a file ends a word.
all_text() {
  local file magic
  find "$@" -type f -size +0 -print0 | while IFS= read -r -d '' file; do
    magic=
    IFS= read -r -d '' -n 6 magic <"$file" || true
    case $magic in
      $'\x1f\x8b\x08'*) zcat <"$file" ;;
      $'\xfd7zXZ' | $'\xfd7zXZ'* | BZh[1-9]* | $'\x28\xb5\x2f\xfd'*) ;;
      *) cat -- "$file" ;;
    esac
    echo
  done
}

word_count() {
  local folders
  mapfile -t folders < <(text_folders)
  mpirun -n 2 "$bin/cairn-wordcount" "${folders[@]}" --top 5 --output "$out/counts.tsv" \
    --result "$out/wordcount.json" >"$out/wordcount.txt" 2>"$out/wordcount.log" || {
    tail -n 15 "$out/wordcount.log" >&2
    die "the word count failed"
  }
  sed 's/^cairn-wordcount: /  /' "$out/wordcount.log"
  say "  most frequent: $(tr '\t\n' ' ,' <"$out/wordcount.txt" | sed 's/,$//; s/,/, /g')"
}

check_words() {
  local folders tokens distinct counter
  mapfile -t folders < <(text_folders)
  exec 3> >(wc -l >"$out/.tokens")
  counter=$!
  distinct=$(all_text "${folders[@]}" | tr -s ' \t\n\v\f\r' '\n' | grep -av '^$' | tee /dev/fd/3 |
    sort -u --buffer-size=25% | wc -l)
  exec 3>&-
  wait "$counter"
  tokens=$(<"$out/.tokens")
  rm "$out/.tokens"
  say "  coreutils:     $tokens tokens, $distinct distinct"
  [[ $tokens == "$(member "$out/wordcount.json" tokens)" &&
    $distinct == "$(member "$out/wordcount.json" distinct)" ]] || die "DIFFERENT: the word counts differ"
  say "  IDENTICAL"
}

show_places() {
  local file
  for file in "$out"/{heat.png,heat.h5,heat.xdmf,trace.json,report.html,counts.tsv,heat.json}; do
    [[ -s $file ]] || die "$file was not made"
  done
  say "  demo-out/report.html   what happened: ranks, epochs, both kills, restarts (any browser)"
  say "  demo-out/trace.json    the same as a timeline (ui.perfetto.dev or chrome://tracing)"
  say "  demo-out/heat.png      the final field; heat.xdmf (ParaView, reader \"Xdmf3 Reader S\"), heat.h5 (h5dump)"
  say "  demo-out/counts.tsv    every word and its count"
  say "  demo-out/*.json        results: heat, undisturbed, wordcount"
}

start=$SECONDS
say "Installing what is missing, building"
build
say "  ready after $((SECONDS - start)) s"
mpi_environment
rm -rf "$out"
mkdir -p "$out"

heading "Heat equation, 1024 x 1024, $steps steps: 4 ranks, SIGKILL for rank 2 mid-run, then for rank 1 in an epoch"
disturbed_run
heading "The same problem on 1 rank, undisturbed"
undisturbed_run
compare_bits
heading "Word count over $(text_folders | paste -sd ' ')"
word_count
check_words
heading "Look at"
show_places
say "Done in $((SECONDS - start)) s"
