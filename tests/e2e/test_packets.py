# SPDX-License-Identifier: Apache-2.0
"""Packets made by hand, on the real path: tags, options, extension headers and fragments are
parsed, what is no telephony follows the rules, and the neighbourhood goes on working."""

import socket

import pytest
from stemlab import packets, topology
from stemlab.packets import destination_options, ipv4, ipv6, udp, vlan

NO_OPERATION = b"\x01" * 4  # IPv4 option, four of them (RFC 791, 3.1)
ATTACKER, ALICE = topology.ATTACKER, topology.ALICE


@pytest.fixture
def wire(lab):
    with packets.Wire(lab, "outside") as made:
        yield made


def to_alice(family=4, payload=b"x"):
    return udp(ATTACKER.address(family), 5555, ALICE.address(family), 30000, payload)


@pytest.mark.parametrize(
    "packet, reason",
    [
        (ipv4(ATTACKER.v4, ALICE.v4, to_alice()), "no_pinhole"),
        (vlan(7, ipv4(ATTACKER.v4, ALICE.v4, to_alice())), "no_pinhole"),
        (vlan(7, vlan(8, ipv4(ATTACKER.v4, ALICE.v4, to_alice())), 0x88A8), "no_pinhole"),
        (vlan(6, vlan(7, vlan(8, ipv4(ATTACKER.v4, ALICE.v4, to_alice())))), "too_many_vlans"),
        (ipv4(ATTACKER.v4, ALICE.v4, to_alice(), options=NO_OPERATION), "no_pinhole"),
        (ipv4(ATTACKER.v4, ALICE.v4, to_alice(), more=True), "no_pinhole"),
        (ipv6(ATTACKER.v6, ALICE.v6, to_alice(6)), "no_pinhole"),
        (ipv6(ATTACKER.v6, ALICE.v6, destination_options(to_alice(6))), "no_pinhole"),
        (vlan(7, ipv6(ATTACKER.v6, ALICE.v6, destination_options(to_alice(6)))), "no_pinhole"),
        (packets.Layer(0x88B5, bytes(50)), "not_ip"),
    ],
    ids=["plain", "vlan", "two vlans", "three vlans", "options", "first fragment",
         "ipv6", "ipv6 extension", "vlan and ipv6 extension", "not ip"],
)  # fmt: skip
def test_dropped_for_the_right_reason(firewall, wire, packet, reason):
    """Exactly one counter moves, by exactly the packets sent."""
    before = firewall.counters()
    wire.send(packet, 7)
    firewall.wait_until_counted(before, ("outside", reason), 7)
    gained = {key: n for key, n in firewall.counted(before).items() if key[0] == "outside"}
    quiet = {"arp_passed", "icmp_passed"}
    assert {key[1] for key in gained} - quiet == {reason}


@pytest.mark.parametrize("tagged", [False, True], ids=["options", "vlan"])
def test_media_that_cannot_take_the_short_way_is_still_judged(firewall, wire, converse, tagged):
    """RTP of a live call with IPv4 options takes the stack's way and arrives; with a VLAN tag, for
    which there is no interface here, it is at least recognised as that call's media."""
    talk = converse()
    talk.wait_for_media(10)
    talk.pause()
    near, far = talk.caller_rtp, talk.callee_rtp
    before = firewall.counters()
    media = udp(near.address, near.port, far.address, far.port, near.next_packet())
    packet = ipv4(near.address, far.address, media, options=b"" if tagged else NO_OPERATION)
    wire.send(vlan(7, packet) if tagged else packet)
    firewall.wait_until_counted(before, ("outside", "media_to_stack"), 1)
    if not tagged:
        far.wait_for_all(near)
    talk.hang_up()


def test_neighbours_and_pings_pass(firewall):
    for family_host in (ALICE.v4, ALICE.v6):
        firewall.lab.run("outside", ["ip", "neighbour", "flush", "all"])
        firewall.lab.run("firewall", ["ip", "neighbour", "flush", "all"])
        firewall.lab.run("outside", ["ping", "-c2", "-i0.2", "-W2", family_host])
    assert firewall.counters()["outside", "arp_passed"] > 0


def connects(lab, host, to, port, timeout=0.7):
    """Whether a TCP connection from host to (to, port) is accepted by a listener there."""
    with lab.inside_namespace(to.side):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((to.v4, port))
        listener.listen()
        with lab.inside_namespace(host.side):
            client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        with client:
            client.settimeout(timeout)
            client.bind((host.v4, 0))
            try:
                client.connect((to.v4, port))
            except TimeoutError:
                return False
            return True


WEB_RULES = [
    {"name": "web-in", "action": "allow", "from": "outside", "protocol": "tcp",
     "destination": f"{ALICE.v4}/32", "destination_ports": "8080-8081"},
    {"name": "web-out", "action": "allow", "from": "inside", "protocol": "tcp",
     "source": f"{ALICE.v4}/32", "source_ports": "8080-8081"},
]  # fmt: skip
BLOCK_ATTACKER = {"name": "attacker", "action": "deny", "from": "outside", "protocol": "any",
                  "source": f"{ATTACKER.v4}/32"}  # fmt: skip
BLOCK_CALLERS_MEDIA = {"name": "no-media", "action": "deny", "from": "outside", "protocol": "udp",
                       "source": f"{topology.CALLER.v4}/32",
                       "source_ports": "4000-4001"}  # fmt: skip


def test_what_nobody_allows_is_dropped(firewall):
    before = firewall.counters()
    assert not connects(firewall.lab, topology.CALLER, ALICE, 8080)
    assert firewall.counted(before)["outside", "policy_denied"] >= 1


@pytest.mark.agent(rules=WEB_RULES)
def test_what_a_rule_allows_passes(firewall):
    for port, passes in ((8079, False), (8080, True), (8081, True), (8082, False)):
        assert connects(firewall.lab, topology.CALLER, ALICE, port) == passes, port
    assert firewall.counters()["outside", "rule_allowed"] > 0


@pytest.mark.agent(rules=[BLOCK_ATTACKER, *WEB_RULES])
def test_a_deny_before_an_allow_wins(firewall):
    before = firewall.counters()
    assert not connects(firewall.lab, ATTACKER, ALICE, 8080)
    assert firewall.counted(before)["outside", "rule_denied"] >= 1
    assert connects(firewall.lab, topology.CALLER, ALICE, 8080)


@pytest.mark.agent(rules=[BLOCK_CALLERS_MEDIA])
def test_a_deny_wins_over_a_pinhole(firewall, parties):
    caller, callee, caller_rtp, callee_rtp = parties()
    call = caller.invite("alice", caller_rtp)
    incoming = callee.wait_for_invite()
    incoming.answer(callee_rtp)
    call.wait_answer()
    call.ack()
    before = firewall.counters()
    caller_rtp.send(call.remote_media, 5)
    firewall.wait_until_counted(before, ("outside", "rule_denied"), 5)
    callee_rtp.send(incoming.remote_media, 5)
    caller_rtp.wait_for_all(callee_rtp)
    assert callee_rtp.received == []
