"""A field's value as one text, for tables."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["plain"]


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
