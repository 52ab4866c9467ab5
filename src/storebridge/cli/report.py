"""`report`: a plan as a page, a workbook or Markdown, and the rows that failed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from storebridge import report as reports
from storebridge.cli.common import PlanPath, UsageError
from storebridge.cli.output import command, say

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
        str, Parameter(help="Fields whose values must not be in it, like cost,margin.")
    ] = "",
    failed_rows: Annotated[
        Path | None,
        Parameter(help="A new file for the source's rows that came to nothing, each with why."),
    ] = None,
    source: Annotated[
        Path | None, Parameter(help="The file that was planned, where it isn't found any more.")
    ] = None,
) -> None:
    """Write a report on a plan, before or after it is applied."""
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
        count = reports.write_failed_rows(plan, failed_rows, source)
        if count:
            rows = "1 row" if count == 1 else f"{count} rows"
            say(f"Wrote {rows} to {failed_rows}; its last column says why.")
            say(f"Put it right, then:  {command('plan', failed_rows, '--to', 'STORE')}")
        else:
            say("No row failed and none was left alone, so there is nothing to give back.")
