# SPDX-License-Identifier: Apache-2.0
"""The preflight in the lab: what is broken is found, and the printed command mends it."""

import json

import pytest
from stemlab.site import BINARIES


def doctor(site, *arguments):
    """Exit code and findings by check, in the firewall's own namespace."""
    done = site.lab.run(
        "firewall",
        [BINARIES / "stemctl", "-o", "json", "doctor", *arguments],
        check=False,
        env=site.environment,
    )
    assert done.stdout, done.stderr
    return done.returncode, {f["check"]: f for f in json.loads(done.stdout)["findings"]}


@pytest.fixture
def links_restored(session_site):
    """The lab's interfaces are as they were afterwards, for the tests that follow."""
    yield
    for name in ("outside0", "inside0"):
        session_site.lab.run("firewall", ["ip", "link", "set", name, "mtu", "1500"])
        session_site.lab.run("firewall", ["ethtool", "-K", name, "rxvlan", "on"])


def test_the_lab_is_ready(firewall):
    code, findings = doctor(firewall)
    assert code == 0, findings
    for check in ("bpffs", "IPv4 forwarding", "driver outside0", "queues inside0", "MTU inside0"):
        assert findings[check]["mark"] == "ok"
    # FACTS about veth: the other end is out of sight, and what it must do is said.
    assert "gro on" in findings["checksum offload outside0"]["mend"]
    text = firewall.lab.run(
        "firewall", [BINARIES / "stemctl", "doctor"], env=firewall.environment
    ).stdout
    assert "✓ bpffs" in text and "! checksum offload outside0" in text


@pytest.mark.parametrize(
    "check, breaking, mark",  # taking a link down would cost its IPv6 addresses: see doctor_test.cc
    [
        ("IPv4 forwarding", ["sysctl", "-w", "net.ipv4.ip_forward=0"], "wrong"),
        ("IPv6 forwarding", ["sysctl", "-w", "net.ipv6.conf.all.forwarding=0"], "warning"),
        (
            "reverse path outside0",
            ["sysctl", "-w", "net.ipv4.conf.outside0.rp_filter=1"],
            "warning",
        ),
        ("MTU outside0", ["ip", "link", "set", "outside0", "mtu", "9000"], "wrong"),
        ("same MTU", ["ip", "link", "set", "inside0", "mtu", "1400"], "warning"),
        ("VLAN offload outside0", ["ethtool", "-K", "outside0", "rxvlan", "on"], "warning"),
    ],
)
def test_what_is_broken_is_found_and_the_printed_command_mends_it(
    session_site, links_restored, check, breaking, mark
):
    """Before the first start: nothing runs, the configuration names the interfaces."""
    site = session_site
    config = site.write_agent_config()
    site.lab.run("firewall", breaking)
    code, findings = doctor(site, "--config", config)
    assert findings[check]["mark"] == mark and code == (1 if mark == "wrong" else 0)
    site.lab.run("firewall", findings[check]["mend"].split())
    code, findings = doctor(site, "--config", config)
    assert findings[check]["mark"] == "ok" and code == 0
