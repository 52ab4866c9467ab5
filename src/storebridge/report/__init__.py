"""Reports for people: what a plan would do, or did, as a page, a workbook or Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from storebridge.errors import ConfigError, Refused
from storebridge.formats.table import atomic
from storebridge.report.rows import write_failed_rows

__all__ = ["SUFFIXES", "write", "write_failed_rows"]

#: The endings of a report's name; each stands for a format.
SUFFIXES = (".html", ".xlsx", ".md")


def write(plans: Path | Sequence[Path], output: Path, hide: Iterable[str] = ()) -> None:
    """Write a report on a plan, or one on several, before or after they are applied.

    Args:
        plans: the plans' files, or folders of plans.
        output: the report; its suffix says which of `SUFFIXES` it is. One that is there is
            replaced when the new one is whole.
        hide: fields whose values must be nowhere in it, like "cost", "seo.title" or, of a
            metafield, "custom.margin". Texts that name them or hold their values are left out.

    Raises:
        ConfigError: if the suffix is another one.
        Refused: if the report would replace a plan or its source.
        PlanError: if a file is no plan that this version can use.
    """
    from storebridge.report.view import View

    suffix = output.suffix.casefold()
    if suffix not in SUFFIXES:
        raise ConfigError(
            f"A report can't be a {suffix or 'nameless'} file. Let its name end with "
            f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        )
    view = View([plans] if isinstance(plans, Path) else plans, hide)
    for head in view.heads:
        if output.name in (head.path.name, dict(head.facts)["Source"]) and output.exists():
            raise Refused(f"{output} is what the report is about. Give it another name with -o")
    with atomic(output) as part:
        if suffix == ".html":
            from storebridge.report.html import write_html as write_it
        elif suffix == ".xlsx":
            from storebridge.report.xlsx import write_xlsx as write_it
        else:
            from storebridge.report.markdown import write_markdown as write_it
        write_it(part, view)
