#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""clang-tidy over our own sources, only those that changed since they were last clean.

A source is clean as long as its stamp is younger than itself, .clang-tidy, and every one of our
headers it includes. Uses the release build's compile commands and Ninja's record of what includes
what, so build first. Exits 1 when anything was found.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build/release"
STAMPS = ROOT / "build/tidy"
OURS = ("agent", "common", "ctl", "sm")


def sources_with_objects():
    """Our translation units and the object file each is compiled into."""
    for entry in json.loads((BUILD / "compile_commands.json").read_text()):
        source = pathlib.Path(entry["file"])
        if source.is_relative_to(ROOT) and source.relative_to(ROOT).parts[0] in OURS:
            words = entry["command"].split()
            yield source, words[words.index("-o") + 1]


def included_by_object():
    """Object file -> the files inside the repository it was made from."""
    text = subprocess.run(
        ["ninja", "-C", BUILD, "-t", "deps"], check=True, capture_output=True, text=True
    ).stdout
    result, current = {}, None
    for line in text.splitlines():
        if line.startswith("    "):
            path = (BUILD / line.strip()).resolve()
            if path.is_relative_to(ROOT):
                current.append(path)
        elif ":" in line:
            current = result.setdefault(line.split(":")[0], [])
    return result


def stamp_of(source):
    return STAMPS / (str(source.relative_to(ROOT)).replace("/", "__") + ".clean")


def is_clean(source, includes):
    stamp = stamp_of(source)
    if not stamp.exists() or not includes:
        return False
    youngest = max(
        path.stat().st_mtime for path in [source, ROOT / ".clang-tidy", *includes] if path.exists()
    )
    return stamp.stat().st_mtime > youngest


def check(source):
    began = time.time()
    done = subprocess.run(
        ["clang-tidy", "--quiet", "-p", BUILD, source], capture_output=True, text=True
    )
    if done.returncode == 0:
        stamp_of(source).touch()
        os.utime(stamp_of(source), (began, began))
    return source, done


def main():
    STAMPS.mkdir(parents=True, exist_ok=True)
    includes = included_by_object()
    units = dict(sources_with_objects())
    todo = [s for s, obj in units.items() if not is_clean(s, includes.get(obj, []))]
    print(f"        {len(units)} sources, {len(todo)} to look at", flush=True)
    found = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, (source, done) in enumerate(pool.map(check, todo), 1):
            name = source.relative_to(ROOT)
            if done.returncode != 0:
                found += 1
                print(
                    f"        [{number}/{len(todo)}] {name}\n{done.stdout}{done.stderr}", flush=True
                )
            elif number % 10 == 0 or sys.stdout.isatty():
                print(f"        [{number}/{len(todo)}] {name}", flush=True)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
