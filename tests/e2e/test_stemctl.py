# SPDX-License-Identifier: Apache-2.0
"""stemctl against the living firewall: what it shows is what happened; exit codes say how it
went."""

import json

import pytest
from stemlab import peers, topology
from stemlab.site import BINARIES
from stemlab.waiting import eventually


def test_the_ladder_tells_the_call(firewall, converse):
    """Every message of the call, in order, with what the firewall did and why."""
    talk = converse()
    talk.wait_for_media(5)
    talk.pause()
    talk.hang_up()
    firewall.wait_until_no_pinholes()
    steps = [
        (step["message"].split()[0], step["verdict"])
        for step in firewall.call(talk.call_id)["ladder"]
    ]
    assert steps[0] == ("INVITE", "held")
    assert steps[1] == ("INVITE", "forwarded")
    assert ("ACK", "forwarded") in steps and ("BYE", "forwarded") in steps
    assert steps.index(("ACK", "forwarded")) < steps.index(("BYE", "forwarded"))
    whys = " ".join(step["why"] for step in firewall.call(talk.call_id)["ladder"])
    assert "alice" in whys and "pinhole" in whys
    text = firewall.stemctl_run("calls", "show", talk.call_id).stdout
    for word in ("outside", "firewall", "inside", "INVITE", "held", "forwarded", "BYE"):
        assert word in text


def test_monitor_shows_verdicts_and_drops_live(firewall, rtp, terminal):
    monitor = firewall.lab.start(
        "inside",
        [BINARIES / "stemctl", "-o", "json", "monitor"],
        "monitor",
        env=firewall.environment,
    )
    caller, attacker = terminal(topology.CALLER, "zoe"), rtp(topology.ATTACKER, 5555)

    def provoked():
        """Events from before the monitor was connected are not shown: provoke until they are."""
        caller.invite("carol", None)
        attacker.send((topology.ALICE.v4, 30000))
        kinds = {
            json.loads(line)["kind"] for line in monitor.output().splitlines() if line.endswith("}")
        }
        return kinds == {"sip", "packet"}

    eventually(provoked, lambda: f"both kinds of event: {monitor.output()}", timeout=10, poll=0.2)
    events = [json.loads(line) for line in monitor.output().splitlines() if line.endswith("}")]
    assert any(
        e["kind"] == "sip" and e["what"].startswith("INVITE") and e["verdict"] == "held"
        for e in events
    )
    assert any(e["kind"] == "sip" and e["verdict"] == "answered 403" for e in events)
    assert any(
        e["kind"] == "packet" and topology.ATTACKER.v4 in e["what"] and "no_pinhole" in e["why"]
        for e in events
    )
    monitor.kill()


def test_status_says_what_an_operator_needs(firewall):
    status = firewall.status()
    assert status["sm_connected"] and status["pid"] == firewall.agent.pid
    assert {(i["name"], i["xdp_mode"], i["queues"]) for i in status["interfaces"]} == {
        ("outside0", "native", 2),
        ("inside0", "native", 2),
    }
    text = firewall.stemctl_run("status").stdout
    for word in ("outside0", "inside0", "native", topology.SM.v4):
        assert word in text


def test_delays_are_measured(firewall):
    """Added delay with and without the security manager's decision, after a call."""
    callee = peers.sipp_callee(firewall.lab, topology.ALICE)
    peers.sipp_caller(firewall.lab, topology.CALLER, "alice", talk_ms=100).wait()
    callee.wait()
    delays = {d["name"]: d for d in firewall.status()["delays"]}
    assert len(delays) == 2
    for delay in delays.values():
        assert int(delay["count"]) > 0
        assert 0 < delay["p50_us"] <= delay["p99_us"] <= delay["max_us"]


def test_every_table_names_its_bound(firewall):
    for table in firewall.status()["tables"]:
        assert int(table["limit"]) > 0 and int(table["used"]) <= int(table["high_water"]) <= int(
            table["limit"]
        )


@pytest.mark.parametrize(
    "arguments, environment, code",
    [
        (["status"], {}, 0),
        (["calls", "show", "0123456789abcdef"], {}, 1),
        (["user", "show", "nobody"], {}, 1),
        (["user", "add", "alice", "--uri", "sip:alice@example.org"], {}, 1),
        (["nonsense"], {}, 2),
        (["user", "add"], {}, 2),
        (["status"], {"STEM_AGENT": "/nonexistent/agent.sock"}, 3),
        (["user", "list"], {"STEM_SM": f"{topology.SM.v4}:1"}, 3),
    ],
    ids=["ok", "no such call", "no such user", "user exists", "no such command", "argument missing",
         "no agent", "no security manager"],
)  # fmt: skip
def test_exit_codes(firewall, arguments, environment, code):
    done = firewall.stemctl_run(*arguments, environment=environment, check=False)
    assert done.returncode == code, done.stderr
    assert bool(done.stderr.strip()) == (code != 0)


@pytest.mark.parametrize("binary, config", [("stem-agent", "agent"), ("stem-sm", "sm")])
def test_check_accepts_the_running_configuration_and_names_a_mistake(firewall, binary, config):
    path = firewall.lab.directory / f"{config}.yaml"

    def run(file):
        return firewall.lab.run(
            "firewall", [BINARIES / binary, "--config", file, "--check"], check=False
        )

    assert run(path).returncode == 0
    broken = firewall.lab.directory / f"{config}-broken.yaml"
    text = path.read_text()
    broken.write_text(text + "no_such_key: 1\n")
    done = run(broken)
    assert done.returncode == 2
    line = text.count("\n") + 1
    assert (
        f"{broken}:{line}:1" in done.stdout + done.stderr
        and "no_such_key" in done.stdout + done.stderr
    )
