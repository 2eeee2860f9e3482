# SPDX-License-Identifier: Apache-2.0
"""The data plane changed and asked while calls go on: modules, blocks, simulation."""

import json

import pytest
from stemlab import topology
from stemlab.site import BINARIES
from stemlab.waiting import eventually

MODULES = ("pattern_matcher", "syn_guard", "invite_guard", "policing", "rtp_checks", "relay")
FAST = 0.001  # seconds between packets: a thousand a second each way


def modes(site):
    return {module["name"]: module["mode"] for module in site.stemctl("module", "list")["modules"]}


def observed(site, reason):
    counters = site.stemctl("counters", "--all")["counters"]
    return sum(int(c["observed"]) for c in counters if c["name"] == reason)


def simulate(site, *arguments):
    return site.stemctl("simulate", *arguments)["simulations"]


def threshold_modes(site, module):
    listed = site.stemctl("thresholds")["thresholds"]
    return {one["mode"] for one in listed if one["name"].split(".")[0] == module}


def endpoint(rtp):
    return f"{rtp.address}:{rtp.port}"


@pytest.mark.agent(modules={"policing": "off"})  # 50 packets a second are negotiated, not 1000
def test_modules_change_under_load_and_no_packet_is_lost(firewall, converse):
    """A call with RTP both ways, a thousand packets a second each; every module goes through every
    mode meanwhile. All of it arrives, once and in order."""
    talk = converse()
    talk.caller_rtp.start(talk.out.remote_media, interval=FAST)
    talk.callee_rtp.start(talk.incoming.remote_media, interval=FAST)
    talk.wait_for_media(100)
    for module in MODULES:
        if module == "policing":
            continue
        for mode in ("off", "observe", "on"):
            answer = firewall.stemctl("module", "set", module, mode)
            assert {m["name"]: m["mode"] for m in answer["modules"]}[module] == mode
            talk.wait_for_media(20)
    talk.wait_for_media(100)
    talk.pause()
    assert len(talk.caller_rtp.sent) > 500
    talk.hang_up()


@pytest.mark.agent(modules={"syn_guard": "off"})
def test_a_limit_is_shown_with_the_mode_of_its_guard(firewall):
    assert threshold_modes(firewall, "syn_guard") == {"off"}
    for mode in ("observe", "on"):
        firewall.stemctl("module", "set", "invite_guard", mode)
        assert threshold_modes(firewall, "invite_guard") == {mode}
        assert threshold_modes(firewall, "syn_guard") == {"off"}


@pytest.mark.agent(modules={"pattern_matcher": "observe"})
def test_what_observe_would_drop_is_counted_reported_and_passes(firewall, rtp):
    attacker, alice = rtp(topology.ATTACKER, 5555), rtp(topology.ALICE, 30000)
    attacker.send((alice.address, alice.port), count=5)
    alice.wait_for_packets(attacker, 5)
    assert observed(firewall, "no_pinhole") == 5
    table = firewall.stemctl_run("counters").stdout
    assert "OBSERVED" in table and "no_pinhole" in table
    assert modes(firewall)["pattern_matcher"] == "observe"
    firewall.stemctl_run("module", "set", "pattern_matcher", "on")
    before = firewall.counters()
    attacker.send((alice.address, alice.port), count=5)
    eventually(
        lambda: firewall.counted(before).get(("outside", "no_pinhole")) == 5, "they are dropped"
    )
    assert observed(firewall, "no_pinhole") == 5


@pytest.mark.agent(modules={"pattern_matcher": "observe"})
def test_events_name_reason_module_and_interface(firewall, rtp):
    attacker = rtp(topology.ATTACKER, 5555)
    monitor = firewall.lab.start(
        "inside",
        [BINARIES / "stemctl", "-o", "json", "monitor"],
        "monitor-observe",
        env=firewall.environment,
    )

    def events():
        lines = [line for line in monitor.output().splitlines() if line.endswith("}")]
        return [e for e in map(json.loads, lines) if topology.ATTACKER.v4 in e["what"]]

    def provoked():
        attacker.send((topology.ALICE.v4, 30000))
        return events()

    eventually(provoked, lambda: f"an event: {monitor.output()}", timeout=10, poll=0.2)
    event = events()[0]
    assert event["verdict"] == "would be dropped" and event["observed"]
    assert event["module"] == "pattern_matcher" and event["interface"] == "outside0"
    assert event["why"].startswith("no_pinhole")
    monitor.kill()


def test_a_module_is_refused_in_words(firewall):
    done = firewall.stemctl_run("module", "set", "nonsense", "on", check=False)
    assert done.returncode == 1 and "rtp_checks" in done.stderr
    assert firewall.stemctl_run("module", "set", "relay", "maybe", check=False).returncode == 2


def test_the_configuration_file_says_how_a_module_starts(firewall):
    firewall.stemctl_run("module", "set", "syn_guard", "off")
    assert "configuration file" in firewall.stemctl_run("module", "list").stdout
    firewall.stop()
    firewall.start_agent()
    assert modes(firewall)["syn_guard"] == "on"


def test_a_block_stops_media_in_mid_call_and_is_forgiven(firewall, converse):
    talk = converse()
    talk.wait_for_media(10)
    caller = talk.caller_rtp.address
    block = firewall.stemctl("block", "add", caller, "--scope", "media", "--for", "3s")
    assert block["scopes"] == ["media"] and 0 < int(block["left_ms"]) <= 3000

    def dropped():
        return sum(int(b["packets"]) for b in firewall.stemctl("block", "list")["blocks"])

    eventually(lambda: dropped() > 5, "media of the caller is dropped")
    there = len(talk.callee_rtp.received)
    eventually(lambda: len(talk.callee_rtp.received) > there + 5, "it is forgiven", timeout=10)
    eventually(lambda: firewall.stemctl("block", "list")["blocks"] == [], "and swept away")
    assert talk.caller_rtp.from_endpoint(talk.callee_rtp)  # the other direction never stopped
    talk.hang_up()


def test_blocks_are_listed_and_removed(firewall):
    firewall.stemctl_run("block", "add", "203.0.113.9")
    firewall.stemctl_run(
        "block", "add", "203.0.113.9", "--to", "198.51.100.20", "--scope", "syn,media"
    )
    listed = firewall.stemctl("block", "list")["blocks"]
    assert [(b["destination"], b["scopes"], b["left_ms"]) for b in listed] == [
        ("", ["all"], "-1"),
        ("198.51.100.20", ["syn", "media"], "-1"),
    ]
    firewall.stemctl_run("block", "remove", "203.0.113.9")
    assert len(firewall.stemctl("block", "list")["blocks"]) == 1
    assert firewall.stemctl_run("block", "remove", "203.0.113.9", check=False).returncode == 1
    assert firewall.stemctl_run("block", "add", "nonsense", check=False).returncode == 1
    firewall.stemctl_run("block", "remove", "203.0.113.9", "--to", "198.51.100.20")


def test_simulate_names_the_pinhole_of_a_live_call(firewall, converse):
    talk = converse()
    talk.wait_for_media(10)
    talk.pause()
    before = firewall.counters()
    (answer,) = simulate(
        firewall, "--from", "outside", "udp", endpoint(talk.caller_rtp), endpoint(talk.callee_rtp),
        "--rtp", f"pt=0,ssrc={talk.caller_rtp.ssrc},seq={(talk.caller_rtp.sent[-1] + 1) & 0xffff}",
    )  # fmt: skip
    assert answer["verdict"] == "relayed" and answer["reason"] == "media_relayed"
    assert answer["out_interface"] == "inside0" and answer["next_hop"]
    assert answer["pinhole"]["destination"]["port"] == talk.callee_rtp.port
    assert answer["pinhole"]["call"] == firewall.call(talk.call_id)["id"]
    (stranger,) = simulate(
        firewall, "--from", "outside", "udp", f"{topology.ATTACKER.v4}:9", endpoint(talk.callee_rtp)
    )
    assert (stranger["verdict"], stranger["reason"]) == ("dropped", "wrong_peer")
    assert not firewall.counted(before)
    talk.hang_up()


def test_simulate_other_packets(firewall):
    outside = ("--from", "outside")
    (sip,) = simulate(
        firewall,
        *outside,
        "udp",
        "203.0.113.9:5060",
        f"{topology.PROXY.v4}:5060",
        "--sip",
        "INVITE",
    )
    assert (sip["verdict"], sip["reason"]) == ("to the agent", "sip_to_agent")
    (syn,) = simulate(firewall, *outside, "tcp", "203.0.113.9:1", f"{topology.ALICE.v4}:22")
    assert (syn["verdict"], syn["module"]) == ("dropped", "pattern_matcher")
    (echo,) = simulate(firewall, *outside, "icmp", "203.0.113.9", topology.ALICE.v4)
    assert echo["reason"] == "icmp_passed"
    for wrong in (
        ["udp", "203.0.113.9:1", "198.51.100.20:2"],  # no --from
        [*outside],
        [*outside, "udp", "203.0.113.9", "198.51.100.20:2"],
        [*outside, "udp", "203.0.113.9:1", "[2001:db8::1]:2"],
        [*outside, "udp", "203.0.113.9:1", "198.51.100.20:2", "--rtp", "pt=300"],
        [*outside, "tcp", "203.0.113.9:1", "198.51.100.20:2", "--flags", "nonsense"],
    ):
        done = firewall.stemctl_run("simulate", *wrong, check=False)
        assert done.returncode == 2 and done.stderr, wrong


@pytest.mark.agent(
    rules=[{"name": "no-nine", "action": "deny", "from": "outside", "source": "203.0.113.9"}]
)
def test_simulate_names_the_rule(firewall):
    (answer,) = simulate(firewall, "--from", "outside", "icmp", "203.0.113.9", topology.ALICE.v4)
    assert (answer["reason"], answer["module"]) == ("rule_denied", "pattern_matcher")
    assert answer["rule"] == "no-nine"


def test_simulate_a_capture(firewall, captures, rtp):
    attacker = rtp(topology.ATTACKER, 5555)
    attacker.send((topology.ALICE.v4, 30000), count=7)
    firewall.lab.ping("outside", b"simulate")
    outside, _ = captures
    eventually(lambda: firewall.counters().get(("outside", "no_pinhole"), 0) >= 7, "all arrived")
    packets = outside.stop()
    answers = simulate(firewall, "--from", "outside", "--pcap", str(outside.path))
    assert len(packets) == 7 < len(answers)  # the ping is no UDP
    assert sum(a["reason"] == "no_pinhole" for a in answers) == 7
    assert all(a["packet"] for a in answers)
    done = firewall.stemctl_run(
        "simulate", "--from", "outside", "--pcap", "/nonexistent", check=False
    )
    assert done.returncode == 1 and "/nonexistent" in done.stderr


def test_tables_tell_use_and_memory(firewall):
    tables = {t["name"]: t for t in firewall.status()["tables"]}
    for name in ("pinholes", "blocks", "syn_sources", "sip_sources", "permits", "fragments"):
        assert int(tables[name]["limit"]) > 0 and int(tables[name]["memory_kib"]) > 0
    pinholes = tables["pinholes"]
    assert int(pinholes["memory_kib"]) * 16 > int(pinholes["limit"]), "with its table of limits"
    assert tables["syn_sources"]["forgets_oldest"] and not tables["blocks"]["forgets_oldest"]
    log = (firewall.lab.directory / "agent.log").read_text()
    assert "table syn_sources:" in log and "KiB" in log
