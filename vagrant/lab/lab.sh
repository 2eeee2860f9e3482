#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Labs: three network namespaces each, outside - firewall - inside, as topology.conf describes.
# Several live side by side under different names. See docs/lab.md.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=vagrant/console.sh
source "$here/../console.sh"
# shellcheck source=vagrant/lab/topology.conf
source "$here/topology.conf"

readonly roles=(outside firewall inside)
readonly pins=/sys/fs/bpf/stem
readonly state=/run/stem

usage() {
  cat <<'USAGE'
usage: ./run lab COMMAND

  up [NAME]                   make a lab (default name: lab)
  down [NAME]                 remove it: processes, namespaces, pins, state
  status [NAME]               what is in it
  shell HOST [NAME] [COMMAND...]
                              a shell, or COMMAND, on HOST: outside, firewall or inside
  list                        all labs
  reap                        remove the labs whose owner (a test run) is dead
USAGE
}

# Fails unless $1 can be part of a namespace's name, a directory's and a socket's path.
check_name() {
  [[ $1 =~ ^[a-z0-9][a-z0-9-]{0,31}$ ]] ||
    usage_error "'$1' is no lab name: 1 to 32 of a-z, 0-9 and -, not starting with -"
}

namespace() { printf 'stem-%s-%s' "$lab" "$1"; }

# on ROLE COMMAND...: runs COMMAND in the namespace, with the host's mounts: unlike `ip netns exec`
# this leaves /sys/fs/bpf visible.
on() {
  local role=$1
  shift
  nsenter --net="/run/netns/$(namespace "$role")" -- "$@"
}

# Start time of process $1 in clock ticks since boot, empty when it is dead. With the pid it names
# one process for ever, whoever gets the number next.
start_time() {
  local stat fields
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  # The command's name, in parentheses, may hold blanks: count fields after the last ')'.
  read -r -a fields <<<"${stat##*) }"
  [[ ${fields[0]} != Z ]] || return 0 # a zombie owns nothing
  printf '%s' "${fields[19]}"
}

# A lab is there when it left any trace: an owner file or a namespace.
exists() {
  local role
  [[ -e $state/$lab/owner ]] && return 0
  for role in "${roles[@]}"; do
    [[ -e /run/netns/$(namespace "$role") ]] && return 0
  done
  return 1
}

# Building and removing labs is done by one process at a time: a test run that starts, and the guard
# of one that died, may want to remove the same lab.
one_at_a_time() {
  mkdir -p /run/lock
  exec 9>/run/lock/stem-lab
  flock 9
}

mount_bpffs() {
  [[ $(stat -f -c %T /sys/fs/bpf) == bpf_fs ]] || mount -t bpf bpf /sys/fs/bpf
}

# Forwarding, no filters of the kernel's own; link-local addresses are usable at once: without this, neighbour solicitations of the first
# second have no source address to leave from.
prepare_namespace() {
  ip netns add "$(namespace "$1")"
  # shellcheck disable=SC2016  # $1 is for the inner shell
  on "$1" bash -c '
    set -eu
    cd /proc/sys/net
    for scope in all default; do
      echo 0 >ipv6/conf/$scope/accept_dad
      echo 0 >ipv6/conf/$scope/dad_transmits
      echo 0 >ipv6/conf/$scope/accept_ra
      echo 0 >ipv4/conf/$scope/rp_filter
      echo 0 >ipv4/conf/$scope/send_redirects
    done
    if [[ $1 == firewall ]]; then
      echo 1 >ipv4/ip_forward
      echo 1 >ipv6/conf/all/forwarding
    fi' bash "$1"
  ip -n "$(namespace "$1")" link set lo up
}

# side ROLE HOST...: the end hosts of one side: addresses, default routes.
side() {
  local role=$1 gateway4 gateway6 host name
  shift
  name=FIREWALL_${role^^}4 gateway4=${!name}
  name=FIREWALL_${role^^}6 gateway6=${!name}
  ip link add eth0 netns "$(namespace "$role")" numrxqueues "$QUEUES" numtxqueues "$QUEUES" \
    type veth \
    peer name "${role}0" netns "$(namespace firewall)" numrxqueues "$QUEUES" numtxqueues "$QUEUES"
  # Links first: addresses added to a link that is not up yet answer nobody for up to a second.
  ip -n "$(namespace firewall)" link set "${role}0" up
  ip -n "$(namespace "$role")" link set eth0 up
  {
    for host in "$@"; do
      name=${host}4
      echo "address add ${!name}/$BITS4 dev eth0"
      name=${host}6
      echo "address add ${!name}/$BITS6 dev eth0 nodad"
    done
    echo "route add default via $gateway4"
  } | ip -n "$(namespace "$role")" -batch -
  {
    echo "address add $gateway4/$BITS4 dev ${role}0"
    echo "address add $gateway6/$BITS6 dev ${role}0 nodad"
  } | ip -n "$(namespace firewall)" -batch -
  ip -n "$(namespace "$role")" -6 route add default via "$gateway6"
  # A frame redirected by XDP into a veth is lost unless the other end takes frames by NAPI, which
  # GRO switches on; and a checksum left to an offload that is not there would never be completed.
  on "$role" ethtool -K eth0 gro on tx off >/dev/null
}

lab_up() {
  local owner=${STEM_LAB_OWNER:-} other
  if [[ -e $state/$lab/up ]]; then
    read -r other _ <"$state/$lab/owner"
    [[ -z $owner && $other == nobody ]] ||
      die "lab '$lab' exists already (owner: $other): ./run lab down $lab"
    note "lab '$lab' is up already"
    return
  fi
  if exists; then remove; fi
  mount_bpffs
  mkdir -p "$state/$lab"
  if [[ -n $owner ]]; then
    printf '%s %s\n' "$owner" "$(start_time "$owner")" >"$state/$lab/owner"
  else
    echo nobody >"$state/$lab/owner"
  fi
  trap 'remove' EXIT
  local role
  for role in "${roles[@]}"; do prepare_namespace "$role"; done
  # The lists are words by design.
  # shellcheck disable=SC2086
  side outside $OUTSIDE_HOSTS
  # shellcheck disable=SC2086
  side inside $INSIDE_HOSTS
  : >"$state/$lab/up"
  trap - EXIT
  if [[ -n $owner ]]; then
    setsid --fork "${BASH_SOURCE[0]}" guard "$lab" </dev/null >/dev/null 2>&1 9>&-
  fi
  note "lab '$lab' is up: ./run lab shell outside|firewall|inside $lab"
}

# Kills every process of a namespace and waits until the last is gone.
clear_namespace() {
  local pids tries
  for ((tries = 0; tries < 200; ++tries)); do
    pids=$(ip netns pids "$1" 2>/dev/null || true)
    [[ -n $pids ]] || return 0
    # A process may be gone by now; the next round sees.
    # shellcheck disable=SC2086
    kill -KILL $pids 2>/dev/null || true
    sleep 0.02
  done
  die "processes of $1 do not die: ${pids//$'\n'/ }"
}

# Removes whatever there is of the lab, in whatever state.
remove() {
  local role ns
  rm -f "$state/$lab/up"
  for role in "${roles[@]}"; do
    ns=$(namespace "$role")
    [[ -e /run/netns/$ns ]] || continue
    clear_namespace "$ns"
    ip netns delete "$ns" 2>/dev/null || rm -f "/run/netns/$ns"
  done
  rm -rf "${pins:?}/$lab" "${state:?}/$lab"
  rmdir --ignore-fail-on-non-empty "$pins" "$state" 2>/dev/null || true
}

# Takes the lab down as soon as its owner is dead, however it died.
lab_guard() {
  local pid began
  read -r pid began <"$state/$lab/owner"
  while [[ -e $state/$lab/owner && "$(start_time "$pid")" == "$began" ]]; do sleep 0.5; done
  one_at_a_time
  lab_reap
}

lab_down() {
  if ! exists; then
    note "no lab '$lab'"
    return
  fi
  [[ $(ip netns identify $$) != "stem-$lab-"* ]] || die "you are inside lab '$lab': leave its shell first"
  remove
  note "lab '$lab' is gone"
}

lab_status() {
  exists || die "no lab '$lab': ./run lab up $lab"
  local role ns pid
  printf '%slab %s%s   owner: %s   %s\n' "$bold" "$lab" "$plain" \
    "$(cat "$state/$lab/owner" 2>/dev/null || echo unknown)" \
    "$([[ -e $state/$lab/up ]] && echo complete || echo 'half built')"
  for role in "${roles[@]}"; do
    ns=$(namespace "$role")
    printf '%s%s%s  (%s)\n' "$bold" "$role" "$plain" "$ns"
    if [[ ! -e /run/netns/$ns ]]; then
      echo "  no namespace"
      continue
    fi
    ip -n "$ns" -o address show | awk '$2 != "lo" { print "  " $2, $4 }' | grep -v ' fe80:' || true
    ip -n "$ns" -o link show | awk -F': ' '/ xdp/ { print "  " $2 ": XDP program attached" }'
    for pid in $(ip netns pids "$ns"); do
      printf '  %6d %s\n' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c 1-100)"
    done
  done
  if [[ -d $pins/$lab ]]; then
    printf '%spins%s  %s: %s\n' "$bold" "$plain" "$pins/$lab" "$(cd "$pins/$lab" && echo *)"
  fi
}

lab_shell() {
  local role=$1
  shift
  [[ " ${roles[*]} " == *" $role "* ]] || usage_error "no host '$role': ${roles[*]}"
  [[ -e /run/netns/$(namespace "$role") ]] || die "no lab '$lab': ./run lab up $lab"
  export STEM_NAME=$lab PATH=$root/build/release/bin:$PATH
  if (($# > 0)); then
    exec nsenter --net="/run/netns/$(namespace "$role")" -- "$@"
  fi
  exec nsenter --net="/run/netns/$(namespace "$role")" -- \
    bash --rcfile <(cat ~/.bashrc 2>/dev/null; echo "PS1='$role@$lab \\w # '") -i
}

# Names of all labs, from their owner files and their namespaces.
names() {
  {
    find "$state" -mindepth 2 -maxdepth 2 -name owner -printf '%h\n' 2>/dev/null | sed 's|.*/||'
    ip netns list | sed -nE 's/^stem-(.*)-(outside|firewall|inside)( .*)?$/\1/p'
  } | sort -u
}

lab_list() {
  local owner
  for lab in $(names); do
    owner=$(cat "$state/$lab/owner" 2>/dev/null || echo unknown)
    printf '%-24s owner: %-10s %s\n' "$lab" "${owner%% *}" \
      "$([[ -e $state/$lab/up ]] && echo complete || echo 'half built')"
  done
}

lab_reap() {
  local pid began
  for lab in $(names); do
    read -r pid began <"$state/$lab/owner" 2>/dev/null || continue
    [[ $pid =~ ^[0-9]+$ && "$(start_time "$pid")" != "$began" ]] || continue
    note "lab '$lab' was left behind by process $pid: removing it"
    remove
  done
}

command=${1:-}
[[ $# -eq 0 ]] || shift
case $command in
  up | down | status | guard)
    (($# <= 1)) || usage_error "too many arguments"
    lab=${1:-lab}
    check_name "$lab"
    need_root "./run lab"
    if [[ $command == up || $command == down ]]; then one_at_a_time; fi
    "lab_$command"
    ;;
  shell)
    (($# >= 1)) || usage_error "shell: which host? ${roles[*]}"
    role=$1 lab=${2:-lab}
    check_name "$lab"
    need_root "./run lab"
    lab_shell "$role" "${@:3}"
    ;;
  list)
    need_root "./run lab"
    lab_list
    ;;
  reap)
    need_root "./run lab"
    one_at_a_time
    lab_reap
    ;;
  help | -h | --help) usage ;;
  *)
    usage >&2
    exit 2
    ;;
esac
