# SPDX-License-Identifier: Apache-2.0
"""The lab's addresses, from vagrant/lab/topology.conf."""

import dataclasses
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[3]
CONF = ROOT / "vagrant/lab/topology.conf"


def read_conf(path=CONF):
    """NAME="value" lines, comments and empty lines; anything else is an error."""
    values = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = re.fullmatch(r'([A-Z][A-Z0-9_]*)="([^"]*)"', line.strip())
        if not match:
            raise ValueError(f'{path}:{number}: not a NAME="value" line: {line}')
        values[match[1]] = match[2]
    return values


@dataclasses.dataclass(frozen=True)
class Host:
    """One host: which namespace it lives in, and its addresses there."""

    name: str
    side: str  # "outside", "firewall" or "inside"
    v4: str
    v6: str

    def address(self, family=4):
        return self.v4 if family == 4 else self.v6


VALUES = read_conf()
SIP_PORT = int(VALUES["SIP_PORT"])
SIP_DOMAIN = VALUES["SIP_DOMAIN"]
SM_PORT = int(VALUES["SM_PORT"])


def _hosts():
    for side in ("outside", "inside"):
        for name in VALUES[f"{side.upper()}_HOSTS"].split():
            yield Host(name.lower(), side, VALUES[f"{name}4"], VALUES[f"{name}6"])


_BY_NAME = {host.name: host for host in _hosts()}

CALLER = _BY_NAME["caller"]
SECOND_CALLER = _BY_NAME["second_caller"]
ATTACKER = _BY_NAME["attacker"]
SPAMMER = _BY_NAME["spammer"]
SM = _BY_NAME["sm"]
PROXY = _BY_NAME["proxy"]
# Users with a terminal of their own, by user name.
USERS = {name: _BY_NAME[name] for name in ("alice", "bob", "carol", "dave", "erin")}
ALICE, BOB, CAROL, DAVE, ERIN = USERS.values()
# The firewall as each side sees it.
GATEWAY = {
    "outside": Host(
        "gateway", "firewall", VALUES["FIREWALL_OUTSIDE4"], VALUES["FIREWALL_OUTSIDE6"]
    ),
    "inside": Host("gateway", "firewall", VALUES["FIREWALL_INSIDE4"], VALUES["FIREWALL_INSIDE6"]),
}


def uri(user):
    """Address of record of a user inside."""
    return f"sip:{user}@{SIP_DOMAIN}"


def bracketed(address):
    """As URIs and SDP-less text write it: IPv6 in brackets."""
    return f"[{address}]" if ":" in address else address
