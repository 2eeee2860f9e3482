# SPDX-License-Identifier: Apache-2.0
"""A site in the lab: certificates, the security manager, the firewall's agent, and stemctl."""

import collections
import json
import os
import pathlib

from . import topology, yaml
from .waiting import eventually

BINARIES = pathlib.Path(os.environ.get("STEM_BIN", topology.ROOT / "build/release/bin"))
SM_ENDPOINT = f"{topology.SM.v4}:{topology.SM_PORT}"


class StemctlFailed(AssertionError):
    """stemctl did not exit with 0."""


class Site:
    """Everything of ours in one lab. Users and spam entries stay for the site's life; the agent is
    started and stopped as tests need it."""

    def __init__(self, lab):
        self.lab = lab
        self.pki = lab.directory / "pki"
        self.sm = None
        self.agent = None
        self.stemctl_run(
            "pki", "init", "--dir", self.pki, "--sm-name", "sm1",
            "--sm-address", topology.SM.v4, "--sm-address", topology.SM.v6,
            "--firewall", "fw1", "--administrator", "admin", "--terminal", "zoe",
        )  # fmt: skip

    # Certificates

    def tls(self, directory):
        """The TLS section of a configuration, for one of the directories `pki init` made."""
        here = self.pki / directory
        return {
            "certificate": here / "tls.crt",
            "key": here / "tls.key",
            "ca": here / "ca.crt",
        }

    # The security manager

    def start_sm(self):
        """Starts it inside; it listens when this returns. Its database outlives it."""
        config = self._write(
            "sm",
            {
                "listen": SM_ENDPOINT,
                "tls": self.tls("security-manager-sm1"),
                "database": self.lab.directory / "sm.sqlite",
                "domains": [topology.SIP_DOMAIN],
            },
        )
        self.sm = self.lab.start(
            "inside", [BINARIES / "stem-sm", "--config", config], "sm", append=True
        )
        self.sm.wait_for("listening on")
        return self.sm

    # The firewall's agent

    def agent_config(self, **changes):
        """The lab's configuration; changes are merged in, section by section."""
        config = {
            "name": self.lab.name,
            "interfaces": {"outside": "outside0", "inside": "inside0", "mode": "native"},
            "signalling": {"ports": [topology.SIP_PORT], "agent_down": "drop"},
            "security_manager": {
                "address": SM_ENDPOINT,
                "tls": self.tls("firewall-fw1"),
                "deadline": "400ms",
                "sm_down": "refuse",
            },
            "default_policy": "drop",
            "on_exit": "remove",
        }
        for key, value in changes.items():
            if isinstance(value, dict):
                value = config.get(key, {}) | value
            config[key] = value
        return config

    def write_agent_config(self, **changes):
        return self._write("agent", self.agent_config(**changes))

    def start_agent(self, wait_for_sm=True, **changes):
        """Starts it; ready, and connected to the SM if that runs, when this returns."""
        config = self.write_agent_config(**changes)
        self.agent = self.lab.start(
            "firewall", [BINARIES / "stem-agent", "--config", config], "agent", append=True
        )
        self.agent.wait_for(r"\bready\b")
        if wait_for_sm and self.sm and self.sm.running:
            eventually(lambda: self.status()["sm_connected"], "the agent is connected to the SM")
        return self.agent

    def remove_data_plane(self):
        """Detaches and unpins what an agent that is no more left in the kernel."""
        config = self.write_agent_config()
        self.lab.run("firewall", [BINARIES / "stem-agent", "--config", config, "--remove"])

    def stop(self):
        """Stops the agent, whatever state it is in, and leaves an empty kernel for the next."""
        if self.agent:
            self.agent.kill()
            self.agent = None
            self.remove_data_plane()

    # stemctl

    @property
    def environment(self):
        return os.environ | {
            "STEM_AGENT": str(self.lab.state_directory / "agent.sock"),
            "STEM_SM": SM_ENDPOINT,
            "STEM_TLS": str(self.pki / "administrator-admin"),
            "LC_ALL": "C.UTF-8",
        }

    def stemctl_run(self, *arguments, environment=None, check=True):
        """Runs stemctl inside, where the SM can be reached (the agent's socket is a file), and
        returns the subprocess.CompletedProcess."""
        done = self.lab.run(
            "inside",
            [BINARIES / "stemctl", *arguments],
            check=False,
            env=self.environment | (environment or {}),
        )
        if check and done.returncode != 0:
            command = " ".join(map(str, arguments))
            raise StemctlFailed(f"stemctl {command} exited with {done.returncode}:\n{done.stderr}")
        return done

    def stemctl(self, *arguments):
        """What stemctl says, as JSON."""
        return json.loads(self.stemctl_run("-o", "json", *arguments).stdout)

    def status(self):
        return self.stemctl("status")

    def calls(self, ended=False):
        return self.stemctl("calls", *(["--all"] if ended else [])).get("calls", [])

    def call(self, call_id):
        """One call with its ladder and pinholes, by its Call-ID."""
        return self.stemctl("calls", "show", call_id)

    def pinholes(self):
        return self.stemctl("pinholes").get("pinholes", [])

    def counters(self):
        """(side, name) -> packets; side "outside", "inside", or "" for the agent's own."""
        found = collections.Counter()
        for counter in self.stemctl("counters", "--all")["counters"]:
            side = counter["side"].removeprefix("SIDE_").lower()
            found["" if side == "unspecified" else side, counter["name"]] = int(counter["packets"])
        return found

    def counted(self, before):
        """What the counters have gained since `before`, zero gains left out."""
        now = self.counters()
        return {key: now[key] - before[key] for key in now if now[key] != before[key]}

    def wait_until_counted(self, before, key, packets):
        """Waits until counter `key` has gained that many, and asserts that it is not more."""
        eventually(
            lambda: self.counters()[key] - before[key] >= packets,
            lambda: f"{key} gains {packets}; gained: {self.counted(before)}",
        )
        assert self.counters()[key] - before[key] == packets

    def wait_until_no_pinholes(self, timeout=5.0):
        eventually(lambda: not self.pinholes(), lambda: f"no pinholes: {self.pinholes()}", timeout)

    def wait_until_ended(self, call_id, timeout=5.0):
        """Waits until the call has ended; the call."""
        eventually(
            lambda: self.call(call_id)["state"] == "ended",
            lambda: f"call {call_id} ends, is {self.call(call_id)['state']}",
            timeout,
        )
        return self.call(call_id)

    def set_user(self, name, *arguments):
        """Makes user `name` with his usual address and location, and further arguments of `user
        add`; a user of that name is replaced."""
        self.stemctl_run("user", "remove", name, check=False)
        location = f"sip:{name}@{topology.USERS[name].v4}:{topology.SIP_PORT}"
        self.stemctl_run(
            "user", "add", name, "--uri", topology.uri(name), "--location", location, *arguments
        )

    def _write(self, name, config):
        path = self.lab.directory / f"{name}.yaml"
        path.write_text(yaml.dump(config))
        return path


def binaries_missing():
    """Names of our programs that are not built."""
    return [n for n in ("stem-agent", "stem-sm", "stemctl") if not (BINARIES / n).exists()]
