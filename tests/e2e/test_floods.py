# SPDX-License-Identifier: Apache-2.0
"""Floods from outside, while calls and connections of others go on."""

import socket

import pytest
from stemlab import packets, topology
from stemlab.flood import Flood
from stemlab.topology import ALICE, ATTACKER, SIP_PORT
from stemlab.waiting import eventually

WEB_PORT = 8080
ALLOW_WEB = [
    {"name": "web", "action": "allow", "protocol": "tcp", "destination_ports": str(WEB_PORT)},
    {"name": "web-answers", "action": "allow", "protocol": "tcp", "source_ports": str(WEB_PORT)},
]
SPOOFED = [f"10.{i // 250}.{i % 250}.7" for i in range(2000)]


def syns(sources):
    return [
        packets.ipv4(source, ALICE.v4, packets.tcp_syn(source, 1024 + i, ALICE.v4, WEB_PORT))
        for i, source in enumerate(sources)
    ]


def invites(sources):
    request = f"INVITE sip:alice@{topology.SIP_DOMAIN} SIP/2.0\r\n\r\n".encode()
    return [
        packets.ipv4(source, ALICE.v4, packets.udp(source, SIP_PORT, ALICE.v4, SIP_PORT, request))
        for source in sources
    ]


def unknown_media(sources):
    return [
        packets.ipv4(source, ALICE.v4, packets.udp(source, 4000, ALICE.v4, 31000, bytes(172)))
        for source in sources
    ]


def listener(lab):
    with lab.inside_namespace(ALICE.side):
        made = socket.create_server((ALICE.v4, WEB_PORT), backlog=64)
    made.settimeout(10)
    return made


def connect(lab, host):
    """A TCP client of the kernel's own."""
    with lab.inside_namespace(host.side):
        made = socket.socket()
    made.settimeout(10)
    made.bind((host.v4, 0))
    made.connect((ALICE.v4, WEB_PORT))
    return made


def wait_for_drops(firewall, before, reason, count):
    eventually(
        lambda: firewall.counted(before).get(("outside", reason), 0) >= count,
        lambda: f"{count} packets counted as {reason}: {firewall.counted(before)}",
        timeout=20,
    )


@pytest.mark.agent(
    rules=ALLOW_WEB, syn_guard={"challenge": True, "new_sources": {"rate": 1, "burst": 1}}
)
def test_a_real_client_connects_through_the_challenge(firewall):
    """Spoofed SYNs never reach the server; a kernel's TCP meets the challenge without knowing."""
    before = firewall.counters()
    with listener(firewall.lab) as server, Flood(firewall.lab, "outside", syns(SPOOFED)):
        wait_for_drops(firewall, before, "syn_challenged", 1000)
        with connect(firewall.lab, topology.CALLER) as client:
            accepted, _ = server.accept()
            with accepted:
                client.sendall(b"hello")
                assert accepted.recv(16) == b"hello"
                accepted.sendall(b"goodbye")
                assert client.recv(16) == b"goodbye"
        counted = firewall.counted(before)
    assert counted["outside", "syn_challenge_met"] >= 1
    # Those that had the budget of new sources, and the client.
    passed = counted["outside", "rule_allowed"]
    assert passed < 100 < counted["outside", "syn_challenged"]


@pytest.mark.agent(rules=ALLOW_WEB, syn_guard={"source": {"rate": 5, "burst": 5, "penalty": "1s"}})
def test_a_source_that_floods_is_silenced_and_others_connect(firewall):
    before = firewall.counters()
    with listener(firewall.lab) as server:
        with Flood(firewall.lab, "outside", syns([ATTACKER.v4])):
            wait_for_drops(firewall, before, "syn_rate", 1000)
            with connect(firewall.lab, topology.CALLER):
                server.accept()[0].close()
        assert firewall.counted(before)["outside", "rule_allowed"] < 100


def test_calls_are_made_while_one_source_floods_invites(firewall, converse):
    talk = converse()
    before = firewall.counters()
    with Flood(firewall.lab, "outside", invites([ATTACKER.v4])):
        wait_for_drops(firewall, before, "sip_rate", 1000)
        other = converse("bob", caller=topology.SECOND_CALLER)
        other.wait_for_media(25)
        other.pause()
        other.hang_up()
    talk.pause()
    talk.callee_rtp.wait_for_all(talk.caller_rtp)
    talk.hang_up()


@pytest.mark.agent(invite_guard={"new_sources": {"rate": 10, "burst": 10}})
def test_a_known_source_is_heard_while_spoofed_ones_flood(firewall, converse):
    talk = converse()
    before = firewall.counters()
    with Flood(firewall.lab, "outside", invites(SPOOFED)):
        wait_for_drops(firewall, before, "sip_new_source", 1000)
        talk.pause()
        talk.hang_up()
    firewall.wait_until_no_pinholes()


def test_media_loses_nothing_while_everything_floods(firewall, converse):
    talk = converse()
    before = firewall.counters()
    mixed = [
        layer
        for three in zip(syns(SPOOFED), invites(SPOOFED), unknown_media(SPOOFED))
        for layer in three
    ]
    with Flood(firewall.lab, "outside", mixed) as flood:
        talk.wait_for_media(200)
        wait_for_drops(firewall, before, "no_pinhole", 1000)
        talk.pause()
        assert flood.sent > 3000
    talk.callee_rtp.wait_for_all(talk.caller_rtp)
    talk.caller_rtp.wait_for_all(talk.callee_rtp)
    talk.hang_up()
