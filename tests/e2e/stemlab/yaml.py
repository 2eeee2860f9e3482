# SPDX-License-Identifier: Apache-2.0
"""Writes configuration files: maps, lists and scalars as block YAML."""

import re


def dump(value, indent=0):
    """A map as YAML text. Text is quoted only where YAML would read something else."""
    pad = "  " * indent
    lines = []
    for key, item in value.items():
        if isinstance(item, dict):
            lines += [f"{pad}{key}:", dump(item, indent + 1).rstrip("\n")]
        elif isinstance(item, list) and any(isinstance(element, dict) for element in item):
            lines.append(f"{pad}{key}:")
            for element in item:
                first, *rest = dump(element, indent + 2).rstrip("\n").split("\n")
                lines += [f"{pad}  - {first.strip()}", *rest]
        elif isinstance(item, list):
            lines.append(f"{pad}{key}: [{', '.join(map(_scalar, item))}]")
        else:
            lines.append(f"{pad}{key}: {_scalar(item)}")
    return "\n".join(lines) + "\n"


def _scalar(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    text = str(value)
    plain = re.fullmatch(r"[A-Za-z/][\w./@+-]*", text) or re.fullmatch(r"\d+(ms|s|m|h)", text)
    if plain and text.lower() not in ("true", "false", "yes", "no", "null", "on", "off"):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
