# SPDX-License-Identifier: Apache-2.0
"""What the security manager instructs is what the firewall does: thresholds, blocks, permits; also
when either of the two has been killed."""

import contextlib
import socket

import pytest
from stemlab import topology
from stemlab.flood import Flood
from stemlab.topology import ALICE, ATTACKER, CALLER, SIP_PORT
from stemlab.waiting import eventually, holds
from test_floods import ALLOW_WEB, syns

FAST = 0.001  # seconds between packets: a thousand a second each way
SIP_OUT = [
    {"name": "sip-out", "action": "allow", "from": "inside", "protocol": "tcp",
     "destination_ports": str(SIP_PORT)},
    {"name": "sip-out-answers", "action": "allow", "from": "outside", "protocol": "tcp",
     "source_ports": str(SIP_PORT)},
]  # fmt: skip
PERMITS = {"rules": SIP_OUT, "syn_guard": {"permits": True}}
SYN_SOURCE = "syn_guard.source"


@pytest.fixture
def instruct(firewall):
    """Puts an instruction at the security manager, and returns its id; all are taken back after the
    test."""
    yield lambda *arguments: firewall.stemctl("instruction", *arguments)["id"]
    if not firewall.sm.running:
        firewall.start_sm()
    for one in firewall.stemctl("instruction", "list")["instructions"]:
        take_back(firewall, one["id"])


def take_back(site, instruction):
    site.stemctl_run("instruction", "remove", instruction)


def threshold(site, name=SYN_SOURCE):
    listed = site.stemctl("thresholds")["thresholds"]
    return next(one for one in listed if one["name"] == name)


def wait_for_burst(site, burst, timeout=10):
    eventually(
        lambda: threshold(site)["limit"]["burst"] == burst and not threshold(site)["loading"],
        lambda: f"a burst of {burst}: {threshold(site)}",
        timeout,
    )


def blocks(site):
    """(source, origin) -> id of the instruction."""
    listed = site.stemctl("block", "list")["blocks"]
    return {(one["source"], one["origin"]): one["instruction"] for one in listed}


def permits(site):
    return site.stemctl("permits")["permits"]


def instructed(site):
    """Everything the firewall has from the security manager, by id."""
    found = [one["instruction"] for one in site.stemctl("thresholds")["thresholds"]]
    found += [one["instruction"] for one in permits(site)] + list(blocks(site).values())
    return {one for one in found if one != "0"}


@contextlib.contextmanager
def sip_server(lab):
    """A TCP server outside, on the port of SIP."""
    with lab.inside_namespace(CALLER.side):
        server = socket.create_server((CALLER.v4, SIP_PORT), backlog=64)
    server.settimeout(10)
    with server:
        yield server


def connect_out(lab, timeout=0.5):
    """A kernel's own TCP client inside; None when the server could not be reached in time."""
    with lab.inside_namespace(ALICE.side):
        client = socket.socket()
    client.settimeout(timeout)
    try:
        client.bind((ALICE.v4, 0))
        client.connect((CALLER.v4, SIP_PORT))
    except TimeoutError:
        client.close()
        return None
    return client


def connects(lab):
    client = connect_out(lab)
    if client:
        client.close()
    return client is not None


def talk(client, server):
    """Both ways over one connection."""
    client.settimeout(10)
    client.sendall(b"hello")
    assert server.recv(16) == b"hello"
    server.sendall(b"goodbye")
    assert client.recv(16) == b"goodbye"


@pytest.mark.agent(**PERMITS)
def test_a_client_inside_connects_with_a_permit_only(firewall, instruct):
    before = firewall.counters()
    with sip_server(firewall.lab) as server:
        assert not connects(firewall.lab)
        assert firewall.counted(before)["inside", "syn_no_permit"] >= 1
        given = instruct("permit", ALICE.v4, f"{CALLER.v4}:{SIP_PORT}", "--comment", "trunk")
        client = eventually(lambda: connect_out(firewall.lab), "the client connects")
        accepted, _ = server.accept()
        with client, accepted:
            talk(client, accepted)
            (permit,) = permits(firewall)
            assert (permit["instruction"], permit["comment"]) == (given, "trunk")
            assert int(permit["used"]) >= 1 and permit["left_ms"] == "-1"
            take_back(firewall, given)
            eventually(lambda: not permits(firewall), "the permit is taken back")
            assert not connects(firewall.lab)
            talk(client, accepted)  # it is the attempt that needs a permit


@pytest.mark.agent(**PERMITS)
def test_a_permit_is_over_at_its_time_without_the_security_manager(firewall, instruct):
    with sip_server(firewall.lab):
        instruct("permit", ALICE.v4, CALLER.v4, "--for", "4s")
        eventually(lambda: connects(firewall.lab), "the client connects")
        firewall.sm.kill()
        eventually(lambda: not connects(firewall.lab), "the permit is over", 10)
        eventually(lambda: not permits(firewall), "and its place is free")


@pytest.mark.agent(rules=ALLOW_WEB, modules={"policing": "off"})
def test_a_threshold_is_in_force_at_once_and_no_packet_of_a_call_is_lost(
    firewall, instruct, converse
):
    """A thousand RTP packets a second each way, while the limits change and change back and the
    rules are read again."""
    call = converse()
    call.caller_rtp.start(call.out.remote_media, interval=FAST)
    call.callee_rtp.start(call.incoming.remote_media, interval=FAST)
    call.wait_for_media(100)
    configured = threshold(firewall)["configured"]
    given = instruct("threshold", SYN_SOURCE, "--rate", "3/s", "--burst", "3", "--penalty", "60s")
    wait_for_burst(firewall, 3)
    assert threshold(firewall)["instruction"] == given
    assert threshold(firewall)["limit"] == {"rate": 3, "burst": 3, "penalty_ms": "60000"}
    before = firewall.counters()
    with Flood(firewall.lab, "outside", syns([ATTACKER.v4])):
        eventually(
            lambda: firewall.counted(before).get(("outside", "syn_rate"), 0) >= 100,
            "the flood is refused",
        )
    assert firewall.counted(before)["outside", "rule_allowed"] <= 10
    firewall.stemctl_run("rules", "reload")
    assert threshold(firewall)["limit"]["burst"] == 3
    call.wait_for_media(100)
    take_back(firewall, given)
    wait_for_burst(firewall, configured["burst"])
    assert threshold(firewall)["limit"] == configured
    call.wait_for_media(100)
    call.pause()  # every packet sent has arrived, once, in order
    call.hang_up()


def test_a_threshold_is_over_at_its_time_without_the_security_manager(firewall, instruct):
    configured = threshold(firewall)["configured"]["burst"]
    instruct("threshold", SYN_SOURCE, "--rate", "3/s", "--burst", "3", "--for", "6s")
    wait_for_burst(firewall, 3)
    firewall.sm.kill()
    wait_for_burst(firewall, configured, 15)
    assert threshold(firewall)["instruction"] == "0"


def test_a_block_stops_a_source_and_its_end_lets_it_back(firewall, instruct, converse):
    call = converse()
    call.wait_for_media(10)
    caller = call.caller_rtp.address
    given = instruct("block", caller, "--scope", "media")

    def dropped():
        return sum(int(one["packets"]) for one in firewall.stemctl("block", "list")["blocks"])

    eventually(lambda: dropped() > 5, "media of the caller is dropped")
    assert blocks(firewall) == {(caller, "security manager"): given}
    there = len(call.callee_rtp.received)
    take_back(firewall, given)
    eventually(lambda: len(call.callee_rtp.received) > there + 5, "it is let back")
    call.hang_up()


def test_neither_takes_back_the_others_block(firewall, instruct):
    source = "203.0.113.9"
    given = instruct("block", source)
    eventually(lambda: blocks(firewall), "the block is there")
    done = firewall.stemctl_run("block", "remove", source, check=False)
    assert done.returncode == 1 and "instruction remove" in done.stderr
    firewall.stemctl_run("block", "add", source, "--scope", "syn", "--for", "10m")
    both = {(source, "operator"): "0", (source, "security manager"): given}
    assert blocks(firewall) == both
    firewall.stemctl_run("block", "remove", source)
    assert blocks(firewall) == {(source, "security manager"): given}
    firewall.stemctl_run("block", "add", source, "--scope", "syn")
    take_back(firewall, given)
    eventually(lambda: blocks(firewall) == {(source, "operator"): "0"}, "the operator's is left")
    firewall.stemctl_run("block", "remove", source)


@pytest.mark.agent(**PERMITS)
def test_killing_either_changes_nothing_and_what_was_taken_back_meanwhile_ends(firewall, instruct):
    given = {
        instruct("threshold", SYN_SOURCE, "--rate", "3/s", "--burst", "3"),
        permit := instruct("permit", ALICE.v4, CALLER.v4),
        block := instruct("block", "203.0.113.9"),
    }
    with sip_server(firewall.lab):
        eventually(lambda: instructed(firewall) == given, lambda: f"all: {instructed(firewall)}")
        wait_for_burst(firewall, 3)

        firewall.sm.kill()
        firewall.agent.kill()
        assert connects(firewall.lab)  # the kernel knows what it needs
        firewall.start_agent(**PERMITS)  # and the next agent what it was told
        assert instructed(firewall) == given
        assert threshold(firewall)["limit"]["burst"] == 3
        assert connects(firewall.lab)
        holds(lambda: instructed(firewall) == given, "the instructions stay", 1.5)

        firewall.agent.kill()
        firewall.start_sm()
        take_back(firewall, permit)
        take_back(firewall, block)
        firewall.start_agent(**PERMITS)
        left = given - {permit, block}
        eventually(lambda: instructed(firewall) == left, "what was taken back has ended")
        assert not connects(firewall.lab)
        assert threshold(firewall)["limit"]["burst"] == 3


@pytest.mark.agent(limits={"permits": 1})
def test_what_does_not_fit_is_reported_here_and_there(firewall, instruct):
    instruct("permit", ALICE.v4, CALLER.v4)
    eventually(lambda: len(permits(firewall)) == 1, "the permit is there")
    second = instruct("permit", ALICE.v4, topology.SECOND_CALLER.v4)

    def not_followed():
        return firewall.status()["instructions_not_followed"]

    (one,) = eventually(not_followed, "the firewall says so")
    assert one["id"] == second and "limits.permits" in one["why"]
    assert "is not followed" in firewall.stemctl_run("status").stdout
    tables = {table["name"]: table for table in firewall.status()["tables"]}
    assert tables["permits"]["refused"] == "1"
    (watching,) = eventually(
        lambda: [w for w in firewall.stemctl("sm", "status")["watching"] if w["not_followed"]],
        "the security manager knows",
    )
    assert f"instruction {second} " in watching["not_followed"][0]
    assert "does not follow" in firewall.stemctl_run("sm", "status").stdout
    first = next(iter(permits(firewall)))["instruction"]
    take_back(firewall, first)
    eventually(lambda: not not_followed(), "there is room now")
    assert [one["instruction"] for one in permits(firewall)] == [second]


@pytest.mark.agent(limits={"blocks": 1})
def test_the_security_manager_hears_of_room_that_no_policy_made(firewall, instruct):
    firewall.stemctl_run("block", "add", "203.0.113.7")
    blocked = instruct("block", "203.0.113.9")

    def not_followed():
        return [
            one for w in firewall.stemctl("sm", "status")["watching"] for one in w["not_followed"]
        ]

    eventually(lambda: any(f"instruction {blocked} " in one for one in not_followed()), "no room")
    firewall.stemctl_run("block", "remove", "203.0.113.7")
    eventually(lambda: not firewall.status()["instructions_not_followed"], "it is followed")
    eventually(
        lambda: firewall.stemctl("sm", "status")["watching"] and not not_followed(),
        "the security manager knows",
        timeout=10,
    )


def test_a_wrong_instruction_is_refused_in_words(firewall):
    for wrong, code in (
        (["threshold", "syn_guard.sauce", "--rate", "1/s"], 1),
        (["threshold", "syn_guard.destination", "--rate", "1/s", "--penalty", "1s"], 1),
        (["block", "203.0.113.9", "--to", "2001:db8::1"], 1),
        (["block", "203.0.113.0/24"], 2),
        (["threshold", SYN_SOURCE, "--rate", "fast"], 2),
    ):
        done = firewall.stemctl_run("instruction", *wrong, check=False)
        assert done.returncode == code and done.stderr, wrong
    assert "no instructions" in firewall.stemctl_run("instruction", "list").stdout
