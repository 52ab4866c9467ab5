"""Small edits of our TOML files that keep comments and order: a table, a line, nothing else.

Every edit is read back: if it would change more than was asked for (a table written in a way that
these few lines don't know), nothing is written and the user is told what to write by hand.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

from storebridge.errors import ConfigError

__all__ = ["with_table", "with_value", "without_table", "write"]

_HEADER = re.compile(r"\s*\[")


def with_table(text: str, store: str, values: Mapping[str, Any]) -> str:
    """Return the text with a table for a store at its end."""
    lines = [f"[stores.{store}]", *(f"{key} = {_literal(value)}" for key, value in values.items())]
    start = text.rstrip("\n")
    new = "\n".join([*([start, ""] if start else []), *lines, ""])
    expected = _stores(text) | {store: dict(values)}
    return _checked(new, expected, "\n".join(lines))


def with_value(text: str, store: str, key: str, value: Any) -> str:
    """Return the text with one key of a store's table set; makes the table where it lacks."""
    before = _stores(text)
    if store not in before:
        return with_table(text, store, {key: value})
    lines = text.splitlines()
    start, end = _span(lines, store)
    line = f"{key} = {_literal(value)}"
    pattern = re.compile(rf"\s*{re.escape(key)}\s*=[^#]*(?P<comment>#.*)?")
    for index in range(start + 1, end):
        if found := pattern.fullmatch(lines[index]):
            comment = found["comment"]
            lines[index] = f"{line}  {comment}" if comment else line
            break
    else:
        lines.insert(start + 1, line)
    expected = before | {store: before[store] | {key: value}}
    return _checked("\n".join([*lines, ""]), expected, f"[stores.{store}]\n{line}")


def without_table(text: str, store: str) -> str:
    """Return the text without a store's table; comments above the next table stay."""
    lines = text.splitlines()
    start, end = _span(lines, store)
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1
    expected = {name: table for name, table in _stores(text).items() if name != store}
    kept = "\n".join([*lines[:start], *lines[end:], ""])
    return _checked(kept, expected, f"no [stores.{store}]")


def write(file: Path, text: str, mode: int = 0o644) -> None:
    """Put a text in a file's place, whole or not at all.

    Raises:
        ConfigError: if the file can't be written.
    """
    new = file.with_name(f"{file.name}.{token_hex(4)}.new")  # another process may write it too
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(descriptor, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(descriptor)
        os.replace(new, file)
    except OSError as error:
        with suppress(OSError):
            new.unlink()
        raise ConfigError(f"{file} can't be written: {error}") from error


def _literal(value: Any) -> str:
    """Return a text, a truth value or a list of texts as TOML writes it, which is as JSON does."""
    return json.dumps(value, ensure_ascii=False)


def _stores(text: str) -> dict[str, Any]:
    stores: dict[str, Any] = tomllib.loads(text).get("stores", {})
    return stores


def _span(lines: list[str], store: str) -> tuple[int, int]:
    """Return the lines of a store's table, from its header to the next one."""
    header = re.compile(rf"""\s*\[\s*stores\s*\.\s*["']?{re.escape(store)}["']?\s*\]\s*(#.*)?""")
    start = next((i for i, line in enumerate(lines) if header.fullmatch(line)), -1)
    if start < 0:
        raise ConfigError(f"[stores.{store}] can't be found; change the file by hand.")
    after = (i for i in range(start + 1, len(lines)) if _HEADER.match(lines[i]))
    return start, next(after, len(lines))


def _checked(text: str, expected: Mapping[str, Any], by_hand: str) -> str:
    try:
        good = _stores(text) == dict(expected)
    except ValueError:
        good = False
    if not good:
        raise ConfigError(
            f"The file is written in a way that needs your hand; make it say:\n{by_hand}"
        )
    return text
