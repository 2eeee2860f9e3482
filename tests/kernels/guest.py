# SPDX-License-Identifier: Apache-2.0
"""A virtual machine that boots a kernel with an initramfs, runs by itself to its end, and leaves
its reports. Without KVM: the processor is emulated, so it runs wherever QEMU does."""

import subprocess
import tarfile


# What an emulated processor pays dearly for, and no test asks for: string instructions (one step for
# each byte), a fifth level of page tables, branches through return trampolines, and clearing pages
# that are about to be written. Measured: the tests take two thirds of the time.
CPU = "max,-erms,-fsrm,-la57"
LIGHT = "mitigations=off init_on_alloc=0 hardened_usercopy=off nokaslr audit=0"


class GuestFailed(Exception):
    """The guest left no complete reports."""


class Guest:
    """A running guest; a context manager that ends it, whatever happens.

    Its clock counts instructions, two billionths of a second each, and skips what it would sleep
    through. So it sees itself run equally fast however busy this machine is, and waits for nothing.
    (QEMU 7.2 does that with one processor only.)
    """

    def __init__(self, kernel, initramfs, directory):
        self._console = directory / "console.log"
        self._archive = directory / "reports.tar"
        self._process = subprocess.Popen(
            # However this process dies, the guest dies, too.
            ["setpriv", "--pdeathsig", "KILL", "--",
             "qemu-system-x86_64", "-accel", "tcg", "-icount", "shift=1,sleep=off",
             "-rtc", "clock=vm", "-cpu", CPU, "-smp", "1", "-m", "2048",
             "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
             "-kernel", kernel.image, "-initrd", initramfs,
             # A panic ends the guest at once, and the kernel's own faults are panics.
             "-append", f"console=ttyS0 loglevel=5 oops=panic panic=-1 {LIGHT}",
             "-serial", f"file:{self._console}", "-serial", f"file:{self._archive}"],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()

    def wait_for_reports(self, directory, timeout):
        """Waits until the guest has ended, and unpacks its reports into directory."""
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise GuestFailed(f"still runs after {timeout} s; {self._last_words()}") from None
        if status != 0:
            raise GuestFailed(f"QEMU ended with {status}; {self._last_words()}")
        try:
            with tarfile.open(self._archive) as archive:
                archive.extractall(directory)
        except (OSError, tarfile.TarError) as error:
            raise GuestFailed(f"no reports came out ({error}); {self._last_words()}") from None

    def _last_words(self, lines=40):
        try:
            text = self._console.read_text(errors="replace")
        except FileNotFoundError:
            return "it said nothing"
        end = "\n".join(text.replace("\r", "").splitlines()[-lines:])
        return f"all it said: {self._console}, at the end:\n{end}"
