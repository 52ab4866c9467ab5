"""Coded text: BCP 47 locales, ISO 3166 countries, aware UTC times, handles, file addresses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, AwareDatetime

__all__ = ["Country", "Locale", "Time", "local_file", "slug", "worded", "words_in"]

_UNSAFE = re.compile(r"[^\w]+")
_DRIVE = re.compile(r"/[A-Za-z]:(/|$)")


@cache
def _locale(text: str) -> str:
    """Return the standard form of a BCP 47 tag ("zh_tw" becomes "zh-TW")."""
    import langcodes

    try:
        tag = langcodes.standardize_tag(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a language tag like de or pt-BR") from error
    if not langcodes.tag_is_valid(tag):
        raise ValueError(f"{text!r} is not a language tag like de or pt-BR")
    return tag


def _country(text: str) -> str:
    if not re.fullmatch(r"[A-Z]{2}", text):
        raise ValueError(f"{text!r} is not a country code of two capital letters")
    return text


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)


Locale = Annotated[str, AfterValidator(_locale)]
Country = Annotated[str, AfterValidator(_country)]
Time = Annotated[AwareDatetime, AfterValidator(_utc)]


def words_in(given: str | Iterable[str]) -> tuple[str, ...]:
    """Return words; in one text they have commas between them, but for those in brackets."""
    parts = re.split(r",(?![^\[]*\])", given) if isinstance(given, str) else given
    return tuple(filter(None, (part.strip() for part in parts)))


def worded(message: str) -> str:
    """Return a validator's message without what pydantic puts before it."""
    return message.removeprefix("Value error, ")


def slug(text: str) -> str:
    """Return a handle made of a title: lower case, letters and digits of any script, hyphens."""
    import unicodedata

    folded = unicodedata.normalize("NFC", text).casefold().replace("'", "")
    return _UNSAFE.sub("-", folded).replace("_", "-").strip("-")


def local_file(url: str) -> Path | None:
    """Return the absolute path that a `file:` URL names, None for any other address.

    A picture whose `Media.url` is one is uploaded from disk (`Request(body=path)`,
    `FilePart(content=path)`); any other is given to the platform as an address.
    """
    if url[:5].lower() != "file:":
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    host = "" if parts.netloc.lower() == "localhost" else parts.netloc
    path = unquote(parts.path)
    if not path.startswith("/") or "\0" in path:
        return None
    if host:
        return Path(f"//{host}{path}")
    return Path(path[1:] if _DRIVE.match(path) else path)
