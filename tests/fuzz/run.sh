#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the fuzzers with clang under ASan and UBSan and runs each for SECONDS (default 60).
# Inputs that break something stay in build/fuzz/found; the exit status is 1 if there are any.
set -eu
seconds=${1:-60}
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${STEM_FUZZ_BUILD:-$root/build/fuzz}
corpora=${STEM_CORPORA:-$root/../shared/corpora}

mkdir -p "$build/found"
cmake -G Ninja -S "$here" -B "$build" -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ \
  >"$build/configure.log" 2>&1 || {
  cat "$build/configure.log"
  exit 1
}
cmake --build "$build" -j2
if [ -d "$corpora" ]; then
  "$here/make_seeds.py" "$build/seeds" "$corpora"
else
  "$here/make_seeds.py" "$build/seeds"
fi
"$build/packet_seeds" "$build/seeds"

status=0
for target in call_monitor session_description pipeline fragments ip_packet; do
  case $target in
    call_monitor | session_description) set -- -max_len=16384 -dict="$here/sip.dict" ;;
    *) set -- -max_len=4096 ;; # a script of packets, or one
  esac
  mkdir -p "$build/corpus/$target"
  echo "fuzzing $target for $seconds s"
  "$build/fuzz_$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=2048 "$@" \
    -artifact_prefix="$build/found/$target-" -print_final_stats=1 \
    "$build/corpus/$target" "$build/seeds/$target" >"$build/$target.log" 2>&1 || status=1
  grep -E '^(stat::number_of_executed_units|stat::average|SUMMARY|does not hold|#[0-9]+.*DONE)' \
    "$build/$target.log" || tail -n 20 "$build/$target.log"
done
exit $status
