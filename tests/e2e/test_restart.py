# SPDX-License-Identifier: Apache-2.0
"""The agent dies, is killed, is stopped and comes back, while calls are up."""

import json

import pytest
from stemlab import topology
from stemlab.site import BINARIES
from stemlab.waiting import eventually


def xdp_attached(lab):
    """Names of the firewall's interfaces that have an XDP program."""
    links = json.loads(lab.run("firewall", ["ip", "-j", "-d", "link", "show"]).stdout)
    return {link["ifname"] for link in links if link.get("xdp", {}).get("prog")}


def hang_up_closes(site, talk):
    """BYE, and what both ends still stream dies at the firewall."""
    before = site.counters()
    talk.hang_up()
    site.wait_until_no_pinholes()
    eventually(
        lambda: site.counted(before).get(("outside", "no_pinhole"), 0) >= 5
        and site.counted(before).get(("inside", "no_pinhole"), 0) >= 5,
        "media after the BYE is dropped",
    )


@pytest.mark.parametrize("family", [4, 6])
def test_killed_in_mid_call(firewall, converse, family):
    """kill -9: media keeps flowing without one loss, while the agent is dead and while the next one
    starts; that one adopts the call, and the BYE still closes it."""
    talk = converse(family=family)
    talk.wait_for_media(25)
    firewall.agent.kill()
    talk.wait_for_media(50)
    firewall.start_agent()
    assert int(firewall.status()["adopted_calls"]) == 1
    call = firewall.call(talk.call_id)
    assert call["adopted"] and call["state"] == "established"
    assert len(firewall.pinholes()) == 4
    talk.wait_for_media(25)
    talk.pause()
    talk.caller_rtp.start(talk.out.remote_media)
    talk.callee_rtp.start(talk.incoming.remote_media)
    hang_up_closes(firewall, talk)


def test_killed_while_it_rings(firewall, parties):
    """The answer comes after the restart: the new agent still opens its pinholes first."""
    caller, callee, caller_rtp, callee_rtp = parties()
    call = caller.invite("alice", caller_rtp)
    incoming = callee.wait_for_invite()
    incoming.ring()
    call.wait_ringing()
    firewall.agent.kill()
    firewall.start_agent()
    assert [c["state"] for c in firewall.calls()] == ["ringing"]
    incoming.answer(callee_rtp)
    callee_rtp.start(incoming.remote_media)
    call.wait_answer()
    caller_rtp.start(call.remote_media)
    call.ack()
    caller_rtp.wait_for_packets(callee_rtp, 25)
    callee_rtp.wait_for_packets(caller_rtp, 25)
    caller_rtp.pause()
    callee_rtp.pause()
    caller_rtp.wait_for_all(callee_rtp)
    callee_rtp.wait_for_all(caller_rtp)
    call.request("BYE")
    incoming.wait_for_hang_up()
    call.wait_for_status(200, "BYE")
    firewall.wait_until_no_pinholes()


def test_several_calls_are_adopted(firewall, converse, terminal, rtp):
    """Three calls to three users; all come back, each with its own pinholes."""
    caller = terminal(topology.CALLER, "zoe")
    dialogs = []
    for number, user in enumerate(("alice", "bob", "erin")):
        callee = terminal(topology.USERS[user], user)
        near, far = rtp(topology.CALLER, 4000 + 10 * number), rtp(topology.USERS[user], 30000)
        call = caller.invite(user, near)
        incoming = callee.wait_for_invite()
        incoming.answer(far)
        call.wait_answer()
        call.ack()
        incoming.wait_ack()
        dialogs.append((call, incoming))
    firewall.agent.kill()
    firewall.start_agent()
    assert int(firewall.status()["adopted_calls"]) == 3
    for left, (call, incoming) in zip((8, 4, 0), dialogs):
        call.request("BYE")
        incoming.wait_for_hang_up()
        call.wait_for_status(200, "BYE")
        eventually(lambda left=left: len(firewall.pinholes()) == left, f"{left} pinholes are left")


def test_counters_survive_a_restart(firewall, rtp):
    attacker = rtp(topology.ATTACKER, 5555)
    attacker.send((topology.ALICE.v4, 30000), 9)
    firewall.wait_until_counted(dict.fromkeys(firewall.counters(), 0), ("outside", "no_pinhole"), 9)
    firewall.agent.kill()
    firewall.start_agent()
    assert firewall.counters()["outside", "no_pinhole"] == 9


def options(caller):
    return caller.outside_dialog("OPTIONS", f"sip:{topology.SIP_DOMAIN}")


def heard_200(caller, request):
    return lambda m: m.status == 200 and m.get("call-id") == request.get("call-id")


def test_new_signalling_dies_while_the_agent_is_down(firewall, terminal):
    """agent_down: drop."""
    caller = terminal(topology.CALLER, "zoe")
    request = options(caller)
    caller.wait_for(heard_200(caller, request), "200 to OPTIONS")
    before = firewall.counters()
    firewall.agent.kill()
    request = options(caller)
    caller.hears_nothing(heard_200(caller, request), "200 to OPTIONS")
    firewall.start_agent()
    assert firewall.counted(before)["outside", "agent_down"] == 1


@pytest.mark.agent(signalling={"agent_down": "pass"})
def test_signalling_passes_while_the_agent_is_down_where_configured(firewall, terminal):
    """agent_down: pass."""
    caller = terminal(topology.CALLER, "zoe")
    before = firewall.counters()
    firewall.agent.kill()
    request = options(caller)
    caller.wait_for(heard_200(caller, request), "200 to OPTIONS")
    firewall.start_agent(signalling={"agent_down": "pass"})
    assert firewall.counted(before)["outside", "agent_down_pass"] == 1


@pytest.mark.agent(on_exit="keep")
def test_sigterm_keeps_the_data_plane(firewall, converse):
    """on_exit: keep. Calls go on; a new agent takes over; --remove ends it all."""
    talk = converse()
    talk.wait_for_media(10)
    assert firewall.agent.stop() == 0
    assert firewall.lab.pin_directory.exists()
    assert xdp_attached(firewall.lab) == {"outside0", "inside0"}
    talk.wait_for_media(25)
    firewall.start_agent(on_exit="keep")
    assert int(firewall.status()["adopted_calls"]) == 1
    assert firewall.agent.stop() == 0
    firewall.remove_data_plane()
    assert xdp_attached(firewall.lab) == set()
    assert not firewall.lab.pin_directory.exists()


@pytest.mark.agent(on_exit="remove")
def test_sigterm_removes_the_data_plane(firewall):
    """on_exit: remove. Nothing of the firewall is left in the kernel."""
    assert xdp_attached(firewall.lab) == {"outside0", "inside0"}
    assert firewall.agent.stop() == 0
    assert xdp_attached(firewall.lab) == set()
    assert not firewall.lab.pin_directory.exists()
    links = firewall.lab.run("firewall", ["ip", "-o", "link", "show"]).stdout
    assert "stem0" not in links


def test_a_second_agent_of_the_same_name_is_refused(firewall):
    """It says why, and the first goes on."""
    config = firewall.write_agent_config()
    done = firewall.lab.run("firewall", [BINARIES / "stem-agent", "--config", config], check=False)
    assert done.returncode == 1
    assert (
        str(firewall.agent.pid) in done.stdout + done.stderr
        or "already" in done.stdout + done.stderr
    )
    assert firewall.agent.running and firewall.status()["pid"] == firewall.agent.pid


def test_a_start_that_fails_leaves_nothing(session_site):
    """No TUN device can be had after XDP is attached: the firewall is as open as it was before."""
    config = session_site.write_agent_config(signalling={"tun": "lo"})
    done = session_site.lab.run(
        "firewall", [BINARIES / "stem-agent", "--config", config], check=False
    )
    assert done.returncode == 1
    assert "TUN device lo" in done.stderr
    assert xdp_attached(session_site.lab) == set()
    assert not session_site.lab.pin_directory.exists()
