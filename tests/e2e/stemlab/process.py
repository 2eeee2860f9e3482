# SPDX-License-Identifier: Apache-2.0
"""A program running in the background, its output in a log file."""

import pathlib
import re
import signal
import subprocess

from .waiting import eventually


class Service:
    """A started program. Its log is truncated at start unless append is given."""

    def __init__(self, name, argv, log, cwd=None, env=None, append=False):
        self.name = name
        self.log = log
        self._from = log.stat().st_size if append and log.exists() else 0
        with open(log, "ab" if append else "wb") as output:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=env,
                start_new_session=True,  # a Ctrl-C on the terminal is for the tests, not for it
            )

    @property
    def pid(self):
        return self._process.pid

    @property
    def running(self):
        return self._process.poll() is None

    def output(self):
        """What it has said since it was started."""
        with open(self.log, "rb") as log:
            log.seek(self._from)
            return log.read().decode(errors="replace")

    def wait_for(self, pattern, timeout=10.0):
        """Waits for a line that matches; fails at once when the program ends instead."""

        def seen():
            ended = not self.running  # before reading, so that last words are not missed
            match = re.search(pattern, self.output(), re.MULTILINE)
            if not match and ended:
                raise AssertionError(
                    f"{self.name} ended ({self._process.returncode}) before saying {pattern!r}:\n"
                    + self._last_words()
                )
            return match

        return eventually(
            seen, lambda: f"{self.name} says {pattern!r}; it said:\n{self._last_words()}", timeout
        )

    def wait(self, timeout=30.0):
        """Waits until it ends by itself; its exit status."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(
                f"{self.name} still runs after {timeout:g} s:\n{self._last_words()}"
            ) from error

    def stop(self, timeout=10.0):
        """SIGTERM; its exit status. A program that does not obey fails the test."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self):
        """SIGKILL, whatever state it is in."""
        if self.running:
            self._process.kill()
        self._process.wait()

    def pause(self):
        """SIGSTOP: it is there, its sockets are open, but it does nothing, in none of its threads,
        when this returns."""
        self._process.send_signal(signal.SIGSTOP)
        eventually(self._stands_still, f"{self.name} stands still")

    def _stands_still(self):
        tasks = pathlib.Path(f"/proc/{self._process.pid}/task").glob("*/stat")
        return all(task.read_text().rpartition(")")[2].split()[0] == "T" for task in tasks)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    def _last_words(self, lines=30):
        return "\n".join(self.output().splitlines()[-lines:])
