# SPDX-License-Identifier: Apache-2.0
"""Media passes only through its own pinhole, from its own peer, for as long as its call lives; and
a call loses none of it. Every packet is accounted for: by endpoints, tcpdump and counters."""

import pytest
from stemlab import packets, topology
from stemlab.sip import MediaAddress
from stemlab.waiting import eventually, holds


def rtp_between(packets, source, destination):
    """Sequence numbers of the RTP a capture saw from one endpoint to another, in order."""
    return [
        p.sequence
        for p in packets
        if p.is_rtp
        and (p.source, p.source_port) == (source.address, source.port)
        and (p.destination, p.destination_port) == (destination.address, destination.port)
    ]


def destinations(site):
    """Where the open pinholes lead."""
    return [MediaAddress(**pinhole["destination"]) for pinhole in site.pinholes()]


@pytest.mark.parametrize("family", [4, 6])
def test_not_one_packet_is_lost_from_the_first_on(firewall, captures, converse, family):
    """Both ends stream from the earliest moment; tcpdump on both sides sees all of it, the first
    packet included: the pinholes were open before the answer was forwarded."""
    talk = converse(family=family)
    talk.wait_for_media(50)
    talk.pause()
    talk.hang_up()
    outside, inside = (capture.stop() for capture in captures)
    for sender, receiver in (
        (talk.caller_rtp, talk.callee_rtp),
        (talk.callee_rtp, talk.caller_rtp),
    ):
        assert rtp_between(outside, sender, receiver) == sender.sent
        assert rtp_between(inside, sender, receiver) == sender.sent
    # Routed, not bridged: one hop was counted.
    at_inside = {p.hops for p in inside if p.is_rtp and p.source == talk.caller_rtp.address}
    assert at_inside == {63}


def test_media_is_relayed_in_the_kernel(firewall, converse):
    """Every packet is counted as relayed by XDP or, until a neighbour is known, as routed by the
    stack; and the pinhole has counted the same packets."""
    before = firewall.counters()
    talk = converse()
    talk.wait_for_media(50)
    talk.pause()
    for side, sender in (("outside", talk.caller_rtp), ("inside", talk.callee_rtp)):
        counted = firewall.counted(before)
        assert counted[side, "media_relayed"] + counted.get((side, "media_to_stack"), 0) == len(
            sender.sent
        )
        assert counted[side, "media_relayed"] >= len(sender.sent) - 2
    packets = {p["destination"]["port"]: int(p["packets"]) for p in firewall.pinholes()}
    assert packets[talk.callee_rtp.port] == len(talk.caller_rtp.sent)
    assert packets[talk.caller_rtp.port] == len(talk.callee_rtp.sent)
    talk.hang_up()


@pytest.mark.parametrize("family", [4, 6])
def test_none_passes_after_the_200_of_the_bye(firewall, captures, converse, family):
    """Both ends go on streaming after the BYE. From the moment the 200 has passed the firewall, not
    one packet crosses, and each is counted."""
    talk = converse(family=family)
    talk.wait_for_media()
    talk.hang_up()
    before = firewall.counters()
    sent = len(talk.caller_rtp.sent), len(talk.callee_rtp.sent)
    eventually(
        lambda: len(talk.caller_rtp.sent) >= sent[0] + 25
        and len(talk.callee_rtp.sent) >= sent[1] + 25,
        "both ends stream on",
    )
    talk.caller_rtp.pause()
    talk.callee_rtp.pause()
    counted = firewall.counted(before)
    assert counted["outside", "no_pinhole"] >= 25 and counted["inside", "no_pinhole"] >= 25

    outside, inside = (capture.stop() for capture in captures)
    end = next(
        p.time
        for p in outside
        if p.sip_start_line == "SIP/2.0 200 OK" and p.sip_cseq.endswith("BYE")
    )
    caller, callee = talk.caller_rtp.address, talk.callee_rtp.address
    assert [p for p in outside if p.is_rtp and p.source == caller and p.time > end]  # it did go on
    assert not [p for p in outside if p.is_rtp and p.source == callee and p.time > end]
    assert not [p for p in inside if p.is_rtp and p.source == caller and p.time > end]


# As much as this host can send: for floods that are to pass.
UNLIMITED = {"margin": 1000, "max_rate": "10Gbit/s", "burst": "10s", "period": "0s"}


@pytest.mark.agent(media=UNLIMITED)
@pytest.mark.parametrize("family", [4, 6])
def test_open_before_the_answer_and_closed_before_the_200(firewall, captures, parties, family):
    """The order of things, to the microsecond: the caller floods the callee's port without a pause,
    from before the answer to after the BYE. Every packet sent after the answer has reached him
    passes; not one that is sent after the BYE's 200 has reached him."""
    caller, callee, caller_rtp, callee_rtp = parties(family=family)
    for _ in range(5):
        call = caller.invite("alice", caller_rtp)
        incoming = callee.wait_for_invite()
        incoming.ring()
        call.wait_ringing()
        caller_rtp.start((callee_rtp.address, callee_rtp.port), interval=0)
        incoming.answer(callee_rtp)
        call.wait_answer()
        call.ack()
        incoming.wait_ack()
        arrived = len(callee_rtp.received)
        eventually(lambda: len(callee_rtp.received) > arrived + 20, "the flood arrives")
        call.request("BYE")
        incoming.wait_for_hang_up()
        call.wait_for_status(200, "BYE")
        sent = len(caller_rtp.sent)
        eventually(lambda: len(caller_rtp.sent) > sent + 20, "the flood goes on")
        caller_rtp.pause()
    outside, inside = (capture.stop() for capture in captures)

    def times(start, method):
        """When SIP messages that start so, of transactions of that method, were seen outside."""
        return [
            p.time
            for p in outside
            if p.sip_start_line
            and p.sip_start_line.startswith(start)
            and p.sip_cseq.endswith(method)
        ]

    passed = {p.payload for p in inside if p.is_rtp and p.destination == callee_rtp.address}

    def passed_between(begin, end):
        """Of the packets the caller sent in that time: whether each passed."""
        return [
            p.payload in passed
            for p in outside
            if p.is_rtp and p.source == caller_rtp.address and begin < p.time < end
        ]

    answers, byes, ends, starts = (
        times("SIP/2.0 200", "INVITE"),
        times("BYE", "BYE"),
        times("SIP/2.0 200", "BYE"),
        [*times("INVITE", "INVITE")[1:], float("inf")],
    )
    assert len(answers) == len(byes) == len(ends) == len(starts) == 5
    for answered, bye, ended, next_call in zip(answers, byes, ends, starts):
        assert set(passed_between(answered, bye)) == {True}
        assert set(passed_between(ended, next_call)) == {False}


def test_rtp_before_the_answer(firewall, parties):
    """After the offer the caller must be ready to receive (RFC 3264, 5.1): the callee's early audio
    passes. The caller does not know a port yet, and what he guesses does not pass."""
    caller, callee, caller_rtp, callee_rtp = parties()
    call = caller.invite("alice", caller_rtp)
    incoming = callee.wait_for_invite()
    incoming.ring()
    call.wait_ringing()
    callee_rtp.send(incoming.remote_media, 10)
    caller_rtp.wait_for_all(callee_rtp)

    before = firewall.counters()
    caller_rtp.send((callee_rtp.address, callee_rtp.port), 10)
    firewall.wait_until_counted(before, ("outside", "no_pinhole"), 10)
    assert callee_rtp.received == []

    incoming.answer(callee_rtp)
    call.wait_answer()
    del caller_rtp.sent[:]
    caller_rtp.send(call.remote_media, 10)
    callee_rtp.wait_for_all(caller_rtp)
    call.ack()
    incoming.wait_ack()
    call.request("BYE")
    incoming.wait_for_hang_up()
    call.wait_for_status(200, "BYE")
    firewall.wait_until_no_pinholes()


def test_early_answer_opens_both_ways(firewall, parties):
    """183 with an answer: media passes both ways while it still rings, and CANCEL ends that."""
    caller, callee, caller_rtp, callee_rtp = parties()
    call = caller.invite("alice", caller_rtp)
    incoming = callee.wait_for_invite()
    incoming.ring(callee_rtp)
    call.wait_ringing(183)
    caller_rtp.send(call.remote_media, 10)
    callee_rtp.send(incoming.remote_media, 10)
    callee_rtp.wait_for_all(caller_rtp)
    caller_rtp.wait_for_all(callee_rtp)
    call.cancel()
    call.wait_for_status(200, "CANCEL")
    cancel = incoming.wait_for_request("CANCEL")
    incoming.reply(cancel, 200, "OK")
    incoming.respond(487, "Request Terminated")
    call.wait_failure(487)
    firewall.wait_until_no_pinholes()
    before = firewall.counters()
    caller_rtp.send(call.remote_media, 5)
    firewall.wait_until_counted(before, ("outside", "no_pinhole"), 5)


def test_uninvited_rtp_dies(firewall, rtp):
    """No call: what plain routing would deliver is dropped and counted, packet by packet."""
    attacker, victim = rtp(topology.ATTACKER, 5555), rtp(topology.ALICE, 30000)
    before = firewall.counters()
    attacker.send((victim.address, victim.port), 100)
    firewall.wait_until_counted(before, ("outside", "no_pinhole"), 100)
    assert victim.received == []


def test_rtp_to_a_wrong_port_dies(firewall, converse, rtp):
    """The peer of a live call, to another port of the same host."""
    talk = converse()
    talk.wait_for_media(10)
    other = rtp(topology.ALICE, 30010)
    before = firewall.counters()
    talk.caller_rtp.send((other.address, other.port), 20)
    firewall.wait_until_counted(before, ("outside", "no_pinhole"), 20)
    assert other.received == []


def test_rtp_from_a_wrong_address_dies(firewall, captures, converse, rtp):
    """The right port, but somebody else: dropped, counted on the pinhole, unnoticed by the call."""
    talk = converse()
    talk.wait_for_media(10)
    attacker = rtp(topology.ATTACKER, talk.caller_rtp.port)
    before = firewall.counters()
    attacker.send((talk.callee_rtp.address, talk.callee_rtp.port), 50)
    firewall.wait_until_counted(before, ("outside", "wrong_peer"), 50)
    pinhole = next(
        p for p in firewall.pinholes() if p["destination"]["port"] == talk.callee_rtp.port
    )
    assert int(pinhole["wrong_peer"]) == 50
    talk.wait_for_media(10)
    talk.pause()
    assert talk.callee_rtp.from_endpoint(attacker) == []
    _, inside = (capture.stop() for capture in captures)
    assert not [p for p in inside if p.source == topology.ATTACKER.v4]


def test_rtp_from_a_wrong_port_of_the_peer_dies(firewall, converse, rtp):
    """media.peer: endpoint, the default: address and port must be the negotiated ones."""
    talk = converse()
    talk.wait_for_media(10)
    other_port = rtp(topology.CALLER, 4444)
    before = firewall.counters()
    other_port.send((talk.callee_rtp.address, talk.callee_rtp.port), 20)
    firewall.wait_until_counted(before, ("outside", "wrong_peer"), 20)


@pytest.mark.agent(media={"peer": "address"})
def test_rtp_from_another_port_of_the_peer_passes_where_configured(firewall, converse, rtp):
    """media.peer: address, for peers that do not send from where they receive."""
    talk = converse()
    talk.wait_for_media(10)
    other_port, attacker = rtp(topology.CALLER, 4444), rtp(topology.ATTACKER, 4444)
    talk.caller_rtp.pause()
    other_port.continue_as(talk.caller_rtp)
    other_port.send((talk.callee_rtp.address, talk.callee_rtp.port), 20)
    talk.callee_rtp.wait_for_all(other_port)
    before = firewall.counters()
    attacker.send((talk.callee_rtp.address, talk.callee_rtp.port), 20)
    firewall.wait_until_counted(before, ("outside", "wrong_peer"), 20)


def test_media_from_the_wrong_side_dies(firewall, converse):
    """The pinhole towards the caller is for media from inside. The same packet, its source forged
    to be the callee, does not pass when it comes from outside."""
    talk = converse()
    talk.wait_for_media(10)
    talk.pause()
    before = firewall.counters()
    forged = packets.udp(
        talk.callee_rtp.address,
        talk.callee_rtp.port,
        talk.caller_rtp.address,
        talk.caller_rtp.port,
        bytes([0x80]) + bytes(171),
    )
    with packets.Wire(firewall.lab, "outside") as wire:
        wire.send(packets.ipv4(talk.callee_rtp.address, talk.caller_rtp.address, forged))
    firewall.wait_until_counted(before, ("outside", "no_pinhole"), 1)
    talk.hang_up()


def test_rtcp_passes_and_leaves_with_the_call(firewall, converse, rtp):
    """Receiver reports on the next higher port (RFC 3550, 11), both ways."""
    talk = converse()
    near = rtp(topology.CALLER, talk.caller_rtp.port + 1, rtcp=True)
    far = rtp(topology.ALICE, talk.callee_rtp.port + 1, rtcp=True)
    near.send((far.address, far.port), 5)
    far.send((near.address, near.port), 5)
    far.wait_for_all(near)
    near.wait_for_all(far)
    talk.pause()
    talk.hang_up()
    before = firewall.counters()
    near.send((far.address, far.port), 5)
    firewall.wait_until_counted(before, ("outside", "no_pinhole"), 5)


@pytest.mark.agent(media={"idle_timeout": "1s"})
def test_idle_media_closes_the_call(firewall, converse):
    """While one direction speaks the call stays; when both are silent it goes, with the reason."""
    talk = converse()
    talk.wait_for_media(10)
    talk.callee_rtp.pause()
    holds(lambda: len(firewall.pinholes()) == 4, "one direction keeps the call open", 2.0)
    talk.caller_rtp.pause()
    firewall.wait_until_no_pinholes(timeout=10)
    ended = firewall.wait_until_ended(talk.call_id)
    assert "idle" in ended["outcome"]


@pytest.mark.parametrize(
    "address, port",
    [
        (topology.CALLER.v4, topology.SIP_PORT),
        (topology.CALLER.v4, 53),
        ("127.0.0.1", 4000),
        ("224.0.0.5", 4000),
    ],
    ids=["signalling port", "privileged port", "loopback", "multicast"],
)
def test_an_impossible_offer_opens_nothing(firewall, terminal, address, port):
    """The call may ring, but no pinhole leads where media has no business."""
    caller, callee = terminal(topology.CALLER, "zoe"), terminal(topology.ALICE, "alice")
    call = caller.invite("alice", MediaAddress(address, port))
    incoming = callee.wait_for_invite()
    assert MediaAddress(address, port) not in destinations(firewall)
    incoming.respond(486, "Busy Here")
    call.wait_failure(486)
