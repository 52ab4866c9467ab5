"""What WordPress does to texts, numbers and dates on their way in and out."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

__all__ = [
    "clean",
    "decimal",
    "flag",
    "has_date",
    "instant",
    "integer",
    "paragraphs",
    "plain",
    "slugged",
    "spoken_list",
    "stripped",
    "unslashed",
]


# ------------------------------------------------------------------------------------ PHP casts


def plain(value: Any) -> str:
    """Return a value as PHP casts it to a string: true is "1", false and null are ""."""
    if isinstance(value, str):
        return value
    if value is None or value is False:
        return ""
    if value is True:
        return "1"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return "Array" if isinstance(value, list | dict) else str(value)


def flag(value: Any) -> bool:
    """Return a value as WooCommerce casts it to a boolean: "yes", "true", "1" and 1 are true."""
    if isinstance(value, str):
        return value.lower() in ("yes", "true", "1")
    return value is True or (isinstance(value, int | float) and value == 1)


def integer(value: Any) -> int:
    """Return a value as PHP casts it to an integer: "3.7x" is 3, "abc" is 0."""
    if isinstance(value, str):
        found = re.match(r"\s*[+-]?\d+", value, re.ASCII)
        return int(found[0]) if found else 0
    if isinstance(value, list | dict):
        return int(bool(value))
    return int(value or 0)


def spoken_list(words: Sequence[Any]) -> str:
    """Return "a, b, and c", as WordPress says it in its messages."""
    texts = [str(word) for word in words]
    if len(texts) < 3:
        return " and ".join(texts)
    return f"{', '.join(texts[:-1])}, and {texts[-1]}"


# ---------------------------------------------------------------------------------------- texts


def unslashed(text: str) -> str:
    r"""Return a text without its backslashes, `\\` becoming one.

    WooCommerce 11.0.1: names, descriptions and purchase notes lose their backslashes.
    """
    return re.sub(r"\\(.?)", r"\1", text, flags=re.DOTALL) if "\\" in text else text


def stripped(text: str) -> str:
    """Return a text without tags; what stands in scripts and styles goes with them."""
    if "<" not in text:
        return text
    text = re.sub(r"(?is)<(script|style)[^>]*?>.*?</\1>", "", text)
    return re.sub(r"(?s)<!--.*?-->|</?[a-zA-Z!?][^>]*>?", "", text)


def clean(text: str) -> str:
    """Return a text as `sanitize_text_field` leaves it: one line, no tags, no %41, trimmed."""
    text = re.sub(r"<[^>]*?(?:(?=<)|>|$)", _no_tag, text)
    text = re.sub(r"[\r\n\t ]+", " ", stripped(text)).strip()
    while (found := re.search(r"%[a-fA-F0-9]{2}", text)) is not None:
        text = text.replace(found[0], "")
    return text


_BLOCK = (
    "table|thead|tfoot|caption|col|colgroup|tbody|tr|td|th|div|dl|dd|dt|ul|ol|li|pre|form|map|"
    "area|blockquote|address|style|p|h[1-6]|hr|fieldset|legend|section|article|aside|hgroup|"
    "header|footer|nav|figure|figcaption|details|menu|summary"
)


def _no_tag(match: re.Match[str]) -> str:
    """Return what isn't closed as text (`wp_pre_kses_less_than`)."""
    return match[0] if ">" in match[0] else html.escape(match[0])


def paragraphs(text: str) -> str:
    """Return a text as `wpautop` shows it: blank lines part paragraphs, others break lines."""
    if not text.strip():
        return ""
    text = text.replace("\r\n", "\n").replace("\r", "\n") + "\n"
    text = re.sub(rf"(<(?:{_BLOCK})[\s/>])", r"\n\n\1", text)
    text = re.sub(rf"(</(?:{_BLOCK})>)", r"\1\n\n", text)
    parts = [part.strip("\n") for part in re.split(r"\n\s*\n", text) if part.strip()]
    text = "".join(f"<p>{part}</p>\n" for part in parts)
    text = re.sub(r"<p>\s*</p>", "", text)
    text = re.sub(rf"<p>\s*(</?(?:{_BLOCK})[^>]*>)", r"\1", text)
    text = re.sub(rf"(</?(?:{_BLOCK})[^>]*>)\s*</p>", r"\1", text)
    text = re.sub(r"(?<!<br />)\s*\n(?=.)", "<br />\n", text)
    text = re.sub(rf"(</?(?:{_BLOCK})[^>]*>)\s*<br />", r"\1", text)
    return re.sub(rf"<br />(\s*</?(?:{_BLOCK})[^>]*>)", r"\1", text)


# ---------------------------------------------------------------------------------------- slugs

_LATIN = str.maketrans(
    {"ß": "s", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ł": "l", "Ł": "L",
     "þ": "th", "Þ": "TH", "ð": "d", "Ð": "D", "ı": "i", "œ": "oe", "Œ": "OE", "€": "E", "£": ""}
)  # fmt: skip
_DASHES = re.compile(r"%c2%a0|%e2%80%9[0-5]|%e2%80%8b%20|&nbsp;|/|&#(160|8211|8212);")
#: Zero-width characters, quotes and bullets, which slugs lose.
_DROPPED = re.compile(
    r"%c2%(ad|a1|bf|ab|bb|a9|ae|b0|b4)|%e2%80%(b9|ba|98|99|9c|9d|9a|9b|9e|9f|a2|a6|8b|8c|8d|8e|8f"
    r"|aa|ab|ac|ad|ae|af|bf|a8|a9)|%e2%84%a2|%e2%81%a0|%ef%bb%bf|%ef%bf%b[9abc]|%cb%8a|%cc%8[015]"
)


@lru_cache(65_536)
def slugged(title: str) -> str:
    """Return the slug of a title: accents folded, other scripts percent-encoded, 200 at most."""
    text = "".join(map(_folded, stripped(title))) if not title.isascii() else stripped(title)
    text = re.sub(r"%(?![a-fA-F0-9]{2})", "", text)
    if not text.isascii():
        text = _encoded(text.lower(), 200)
    text = _DASHES.sub("-", text.lower())
    text = _DROPPED.sub("", text).replace("%c3%97", "x")
    text = re.sub(r"&.+?;", "", text).replace(".", "-")
    text = re.sub(r"[^%a-z0-9 _-]", "", re.sub(r"\s", " ", text))
    return cut(re.sub(r"-+", "-", re.sub(r"\s+", "-", text)).strip("-"), 200)


def _folded(letter: str) -> str:
    if letter.isascii():
        return letter
    base = unicodedata.normalize("NFD", letter)
    return base[0] if base[0].isascii() and base != letter else letter.translate(_LATIN)


def _encoded(text: str, length: int) -> str:
    """Return a text with other scripts percent-encoded, ending before it gets too long."""
    made: list[str] = []
    used = 0
    for letter in text:
        part = letter if letter.isascii() else "".join(f"%{b:02x}" for b in letter.encode())
        used += len(part)
        if used > length:
            break
        made.append(part)
    return "".join(made)


def cut(slug: str, length: int) -> str:
    """Return a slug of at most so many characters, never ending within a percent code."""
    if len(slug) <= length:
        return slug
    if "%" not in slug:
        return slug[:length].rstrip("-")
    return _encoded(unquote(slug, errors="ignore"), length).rstrip("-")


# -------------------------------------------------------------------------------------- numbers


def decimal(value: Any, separator: str = ".") -> Any:
    """Return an amount as `wc_format_decimal` mangles it; a list stays a list of such.

    WooCommerce 11.0.1: "12,50" becomes "1250" (or "12.50" where the comma is the shop's decimal
    separator), "1e3" becomes "13", "abc" becomes "".
    """
    if isinstance(value, list):
        return [decimal(one, separator) for one in value]
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    text = plain(value)
    if text.isdecimal() and text.isascii():
        return text
    text = clean(text.replace(separator, "."))
    return re.sub(r"\.(?![^.]+$)|[^0-9.-]", "", text)


# ---------------------------------------------------------------------------------------- dates

_DATE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?(?:\.\d+)?\s*(Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)


def has_date(text: str) -> bool:
    """Return whether WordPress takes a text for a date."""
    return _DATE.fullmatch(text.strip()) is not None


def instant(text: Any, zone: ZoneInfo) -> str | None:
    """Return a date in UTC, None for what is none; a time without an offset is in `zone`."""
    found = _DATE.fullmatch(plain(text).strip())
    if found is None:
        return None
    *numbers, offset = found.groups()
    try:
        year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
        time = datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError:
        return None
    if offset and offset.upper() == "Z":
        time = time.replace(tzinfo=UTC)
    elif offset:
        minutes = int(offset[1:3]) * 60 + int(offset[-2:])
        shift = timedelta(minutes=minutes if offset[0] == "+" else -minutes)
        time = time.replace(tzinfo=UTC) - shift
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
