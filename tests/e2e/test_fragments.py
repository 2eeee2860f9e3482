# SPDX-License-Identifier: Apache-2.0
"""SIP longer than the MTU: it crosses in IP fragments, judged as one message."""

import pytest
from stemlab import packets, topology
from stemlab.sip import OutgoingCall, sdp
from stemlab.waiting import eventually

PADDING = "".join(f"a=x-padding:{number:03} {'x' * 80}\r\n" for number in range(30))


class LongCall:
    """A call whose INVITE has 3 kB, made but sent only by send() or by hand."""

    def __init__(self, caller, media):
        self.sent = []
        self._send = caller.send
        caller.send = lambda message, to: self.sent.append((message, to))
        self.caller = caller
        self.call = OutgoingCall(
            caller,
            (topology.PROXY.address(caller.family), topology.SIP_PORT),
            topology.uri("alice"),
            sdp(media.address, media.port) + PADDING,
            "sip:zoe@outside.example",
        )
        caller.send = self._send
        assert len(self.invite.bytes()) > 2900

    @property
    def invite(self):
        return self.sent[0][0]

    def send(self):
        self.caller.send(*self.sent[0])

    def fragments(self):
        source = self.caller.address
        destination, port = self.sent[0][1]
        datagram = packets.udp(source, self.caller.port, destination, port, self.invite.bytes())
        return packets.fragments(source, destination, datagram)


def converse_on(firewall, made, callee, caller_rtp, callee_rtp):
    """The INVITE has gone out: everything after it goes as ever."""
    incoming = callee.wait_for_invite()
    assert incoming.invite.body.endswith(PADDING)
    incoming.answer(callee_rtp)
    made.call.wait_answer()
    made.call.ack()
    incoming.wait_ack()
    caller_rtp.send(made.call.remote_media, 5)
    callee_rtp.wait_for_all(caller_rtp)
    made.call.request("BYE")
    incoming.wait_for_hang_up()
    made.call.wait_for_status(200, "BYE")
    firewall.wait_until_no_pinholes()


@pytest.mark.parametrize("family", [4, 6])
def test_a_long_invite_crosses_in_fragments(firewall, parties, family):
    """The caller's kernel fragments it, the firewall's kernel does so again."""
    caller, callee, caller_rtp, callee_rtp = parties(family=family)
    before = firewall.counters()
    made = LongCall(caller, caller_rtp)
    made.send()
    converse_on(firewall, made, callee, caller_rtp, callee_rtp)
    counted = firewall.counted(before)
    assert counted["outside", "fragment_to_agent"] >= 1
    assert counted["", "fragments_completed"] == 1


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("order", [(3, 2, 1, 0), (1, 3, 0, 2)], ids=["backwards", "mixed"])
def test_fragments_in_any_order(firewall, parties, family, order):
    """Later fragments come before the first one, whose ports say what it is."""
    caller, callee, caller_rtp, callee_rtp = parties(family=family)
    before = firewall.counters()
    made = LongCall(caller, caller_rtp)
    pieces = made.fragments()
    assert len(pieces) == len(order)
    with packets.Wire(firewall.lab, "outside") as wire:
        for number in order:
            wire.send(pieces[number])
    converse_on(firewall, made, callee, caller_rtp, callee_rtp)
    assert firewall.counted(before)["", "fragments_completed"] == 1


def test_overlapping_fragments_are_given_up(firewall, parties):
    """RFC 5722: the whole datagram, not just the part that overlaps."""
    caller, callee, caller_rtp, _ = parties()
    before = firewall.counters()
    made = LongCall(caller, caller_rtp)
    pieces = made.fragments()
    source, destination = caller.address, made.sent[0][1][0]
    overlapping = packets.ipv4(
        source, destination, packets.Layer(17, bytes(1000)), fragment=800 // 8, more=True
    )
    with packets.Wire(firewall.lab, "outside") as wire:
        for piece in (pieces[0], overlapping, *pieces[1:]):
            wire.send(piece)
    firewall.wait_until_counted(before, ("", "fragments_overlapping"), 1)
    callee.hears_nothing(lambda m: m.status is None, "the INVITE")
    assert firewall.calls() == []


@pytest.mark.agent(limits={"reassembly": {"timeout": "1s"}})
def test_what_never_completes_is_forgotten(firewall, parties):
    """It is seen among the tables while it waits."""
    caller, _, caller_rtp, _ = parties()
    made = LongCall(caller, caller_rtp)
    with packets.Wire(firewall.lab, "outside") as wire:
        wire.send(made.fragments()[0])

    def waiting():
        tables = {table["name"]: table for table in firewall.status()["tables"]}
        return int(tables["fragmented datagrams"].get("used", 0))

    eventually(lambda: waiting() == 1, "one datagram waits")
    eventually(lambda: waiting() == 0, "it is forgotten")
    assert firewall.counters()["", "fragments_timed_out"] == 1
