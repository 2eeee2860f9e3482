#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Layout of the sources: checks it, or mends it with --fix.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

case ${1:-} in
  --fix) clang_mode=(-i) black_mode=() ;;
  '') clang_mode=(--dry-run --Werror) black_mode=(--check) ;;
  *)
    echo "usage: ./run format [--fix]" >&2
    exit 2
    ;;
esac
find agent bpf common ctl sm tests -name '*.h' -o -name '*.c' -o -name '*.cc' | sort | xargs clang-format "${clang_mode[@]}"
black --quiet --line-length 100 "${black_mode[@]}" tests vagrant
if [[ ${1:-} == --fix ]]; then exit; fi
find run .ci vagrant tests -type f -exec grep -lE '^#!/usr/bin/env bash' {} + | sort |
  xargs shellcheck -x
