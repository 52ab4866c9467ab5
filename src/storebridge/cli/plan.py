"""`plan` and `show`: what would change, before anything does."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, validators

from storebridge.cli.common import (
    Json,
    Output,
    Planning,
    PlanPath,
    Reading,
    SideBySide,
    Source,
    StateDir,
    StoreTexts,
)
from storebridge.cli.output import clean, command, progress, say
from storebridge.plan import Plan, PlannedChange
from storebridge.plan.ways import Forecast, lasting
from storebridge.report.text import said
from storebridge.store import Store, open

__all__ = [
    "describe",
    "is_store",
    "make",
    "next_steps",
    "plan",
    "show",
    "summary",
    "write_plan_json",
]

#: What `plan --check` returns where there is something to change.
CHANGES_FOUND = 6
_SIGNS = {"create": ("+", "green"), "update": ("~", "yellow"), "delete": ("-", "red")}
_MOST_FIELDS = 12
_WIDTH = 60
#: What is shown of a long text before the place where it differs.
_BEFORE = 20


def plan(
    source: Source,
    /,
    *,
    to: StoreTexts = None,
    output: Output = None,
    json: Json = False,
    check: Annotated[
        bool, Parameter(help="Exit with 6 if there is something to change.", negative=())
    ] = False,
    planning: Planning | None = None,
    reading: Reading | None = None,
    jobs: SideBySide = 0,
    state: StateDir = None,
) -> int:
    """Make the plan that brings a store to what a source asks for; changes nothing."""
    from storebridge.cli.asked import ask

    asked = ask(source, to, output, planning, reading, state=state, jobs=jobs)
    if asked.is_group:
        from storebridge.cli import groups

        return groups.plan(asked, json=json, check=check)
    source, output, options, state = asked.source, asked.output, asked.options, asked.state
    with asked.opened() as store, make(source, store, output, options, state) as made:
        if json:
            write_plan_json(made)
        else:
            summary(made)
            next_steps(made, state)
        return CHANGES_FOUND if check and not made.is_empty else 0


def show(
    plan: PlanPath,
    /,
    *,
    json: Json = False,
    html: Annotated[
        bool, Parameter(help="Write a page for a browser beside the plan.", negative=())
    ] = False,
    limit: Annotated[
        int,
        Parameter(
            help="The most changes to show; 0 shows all.", validator=validators.Number(gte=0)
        ),
    ] = 50,
) -> None:
    """Show a plan, or a folder of plans, change by change."""
    if html:
        from storebridge.cli.report import report

        report(plan)
        return
    if plan.is_dir():
        from storebridge.cli import groups

        groups.show(plan, json=json, limit=limit)
        return
    with Plan.open(plan) as opened:
        opened.check_seal()
        if json:
            write_plan_json(opened)
        else:
            describe(opened, limit)


def make(
    source: str, store: Store, output: Path | None, options: dict[str, Any], state: Path | None
) -> Plan:
    """Return the plan from a file or another store, with progress on stderr."""
    with progress() as tick:
        words = {"read": "Reading the source", "compare": "Comparing with the store"}

        def on_progress(stage: str, count: int) -> None:
            tick(words.get(stage, stage), count, 0)

        if not is_store(source):
            return store.plan(source, output, on_progress=on_progress, **options)
        with open(source, state=state) as other:
            return store.plan(other, output, on_progress=on_progress, **options)


def is_store(source: str) -> bool:
    """Return whether a source is a store: a file of that name comes first."""
    from storebridge import config
    from storebridge.sources import is_source

    if Path(source).exists() or is_source(source):
        return False
    return source in config.stores() or bool(config.is_url(source))


# -- for people


def summary(plan: Plan) -> None:
    """Print what a plan is for, its counts, and what it can't do."""
    about = plan.about
    store = about["store"]
    name = f" ({store['name']})" if store["name"] else ""
    source = "its own records" if about["source"] == store["url"] else about["source"]
    say((f"Plan for {store['url']}{name}", "bold"), f" from {source}")
    counts = plan.counts
    say(
        "  ",
        (f"{counts['create']} to create", "green"),
        ", ",
        (f"{counts['update']} to update", "yellow"),
        ", ",
        (f"{counts['delete']} to delete", "red"),
        ", ",
        f"{counts['unchanged']} unchanged",
        *([f", {counts['skipped']} left alone"] if counts["skipped"] else []),
        *([f", {counts['out_of_scope']} out of scope"] if counts["out_of_scope"] else []),
    )
    if any(plan.absent.values()):
        say("  Not in the source: ", ", ".join(_absent(plan)))
    _listed("Read this first:", plan.warnings(), style="yellow")
    _listed("The store can't hold:", _fits(plan))
    _listed(
        "Left alone:",
        (f"{s.kind} {s.label}{_row(s.origin)}: {s.message}. {s.remedy}" for s in plan.skipped()),
    )
    if not plan.is_empty:
        _ways(plan.forecast)


def _ways(forecast: Forecast) -> None:
    """Print what applying takes, and which way was chosen for what."""
    if forecast.seconds:
        say(f"  Applying takes about {lasting(forecast.seconds)} at the store's rate limit.")
    for phase in forecast.phases:
        say(f"  {phase}.")


def _absent(plan: Plan) -> Iterator[str]:
    """Yield what happens to products and variants that the source lacks."""
    options = plan.about["options"]
    for what, count in plan.absent.items():
        option = "absent" if what == "products" else "absent_variants"
        if count:
            yield f"{count} {what if count > 1 else what[:-1]} ({options[option]})"


def describe(plan: Plan, limit: int = 50) -> None:
    """Print a plan with its changes; 0 means all of them."""
    summary(plan)
    say((f"  Digest: {plan.digest}", "dim"))
    if guards := ", ".join(map(str, plan.guards())):
        say((f"  Guards: {guards}", "dim"))
    changes = plan.changes()
    for change in islice(changes, limit or None):
        _show_change(change)
    rest = sum(1 for _ in changes)
    if rest:
        say(f"... and {rest} more; see all with: {command('show', plan.path, '--limit', 0)}")


def _show_change(change: PlannedChange) -> None:
    sign, style = _SIGNS[change.action]
    part = "" if change.part == "core" else f" ({change.part})"
    say((f"{sign} {change.kind} {change.label}", style), part, (_row(change.origin), "dim"))
    for path, before, after in change.fields[:_MOST_FIELDS]:
        if change.action == "create":
            say(f"    {path}: ", (_cut(_text(after, path)), "green"))
        elif change.action == "update":
            was, now = _text(before, path), _text(after, path)
            start = _start(was, now)
            say(f"    {path}: ", (_cut(was, start), "red"), " -> ", (_cut(now, start), "green"))
    if len(change.fields) > _MOST_FIELDS and change.action != "delete":
        say(f"    ... and {len(change.fields) - _MOST_FIELDS} more fields")
    for reason in change.reasons:
        say((f"    because {reason}", "dim"))
    if change.undo in ("none", "partly"):
        say((f"    an undo {_UNDO[change.undo]}", "dim"))


_UNDO = {"none": "can't take this back", "partly": "can take this back in part only"}


def _start(was: str, now: str) -> int:
    """Return where to begin two texts so that what differs is to be seen; 0 where it is anyway."""
    least = min(len(was), len(now))
    same = next((n for n in range(least) if was[n] != now[n]), least)
    return same - _BEFORE if same > _WIDTH - _BEFORE else 0


def _cut(text: str, start: int = 0) -> str:
    """Return a text as far as a line has room for it."""
    text = f"...{text[start:]}" if start else text
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 3]}..."


def _text(value: Any, path: str) -> str:
    """Return a value in a line: texts as they are, elements by their names."""
    if value is None or value in ("", [], {}):
        return "nothing"
    value = said(value, path)
    if isinstance(value, list):
        count = f"{len(value)}: " if isinstance(value[0], dict) else ""
        text = count + ", ".join(map(_name, value))
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return clean(text)


def _name(element: Any) -> str:
    """Return what a person calls an element of a list."""
    if not isinstance(element, dict):
        return str(element)
    names = (element.get(name) for name in ("sku", "name", "handle", "url", "key", "market"))
    return str(next(filter(None, names), None) or json.dumps(element, ensure_ascii=False))


def _fits(plan: Plan) -> Iterator[str]:
    """Yield what the store can't hold: a line for each field and reason, with one record."""
    found: dict[tuple[str, str, str], tuple[str, int]] = {}
    for fit in plan.fit():
        about = (fit.kind, fit.field, fit.message)
        label, count = found.get(about, (fit.label, 0))
        found[about] = (label, count + 1)
    for (kind, field, message), (label, count) in found.items():
        more = f" and {count - 1:,} more" if count > 1 else ""
        yield f"{field} of {kind} {label}{more}: {message}"


def _listed(head: str, lines: Iterator[str], most: int = 20, style: str = "") -> None:
    for number, line in enumerate(lines):
        if number == 0:
            say("  ", (head, style))
        if number < most:
            say(f"    {line}")
        elif number == most:
            say("    ... and more; see them with --json")


def _row(origin: int | None) -> str:
    return f" (row {origin})" if origin else ""


def next_steps(plan: Plan, state: Path | None) -> None:
    """Print what can be done with a plan."""
    if plan.is_empty:
        say("Nothing has to be changed.")
        return
    say(f"Look at it:  {command('show', plan.path)}")
    say(f"Apply it:    {command('apply', plan.path, state=state)}")
    say(f"Its digest:  {plan.digest}")


# -- for machines


def write_plan_json(plan: Plan) -> None:
    """Print a plan as one JSON object, a line per change, so that memory stays flat."""
    out = sys.stdout
    out.write(f'{{"digest": "{plan.digest}",\n"counts": {json.dumps(plan.counts)},\n')
    guards = [dataclasses.asdict(found) for found in plan.guards()]
    out.write(f'"absent": {json.dumps(plan.absent)},\n"guards": {json.dumps(guards)},\n')
    out.write(f'"warnings": {json.dumps(list(plan.warnings()))},\n"changes": [')
    _write_items(_change_doc(change) for change in plan.changes())
    out.write('],\n"fit": [')
    _write_items(
        {
            "kind": fit.kind,
            "record": fit.label,
            "field": fit.field,
            "message": fit.message,
            "source": fit.source,
        }
        for fit in plan.fit()
    )
    out.write('],\n"skipped": [')
    _write_items(
        {
            "kind": row.kind,
            "record": row.label,
            "row": row.origin,
            "cause": row.cause,
            "message": row.message,
            "remedy": row.remedy,
        }
        for row in plan.skipped()
    )
    out.write("]}\n")


def _write_items(items: Iterable[dict[str, Any]]) -> None:
    for number, item in enumerate(items):
        sys.stdout.write(",\n" if number else "\n")
        sys.stdout.write(json.dumps(item))


def _change_doc(change: PlannedChange) -> dict[str, Any]:
    return {
        "action": change.action,
        "kind": change.kind,
        "record": change.label,
        "part": change.part,
        "id": change.record_id,
        "row": change.origin,
        "fields": [{"path": p, "before": b, "after": a} for p, b, a in change.fields],
        "reasons": list(change.reasons),
        "undo": change.undo,
    }
