# SPDX-License-Identifier: Apache-2.0
"""The flow monitor: a stream that sends more than its call negotiated is held to it, and others do
not notice. And latching: parties behind an address translation."""

import time

import pytest
from stemlab import topology
from stemlab.sip import MediaAddress
from stemlab.waiting import eventually

PCMU_BYTES = 15000  # a second: 1.25 x (64 kbit/s and the headers of 10 ms packets)
PCMU_BURST = 5000


def pinhole_to(site, endpoint):
    return next(p for p in site.pinholes() if p["destination"]["port"] == endpoint.port)


def flood(talk):
    """The caller goes on with his stream, but without a pause between packets."""
    talk.caller_rtp.pause()
    talk.caller_rtp.start(talk.out.remote_media, interval=0)


def test_a_flood_is_policed_while_another_call_goes_on(firewall, converse):
    """Not more passes than the codec needs; the other call loses nothing."""
    talk = converse()
    other = converse("bob", caller=topology.SECOND_CALLER)
    talk.wait_for_media(10)
    before = firewall.counters()
    began, start = time.monotonic(), int(pinhole_to(firewall, talk.callee_rtp)["bytes"])
    flood(talk)
    other.wait_for_media(100)
    passed = int(pinhole_to(firewall, talk.callee_rtp)["bytes"]) - start
    elapsed = time.monotonic() - began
    talk.caller_rtp.pause()
    counted = firewall.counted(before)
    refused = counted["outside", "media_too_fast"] + counted.get(("outside", "media_too_many"), 0)
    assert refused > 1000
    pinhole = pinhole_to(firewall, talk.callee_rtp)
    assert int(pinhole["too_fast"]) >= refused > 0
    assert int(pinhole["limits"]["bytes_per_second"]) == pytest.approx(PCMU_BYTES, rel=0.01)
    assert pinhole["limits"]["payload_types"] == [0]
    assert 0.8 * PCMU_BYTES * elapsed < passed < PCMU_BYTES * elapsed + PCMU_BURST
    other.pause()
    other.hang_up()


@pytest.mark.agent(media={"reaction": "close", "period": "1s"})
def test_a_flood_ends_its_call_where_configured(firewall, converse):
    talk = converse()
    other = converse("bob", caller=topology.SECOND_CALLER)
    talk.wait_for_media(10)
    flood(talk)
    ended = firewall.wait_until_ended(talk.call_id, timeout=10)
    talk.caller_rtp.pause()
    assert ended["outcome"] == "media above its limits"
    step = ended["ladder"][-1]
    assert step["message"] == "media" and "refused: call ended" in step["why"]
    assert firewall.counters()["", "calls_media_exceeded"] == 1
    other.wait_for_media(25)
    other.pause()
    assert len(firewall.pinholes()) == 4, "the other call's"
    talk.hang_up()  # both ends are still told


@pytest.mark.agent(media={"reaction": "lower", "period": "1s"})
def test_a_flood_lowers_its_rate_once_where_configured(firewall, converse):
    talk = converse()
    talk.wait_for_media(10)
    flood(talk)
    eventually(
        lambda: firewall.counters()["", "streams_policed"] >= 3,
        "it is told of in each period",
        timeout=10,
    )
    began, start = time.monotonic(), int(pinhole_to(firewall, talk.callee_rtp)["bytes"])
    polls = firewall.counters()["", "streams_policed"]
    eventually(lambda: firewall.counters()["", "streams_policed"] > polls, "a period", timeout=5)
    passed = int(pinhole_to(firewall, talk.callee_rtp)["bytes"]) - start
    elapsed = time.monotonic() - began
    talk.caller_rtp.pause()
    assert passed < PCMU_BYTES / 2 * elapsed + PCMU_BURST
    assert firewall.counters()["", "streams_lowered"] == 1
    talk.hang_up()


@pytest.mark.agent(media={"peer": "latch"})
def test_a_caller_behind_a_translation_is_found_by_his_media(firewall, parties, rtp):
    """He names a private address. The first good packet from where his signalling comes decides;
    then both directions work, and nobody else's packets pass."""
    caller, callee, _, callee_rtp = parties()
    translated = rtp(topology.CALLER, 41000)
    call = caller.invite("alice", MediaAddress("192.168.77.5", 4000))
    incoming = callee.wait_for_invite()
    incoming.answer(callee_rtp)
    call.wait_answer()
    call.ack()
    incoming.wait_ack()
    to_callee = (callee_rtp.address, callee_rtp.port)

    stranger = rtp(topology.ATTACKER, 41000)
    before = firewall.counters()
    stranger.send(to_callee, 5)
    firewall.wait_until_counted(before, ("outside", "wrong_peer"), 5)

    translated.send(to_callee, 5)
    callee_rtp.wait_for_all(translated)
    elsewhere = rtp(topology.CALLER, 41002)
    before = firewall.counters()
    elsewhere.send(to_callee, 5)
    firewall.wait_until_counted(before, ("outside", "wrong_peer"), 5)

    back = MediaAddress(translated.address, translated.port)
    eventually(
        lambda: back in [MediaAddress(**p["destination"]) for p in firewall.pinholes()],
        "the way back is open",
    )
    callee_rtp.send(tuple(back), 5)
    translated.wait_for_all(callee_rtp)
    call.request("BYE")
    incoming.wait_for_hang_up()
    call.wait_for_status(200, "BYE")
    firewall.wait_until_no_pinholes()
