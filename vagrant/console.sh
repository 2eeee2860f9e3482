# SPDX-License-Identifier: Apache-2.0
# What the shell scripts say to people: step headings with elapsed time, errors, logged commands.
# Sourced, never run. Colour only where standard output is a terminal.
# shellcheck shell=bash

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  bold=$'\e[1m' red=$'\e[31m' dim=$'\e[2m' plain=$'\e[0m'
else
  bold='' red='' dim='' plain=''
fi

# Scripts that call each other count from when the first began.
: "${STEM_BEGAN:=$EPOCHSECONDS}"
export STEM_BEGAN

# heading TEXT: the start of a step, with the seconds since the beginning.
heading() { printf '%s[%4ds] %s%s\n' "$bold" $((EPOCHSECONDS - STEM_BEGAN)) "$*" "$plain"; }

note() { printf '        %s\n' "$*"; }

die() {
  printf '%s%s: %s%s\n' "$red" "${0##*/}" "$*" "$plain" >&2
  exit 1
}

usage_error() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 2
}

need_root() { [[ $EUID -eq 0 ]] || die "$1 needs root: run it with sudo"; }

# progress PID LOG: while PID lives, shows the last line of LOG on a terminal, and elsewhere one
# line every half minute, so that a long step never looks dead.
progress() {
  local pid=$1 log=$2 told=$EPOCHSECONDS width line
  width=$(tput cols 2>/dev/null || echo 100)
  while kill -0 "$pid" 2>/dev/null; do
    line=$(tail -n 1 "$log" 2>/dev/null | tr -d '\r\033' | cut -c "1-$((width - 10))")
    if [[ -t 1 ]]; then
      printf '\r\e[K        %s%s%s' "$dim" "$line" "$plain"
    elif ((EPOCHSECONDS - told >= 30)); then
      told=$EPOCHSECONDS
      heading "... $line"
    fi
    sleep 0.5
  done
  if [[ -t 1 ]]; then printf '\r\e[K'; fi
}

# logged LOG COMMAND...: runs COMMAND with its output in LOG. On failure shows the end of the log,
# says where all of it is, and returns the command's status.
logged() {
  local log=$1 status=0
  shift
  mkdir -p "${log%/*}"
  "$@" >"$log" 2>&1 </dev/null &
  local pid=$!
  progress "$pid" "$log"
  wait "$pid" || status=$?
  if ((status != 0)); then
    printf '%sfailed (%d): %s%s\n' "$red" "$status" "$*" "$plain" >&2
    tail -n "${LOG_TAIL:-40}" "$log" | sed 's/^/    /' >&2
    printf 'all of it: %s\n' "$log" >&2
  fi
  return "$status"
}
