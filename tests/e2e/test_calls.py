# SPDX-License-Identifier: Apache-2.0
"""Calls from outside and inside, with peers nobody here wrote: what the security manager decides is
what happens, and media follows signalling."""

import pytest
from stemlab import peers, topology
from stemlab.sip import sdp
from stemlab.waiting import eventually


@pytest.mark.parametrize("family", [4, 6])
def test_accepted_call_between_sipp_and_sipp(firewall, captures, family):
    """SIPp calls SIPp through Kamailio with audio both ways; afterwards nothing is open."""
    callee = peers.sipp_callee(firewall.lab, topology.ALICE, family=family)
    caller = peers.sipp_caller(firewall.lab, topology.CALLER, "alice", family=family)
    eventually(lambda: len(firewall.pinholes()) == 4, "RTP and RTCP open both ways")
    assert firewall.calls()[0]["state"] == "established"
    caller.wait()
    callee.wait()
    firewall.wait_until_no_pinholes()
    assert firewall.calls() == []
    ended = firewall.calls(ended=True)[0]
    assert ended["callee"] == topology.uri("alice") and ended["state"] == "ended"

    outside, inside = (capture.stop() for capture in captures)
    near, far = topology.CALLER.address(family), topology.ALICE.address(family)
    for sender, receiver in ((near, far), (far, near)):
        at_outside = [
            p.sequence
            for p in outside
            if p.is_rtp and (p.source, p.destination) == (sender, receiver)
        ]
        at_inside = [
            p.sequence
            for p in inside
            if p.is_rtp and (p.source, p.destination) == (sender, receiver)
        ]
        assert len(at_outside) >= 40  # a second of 20 ms packets, less what a busy machine skips
        assert at_outside == at_inside
    assert all(p.checksum_ok for p in outside + inside)


def test_baresip_calls_baresip(firewall, captures):
    """A real phone on both ends, answering by itself."""
    callee = peers.Baresip(firewall.lab, topology.ALICE, "alice")
    caller = peers.Baresip(firewall.lab, topology.CALLER, "zoe", dial=topology.uri("alice"))
    callee.wait_established()
    caller.wait_established()
    eventually(
        lambda: len([p for p in firewall.pinholes() if int(p["packets"]) > 25]) == 2,
        lambda: f"audio passes both ways: {firewall.pinholes()}",
    )
    caller.hang_up()
    firewall.wait_until_no_pinholes()
    outside, inside = (capture.stop() for capture in captures)
    for source, near, far in (
        (topology.CALLER.v4, outside, inside),
        (topology.ALICE.v4, inside, outside),
    ):
        sent = [p.sequence for p in near if p.is_rtp and p.source == source]
        arrived = [p.sequence for p in far if p.is_rtp and p.source == source]
        # What a phone sends while the hang-up is under way may meet a closed pinhole; a packet each
        # 20 ms, two of them at the most.
        assert arrived == sent[: len(arrived)]
        assert len(sent) - len(arrived) <= 2
    callee.hang_up()


@pytest.mark.parametrize("family", [4, 6])
def test_refused_by_the_profile(firewall, captures, family):
    """carol refuses: the firewall answers 403 in the proxy's place; the proxy hears nothing."""
    before = firewall.counters()
    peers.sipp_caller(
        firewall.lab,
        topology.CALLER,
        "carol",
        "caller_refused",
        family=family,
        replace={"@STATUS@": "403"},
    ).wait()
    assert firewall.counted(before)["outside", "sip_refused_by_decision"] == 1
    assert firewall.pinholes() == []
    _, inside = (capture.stop() for capture in captures)
    assert not [p for p in inside if p.sip_start_line]


def test_refused_with_the_status_of_the_profile(firewall):
    firewall.set_user("carol", "--incoming", "refuse", "--status", "486", "--reason", "At Lunch")
    try:
        peers.sipp_caller(
            firewall.lab, topology.CALLER, "carol", "caller_refused", replace={"@STATUS@": "486"}
        ).wait()
    finally:
        firewall.set_user("carol", "--incoming", "refuse")


def test_dropped_by_the_profile(firewall, terminal):
    """The caller hears nothing at all, however often he asks."""
    firewall.set_user("carol", "--incoming", "drop")
    try:
        caller = terminal(topology.CALLER, "zoe")
        before = firewall.counters()
        call = caller.invite("carol", None)
        firewall.wait_until_counted(before, ("outside", "sip_dropped_by_decision"), 1)
        call.retransmit()
        caller.hears_nothing(lambda message: True, "anything")
    finally:
        firewall.set_user("carol", "--incoming", "refuse")


def test_forwarded_by_the_profile(firewall, captures):
    """dave forwards to erin: the caller gets 302, follows the Contact with the same Call-ID, and
    talks to erin."""
    callee = peers.sipp_callee(firewall.lab, topology.ERIN)
    peers.sipp_caller(firewall.lab, topology.CALLER, "dave", "caller_forwarded").wait()
    callee.wait()
    firewall.wait_until_no_pinholes()
    outside, inside = (capture.stop() for capture in captures)
    assert [
        p.sip_start_line
        for p in outside
        if p.sip_start_line and p.sip_start_line.startswith("SIP/2.0 302")
    ]
    reached = [p.destination for p in inside if p.is_rtp and p.source == topology.CALLER.v4]
    assert reached and set(reached) == {topology.ERIN.v4}


@pytest.mark.parametrize(
    "host, caller",
    [
        (topology.CALLER, "bot@spam.example"),
        (topology.CALLER, "anyone@junk.example"),
        (topology.CALLER, "anyone@deep.junk.example"),
        (topology.SPAMMER, "zoe@outside.example"),
    ],
    ids=["uri", "domain", "subdomain", "address"],
)
def test_spam_is_refused(firewall, host, caller):
    """alice accepts calls, but not these; the entry counts its hits."""

    def hits():
        return sum(int(entry["hits"]) for entry in firewall.stemctl("spam", "list")["entries"])

    before, counters = hits(), firewall.counters()
    peers.sipp_caller(
        firewall.lab, host, "alice", "caller_refused", caller=caller, replace={"@STATUS@": "403"}
    ).wait()
    assert hits() == before + 1
    assert firewall.counted(counters)["outside", "sip_refused_by_decision"] == 1


def test_unknown_user_is_refused(firewall):
    peers.sipp_caller(
        firewall.lab, topology.CALLER, "nobody", "caller_refused", replace={"@STATUS@": "404"}
    ).wait()


def test_caller_gives_up_while_it_rings(firewall):
    """CANCEL: the offer's pinholes are open while it rings and closed by the 487."""
    callee = peers.sipp_callee(firewall.lab, topology.ALICE, "callee_rings")
    caller = peers.sipp_caller(firewall.lab, topology.CALLER, "alice", "caller_cancels")
    caller.wait()
    callee.wait()
    firewall.wait_until_no_pinholes()
    ended = firewall.calls(ended=True)[0]
    assert "487" in ended["outcome"] or "cancel" in ended["outcome"].lower()


@pytest.mark.agent(security_manager={"deadline": "5s"})
def test_cancel_while_the_sm_still_thinks(firewall, terminal):
    """A held INVITE that is cancelled never goes on; the agent answers both (RFC 3261, 9.2)."""
    firewall.sm.pause()
    try:
        caller = terminal(topology.CALLER, "zoe")
        callee = terminal(topology.ALICE, "alice")
        call = caller.invite("alice", None)
        call.cancel()
        call.wait_for_status(200, "CANCEL")
        call.wait_failure(487)
    finally:
        firewall.sm.resume()
    callee.hears_nothing(lambda message: True, "the cancelled INVITE", 1.0)


def test_busy_callee(firewall):
    """486 goes through to the caller and closes what the offer had opened."""
    callee = peers.sipp_callee(firewall.lab, topology.ALICE, "callee_busy")
    peers.sipp_caller(
        firewall.lab, topology.CALLER, "alice", "caller_refused", replace={"@STATUS@": "486"}
    ).wait()
    callee.wait()
    firewall.wait_until_no_pinholes()
    assert "486" in firewall.calls(ended=True)[0]["outcome"]


def test_callee_hangs_up(firewall):
    callee = peers.sipp_callee(firewall.lab, topology.ALICE, "callee_hangs_up", talk_ms=500)
    peers.sipp_caller(firewall.lab, topology.CALLER, "alice", "caller_hung_up_on").wait()
    callee.wait()
    firewall.wait_until_no_pinholes()
    assert firewall.calls(ended=True)[0]["state"] == "ended"


def test_call_from_inside(firewall, terminal, rtp):
    """Calls from inside are not asked about; media follows the same rules."""
    caller, callee = terminal(topology.ALICE, "alice"), terminal(topology.CALLER, "zoe")
    caller_rtp, callee_rtp = rtp(topology.ALICE, 30000), rtp(topology.CALLER, 4000)
    decisions = int(firewall.stemctl("sm", "status")["decisions"])
    call = caller.invite("zoe", caller_rtp, uri=f"sip:zoe@{topology.CALLER.v4}:{topology.SIP_PORT}")
    incoming = callee.wait_for_invite()
    incoming.answer(callee_rtp)
    callee_rtp.start(incoming.remote_media)
    call.wait_answer()
    caller_rtp.start(call.remote_media)
    call.ack()
    incoming.wait_ack()
    callee_rtp.wait_for_packets(caller_rtp, 25)
    caller_rtp.wait_for_packets(callee_rtp, 25)
    for endpoint in (caller_rtp, callee_rtp):
        endpoint.pause()
    callee_rtp.wait_for_all(caller_rtp)
    caller_rtp.wait_for_all(callee_rtp)
    incoming.request("BYE")
    call.wait_for_hang_up()
    incoming.wait_for_status(200, "BYE")
    firewall.wait_until_no_pinholes()
    assert int(firewall.stemctl("sm", "status")["decisions"]) == decisions


def test_two_calls_on_one_five_tuple(firewall, terminal, rtp):
    """A trunk: two calls between the same two sockets. Hanging up one leaves the other alone."""
    caller, callee = terminal(topology.CALLER, "zoe"), terminal(topology.ALICE, "alice")
    media = [
        (rtp(topology.CALLER, 4000 + 10 * n), rtp(topology.ALICE, 30000 + 10 * n)) for n in (0, 1)
    ]
    calls = []
    for near, far in media:
        call = caller.invite("alice", near)
        incoming = callee.wait_for_invite()
        incoming.answer(far)
        call.wait_answer()
        call.ack()
        incoming.wait_ack()
        near.start(call.remote_media)
        far.start(incoming.remote_media)
        calls.append((call, incoming))
    assert len(firewall.calls()) == 2 and len(firewall.pinholes()) == 8
    for near, far in media:
        far.wait_for_packets(near, 10)

    (first, first_in), (second, second_in) = calls
    near, far = media[0]
    near.pause()
    far.pause()
    first.request("BYE")
    first_in.wait_for_hang_up()
    first.wait_for_status(200, "BYE")
    assert [c["call_id"] for c in firewall.calls()] == [second.call_id]
    assert {p["destination"]["port"] for p in firewall.pinholes()} == {4010, 4011, 30010, 30011}

    near, far = media[1]
    at_far = len(far.from_endpoint(near))
    far.wait_for_packets(near, at_far + 25)
    near.pause()
    far.pause()
    far.wait_for_all(near)
    near.wait_for_all(far)
    second.request("BYE")
    second_in.wait_for_hang_up()
    second.wait_for_status(200, "BYE")
    firewall.wait_until_no_pinholes()


@pytest.mark.parametrize(
    "forged, reason",
    [("local", "sip_request_without_call"), ("remote", "sip_wrong_dialog")],
    ids=["caller's tag", "callee's tag"],
)
def test_a_bye_must_come_from_its_call(firewall, converse, forged, reason):
    """Right Call-ID, wrong tag: the BYE goes nowhere, the call goes on."""
    talk = converse()
    talk.wait_for_media(10)
    before = firewall.counters()
    talk.out.request("BYE", **{forged: "<sip:zoe@outside.example>;tag=forged"})
    firewall.wait_until_counted(before, ("outside", reason), 1)
    talk.callee.hears_nothing(lambda m: m.status is None and m.method == "BYE", "the forged BYE")
    talk.wait_for_media(10)
    talk.pause()
    talk.hang_up()
    firewall.wait_until_no_pinholes()


def test_a_bye_refused_keeps_the_call(firewall, converse):
    """401 to a BYE: the call is not over (RFC 3261, 15.1.2 speaks of 481 and 408 only)."""
    talk = converse()
    talk.out.request("BYE")
    request = talk.incoming.wait_for_request("BYE")
    talk.incoming.reply(request, 401, "Unauthorized")
    talk.out.wait_for_status(401, "BYE")
    talk.wait_for_media()
    talk.pause()
    talk.hang_up()
    firewall.wait_until_no_pinholes()


@pytest.mark.agent(calls={"bye_timeout": "1s"})
def test_a_bye_nobody_answers_closes_the_call(firewall, converse):
    talk = converse()
    talk.pause()
    talk.out.request("BYE")
    firewall.wait_until_no_pinholes(timeout=10)
    assert firewall.calls(ended=True)[0]["state"] == "ended"


def test_a_reinvite_moves_the_media(firewall, converse, rtp):
    """The caller moves to another port in mid-call: the new one opens, the old one closes."""
    talk = converse()
    talk.wait_for_media(10)
    talk.pause()
    moved = rtp(topology.CALLER, 4100)
    talk.out.request("INVITE", sdp(moved.address, moved.port))
    request = talk.incoming.wait_for_request("INVITE")
    talk.incoming.reply(
        request, 200, "OK", sdp(talk.callee_rtp.address, talk.callee_rtp.port),
        [("Contact", talk.callee.contact)],
    )  # fmt: skip
    talk.callee_rtp.send((moved.address, moved.port), 5)
    talk.out.wait_for_status(200, "INVITE")
    talk.out.ack()
    moved.send(talk.out.remote_media, 5)
    talk.callee_rtp.wait_for_all(moved)
    eventually(
        lambda: len(moved.from_endpoint(talk.callee_rtp)) == 5,
        "the callee's audio arrives at the new port",
    )
    ports = {p["destination"]["port"] for p in firewall.pinholes()}
    assert ports == {4100, 4101, 30000, 30001}
    before = firewall.counters()
    talk.callee_rtp.send((topology.CALLER.v4, 4000), 3)
    firewall.wait_until_counted(before, ("inside", "no_pinhole"), 3)
    talk.hang_up()
    firewall.wait_until_no_pinholes()
