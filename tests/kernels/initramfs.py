# SPDX-License-Identifier: Apache-2.0
"""What a guest starts with: this machine's own programs, packed. A guest so runs the very files
that were built here, with the libraries they were built against, on another kernel."""

import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
GUEST_ROOT = "stem"  # the project's place in a guest, from /

TESTED = ("bpf_test", "stem-agent", "stem-sm", "stemctl")
PROGRAMS = """
    awk basename bash cat cp cut date dirname env find flock grep head ln ls mkdir mount mv nsenter
    readlink rm rmdir sed setsid sh sleep sort stat stty tail tar tr true uname
    ethtool ip kamailio modprobe ping python3 ss tcpdump xdp-filter xdp-loader
""".split()
PYTEST = "_pytest attr iniconfig packaging pluggy py pytest".split()
# Of Python's library, what is large and serves no test.
UNUSED = "config-* ensurepip idlelib lib2to3 pydoc_data test tkinter turtledemo".split()
PROJECT = ("tests/e2e", "vagrant")
MODULES = ("veth", "tun")
LIBRARIES = pathlib.Path("/usr/lib/x86_64-linux-gnu")


def pack(binaries, scratch, archive):
    """Writes what every guest needs, whatever its kernel, into a cpio archive.

    binaries: where bpf_test and our programs are. scratch: a directory that may be filled.
    """
    tree = _Tree(scratch)
    for name in TESTED:
        tree.add_elf(binaries / name, f"/{GUEST_ROOT}/build/release/bin/{name}")
        subprocess.run(["strip", tree.place(f"/{GUEST_ROOT}/build/release/bin/{name}")], check=True)
    for name in PROGRAMS:
        tree.add_program(name)
    _add_python(tree)
    _add_kamailio(tree)
    for directory in PROJECT:
        tree.add_directory(ROOT / directory, f"/{GUEST_ROOT}/{directory}", ["__pycache__"])
    # The dispatcher, and the programs of xdp-filter.
    tree.add_directory(LIBRARIES / "bpf", f"{LIBRARIES}/bpf")
    tree.add_directory("/usr/lib/locale/C.utf8", "/usr/lib/locale/C.utf8")
    tree.add_file(HERE / "init.sh", "/init")
    tree.write("/etc/passwd", "root:x:0:0::/:/bin/bash\n")
    _cpio(scratch, archive)


def pack_modules(kernel, scratch, archive):
    """Writes the kernel's modules that a guest needs into a cpio archive."""
    tree = _Tree(scratch)
    into = f"/usr/lib/modules/{kernel.release}"
    for name in MODULES:
        shown = subprocess.run(
            ["modprobe", "-d", kernel.root, "-S", kernel.release, "--show-depends", name],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        for module in re.findall(r"^insmod (\S+)", shown, re.MULTILINE):
            inside = pathlib.Path(module).relative_to(kernel.modules)
            tree.add_file(module, f"{into}/{inside}")
    for index in kernel.modules.glob("modules.*"):
        tree.add_file(index, f"{into}/{index.name}")
    _cpio(scratch, archive)


class _Tree:
    """A directory that becomes a guest's root. Paths in it are the guest's own."""

    def __init__(self, root):
        self.root = root
        self._done = set()
        shutil.rmtree(root, ignore_errors=True)
        for name in ("bin", "lib", "lib64"):
            (root / "usr" / name).mkdir(parents=True)
            (root / name).symlink_to(f"usr/{name}")
        for name in ("sbin", "usr/sbin"):  # where the kernel looks for modprobe
            (root / name).symlink_to("/usr/bin")

    def place(self, path):
        return self.root / str(path).lstrip("/")

    def add_file(self, source, path):
        place = self.place(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, place)

    def write(self, path, text):
        place = self.place(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def add_directory(self, source, path, unused=()):
        shutil.copytree(source, self.place(path), ignore=shutil.ignore_patterns(*unused))

    def add_elf(self, source, path):
        """A program or library, and the libraries it asks for."""
        self.add_file(source, path)
        self.add_libraries_of(source)

    def add_libraries_of(self, file):
        listed = subprocess.run(["ldd", file], capture_output=True, text=True, check=False).stdout
        for library in re.findall(r"(/\S+) \(0x", listed):
            # Debian's /lib is a link to /usr/lib.
            folder = os.path.realpath(os.path.dirname(library))
            path = f"{folder}/{os.path.basename(library)}"
            if path not in self._done:
                self._done.add(path)
                self.add_file(path, path)

    def add_program(self, name):
        found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
        if not found:
            raise FileNotFoundError(f"no program '{name}' on this machine: ./run setup")
        self.add_elf(found, f"/usr/bin/{name}")


def _add_python(tree):
    version = os.path.basename(os.path.realpath("/usr/bin/python3"))  # python3.11
    tree.add_directory(f"/usr/lib/{version}", f"/usr/lib/{version}", UNUSED)
    for library in pathlib.Path(f"/usr/lib/{version}/lib-dynload").glob("*.so"):
        tree.add_libraries_of(library)
    packages = pathlib.Path("/usr/lib/python3/dist-packages")
    for name in PYTEST:
        tree.add_directory(packages / name, packages / name)


def _add_kamailio(tree):
    modules = LIBRARIES / "kamailio/modules"
    wanted = (ROOT / "vagrant/lab/kamailio.cfg").read_text()
    for name in re.findall(r'^loadmodule "(\S+)"', wanted, re.MULTILINE):
        tree.add_elf(modules / name, modules / name)


def _cpio(directory, archive):
    """Packs a directory in the one format the kernel unpacks, and removes it."""
    with open(archive, "wb") as output:
        subprocess.run(
            "find . | LC_ALL=C sort | cpio --create --format=newc --owner=+0:+0 --quiet",
            shell=True, cwd=directory, stdout=output, check=True,
        )  # fmt: skip
    shutil.rmtree(directory)
