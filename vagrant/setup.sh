#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what packages.txt lists. Does nothing, quickly, when all of it is there.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/.." && pwd)
# shellcheck source=vagrant/console.sh
source "$here/console.sh"

mapfile -t wanted < <(sed 's/#.*//' "$here/packages.txt" | awk 'NF { print $1 }')

# Names of the wanted packages that are not installed.
missing() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null |
    awk '$1 == "installed" { print $2 }' || true)
  grep -vxF -f <(printf '%s\n' "$installed") <(printf '%s\n' "${wanted[@]}") || true
}

mapfile -t needed < <(missing)
if ((${#needed[@]} == 0)); then
  [[ ${1:-} == --quiet ]] || note "all ${#wanted[@]} packages are installed"
  exit 0
fi

need_root "installing packages"
heading "Installing ${#needed[@]} of ${#wanted[@]} packages"
for package in "${needed[@]}"; do
  note "$(sed -nE "s/^${package//+/\\+}([[:space:]].*)$/${package}\1/p" "$here/packages.txt")"
done

export DEBIAN_FRONTEND=noninteractive
LOG_TAIL=15 logged "$root/build/log/apt-update.log" apt-get update

# The proxy is started by the lab, in its own namespace, never as a service of this machine: while
# this file exists, Debian's packages start no service. Somebody else's file is left alone.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
kamailio_was_there=$([[ -e /usr/sbin/kamailio ]] && echo yes || echo no)
LOG_TAIL=15 logged "$root/build/log/apt-install.log" \
  apt-get install --yes --no-install-recommends "${needed[@]}"
if [[ $kamailio_was_there == no && -d /run/systemd/system ]]; then
  systemctl disable --quiet kamailio.service
fi

mapfile -t needed < <(missing)
((${#needed[@]} == 0)) || die "still missing after the installation: ${needed[*]}"
note "done"
