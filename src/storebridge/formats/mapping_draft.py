"""Proposes a mapping for a supplier's file: each column with sample values and what it may mean.

A proposal is what the header and the values say for certain. What could be meant in two ways is
written as a comment with the question, never as a guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from storebridge.formats.mapping_rules import target_of
from storebridge.formats.mapping_survey import Found, Survey
from storebridge.formats.mapping_words import meant
from storebridge.formats.sheet_columns import NAMING

__all__ = ["Draft", "check_digit", "draft"]

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_COMMA = re.compile(r"\D*-?\d{1,3}(?:[.\s'’]?\d{3})*,\d{1,2}\D*", re.ASCII)
_DOT = re.compile(r"\D*-?\d{1,3}(?:[,\s'’]?\d{3})*\.\d{1,2}\D*", re.ASCII)
_THOUSAND = re.compile(r"\D*\d{1,3}[.,]\d{3}\D*", re.ASCII)
_NUMERIC = re.compile(r"[^\d]{0,4}-?\d[\d.,\s'’-]*[^\d]{0,4}", re.ASCII)
_PICTURE = re.compile(r"https?://\S+\.(?:jpe?g|png|webp|gif|avif)(?:\?\S*)?", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
_FILE = re.compile(r"[^\s/\\]+\.(?:jpe?g|png|webp|gif|avif)", re.IGNORECASE)
_DATE = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-]\d{2,4}.*", re.ASCII)
_SIZES = re.compile(r"(?:xx?)?s|m|(?:x{0,3}|[2-5]x)l|one[- ]?size|uni", re.IGNORECASE)
_UNIT = re.compile(r"[\s(\[_](kg|g|gr|oz|lbs?|mm|cm|m|in)\b", re.IGNORECASE)
_CODE = re.compile(r"\b(EUR|USD|GBP|CHF|PLN|SEK|NOK|DKK|CZK|CNY)\b|(€)|(£)", re.IGNORECASE)
_SIGNS = {"€": "EUR", "£": "GBP"}
_YES = {"ja": True, "nein": False, "oui": True, "non": False, "sí": True, "si": True}
_YES |= {"tak": True, "nie": False, "yes": True, "no": False, "y": True, "n": False, "j": True}
_OVER = re.compile(r"(?:>=?|über|mehr als|more than|over)\s*(\d+)\+?|(\d+)\+", re.IGNORECASE)
_NUMBERS = ("money", "int", "weight", "length")


class Draft(NamedTuple):
    """A proposal: a mapping in TOML, how many columns it maps, and how many it asks about."""

    text: str
    mapped: int
    asked: int


class _Guess(NamedTuple):
    """What a column may mean: a field, what else to say about it, and what isn't clear."""

    field: str
    more: dict[str, object]
    question: str = ""


def draft(found: Survey, file: str) -> Draft:
    """Return a mapping that a person looks through and completes."""
    taken: dict[str, str] = {}
    guesses = [(column, _guess(column, taken)) for column in found.columns]
    sign = _common(guesses)
    lines = [f"# How {file} becomes products. Look through it, answer the questions, and see:"]
    lines += [f"#   storebridge mapping check {file} --mapping THIS_FILE", "", "[file]"]
    lines += _file(found, sign)
    lines += ["", *_products(guesses), "[columns]"]
    tables: list[str] = []
    for column, guess in guesses:
        samples = ", ".join(map(_quoted, column.samples())) or "nothing in the rows read"
        lines.append(f"# {column.name}: {samples}")
        more = {k: v for k, v in guess.more.items() if (k, v) != ("decimal", sign)}
        name = column.name if _BARE.fullmatch(column.name) else _quoted(column.name)
        if not guess.field:
            question = guess.question.removeprefix("?parent: ") or "what is this?"
            lines.append(f"# {name} = {_quoted('…')}  # {question}")
        elif not more and not guess.question:
            lines.append(f"{name} = {_quoted(guess.field)}")
        elif guess.question and guess.question.startswith("?"):
            lines.append(f"# {name} = {_quoted(guess.field)}  # {guess.question[1:].strip()}")
        else:
            lines.append(f"# {name}: see below")
            tables += ["", f"[columns.{name}]"]
            tables += [] if "to" in more else [f"to = {_quoted(guess.field)}"]
            tables += [f"{key} = {_literal(value)}" for key, value in more.items()]
            tables += [f"# {guess.question}"] if guess.question else []
    if not set(NAMING) & {guess.field for _, guess in guesses if not _asks(guess)}:
        lines.append("# Which column names a product? Map one to sku (or handle, or key).")
    tables += ["", "[fields]", '# vendor = "…"', '# title = "{brand} {name}"', ""]
    mapped = sum(bool(guess.field) and not _asks(guess) for _, guess in guesses)
    text = "\n".join([*lines, *tables])
    return Draft(text, mapped, sum(bool(guess.question) for _, guess in guesses))


def check_digit(code: str) -> bool:
    """Return whether a code is an EAN, UPC or GTIN: 8, 12, 13 or 14 digits, the last one right."""
    if len(code) not in (8, 12, 13, 14) or not code.isdecimal():
        return False
    weighed = (int(digit) * (3, 1)[at % 2] for at, digit in enumerate(reversed(code[:-1])))
    return (10 - sum(weighed) % 10) % 10 == int(code[-1])


def _asks(guess: _Guess) -> bool:
    """Whether a guess is only written as a comment."""
    return guess.question.startswith("?")


def _file(found: Survey, sign: str) -> Iterator[str]:
    if found.sheet:
        yield f"sheet = {_quoted(found.sheet)}"
        if found.others:
            yield f"# other sheets: {', '.join(map(_quoted, found.others))}"
    if found.header != 1:
        yield f"header = {found.header}"
    if found.encoding:
        yield f"encoding = {_quoted(found.encoding)}  # a guess: do the samples below read well?"
    if found.delimiter:
        yield f"delimiter = {_quoted(found.delimiter)}"
    if sign:
        yield f"decimal = {_quoted(sign)}"
    yield "# currency = \"EUR\"  # which one, where cells and columns don't say? else the store's"


def _common(guesses: Sequence[tuple[Found, _Guess]]) -> str:
    """Return the decimal sign that all columns share which show one."""
    signs = {guess.more["decimal"] for _, guess in guesses if "decimal" in guess.more}
    return str(signs.pop()) if len(signs) == 1 else ""


def _products(guesses: Sequence[tuple[Found, _Guess]]) -> Iterator[str]:
    """Yield which rows make one product, where a column or the SKUs seem to say so."""
    options = any(guess.field.startswith("option[") for _, guess in guesses)
    for column, guess in guesses:
        if guess.question.startswith("?parent"):
            sure = options and len(set(column.values)) < len(column.values)
            yield "[products]" if sure else "# [products]  # do the rows of a product share this?"
            yield f"{'' if sure else '# '}by = {_quoted(column.name)}"
            yield ""
            return
    skus = next((column.values for column, guess in guesses if guess.field == "sku"), ())
    starts = [sku.rpartition("-")[0] for sku in skus]
    if options and starts and all(starts) and len(set(starts)) < len(starts):
        name = next(column.name for column, guess in guesses if guess.field == "sku")
        yield "# Are rows one product whose SKUs are the same up to the last hyphen?"
        yield f'# [products]\n# by = {_quoted(name)}\n# pattern = "^(.+)-"\n'


def _guess(column: Found, taken: dict[str, str]) -> _Guess:
    """Return what a column may mean, by its header first, and by its values."""
    field, exact = meant(column.name)
    found = _by_values(column.values)
    if found and field not in ("sku", "parent") and (not field or found == "barcodes"):
        field, exact = found, True
    if field == "sku" and found == "barcodes" and not exact:
        field = found
    if field == "parent":
        return _Guess("", {}, "?parent: what the rows of one product share, see [products]")
    if not field:
        return _Guess("", {})
    if split := _divided(column):
        return split
    if field.startswith("option[") or field.startswith("attribute["):
        field = f"{field.partition('[')[0]}[{column.name}]"
    target = target_of(field)
    if target is not None and field in taken and not target.listed:
        return _Guess("", {}, f"{field} too? {taken[field]!r} has it already")
    guess = _detailed(column, field, exact)
    if not _asks(guess):
        taken.setdefault(field, column.name)
    return guess


def _divided(column: Found) -> _Guess | None:
    """Return what a column means whose name and cells have as many parts: `Size / Color`."""
    names = [name.strip() for name in column.name.split("/")]
    fields = [meant(name)[0] for name in names]
    if len(names) < 2 or not all(field.startswith("option[") for field in fields):
        return None
    if not _most(column.values, lambda value: value.count("/") == len(names) - 1):
        return None
    targets = [f"option[{name}]" for name in names]
    return _Guess(targets[0], {"to": targets, "split": "/"})


def _detailed(column: Found, field: str, exact: bool) -> _Guess:
    """Return a guess with how the column's values are written."""
    target = target_of(field)
    what = target.column.what if target else ""
    more: dict[str, object] = {}
    question = "" if exact else f"? {field}, or something else?"
    if what in _NUMBERS:
        words = _words(column.values, what)
        if words:
            more["values"] = words
            asked = [word for word, count in words.items() if not count]
            question = question or (f"Is {_quoted(asked[0])} 0?" if asked else "")
        numbers = [value for value in column.values if value not in words]
        if what != "int" and numbers and not _most(numbers, _NUMERIC.fullmatch):
            return _Guess(field, {}, f"? {field}? Its cells are no numbers")
        sign, unclear = _sign(numbers, what)
        if sign:
            more["decimal"] = sign
        question = question or unclear
    if what == "money" and (names := _CODE.search(column.name)):
        more["currency"] = _SIGNS.get(names[0], names[0].upper())
    elif what in ("weight", "length"):
        question = question or _unit(column, more)
    elif what == "time":
        question = question or _order(column.values, more)
    elif what == "bool":
        more["values"] = {v: _YES[v.casefold()] for v in column.values if v.casefold() in _YES}
    elif target and target.listed and not target.attribute:
        more |= {"split": sign} if (sign := _separator(column.values, what)) else {}
    return _Guess(field, more, question)


def _unit(column: Found, more: dict[str, object]) -> str:
    """Note the unit that a header names, else return the question where the cells don't say it."""
    if unit := _UNIT.search(f" {column.name}"):
        more["unit"] = {"gr": "g", "lbs": "lb"}.get(unit[1].lower(), unit[1].lower())
    elif not any(value[-1:].isalpha() for value in column.values):
        return 'In which unit? unit = "kg", "g", "cm" …'
    return ""


def _by_values(values: Sequence[str]) -> str:
    """Return the field that values of this kind can only be for, "" where that isn't clear."""
    if _most(values, check_digit):
        return "barcodes"
    if _most(values, _PICTURE.match) or _most(values, _FILE.fullmatch):
        return "media"
    if _most(values, _SIZES.fullmatch):
        return "option[Size]"
    return ""


def _most(values: Sequence[str], test: Callable[[str], object]) -> bool:
    return bool(values) and sum(bool(test(value)) for value in values) >= 0.8 * len(values)


def _sign(values: Sequence[str], what: str) -> tuple[str, str]:
    """Return the decimal sign that numbers show, or the question where they show none."""
    commas = sum(bool(_COMMA.fullmatch(value)) for value in values)
    dots = sum(bool(_DOT.fullmatch(value)) for value in values)
    if commas and dots:
        return "", 'Which sign begins the decimals? decimal = "," or "."'
    if commas or dots:
        return "," if commas else ".", ""
    if any(_THOUSAND.fullmatch(value) for value in values):
        example = next(value for value in values if _THOUSAND.fullmatch(value))
        return "", f'Is {example} thousands, or has it three decimals? decimal = "," or "."'
    return "", ""


def _words(values: Sequence[str], what: str) -> dict[str, object]:
    """Return what words among quantities mean: `>50` is 50; others are left to be filled in."""
    if what != "int":
        return {}
    found: dict[str, object] = {}
    for value in dict.fromkeys(values):
        if over := _OVER.fullmatch(value):
            found[value] = int(over[1] or over[2])
        elif not _NUMERIC.fullmatch(value) and len(found) < 20:
            found[value] = 0
    return found


def _order(values: Sequence[str], more: dict[str, object]) -> str:
    """Note the order of dates where a day above 12 shows it, else return the question."""
    parts = [(int(match[1]), int(match[2])) for value in values if (match := _DATE.match(value))]
    if not parts:
        return ""
    if any(first > 12 for first, _ in parts):
        more["dates"] = "DMY"
    elif any(second > 12 for _, second in parts):
        more["dates"] = "MDY"
    else:
        return f'Is {values[0]} a day or a month first? dates = "DMY" or "MDY"'
    return ""


def _separator(values: Sequence[str], what: str) -> str:
    """Return what separates several values of a cell, "" where none do."""
    signs = ("|", ";", "\n", ",") if what != "lines" else ("|", ";", "\n", ", ", ",http")
    for sign in signs:
        if any(sign in value for value in values):
            return "," if sign in (", ", ",http") else sign
    return ""


def _quoted(text: str) -> str:
    # TOML's basic strings are JSON's, but for the control character that JSON leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _literal(value: object) -> str:
    if isinstance(value, dict):
        pairs = (f"{_quoted(str(key))} = {_literal(each)}" for key, each in value.items())
        return f"{{ {', '.join(pairs)} }}"
    return json.dumps(value, ensure_ascii=False)
