# SPDX-License-Identifier: Apache-2.0
"""Static rules that change while the firewall works, and SIP on ports that are not SIP's."""

import os
import signal

import pytest
from stemlab import topology, yaml
from stemlab.sip import MediaAddress, OutgoingCall, sdp
from stemlab.site import StemctlFailed
from stemlab.waiting import eventually

ALICE = topology.ALICE
OTHER_PORT = 5070
INSPECT = [
    {"name": "other-sip", "action": "inspect", "protocol": "udp",
     "destination_ports": str(OTHER_PORT)},
    {"name": "other-sip-answers", "action": "inspect", "protocol": "udp",
     "source_ports": str(OTHER_PORT)},
]  # fmt: skip
NO_CALLERS_MEDIA = {"name": "no-media", "action": "deny", "from": "outside", "protocol": "udp",
                    "source": f"{topology.CALLER.v4}/32",
                    "source_ports": "4000-4001"}  # fmt: skip


def write_rules(site, *rules):
    path = site.lab.directory / "rules.yaml"
    path.write_text(yaml.dump({"rules": list(rules)}))
    return path


@pytest.fixture
def firewall_with_rules_file(session_site, request):
    """As `firewall`, with a rules file of its own that is empty at first."""
    path = write_rules(session_site)
    path.write_text("rules: []\n")
    request.node.add_marker(pytest.mark.agent(rules_file=path))
    return request.getfixturevalue("firewall")


def rules_of_file(site):
    """Names of the rules in force, without those the agent adds for its own connections."""
    names = [rule["name"] for rule in site.stemctl("rules").get("rules", [])]
    return [name for name in names if name in ("no-media", "other-sip", "other-sip-answers")]


def test_new_rules_close_pinholes_of_calls_in_progress(firewall_with_rules_file, converse):
    """A deny is above a pinhole that is open already, and what it leaves useless is closed; another
    call's media loses nothing meanwhile."""
    site = firewall_with_rules_file
    talk = converse()
    other = converse("bob", caller=topology.SECOND_CALLER)
    talk.wait_for_media(10)
    before = site.counters()
    write_rules(site, NO_CALLERS_MEDIA)
    site.stemctl_run("rules", "reload")
    assert rules_of_file(site) == ["no-media"]
    eventually(
        lambda: site.counted(before).get(("outside", "rule_denied"), 0) >= 10,
        lambda: f"his media is denied: {site.counted(before)}",
    )
    heard = len(talk.callee_rtp.from_endpoint(talk.caller_rtp))
    talk.caller_rtp.send(talk.out.remote_media, 5)
    other.wait_for_media(25)
    assert len(talk.callee_rtp.from_endpoint(talk.caller_rtp)) == heard
    assert site.counted(before)["", "pinholes_denied"] >= 1
    left = [p["peer"] for p in site.pinholes() if p["destination"]["address"] == ALICE.v4]
    assert left == [], "what his media went through"
    other.pause()
    other.hang_up()


def test_sighup_reads_the_rules_again(firewall_with_rules_file):
    site = firewall_with_rules_file
    assert rules_of_file(site) == []
    write_rules(site, NO_CALLERS_MEDIA, *INSPECT)
    os.kill(site.agent.pid, signal.SIGHUP)
    eventually(lambda: len(rules_of_file(site)) == 3, lambda: f"three rules: {rules_of_file(site)}")


def test_a_broken_file_is_told_by_its_line_and_the_old_rules_stay(firewall_with_rules_file):
    site = firewall_with_rules_file
    write_rules(site, NO_CALLERS_MEDIA)
    site.stemctl("rules", "reload")
    path = site.lab.directory / "rules.yaml"
    path.write_text("rules:\n  - name: broken\n    action: deny\n    source: 192.0.2.999/32\n")
    with pytest.raises(StemctlFailed) as failed:
        site.stemctl_run("rules", "reload")
    assert f"{path}:4:" in str(failed.value), failed.value
    assert "rules[0].source" in str(failed.value), failed.value
    assert rules_of_file(site) == ["no-media"]
    path.unlink()
    with pytest.raises(StemctlFailed) as failed:
        site.stemctl_run("rules", "reload")
    assert str(path) in str(failed.value)
    assert rules_of_file(site) == ["no-media"]


@pytest.mark.agent(rules=INSPECT)
def test_sip_on_another_port_is_judged_and_its_media_passes(firewall, terminal, rtp):
    caller = terminal(topology.CALLER, "zoe")
    alice = terminal(ALICE, "alice", OTHER_PORT)
    caller_rtp, alice_rtp = rtp(topology.CALLER, 4000), rtp(ALICE, 30000)
    call = OutgoingCall(
        caller, (ALICE.v4, OTHER_PORT), topology.uri("alice"),
        sdp(caller_rtp.address, caller_rtp.port), "sip:zoe@outside.example",
    )  # fmt: skip
    incoming = alice.wait_for_invite()
    assert firewall.call(call.call_id)["state"] in ("deciding", "ringing")
    incoming.answer(alice_rtp)
    call.wait_answer()
    call.ack()
    assert call.remote_media == (ALICE.v4, 30000)
    caller_rtp.send(call.remote_media, 5)
    alice_rtp.wait_for_all(caller_rtp)
    alice_rtp.send(incoming.remote_media, 5)
    caller_rtp.wait_for_all(alice_rtp)
    assert firewall.counters()["outside", "sip_to_agent"] >= 2
    call.request("BYE")
    incoming.wait_for_hang_up()
    call.wait_for_status(200, "BYE")
    firewall.wait_until_no_pinholes()


@pytest.mark.agent(rules=INSPECT)
def test_who_may_not_call_may_not_on_another_port(firewall, terminal):
    caller = terminal(topology.CALLER, "zoe")
    alice = terminal(ALICE, "alice", OTHER_PORT)
    call = OutgoingCall(
        caller, (ALICE.v4, OTHER_PORT), topology.uri("carol"),
        sdp(topology.CALLER.v4, 4000), "sip:zoe@outside.example",
    )  # fmt: skip
    call.wait_for_status(403, "INVITE")
    alice.hears_nothing(lambda m: True, "the call")


def test_without_the_rule_the_port_is_closed(firewall, terminal):
    caller = terminal(topology.CALLER, "zoe", OTHER_PORT)
    alice = terminal(ALICE, "alice", OTHER_PORT)
    before = firewall.counters()
    OutgoingCall(
        caller, (ALICE.v4, OTHER_PORT), topology.uri("alice"),
        sdp(topology.CALLER.v4, 4000), "sip:zoe@outside.example",
    )  # fmt: skip
    firewall.wait_until_counted(before, ("outside", "no_pinhole"), 1)
    assert alice.heard == []


TOLD_IN_PENALTY = {"invite": {"rate": 1, "burst": 2, "penalty": "1h"}, "answered": 3}


@pytest.mark.agent(modules={"invite_guard": "observe"}, invite_guard=TOLD_IN_PENALTY)
def test_nobody_feels_a_penalty_that_is_only_observed(firewall, terminal):
    caller = terminal(topology.CALLER, "zoe")
    alice = terminal(ALICE, "alice")
    for _ in range(6):
        call = caller.invite("alice", MediaAddress(topology.CALLER.v4, 4000))
        alice.wait_for(
            lambda m, of=call.call_id: m.status is None and m.get("call-id") == of,
            "this INVITE, and not an earlier one again",
        )
    assert firewall.counters()["outside", "sip_source_in_penalty"] == 0
    counters = firewall.stemctl("counters", "--all")["counters"]
    observed = sum(int(c["observed"]) for c in counters if c["name"].startswith("sip_rate"))
    assert observed >= 3, "or there was no penalty to feel"


@pytest.mark.agent(invite_guard=TOLD_IN_PENALTY)
def test_the_first_of_a_penalty_time_are_told_when_to_come_again(firewall, terminal):
    """RFC 3261, 21.5.4: 503 with Retry-After, in the server's place; the rest are dropped."""
    caller = terminal(topology.CALLER, "zoe")
    alice = terminal(ALICE, "alice")
    media = MediaAddress(topology.CALLER.v4, 4000)
    before = firewall.counters()
    for _ in range(2):
        caller.invite("alice", media)
        alice.wait_for_invite()
    calls = [caller.invite("alice", media) for _ in range(6)]
    refused = [caller.wait_for(lambda m: m.status == 503, "503") for _ in range(3)]
    assert {m.get("call-id") for m in refused} <= {call.call_id for call in calls}
    assert all(int(m.get("retry-after")) >= 1 for m in refused)
    firewall.wait_until_counted(before, ("outside", "sip_rate"), 3)
    caller.hears_nothing(lambda m: m.status == 503, "a fourth 503")
    assert firewall.counted(before)["outside", "sip_rate_to_agent"] == 3


@pytest.mark.agent(invite_guard=TOLD_IN_PENALTY)
def test_what_came_before_the_penalty_is_not_told(firewall, terminal):
    """The agent gets to them when the penalty has long begun: the kernel's verdict is what counts."""
    caller = terminal(topology.CALLER, "zoe")
    alice = terminal(ALICE, "alice")
    media = MediaAddress(topology.CALLER.v4, 4000)
    before = firewall.counters()
    firewall.agent.pause()
    in_time = [caller.invite("alice", media) for _ in range(2)]
    too_many = [caller.invite("alice", media) for _ in range(3)]
    firewall.agent.resume()
    firewall.wait_until_counted(before, ("outside", "sip_rate_to_agent"), 3)
    refused = [caller.wait_for(lambda m: m.status == 503, "503") for _ in range(3)]
    assert {m.get("call-id") for m in refused} == {call.call_id for call in too_many}
    rung = {alice.wait_for_invite().invite.get("call-id") for _ in range(2)}
    assert rung == {call.call_id for call in in_time}
    caller.hears_nothing(lambda m: m.status == 503, "a fourth 503")
