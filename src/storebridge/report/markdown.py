"""The report as Markdown: a summary and tables of what comes first, for tickets and chats."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from storebridge.report.text import plain
from storebridge.report.view import View

__all__ = ["write_markdown"]

_MOST_ROWS, _MOST_TEXT = 200, 200
_TICKS = re.compile("`+")
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#|~&!@$^])")


def write_markdown(path: Path, view: View) -> None:
    """Write the report, each table with its first rows."""
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        for part in (_summary, _warnings, _problems, _changes, _skipped, _fit):
            part(view, lambda line: file.write(f"{line}\n"))


Out = Callable[[str], object]


def _summary(view: View, out: Out) -> None:
    if len(view.stores) > 1:
        _stores(view, out)
    for head in view.heads:
        out(f"# Plan for {_prose(head.store)}\n")
        for name, value in head.facts:
            out(f"* {name}: {_code(value)}")
        out(f"* Records: {_counts(head.planned)}")
        if head.applied:
            out(f"* Changes: {_counts(head.outcomes)}")
        out("")


def _stores(view: View, out: Out) -> None:
    out(f"# Plans for {len(view.stores)} stores\n")
    heads, stopped = {head.store: head for head in view.heads}, dict(view.stopped)
    head = ("Store", "Records", "Changes", "Stopped early")
    rows = (
        (
            store,
            _counts(heads[store].planned) if store in heads else "no plan",
            _counts(heads[store].outcomes) if store in heads and heads[store].applied else "",
            stopped.get(store, ""),
        )
        for store in view.stores
    )
    _table(out, "Stores", len(view.stores), head, (_row(row, set()) for row in rows))


def _counts(counts: dict[str, int]) -> str:
    words = (f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count)
    return ", ".join(words) or "nothing to do"


def _warnings(view: View, out: Out) -> None:
    rows = [_row((view.heads[store].store, text), set()) for store, text in view.warnings()]
    _table(out, "Read this first", len(rows), ("Store", "What"), rows)


def _problems(view: View, out: Out) -> None:
    head = ("Status", "Record", "Row", "Why", "What to do")
    rows = (
        (entry.status, _code(entry.change.label), entry.change.origin or "", o.message, o.remedy)
        for entry in view.entries("problems")
        if (o := entry.outcome) is not None
    )
    count = sum(head.problems for head in view.heads)
    _table(out, "What went wrong", count, head, (_row(row, {1}) for row in rows))


def _changes(view: View, out: Out) -> None:
    head = ("Action", "Record", "Field", "Before", "After", "Status")
    rows = (
        (entry.change.action, entry.change.label, *field, entry.status)
        for entry in view.entries()
        for field in entry.change.fields or (("", None, None),)
    )
    coded = (
        (row[0], *(_code(plain(cell, _MOST_TEXT)) for cell in row[1:5]), row[5]) for row in rows
    )
    _table(out, "Changes", view.changes, head, (_row(row, {1, 2, 3, 4}) for row in coded))


def _skipped(view: View, out: Out) -> None:
    head = ("Record", "Row", "Why", "What to do")
    count = view.total("planned").get("skipped", 0)
    rows = (
        (place, _row((_code(f"{r.kind} {r.label}"), r.origin or "", r.message, r.remedy), {0}))
        for place, r in view.skipped()
    )
    _table(out, "Left alone", count, *_by_store(view, head, rows))


def _fit(view: View, out: Out) -> None:
    found = list(view.fit())
    head = ("Field", "Records", "Why", "For example")
    cells = (
        (_code(f"{r.fit.kind} {r.fit.field}"), r.count, r.fit.message, _code(r.fit.label))
        for r in found
    )
    rows = ((r.store, _row(row, {0, 3})) for r, row in zip(found, cells, strict=True))
    _table(out, "What the store can't hold", len(found), *_by_store(view, head, rows))


def _by_store(
    view: View, head: Sequence[str], rows: Iterable[tuple[int, str]]
) -> tuple[Sequence[str], Iterable[str]]:
    """Return a table's head and lines, with the store before each where there are several."""
    if len(view.heads) < 2:
        return head, (line for _, line in rows)
    return ("Store", *head), (f"| {_prose(view.heads[at].store)} {line}" for at, line in rows)


def _table(out: Out, title: str, count: int, head: Sequence[str], rows: Iterable[str]) -> None:
    if not count:
        return
    out(f"## {title} ({count:,})\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    lines: Iterator[str] = iter(rows)
    for line in islice(lines, _MOST_ROWS):
        out(line)
    rest = " And more: an HTML or XLSX report has them." if next(lines, None) else ""
    out(f"\n{rest.strip()}\n" if rest else "")


def _row(cells: Sequence[Any], coded: set[int]) -> str:
    """Return a table's line; in code, only a bar needs an escape."""
    texts = (
        str(cell).replace("|", "\\|") if place in coded else _prose(str(cell))
        for place, cell in enumerate(cells)
    )
    return f"| {' | '.join(texts)} |"


def _prose(text: str) -> str:
    """Return a text that Markdown shows as it is, in one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    """Return a text as code, which nothing in it can end."""
    text = " ".join(text.split())
    if not text:
        return ""
    fence = "`" * (max(map(len, _TICKS.findall(text)), default=0) + 1)
    space = " " if "`" in (text[0], text[-1]) else ""
    return f"{fence}{space}{text}{space}{fence}"
