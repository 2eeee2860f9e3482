# SPDX-License-Identifier: Apache-2.0
"""Beside another XDP program: xdp-filter of xdp-tools on the firewall's outer interface, both called
by libxdp's dispatcher. What a kernel or libxdp refuses is skipped, with its reason."""

import fcntl
import platform
import re

import pytest
from stemlab.site import BINARIES
from stemlab.waiting import eventually

pytestmark = [pytest.mark.any_kernel, pytest.mark.agent(log={"level": "debug"})]
DISPATCHER, OURS, NEIGHBOUR = "xdp_dispatcher", "stem_root", "xdpfilt_alw_all"


class Filter:
    """xdp-filter on an interface of the firewall: lets everything pass, and counts it."""

    def __init__(self, lab, interface):
        self._lab = lab
        self._interface = interface
        # Its pins carry the interface's name only: one lab at a time.
        self._lock = open("/run/lock/stem-xdp-filter", "w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.load()

    def load(self):
        self._lab.run("firewall", ["xdp-filter", "load", "--policy", "allow", self._interface])

    def unload(self):
        self._lab.run("firewall", ["xdp-filter", "unload", self._interface])

    def close(self):
        if NEIGHBOUR in programs_on(self._lab, self._interface):
            self.unload()
        self._lock.close()

    def passed(self):
        """How many packets it has let pass."""
        text = self._lab.run("firewall", ["xdp-filter", "status"]).stdout
        return int(re.search(r"XDP_PASS\s+(\d+) pkts", text)[1])


def programs_on(lab, interface):
    """What xdp-loader sees there: the names of the programs."""
    text = lab.run("firewall", ["xdp-loader", "status", interface]).stdout
    return set(re.findall(f"{DISPATCHER}|{OURS}|{NEIGHBOUR}", text))


def in_dispatcher(site):
    """Interfaces on which the agent says that it is not alone."""
    return {i["name"] for i in site.status()["interfaces"] if i.get("dispatcher")}


def why_alone(agent):
    """What the kernel's verifier or libxdp said, in the agent's log, when it was refused."""
    lines = agent.output().splitlines()
    said = [after for line, after in zip(lines, lines[1:]) if "BEGIN PROG LOAD LOG" in line]
    said += [line.split("libxdp: ")[1] for line in lines if "libxdp: " in line and "failed" in line]
    return said[0].strip() if said else "no reason in the agent's log"


@pytest.fixture
def dispatched(firewall):
    """The firewall, on a kernel on which libxdp calls it from a dispatcher."""
    if in_dispatcher(firewall) != {"outside0", "inside0"}:
        pytest.skip(
            f"Linux {platform.release()} takes us into no dispatcher: {why_alone(firewall.agent)}"
        )
    return firewall


@pytest.fixture
def neighbour(lab):
    """Makes the neighbour; it is gone with the test."""
    made = []

    def load():
        made.append(Filter(lab, "outside0"))
        return made[0]

    yield load
    for one in made:
        one.close()


def both_see_a_ping(site, neighbour):
    """A packet is counted by both programs."""
    before, passed = site.counters(), neighbour.passed()
    site.lab.ping("outside", b"for both")
    eventually(lambda: site.counted(before).get(("outside", "icmp_passed")), "we count the packet")
    eventually(lambda: neighbour.passed() > passed, "the neighbour counts the packet")


def test_a_neighbour_comes_and_goes(dispatched, neighbour, converse):
    """A call is up meanwhile: it loses nothing."""
    assert programs_on(dispatched.lab, "outside0") == {DISPATCHER, OURS}
    talk = converse()
    talk.wait_for_media(10)
    other = neighbour()
    assert programs_on(dispatched.lab, "outside0") == {DISPATCHER, OURS, NEIGHBOUR}
    both_see_a_ping(dispatched, other)
    talk.wait_for_media(10)
    other.unload()
    assert programs_on(dispatched.lab, "outside0") == {DISPATCHER, OURS}
    talk.wait_for_media(10)
    talk.pause()
    talk.hang_up()
    dispatched.wait_until_no_pinholes()


def test_we_come_and_go_beside_a_neighbour(dispatched, neighbour, converse):
    """Removing ours leaves the neighbour where it is; a new agent joins it."""
    dispatched.stop()
    other = neighbour()
    assert programs_on(dispatched.lab, "outside0") == {DISPATCHER, NEIGHBOUR}
    dispatched.start_agent()
    assert in_dispatcher(dispatched) == {"outside0", "inside0"}
    assert programs_on(dispatched.lab, "outside0") == {DISPATCHER, OURS, NEIGHBOUR}
    both_see_a_ping(dispatched, other)
    talk = converse()
    talk.wait_for_media(10)
    talk.pause()
    talk.hang_up()
    dispatched.stop()
    assert programs_on(dispatched.lab, "outside0") == {DISPATCHER, NEIGHBOUR}
    passed = other.passed()
    dispatched.lab.ping("outside", b"for the neighbour")
    eventually(lambda: other.passed() > passed, "the neighbour still runs")


def test_a_neighbour_that_cannot_be_joined_is_not_pushed_away(firewall, neighbour):
    """Where there is no dispatcher for us, the agent says who is in the way, and leaves him there."""
    if in_dispatcher(firewall):
        pytest.skip(f"Linux {platform.release()} lets both run beside each other")
    firewall.stop()
    neighbour()
    config = firewall.write_agent_config()
    argv = [BINARIES / "stem-agent", "--config", config]
    done = firewall.lab.run("firewall", argv, check=False)
    assert done.returncode == 1
    assert "other XDP program" in done.stderr
    assert NEIGHBOUR in programs_on(firewall.lab, "outside0")
    assert not firewall.lab.pin_directory.exists()
