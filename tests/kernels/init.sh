#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The first process of a guest: runs the tests, sends their reports out of the second serial port as
# one tar archive, ends the machine. If it fails before that, the kernel panics, and the machine
# ends without reports.
set -eu
export PATH=/usr/bin HOME=/ LC_ALL=C.UTF-8 TERM=dumb

mkdir -p /dev /proc /sys /run /tmp /results
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t bpf bpf /sys/fs/bpf
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mkdir -p /dev/shm
mount -t tmpfs shm /dev/shm
ip link set lo up
modprobe -a veth tun

# report NAME COMMAND...: runs it; its exit status goes into the reports.
report() {
  local name=$1 status=0 began=$SECONDS
  shift
  "$@" </dev/null || status=$?
  echo "$status" >"/results/$name.status"
  echo "== $name ended with $status after $((SECONDS - began)) s"
}

cd /stem
echo "== $(uname -r) is up after $(cut -d ' ' -f 1 /proc/uptime) s"
ulimit -n 65536
report bpf_test build/release/bin/bpf_test --gtest_output=xml:/results/bpf_test.xml
found=$(grep -l any_kernel tests/e2e/test_*.py) # what else there is takes seconds to collect
mapfile -t any_kernel <<<"$found"
report e2e python3 -m pytest "${any_kernel[@]}" -m any_kernel --junit-xml=/results/e2e.xml

exec 3>/dev/ttyS1
stty -F /dev/ttyS1 raw -echo 115200
tar -C /results -cf - . | cat >&3
exec 3>&-
echo "== reports sent"
echo b >/proc/sysrq-trigger
sleep 60
