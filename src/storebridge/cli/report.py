"""`report`: a plan as a page, a workbook or Markdown, and the rows that failed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from storebridge import config
from storebridge import report as reports
from storebridge.cli.common import PlanPath
from storebridge.cli.output import command, say
from storebridge.errors import UsageError
from storebridge.plan import Plan, PlanFolder, PlanOptions

__all__ = ["report"]


def report(
    plan: PlanPath,
    /,
    *,
    output: Annotated[
        Path | None,
        Parameter(
            name=["-o", "--output"],
            help="The report: .html, .xlsx or .md; by default a page beside the plan.",
        ),
    ] = None,
    hide: Annotated[
        str, Parameter(help="Fields whose values must not be in it, like cost,seo.title.")
    ] = "",
    failed_rows: Annotated[
        Path | None,
        Parameter(help="A new file for the source's rows that came to nothing, each with why."),
    ] = None,
    source: Annotated[
        Path | None, Parameter(help="The file that was planned, where it isn't found any more.")
    ] = None,
) -> None:
    """Write a report on a plan, or on a folder of plans, before or after it is applied."""
    hidden = [name.strip() for name in hide.split(",") if name.strip()]
    if output is not None and output.suffix.casefold() not in reports.SUFFIXES:
        raise UsageError(f"-o {output} must end with one of: {', '.join(reports.SUFFIXES)}")
    if failed_rows is not None and hidden:
        raise UsageError("--failed-rows gives rows back whole: leave --hide out, or ask for each")
    if output is not None or failed_rows is None:
        path = output or plan.with_suffix(".html")
        reports.write(plan, path, hidden)
        say(f"Wrote {path}.")
    if failed_rows is not None:
        _give_back(plan, failed_rows, source)


def _give_back(plan: Path, output: Path, source: Path | None) -> None:
    """Write the rows that came to nothing; of a folder, a file for each store that has some."""
    files = {"": plan}
    if plan.is_dir():
        files = {store: one.path for store, one in PlanFolder.open(plan).plans()}
    found = 0
    for store, path in files.items():
        name = output.with_suffix(f".{path.stem}{output.suffix}") if store else output
        count = reports.write_failed_rows(path, name, source)
        if count:
            found += 1
            rows = "1 row" if count == 1 else f"{count} rows"
            say(f"Wrote {rows} to {name}; its last column says why.")
            say(f"Put it right, then:  {command('plan', name, *_words(path, store))}")
    if not found:
        say("No row failed and none was left alone, so there is nothing to give back.")


#: The plan's own options that its rows need once more. Not those about what the source lacks: the
#: rows that are given back are no whole source.
_SAID_AGAIN = (
    *("mapping", "stock", "location", "match", "allow_rename", "create"),
    *("fields", "way", "pictures_max", "pictures_as"),
)
#: The options of what a file's context has as a table.
_TABLES = {"market_currencies": "--market-currency", "headers": "--header"}


def _words(plan: Path, store: str) -> list[str]:
    """Return the words of a plan that its source needs to be read again, and the store."""
    with Plan.open(plan) as opened:
        options, url = opened.about["options"] or {}, opened.about["store"]["url"]
    names = (one.name for one in config.stores().values() if one.url == url)
    words = ["--to", store or next(names, url)]
    for name in _SAID_AGAIN:
        value, own = options.get(name), getattr(PlanOptions(), name)
        if value and value != own:
            given = ",".join(value) if isinstance(value, list) else str(value)
            words += [f"--{name.replace('_', '-')}", *([] if value is True else [given])]
    for name, value in options.get("context", {}).items():
        if isinstance(value, dict):
            pairs = [f"{own}={other}" for own, other in value.items()]
            words += [text for pair in pairs for text in (_TABLES[name], pair)]
        elif value:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return words
