"""Types for coded text and times: BCP 47 locales, ISO 3166 countries, aware UTC times."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime

__all__ = ["Country", "Locale", "Time", "slug"]

_UNSAFE = re.compile(r"[^\w]+")


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


def slug(text: str) -> str:
    """Return a handle made of a title: lower case, letters and digits of any script, hyphens."""
    import unicodedata

    folded = unicodedata.normalize("NFC", text).casefold().replace("'", "")
    return _UNSAFE.sub("-", folded).replace("_", "-").strip("-")
