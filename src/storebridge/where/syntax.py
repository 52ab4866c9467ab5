"""Reading the text of a condition."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from storebridge.errors import ConfigError
from storebridge.where.tree import AllOf, AnyOf, Node, Not, Test
from storebridge.where.values import COMPARE, Literal, money, time

__all__ = ["WhereError", "anchored", "error", "read"]

_DEPTH = 50
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
      | (?P<file>@(?:'(?:[^']|'')*'|"(?:[^"]|"")*"|[^\s()'"]+))
      | (?P<date>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:?\d\d)?)?)
      | (?P<number>-?\d+(?:\.\d+)?)
      | (?P<word>[A-Za-z_][\w.-]*)
      | (?P<sign><=|>=|!=|[=<>~(),])""",
    re.VERBOSE | re.ASCII,
)
_WORDS = frozenset({"and", "or", "not", "in", "is", "empty", "has", "like", "true", "false"})
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


class WhereError(ConfigError):
    """The text of a `where` is wrong; the message points at the character."""

    exit_code = 2


def error(text: str, at: int, message: str, remedy: str) -> WhereError:
    """Return the error that shows where in a text something is wrong, and what to do."""
    line = "".join(char if char.isprintable() else " " for char in text)
    start = max(0, at - 60)
    shown = f"  {line[start : start + 76]}\n  {' ' * (at - start)}^"
    return WhereError(f"where: {message} (character {at + 1})\n{shown}\n{remedy}")


def read(text: str) -> Node:
    """Return the tree of the condition that a text writes; reads the files it names.

    Raises:
        WhereError: if the text is wrong, or a file can't be read.
    """
    return _Parser(text).whole()


def anchored(text: str, folder: Path) -> str:
    """Return a condition whose relative files are seen from a folder.

    Raises:
        WhereError: if a character of it means nothing.
    """
    found, end = "", 0
    for token in _tokens(text):
        if token.kind == "file":
            path = (folder / _unquoted(token.text[1:])).as_posix()
            found += f"{text[end : token.at]}@{Literal(path)}"
            end = token.at + len(token.text)
    return found + text[end:]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            if text[at] in "'\"":
                remedy = "Close it; write a quote twice to have one inside."
                raise error(text, at, "this quote is never closed", remedy)
            raise error(text, at, f"{text[at]!r} means nothing here", "Put text in quotes: 'text'.")
        kind = str(match.lastgroup)
        if kind != "space":
            yield _Token(kind, match[0], at)
        at = match.end()
    yield _Token("end", "", len(text))


def _unquoted(text: str) -> str:
    if text[:1] not in ("'", '"'):
        return text
    return text[1:-1].replace(text[0] * 2, text[0])


class _Parser:
    """Reads one text from left to right, by recursive descent."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(_tokens(text))
        self.next = 0
        self.depth = 0

    def whole(self) -> Node:
        root = self.any_of()
        if self.peek().kind != "end":
            raise self.wrong("this does not belong here", "Join tests with and / or.")
        return root

    def any_of(self) -> Node:
        nodes = [self.all_of()]
        while self.took("or"):
            nodes.append(self.all_of())
        return nodes[0] if len(nodes) == 1 else AnyOf(tuple(nodes))

    def all_of(self) -> Node:
        nodes = [self.one()]
        while self.took("and"):
            nodes.append(self.one())
        return nodes[0] if len(nodes) == 1 else AllOf(tuple(nodes))

    def one(self) -> Node:
        self.depth += 1
        if self.depth > _DEPTH:
            raise self.wrong("this is nested too deeply", f"Use at most {_DEPTH} levels.")
        node: Node
        if self.took("not"):
            node = Not(self.one())
        elif self.took("("):
            node = self.any_of()
            self.need(")")
        else:
            node = self.test()
        self.depth -= 1
        return node

    def test(self) -> Node:
        token = self.peek()
        if token.kind != "word" or token.text.lower() in _WORDS:
            raise self.wrong("a field is expected here", "Begin with one, like: vendor = 'Acme'.")
        self.next += 1
        operator = self.operator()
        if operator.startswith("is"):
            return Test(token.text, operator, at=token.at)
        if operator not in ("in", "not in"):
            return Test(token.text, operator, (self.value(operator),), at=token.at)
        if self.peek().kind != "file":
            return Test(token.text, operator, self.list(), at=token.at)
        name = self.take()
        file = _unquoted(name.text[1:])
        listed = self.listed(file, token.text, name.at)
        return Test(token.text, operator, (), file, listed, at=token.at)

    def operator(self) -> str:
        word = self.peek().text.lower()
        if word in COMPARE or word in ("!=", "in"):
            self.next += 1
            return word
        if self.took("is"):
            negated = self.took("not")
            self.need("empty")
            return "is not empty" if negated else "is empty"
        if self.took("not"):
            self.need("in")
            return "not in"
        remedy = "Use one of: = != < <= > >= ~ like has in, not in, is empty, is not empty."
        raise self.wrong("a test is expected here", remedy)

    def list(self) -> tuple[Literal, ...]:
        self.need("(")
        found = [self.value("in")]
        while self.took(","):
            found.append(self.value("in"))
        self.need(")")
        return tuple(found)

    def value(self, operator: str) -> Literal:
        token = self.peek()
        if token.kind == "text":
            return Literal(_unquoted(self.take().text))
        if operator in ("~", "like"):
            raise self.wrong(f"text is expected after {operator}", "Write it in quotes: 'shirt'.")
        if token.text.lower() in ("true", "false"):
            return Literal(self.take().text.lower() == "true")
        if token.kind == "number":
            return self.number()
        if token.kind == "date":
            return self.date()
        remedy = "Write 'text', a number, a date like 2026-01-31, true or false."
        if token.kind == "word":
            remedy = f"Write text in quotes: '{token.text}'."
        raise self.wrong("a value is expected here", remedy)

    def number(self) -> Literal:
        digits = self.take().text
        if self.peek().kind != "word" or not _CURRENCY.fullmatch(self.peek().text):
            return Literal(Decimal(digits), digits)
        found = money(f"{digits} {self.peek().text}")
        if found is None:
            raise self.wrong("this is no amount of money", "Write it like 20 EUR.")
        self.next += 1
        return Literal(found)

    def date(self) -> Literal:
        found = time(self.peek().text)
        if found is None:
            raise self.wrong("there is no such date", "Write it like 2026-01-31.")
        self.next += 1
        return Literal(found)

    def listed(self, file: str, path: str, at: int) -> frozenset[str]:
        """Return the values of a file: of the column named like the field, else of the first."""
        try:
            text = Path(file).read_text(encoding="utf-8-sig")
            delimiter = max(",;\t", key=text.partition("\n")[0].count)
            rows = [row for row in csv.reader(text.splitlines(), delimiter=delimiter) if row]
        except (OSError, ValueError, csv.Error) as problem:
            message = f"{file} can't be read: {problem}"
            raise error(self.text, at, message, "Name a CSV file in UTF-8.") from problem
        head = [cell.strip().casefold() for cell in rows[0]] if rows else []
        names = {path.casefold(), path.rpartition(".")[2].casefold()}
        column = next((index for index, cell in enumerate(head) if cell in names), None)
        body = rows if column is None else rows[1:]
        cells = (row[column or 0].strip() for row in body if len(row) > (column or 0))
        found = frozenset(filter(None, cells))
        if not found:  # with `not in`, a list that was cut off would mean everything
            remedy = "Fill it, or leave this condition out."
            raise error(self.text, at, f"{file} has no values", remedy)
        return found

    def peek(self) -> _Token:
        return self.tokens[self.next]

    def take(self) -> _Token:
        self.next += 1
        return self.tokens[self.next - 1]

    def took(self, word: str) -> bool:
        token = self.peek()
        if token.kind not in ("word", "sign") or token.text.lower() != word:
            return False
        self.next += 1
        return True

    def need(self, word: str) -> None:
        if not self.took(word):
            raise self.wrong(f"{word!r} is expected here", f"Write {word} here.")

    def wrong(self, message: str, remedy: str) -> WhereError:
        return error(self.text, self.peek().at, message, remedy)
