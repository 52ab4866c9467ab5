"""The page for people: one HTML file that needs nothing else, written in a stream.

The changes are in it as JSON; its script shows, filters and pages them. A Content-Security-Policy
in the page lets only that script and that style run, and only pictures be loaded; no picture is
asked for before somebody clicks. Where scripts don't run, the first changes are a plain table.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Any

from storebridge.compare import undotted
from storebridge.plan import SkippedRow
from storebridge.report.text import plain
from storebridge.report.view import PROBLEMS, Entry, FitRow, Head, View, moment

__all__ = ["write_html"]

#: Bytes of changes that a browser on a phone still takes; the page says what it leaves out.
_MOST_BYTES = 24 << 20
_BLOCK = 500
#: The longest text of a value that the page holds.
_LONGEST = 20_000
_MOST_PROBLEMS, _MOST_SKIPPED, _MOST_FIT, _MOST_PLAIN = 100, 500, 200, 100
_TILES = {
    "create": "to create",
    "update": "to update",
    "delete": "to delete",
    "unchanged": "unchanged",
    "skipped": "left alone",
    "out_of_scope": "out of scope",
}
_FILTERS = ("store", "kind", "action", "status", "field")
#: What would end a script element, or a line of a script, in the middle of its JSON.
_UNSAFE = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}

Write = Callable[[str], object]


def write_html(path: Path, view: View) -> None:
    """Write the page; memory stays flat however long the plans are."""
    # A lone surrogate becomes its escape: right in JSON, and to be seen in HTML.
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
        _Page(view, file.write).write()


class _Page:
    """One page in the making."""

    def __init__(self, view: View, out: Write) -> None:
        self.view, self.out = view, out
        self.fields: dict[str, int] = {}

    def write(self) -> None:
        """Write everything, from top to bottom."""
        style, script = _asset("page.css"), _asset("page.js")
        self.out(_opening(_title(self.view), style, script))
        self._top()
        self.out("<main>")
        self._stopped()
        self._stores()
        self._warnings()
        self._problems()
        self._skipped()
        self._fit()
        self._changes()
        self._about()
        self.out("</main>\n<footer><p>Made by storebridge, ")
        self.out(f"{moment(datetime.now(UTC).isoformat())}. This page loads nothing from ")
        self.out("anywhere but a picture that you ask for.</p></footer>\n")
        self._names()
        self.out(f"<script>{script}</script>\n</body>\n</html>\n")

    def _top(self) -> None:
        view = self.view
        planned, outcomes = view.total("planned"), view.total("outcomes")
        self.out('<header class="top"><p class="eyebrow">storebridge plan</p>')
        self.out(f"<h1>{_e(_title(view))}</h1><p>{_state(view, outcomes)}")
        self.out(f' <span class="soft">{_made(view.heads)}</span></p>')
        tiles = [(name, planned.get(name, 0), word) for name, word in _TILES.items()]
        always = ("create", "update", "delete", "unchanged")
        self.out('<p class="tiles-name">The plan, in records</p>')
        self.out(_tiles(tile for tile in tiles if tile[1] or tile[0] in always))
        if view.applied:
            self.out('<p class="tiles-name">What became of its changes</p>')
            self.out(_tiles((name, n, name) for name, n in outcomes.items() if n))
            self.out(_bar(outcomes))
        self.out("</header>\n")

    # -- the stores of a folder

    def _stopped(self) -> None:
        """Write what stands in the way of whole stores; what several have in common, once."""
        groups: dict[str, list[str]] = {}
        for store, message in self.view.stopped:
            groups.setdefault(message, []).append(store)
        if not groups:
            return
        self.out(f"<section><h2>Stores that need you ({len(self.view.stopped):,})</h2>")
        self.out('<ul class="list">')
        for message, stores in groups.items():
            names = ", ".join(f"<strong><bdi>{_e(store)}</bdi></strong>" for store in stores)
            self.out(f'<li class="box">{names}<p class="lines">{_e(message)}</p></li>\n')
        self.out("</ul></section>\n")

    def _stores(self) -> None:
        if len(self.view.stores) < 2:
            return
        head = ("Store", "Plan", "Outcome")
        rows = [_store_cells(one, self.view) for one in self.view.stores]
        self.out("<section><h2>Stores</h2>")
        self._folded(len(rows), head, rows)
        self.out("</section>\n")

    # -- what needs somebody

    def _warnings(self) -> None:
        found = list(islice(self.view.warnings(), _MOST_PROBLEMS + 1))
        if not found:
            return
        self.out('<section><h2>Read this first</h2><ul class="list">')
        for place, text in found[:_MOST_PROBLEMS]:
            store = self.view.heads[place].store if len(self.view.heads) > 1 else ""
            name = f"<strong><bdi>{_e(store)}</bdi></strong> " if store else ""
            self.out(f'<li class="box">{name}<bdi>{_e(text)}</bdi></li>\n')
        self.out("</ul>")
        if len(found) > _MOST_PROBLEMS:
            self._note("And more: an XLSX report lists them all.")
        self.out("</section>\n")

    def _problems(self) -> None:
        count = sum(head.problems for head in self.view.heads)
        if not count:
            return
        plans = sum(head.problems > 0 for head in self.view.heads)
        with_many, shown = len(self.view.heads) > 1, 0
        self.out(f'<section><h2>What went wrong, and what to do ({count:,})</h2><ul class="list">')
        for entry in self.view.entries("problems", max(3, _MOST_PROBLEMS // plans)):
            self.out(_problem(entry, self.view.heads[entry.store].store if with_many else ""))
            shown += 1
        self.out("</ul>")
        if count > shown:
            self._note(f"And {count - shown:,} more, among the changes below.")
        found = self.view.total("outcomes")
        links = (
            f'<a href="#changes" data-status="{status}">{found[status]:,} {status}</a>'
            for status in PROBLEMS
            if found[status]
        )
        self.out(f'<p class="note">Field by field: {", ".join(links)}</p></section>\n')

    def _skipped(self) -> None:
        count = self.view.total("planned").get("skipped", 0)
        if not count:
            return
        self.out(f"<section><h2>Left alone ({count:,})</h2>")
        self.out("<p>These records of the source are not touched by the plan.</p>")
        head = ("Record", "Row", "Why", "What to do")
        shown = islice(self.view.skipped(), _MOST_SKIPPED)
        self._folded(count, *self._by_store(head, ((s, _skipped_cells(row)) for s, row in shown)))
        if count > _MOST_SKIPPED:
            self._note(f"And {count - _MOST_SKIPPED:,} more: an XLSX report lists them all.")
        self.out("</section>\n")

    def _fit(self) -> None:
        rows = list(self.view.fit(_MOST_FIT))
        if not rows:
            return
        self.out("<section><h2>What the store can't hold</h2>")
        self.out("<p>These fields of the source have no place in the store.</p>")
        head = ("Field", "Records", "Why", "For example")
        found = ((row.store, _fit_cells(row)) for row in rows)
        self._folded(len(rows), *self._by_store(head, found))
        self.out("</section>\n")

    def _by_store(
        self, head: tuple[str, ...], rows: Iterable[tuple[int, tuple[str, ...]]]
    ) -> tuple[tuple[str, ...], Iterable[tuple[str, ...]]]:
        """Return a table's head and rows, with the store before each where there are several."""
        heads = self.view.heads
        if len(heads) < 2:
            return head, (cells for _, cells in rows)
        return ("Store", *head), ((heads[place].store, *cells) for place, cells in rows)

    def _folded(self, count: int, head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
        self.out(f'<details class="box"{" open" * (count <= 20)}><summary>Show the list</summary>')
        self.out(f'<div class="scroll">{_table_head(head)}')
        for cells in rows:
            self.out(_table_row(head, cells))
        self.out("</tbody></table></div></details>")

    # -- the changes

    def _changes(self) -> None:
        self.out('<section id="changes"><h2>Changes</h2>')
        if not self.view.changes:
            self.out('<p class="box">Nothing has to be changed.</p>')
        self.out('<div id="browser" hidden>')
        self.out(_SEARCH)
        for name in _FILTERS:
            self.out(f'<label hidden>{name.capitalize()}<select id="by-{name}">')
            self.out('<option value="">All</option></select></label>')
        self.out(_FOUND)
        self.out("</div>\n<noscript>")
        self._plain()
        self.out("</noscript></section>\n")
        left = self._data()
        if left:
            self._note(
                f"The page has no room for {left:,} of {self.view.changes:,} changes; those with "
                "problems come first. An XLSX report has them all."
            )

    def _plain(self) -> None:
        """Write the first changes as a table, for where no script runs."""
        head = ("Record", "Field", "Before", "After")
        self.out(f'<div class="scroll box">{_table_head(head)}')
        rows = ((e, field) for e in self.view.entries() for field in e.change.fields)
        for entry, (path, before, after) in islice(rows, _MOST_PLAIN):
            label = f"{entry.change.action} {entry.change.label}"
            cells = (label, path, plain(before, 300), plain(after, 300))
            self.out(_table_row(head, cells))
        self.out("</tbody></table></div>")
        self._note(f"The first {_MOST_PLAIN} fields. With scripts allowed, this page shows more.")

    def _data(self) -> int:
        """Write the changes as JSON, and return how many had no room."""
        left, room = 0, _MOST_BYTES
        block: list[str] = []
        for entry in self._ordered():
            text = self._json(entry) if room > 0 else ""
            room -= len(text.encode("utf-8", "replace"))
            if not text or room < 0:
                left, room = left + 1, 0
                continue
            block.append(text)
            if len(block) == _BLOCK:
                self._flush(block)
        self._flush(block)
        return left

    def _ordered(self) -> Iterator[Entry]:
        yield from self.view.entries("problems")
        yield from self.view.entries("others")

    def _flush(self, block: list[str]) -> None:
        if block:
            joined = ",\n".join(block)
            self.out(f'<script type="application/json" data-changes>[{joined}]</script>\n')
            block.clear()

    def _json(self, entry: Entry) -> str:
        """Return a change as compact JSON; what is empty is left out."""
        change, o = entry.change, entry.outcome
        places = self.fields
        told = o is not None and entry.status != "applied" and (o.message or o.cause)
        doc = {
            "t": entry.store,
            "k": change.kind,
            "p": change.part,
            "a": change.action,
            "s": entry.status,
            "l": change.label,
            "r": change.origin,
            "u": change.undo if change.undo in ("none", "partly") else "",
            "h": entry.hidden,
            "w": change.reasons,
            "o": [o.cause, o.message, o.remedy, o.http_status, o.request_id] if o and told else "",
            "f": [
                (path, places.setdefault(undotted(path), len(places)), _cut(before), _cut(after))
                for path, before, after in change.fields
            ],
        }
        return _json({name: value for name, value in doc.items() if value or name == "t"})

    def _names(self) -> None:
        stores = [head.store for head in self.view.heads]
        for name, values in (("fields", list(self.fields)), ("stores", stores)):
            self.out(f'<script type="application/json" id="{name}">{_json(values)}</script>\n')

    # -- what it is

    def _about(self) -> None:
        many = len(self.view.heads) > 1
        self.out(f"<section><h2>About {'these plans' if many else 'this plan'}</h2>")
        for head in self.view.heads:
            if many:
                self.out(f'<details class="box"><summary><bdi>{_e(head.store)}</bdi></summary>')
            self.out(f'<dl class="facts{"" if many else " box"}">')
            for name, value in head.facts:
                kind = ' class="digest"' if name == "Digest" else ""
                self.out(f"<dt>{_e(name)}</dt><dd{kind}><bdi>{_e(value)}</bdi></dd>")
            self.out("</dl></details>" if many else "</dl>")
        self.out("</section>\n")

    def _note(self, text: str) -> None:
        self.out(f'<p class="note">{_e(text)}</p>')


_SEARCH = (
    '<div class="filters" role="search"><label>Search<input type="search" id="by-text" '
    'autocomplete="off" placeholder="A word, a SKU, a value"></label>'
)
_FOUND = (
    '</div><div class="found"><span id="found" role="status"></span>'
    '<button type="button" id="clear">Show all</button></div><div id="changes-list"></div>'
    '<nav class="pages" aria-label="Pages of changes" hidden>'
    '<button type="button" data-step="-1">Previous</button><span data-where></span>'
    '<button type="button" data-step="1">Next</button></nav>'
)


def _opening(title: str, style: str, script: str) -> str:
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "img-src https: http:; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="robots" content="noindex">\n'
        f"<title>{_e(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#changes">Go to the changes</a>\n'
    )


def _asset(name: str) -> str:
    return files("storebridge.report").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _e(text: object) -> str:
    return escape(str(text))


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.translate(_UNSAFE)


def _cut(value: Any) -> Any:
    """Return a value whose texts are short enough for a page."""
    if isinstance(value, str) and len(value) > _LONGEST:
        return f"{value[:_LONGEST]}… (cut; {len(value):,} characters in all)"
    if isinstance(value, dict):
        return {name: _cut(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_cut(item) for item in value]
    return value


def _title(view: View) -> str:
    return view.stores[0] if len(view.stores) == 1 else f"{len(view.stores)} stores"


def _made(heads: tuple[Head, ...]) -> str:
    if not heads:
        return "none has a plan"
    sources = {dict(head.facts)["Source"] for head in heads}
    source = f"from <bdi>{_e(*sources)}</bdi>, " if len(sources) == 1 else ""
    return f"{source}planned {_e(dict(heads[0].facts)['Made'])}"


def _state(view: View, outcomes: dict[str, int]) -> str:
    problems = sum(head.problems for head in view.heads)
    if view.stopped:
        kind, words = (
            "failed",
            f"{len(view.stopped):,} of {len(view.stores):,} stores stopped early",
        )
        words += f", and {problems:,} problems" if problems else ""
    elif not view.applied:
        kind, words = "", "Not applied yet" if view.changes else "Nothing to change"
    elif outcomes["open"]:
        kind, words = "open", f"Stopped: {outcomes['open']:,} changes not reached"
    elif problems:
        kind, words = "failed", f"Applied, with {problems:,} problems"
    else:
        kind, words = "done", "Applied"
    return f'<span class="pill {kind}">{words}</span>'


def _store_cells(store: str, view: View) -> tuple[str, ...]:
    head = next((head for head in view.heads if head.store == store), None)
    if head is None:
        return (store, "no plan", "stopped early")
    plan = ", ".join(
        f"{head.planned[name]:,} {word}" for name, word in _TILES.items() if head.planned[name]
    )
    words = [
        f"{n:,} {'not reached' if name == 'open' else name}"
        for name, n in head.outcomes.items()
        if n
    ]
    outcome = ", ".join(words) if head.applied else "not applied yet" if head.changes else ""
    if any(one.store == store for one in view.stopped):
        outcome += "; stopped early" if outcome else "stopped early"
    return (store, plan or "nothing to do", outcome)


def _tiles(tiles: Iterable[tuple[str, int, str]]) -> str:
    items = []
    for name, count, word in tiles:
        size = " zero" if not count else " long" if count >= 100_000 else ""
        items.append(f'<li class="{name}{size}"><b>{count:,}</b> <span>{word}</span></li>')
    return f'<ul class="tiles">{"".join(items)}</ul>\n'


def _bar(outcomes: dict[str, int]) -> str:
    """Return a bar of the outcomes' shares; its words are in the tiles."""
    total = sum(outcomes.values()) or 1
    rects, start = [], 0.0
    for name, count in outcomes.items():
        share = 100 * count / total
        rects.append(f'<rect class="{name}" x="{start:.3f}%" width="{share:.3f}%" height="8"/>')
        start += share
    return f'<svg class="bar" aria-hidden="true">{"".join(rects)}</svg>'


def _problem(entry: Entry, store: str) -> str:
    change, o = entry.change, entry.outcome
    spot = [store, change.kind, "" if change.part == "core" else change.part]
    spot += [f"row {change.origin}"] if change.origin else []
    meta = " · ".join(_e(word) for word in spot if word)
    message = _e(o.message or o.cause) if o else ""
    remedy = f'<p class="remedy">{_e(o.remedy)}</p>' if o and o.remedy else ""
    return (
        f'<li class="box"><span class="pill {entry.status}">{entry.status}</span> '
        f'<strong><bdi>{_e(change.label)}</bdi></strong> <span class="soft">{meta}</span>'
        f"<p>{message}</p>{remedy}</li>\n"
    )


def _table_head(names: tuple[str, ...]) -> str:
    cells = "".join(f'<th scope="col">{name}</th>' for name in names)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>\n"


def _table_row(names: tuple[str, ...], cells: tuple[str, ...]) -> str:
    """Return a row; each cell carries its column's name, for screens without room for columns."""
    pairs = zip(names, cells, strict=True)
    tds = (f'<td data-name="{name}"><bdi>{_e(cell)}</bdi></td>' for name, cell in pairs)
    return f"<tr>{''.join(tds)}</tr>\n"


def _skipped_cells(row: SkippedRow) -> tuple[str, ...]:
    return (f"{row.kind} {row.label}", str(row.origin or ""), row.message, row.remedy)


def _fit_cells(row: FitRow) -> tuple[str, ...]:
    fit = row.fit
    why = f"{fit.message} ({fit.source})" if fit.source else fit.message
    return (f"{fit.kind} {fit.field}", f"{row.count:,}", why, fit.label)
