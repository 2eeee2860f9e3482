#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All tests, or the kinds named, after setting up and building what they need. Without a name: all but
# tidy, which takes longer than the others together. Ends with one line "N passed, N failed, N skipped"
# and exits 1 when anything failed.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
# shellcheck source=vagrant/console.sh
source vagrant/console.sh

kinds=("$@")
((${#kinds[@]} > 0)) || kinds=(style unit threads bpf kernels e2e)
for kind in "${kinds[@]}"; do
  [[ " style tidy unit threads bpf kernels e2e " == *" $kind "* ]] ||
    usage_error "no kind of test '$kind': style tidy unit threads bpf kernels e2e"
done

readonly programs=(stem-agent stem-sm stemctl)
need_root "./run test"
vagrant/setup.sh --quiet
readonly results=$root/build/test-results
rm -rf "$results"
mkdir -p "$results"

# check NAME COMMAND...: one pass or fail, with the command's output on the terminal.
check() {
  local name=$1 result=passed
  shift
  "$@" || result=failed
  echo "$result" >"$results/$name.check"
}

# must_exist REPORT: a kind of test that left no report did not run, and that is a failure.
must_exist() { [[ -s $1 ]] || echo failed >"$1.missing.check"; }

# run_ctest KIND PRESET ARGUMENT...: the ctest tests selected by ARGUMENTs, with per-test reports.
run_ctest() {
  local kind=$1 preset=$2
  shift 2
  mkdir -p "$results/$kind.gtest"
  heading "Tests: $kind ($preset)"
  # Failures are counted by the tally; here they are only shown.
  GTEST_OUTPUT="xml:$results/$kind.gtest/" \
    LOG_TAIL=150 logged "$root/build/log/test-$kind.log" \
    ctest --test-dir "build/$preset" --output-on-failure --no-tests=error \
    --output-junit "$results/$kind.ctest.xml" "$@" || true
  must_exist "$results/$kind.ctest.xml"
}

for kind in "${kinds[@]}"; do
  case $kind in
    style)
      heading "Layout of the sources"
      check format tests/style/format.sh
      ;;
    unit)
      ./run build asan-ubsan unit_tests
      run_ctest unit asan-ubsan --label-regex 'unit|peers' --parallel 2
      ;;
    threads)
      ./run build tsan threaded_tests
      run_ctest threads tsan --label-regex threads --parallel 2
      ;;
    bpf)
      ./run build release bpf_test stem-bench
      run_ctest bpf release --label-regex bpf
      ;;
    kernels)
      ./run build release bpf_test "${programs[@]}"
      heading "Tests: on Debian's other kernels, in emulated machines"
      tests/kernels/run.py "$results/kernels.junit.xml" || true
      must_exist "$results/kernels.junit.xml"
      ;;
    tidy)
      ./run build release "${programs[@]}"
      heading "clang-tidy"
      check tidy /usr/bin/python3 tests/style/tidy.py
      ;;
    e2e)
      ./run build release "${programs[@]}"
      heading "Tests: end to end, in the lab"
      /usr/bin/python3 -m pytest tests/e2e --junit-xml="$results/e2e.pytest.xml" || true
      must_exist "$results/e2e.pytest.xml"
      ;;
  esac
done

heading "Results"
exec /usr/bin/python3 tests/tally.py "$results"
