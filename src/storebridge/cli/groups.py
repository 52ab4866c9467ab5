"""Plans for groups of stores: what `plan`, `show`, `apply`, `push` and `undo` do with a folder."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from storebridge import config
from storebridge.cli.asked import Asked
from storebridge.cli.common import agreed, confirm_live
from storebridge.cli.output import command, progress, say, table, write_json
from storebridge.cli.plan import CHANGES_FOUND, describe, write_plan_json
from storebridge.errors import Refused, worst
from storebridge.plan import FolderReport, OnConflict, PlanFolder
from storebridge.plan.apply import check_digest
from storebridge.plan.group import OnStore, plan_each
from storebridge.plan.workers import GRACE

__all__ = ["apply", "plan", "push", "show", "undo"]

_WORDS = {
    "read": "Reading",
    "compare": "Comparing",
    "apply": "Applying",
    "undo": "Undoing",
    "replan": "Comparing",
}
_PLANNED = ("create", "update", "delete", "unchanged")
_OUTCOMES = ("applied", "unchanged", "failed", "unknown", "skipped", "open")


def plan(asked: Asked, *, json: bool, check: bool) -> int:
    """Make a folder of plans and show what is in it."""
    folder = _planned(asked)
    if json:
        _write_json(folder)
    else:
        _summary(folder)
        _next_steps(folder, asked.state)
    found = CHANGES_FOUND if check and not folder.is_empty else 0
    return worst((folder.exit_code, found))


def show(path: Path, *, json: bool, limit: int) -> int:
    """Show a folder: its stores, then the changes of each."""
    folder = PlanFolder.open(path)
    for _, one in folder.plans():
        one.check_seal()
    if json:
        _write_json(folder, changes=True)
        return 0
    _summary(folder)
    each = max(1, limit // max(1, len(folder.stores))) if limit else 0
    for store, one in folder.plans():
        if not one.is_empty:
            say("")
            say((store, "bold"))
            describe(one, each)
    return 0


def apply(
    path: Path,
    *,
    on_conflict: OnConflict,
    retry_failed: bool,
    wait: float,
    live: str,
    json: bool,
    jobs: int,
    state: Path | None,
    digest: str = "",
) -> int:
    """Apply a folder's plans side by side, or go on with a run that was stopped.

    Raises:
        Refused: if the folder isn't the one with that digest, or a live store isn't confirmed.
    """
    folder = PlanFolder.open(path)
    if digest:
        check_digest(folder.digest, digest, path)
    _check_live(folder, [name.strip() for name in live.split(",")])
    before = folder.report()
    chosen = {"on_conflict": on_conflict, "retry_failed": retry_failed}
    report = _applied(folder, wait=wait, jobs=jobs, state=state, **chosen)
    if json:
        _write_report(report)
    else:
        if before.ok and before.planned:
            say("Nothing was left to do: all of it was applied before.")
        _show_report(report)
        _hint(report, state, replanned=on_conflict == "replan")
    if report.conflicts and on_conflict == "replan":
        with _ticking("Planning again", report.conflicts) as tick:
            again = folder.replan(_beside(path, "again"), state=state, jobs=jobs, on_progress=tick)
        if not json:
            _summary(again)
            _next_steps(again, state)
    return report.exit_code


def push(asked: Asked, *, yes: bool) -> int:
    """Plan for a group, ask, and apply."""
    folder = _planned(asked, go_on=True)
    report = folder.report()
    if report.planned and not report.counts["open"]:
        raise Refused(
            f"{folder.path} was applied already. See what is new with another folder (-o), or what "
            f"became of it: {command('report', folder.path)}"
        )
    return _reviewed(folder, yes, asked.wait, asked.live, asked.jobs, asked.state)


def undo(
    path: Path,
    *,
    output: Path | None,
    where: str,
    fields: Sequence[str],
    yes: bool,
    wait: float,
    live: str,
    jobs: int,
    state: Path | None,
) -> int:
    """Take back what a folder's plans did, store by store."""
    folder = PlanFolder.open(path)
    with _ticking("Planning the undo of", len(folder.stores)) as tick:
        inverse = folder.undo(
            output or _beside(path, "undo"),
            where=where,
            fields=fields,
            jobs=jobs,
            state=state,
            on_progress=tick,
        )
    names = tuple(name.strip() for name in live.split(","))
    code = _reviewed(inverse, yes, wait, names, jobs, state)
    kept = any(
        row.cause in ("kept", "irreversible") for _, p in inverse.plans() for row in p.skipped()
    )
    return worst((code, 4 if kept else 0))


# -- the steps


def _planned(asked: Asked, go_on: bool = False) -> PlanFolder:
    output = asked.output or _new_folder(asked.name)
    with _ticking("Planning for", len(asked.wanted)) as tick:
        plan_each(
            asked.wanted,
            output,
            jobs=asked.jobs,
            state=asked.state,
            on_progress=tick,
            go_on=go_on,
        )
    return PlanFolder.open(output)


def _reviewed(
    folder: PlanFolder,
    yes: bool,
    wait: float,
    live: Sequence[str],
    jobs: int,
    state: Path | None,
) -> int:
    _summary(folder)
    if folder.is_empty:
        _next_steps(folder, state)
        return folder.exit_code
    stores = sum(not plan.is_empty for _, plan in folder.plans())
    if not agreed(f"Change {_count(stores, 'store')}?", yes, command("show", folder.path)):
        say(f"Nothing was changed. Apply it later: {command('apply', folder.path, state=state)}")
        return folder.exit_code
    _check_live(folder, live)
    report = _applied(folder, wait=wait, jobs=jobs, state=state)
    _show_report(report)
    _hint(report, state)
    return report.exit_code


def _applied(folder: PlanFolder, *, wait: float, **options: Any) -> FolderReport:
    with _ticking("Applying to", len(folder.stores)) as tick:
        return folder.apply(wait=max(wait, GRACE), on_progress=tick, **options)


def _check_live(folder: PlanFolder, given: Sequence[str]) -> None:
    """Have each live store's name typed before anything is written to any."""
    confirmed = {store.name for one in given if one for store in config.resolve(one)}
    known = config.stores()
    for name, one in folder.plans():
        if name in known and known[name].live and name not in confirmed and not one.is_empty:
            confirm_live(name, "")


@contextmanager
def _ticking(what: str, stores: int) -> Iterator[OnStore]:
    """Show how many stores are done, and what one of them is at."""
    ended = 0
    with progress() as tick:

        def on_progress(store: str, stage: str, done: int, total: int) -> None:
            nonlocal ended
            ended += stage == "done"
            tick(f"{what} {_count(stores, 'store')}", ended, stores)

        yield on_progress


def _new_folder(name: str) -> Path:
    stem = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    home = Path(".storebridge") / "plans"
    names = (f"{stem}{f'-{n}' if n else ''}.plans" for n in range(1000))
    return next(home / name for name in names if not (home / name).exists())


def _beside(folder: Path, word: str) -> Path:
    """Return the name of a folder that comes of another: a new one, or one to go on with."""
    return folder.with_name(f"{folder.stem}.{word}{folder.suffix or '.plans'}")


# -- for people


def _summary(folder: PlanFolder) -> None:
    say((f"Plans for {_count(len(folder.stores), 'store')}", "bold"), f" from {folder.source}")
    failed = dict(folder.failures())
    counts = {store: plan.counts for store, plan in folder.plans()}
    rows = []
    for store in folder.stores:
        numbers = [f"{counts[store].get(w, 0)}" if store in counts else "-" for w in _PLANNED]
        left = counts.get(store, {}).get("skipped", 0)
        note = f"exit code {failed[store].exit_code}, see below" if store in failed else ""
        rows.append((store, *numbers, f"{left}" if store in counts else "-", note))
    table(("store", *_PLANNED, "left alone", ""), rows)
    _tell_failures({store: failure.message for store, failure in failed.items()})
    for path in folder.strangers:
        say(("Left alone: ", "yellow"), f"{path} is none of this folder's plans.")


def _tell_failures(messages: dict[str, str]) -> None:
    """Print what stands in the way of stores; what several have in common is told once."""
    groups: dict[str, list[str]] = {}
    for store, message in messages.items():
        groups.setdefault(message, []).append(store)
    for message, stores in groups.items():
        names = ", ".join(stores[:3])
        more = f" and {len(stores) - 3} more" if len(stores) > 3 else ""
        first, *rest = message.splitlines() or [""]
        say((f"  {names}{more}: ", "red"), first)
        for line in rest:
            say(f"    {line}")


def _next_steps(folder: PlanFolder, state: Path | None) -> None:
    if folder.is_empty:
        if not folder.exit_code:
            say("Nothing has to be changed.")
        return
    say(f"Look at it:  {command('show', folder.path)}")
    say(f"Apply it:    {command('apply', folder.path, state=state)}")
    say(f"Its digest:  {folder.digest}")


def _show_report(report: FolderReport) -> None:
    rows = []
    for row in report.rows:
        counts = row.report.counts if row.report else {}
        numbers = [f"{counts.get(name, 0)}" if row.report else "-" for name in _OUTCOMES]
        rows.append((row.store, *numbers, f"{row.exit_code}"))
    total = [f"{report.counts.get(name, 0)}" for name in _OUTCOMES]
    names = ["not reached" if name == "open" else name for name in _OUTCOMES]
    table(
        ("store", *names, "exit code"),
        [*rows, (_count(len(rows), "store"), *total, f"{report.exit_code}")],
    )
    _tell_failures({row.store: row.message for row in report.rows if row.message})
    if report.counts.get("failed") or report.counts.get("unknown") or report.counts.get("skipped"):
        say(f"See what went wrong:  {command('report', report.folder)}")


def _hint(report: FolderReport, state: Path | None, replanned: bool = False) -> None:
    again = ("apply", report.folder)
    if report.counts.get("failed"):
        say(f"Try what failed again:  {command(*again, '--retry-failed', state=state)}")
    if report.conflicts and not replanned:
        words = (*again, "--on-conflict", "replan")
        say(f"See what others changed:  {command(*words, state=state)}")
    if report.counts.get("open"):
        say(f"Go on with what is left:  {command(*again, state=state)}")
    if report.counts.get("applied"):
        say(f"Take it back:  {command('undo', report.folder, state=state)}")


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


# -- for machines


def _write_json(folder: PlanFolder, changes: bool = False) -> None:
    """Print a folder as one JSON object; with changes, each plan as `show --json` prints it."""
    failed, out = dict(folder.failures()), sys.stdout
    head = {"folder": str(folder.path), "digest": folder.digest, "counts": folder.counts}
    out.write(f'{json.dumps(head)[:-1]},\n"stores": [')
    told = set[str]()
    for store, one in folder.plans():
        doc = {"store": store, "plan": str(one.path), "digest": one.digest, "counts": one.counts}
        out.write(",\n" if told else "\n")
        out.write(json.dumps(doc | _failure_doc(failed.get(store)))[:-1])
        told.add(store)
        if changes:
            out.write(', "changes": ')
            write_plan_json(one)
        out.write("}")
    for store in folder.stores:
        if store not in told:
            out.write(",\n" if told else "\n")
            out.write(json.dumps({"store": store} | _failure_doc(failed.get(store))))
            told.add(store)
    out.write("]}\n")


def _failure_doc(failure: Any) -> dict[str, Any]:
    return {
        "message": failure.message if failure else "",
        "exit_code": failure.exit_code if failure else 0,
    }


def _write_report(report: FolderReport) -> None:
    write_json(
        {
            "folder": str(report.folder),
            "counts": report.counts,
            "planned": report.planned,
            "conflicts": report.conflicts,
            "exit_code": report.exit_code,
            "stores": [
                {
                    "store": row.store,
                    "counts": dict(row.report.counts) if row.report else {},
                    "planned": row.report.planned if row.report else 0,
                    "message": row.message,
                    "exit_code": row.exit_code,
                }
                for row in report.rows
            ],
        }
    )
