"""Texts of reports: a field's value as one text, and addresses without folders."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

__all__ = ["pathless", "pathless_text", "plain", "said"]

#: The address of a file on this machine: of a picture, or of a local store.
_LOCAL = re.compile(r"""\b(file:|local:)[^\s"'<>,?\]]*[/\\]([^\s"'<>,\]]*)""")


def pathless(value: Any) -> Any:
    """Return a JSON value without folders of this machine: its files go by their names."""
    if isinstance(value, str):
        return pathless_text(value)
    if isinstance(value, list):
        return [pathless(item) for item in value]
    if isinstance(value, dict):
        return {name: pathless(item) for name, item in value.items()}
    return value


def pathless_text(text: str) -> str:
    """Return a text without folders of this machine: its files go by their names."""
    return _LOCAL.sub(_named, text) if "file:" in text or "local:" in text else text


def said(value: Any, path: str) -> Any:
    """Return what an element says besides the name that its path ends with, if it is one thing.

    `{"location": "Shop", "available": 5}` at `inventory[Shop]` says 5.
    """
    if not isinstance(value, dict) or not path.endswith("]"):
        return value
    name = path.rpartition("[")[2].removesuffix("]")
    rest = [item for item in value.values() if item != name]
    return rest[0] if len(rest) == 1 < len(value) else value


def _named(found: re.Match[str]) -> str:
    return unquote(found[2]) if found[1] == "file:" else f"local:{found[2]}"


def plain(value: Any, most: int) -> str:
    """Return a JSON value as text: lists with commas, objects as JSON; cut to `most` characters."""
    if value is None:
        return ""
    if isinstance(value, str):
        text = value
    elif isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        text = ", ".join(map(str, value))
    else:
        text = json.dumps(value, ensure_ascii=False)
    if len(text) <= most:
        return text
    note = f"… (cut; {len(text):,} characters)"
    return text[: most - len(note)] + note
