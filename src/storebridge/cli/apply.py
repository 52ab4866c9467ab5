"""`apply`, `push` and `undo`: what changes stores."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from storebridge.cli.asked import ask
from storebridge.cli.common import (
    Json,
    Live,
    Output,
    Planned,
    Planning,
    PlanPath,
    Reading,
    SideBySide,
    Source,
    StateDir,
    StoreTexts,
    UsageError,
    Wait,
    Yes,
    agreed,
    check_live,
    store_of,
)
from storebridge.cli.output import command, moment, progress, say, write_json
from storebridge.cli.plan import describe, make, next_steps, summary
from storebridge.plan import OnConflict, Plan, Report
from storebridge.plan.report import Item
from storebridge.store import Store

__all__ = ["apply", "push", "reviewed", "undo"]

#: Digits of a digest that name one plan, as `storebridge.plan.apply.check_digest` asks for.
_FEWEST_DIGITS = 12


def _long_enough(_type: object, digest: str) -> None:
    if 0 < len(digest.strip()) < _FEWEST_DIGITS:
        raise ValueError(f"give its first {_FEWEST_DIGITS} digits at least")


def apply(
    plan: PlanPath,
    /,
    *,
    to: Planned = "",
    on_conflict: Annotated[
        OnConflict,
        Parameter(help="Where the store was changed since: refuse, overwrite, or plan those anew."),
    ] = "refuse",
    retry_failed: Annotated[
        bool, Parameter(help="Send again what failed before.", negative=())
    ] = False,
    wait: Wait = 0.0,
    live: Live = "",
    digest: Annotated[
        str,
        Parameter(
            help="Apply only what has this digest, which somebody else read; 12 digits will do.",
            validator=_long_enough,
        ),
    ] = "",
    json: Json = False,
    jobs: SideBySide = 0,
    state: StateDir = None,
) -> int:
    """Make the changes of a plan, or of a folder; or go on with a run that was stopped."""
    if plan.is_dir():
        _no_store(to)
        from storebridge.cli import groups

        return groups.apply(
            plan,
            on_conflict=on_conflict,
            retry_failed=retry_failed,
            wait=wait,
            live=live,
            digest=digest,
            json=json,
            jobs=jobs,
            state=state,
        )
    with Plan.open(plan) as opened, store_of(opened, to, state) as store:
        check_live(store, live)
        was_done = opened.is_done
        report = _applied(opened, store, on_conflict, retry_failed, wait, digest)
        if json:
            _write_report(report)
        else:
            if was_done:
                _say_done(report, store, opened.digest)
            else:
                _show_report(report)
            _hint(report, state, replanned=on_conflict == "replan")
        if report.conflicts and on_conflict == "replan":
            with opened.replan(_beside(plan, "again"), store) as again:
                if not json:
                    summary(again)
                    next_steps(again, state)
        return report.exit_code


def push(
    source: Source,
    /,
    *,
    to: StoreTexts = None,
    output: Output = None,
    yes: Yes = False,
    planning: Planning | None = None,
    reading: Reading | None = None,
    wait: Wait = 0.0,
    live: Live = "",
    jobs: SideBySide = 0,
    state: StateDir = None,
) -> int:
    """Plan, ask and apply in one go; the plan is kept, for an undo."""
    asked = ask(source, to, output, planning, reading, state=state, jobs=jobs, wait=wait, live=live)
    if asked.is_group:
        from storebridge.cli import groups

        return groups.push(asked, yes=yes)
    store = asked.opened()
    confirmed = store.name if store.name in asked.live else live
    with store, make(asked.source, store, asked.output, asked.options, asked.state) as made:
        return reviewed(made, store, yes, asked.wait, confirmed, asked.state)


def undo(
    plan: PlanPath,
    /,
    *,
    output: Output = None,
    where: Annotated[str, Parameter(help="Only records that match as they are now.")] = "",
    fields: Annotated[str, Parameter(help="Only these, like price,seo.title.")] = "",
    yes: Yes = False,
    to: Planned = "",
    wait: Wait = 0.0,
    live: Live = "",
    jobs: SideBySide = 0,
    state: StateDir = None,
) -> int:
    """Take back what a plan, or a folder of plans, did; what people changed since is kept."""
    chosen = [field.strip() for field in fields.split(",") if field.strip()]
    if plan.is_dir():
        _no_store(to)
        from storebridge.cli import groups

        return groups.undo(
            plan,
            output=output,
            where=where,
            fields=chosen,
            yes=yes,
            wait=wait,
            live=live,
            jobs=jobs,
            state=state,
        )
    with Plan.open(plan) as opened, store_of(opened, to, state) as store:
        path = output or _beside(plan, "undo")
        with opened.undo(path, store, where=where, fields=chosen) as inverse:
            kept = sum(1 for row in inverse.skipped() if row.cause in ("kept", "irreversible"))
            code = reviewed(inverse, store, yes, wait, live, state)
            return code or (4 if kept else 0)


def reviewed(
    plan: Plan, store: Store, yes: bool, wait: float, live: str, state: Path | None
) -> int:
    """Show a plan, ask, and apply it."""
    if yes:
        summary(plan)
    else:
        describe(plan, 20)
    if plan.is_empty:
        say("Nothing has to be changed.")
        return 0
    if not agreed(f"Change {store.name}?", yes, command("show", plan.path)):
        say(f"Nothing was changed. Apply it later: {command('apply', plan.path, state=state)}")
        return 0
    check_live(store, live)
    report = _applied(plan, store, "refuse", False, wait)
    _show_report(report)
    _hint(report, state)
    return report.exit_code


def _applied(
    plan: Plan,
    store: Store,
    on_conflict: OnConflict,
    retry_failed: bool,
    wait: float,
    digest: str = "",
) -> Report:
    with progress() as tick:
        return plan.apply(
            store,
            on_conflict=on_conflict,
            retry_failed=retry_failed,
            wait=wait,
            digest=digest,
            on_progress=lambda done, total: tick("Applying", done, total),
            on_notice=lambda line: say(("Note: ", "yellow"), line, error=True),
        )


def _no_store(to: str) -> None:
    if to:
        raise UsageError("--to is for a single plan: a folder knows the stores of its plans")


def _beside(plan: Path, word: str) -> Path:
    """Return a free name for a plan that comes of another one."""
    names = (f"{plan.stem}.{word}{n or ''}{plan.suffix}" for n in range(1000))
    return next(path for name in names if not (path := plan.with_name(name)).exists())


def _show_report(report: Report, most: int = 20) -> None:
    say((str(report), "bold"))
    groups: dict[tuple[object, ...], tuple[Item, list[str]]] = {}
    more = False
    for item in report.items("failed", "unknown", "skipped"):
        alike = (item.status, item.kind, item.label, item.origin, item.message, item.remedy)
        if alike in groups or len(groups) < most:
            groups.setdefault(alike, (item, []))[1].append(item.part)
        else:
            more = True
    for item, parts in groups.values():
        style = "yellow" if item.status == "skipped" else "red"
        row = f" (row {item.origin})" if item.origin else ""
        of = "" if parts == ["core"] else f"{', '.join(parts)} of "
        words = ". ".join(text.rstrip(".") for text in (item.message, item.remedy) if text)
        say((f"  {item.status}", style), f" {of}{item.kind} {item.label}{row}: {words}.")
    if more:
        say("  ... and more; see them with --json")


def _say_done(report: Report, store: Store, digest: str) -> None:
    """Print that a plan was applied before, and when."""
    times = (row.at for row in store.state.history() if row.digest == digest)
    when = "".join(f" on {moment(at)}" for at in islice(times, 1))
    counts = str(report).removeprefix(f"{report.store}: ")
    say((f"{report.store}: nothing was left to do: {counts}{when}", "bold"))


def _hint(report: Report, state: Path | None, replanned: bool = False) -> None:
    """Print what can be done next."""
    again = ("apply", report.path)
    if report.counts["failed"]:
        say(f"Try what failed again:  {command(*again, '--retry-failed', state=state)}")
    if report.conflicts and not replanned:
        words = (*again, "--on-conflict", "replan")
        say(f"See what others changed:  {command(*words, state=state)}")
    if report.counts["applied"]:
        say(f"Take it back:  {command('undo', report.path, state=state)}")


def _write_report(report: Report) -> None:
    write_json(
        {
            "store": report.store,
            "counts": dict(report.counts),
            "planned": report.planned,
            "conflicts": report.conflicts,
            "items": [
                {
                    "status": item.status,
                    "kind": item.kind,
                    "record": item.label,
                    "part": item.part,
                    "action": item.action,
                    "row": item.origin,
                    "cause": item.cause,
                    "message": item.message,
                    "remedy": item.remedy,
                    "http_status": item.http_status,
                    "request_id": item.request_id,
                }
                for item in report.items("failed", "unknown", "skipped")
            ],
        }
    )
