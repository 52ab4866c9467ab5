"""`mapping`: a supplier's table, its mapping proposed and looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from storebridge.cli.common import Json, Reading, Source, StateDir
from storebridge.cli.output import command, say, write_json
from storebridge.errors import ConfigError, Problem, Refused, SourceError
from storebridge.formats.base import Context, Sourced
from storebridge.formats.mapping import TableMapping
from storebridge.models import Product
from storebridge.sources import Opened, opened
from storebridge.store import open

__all__ = ["app", "check", "init"]

app = App(name="mapping", help="Say how a supplier's table becomes products: init, check.")

_SHOWN, _WIDTH = 10, 70
_MOST_PROBLEMS = 1000


@app.command
def init(
    file: Source,
    /,
    *,
    output: Annotated[
        Path | None,
        Parameter(name=["-o", "--output"], help="The mapping; without it, it is printed."),
    ] = None,
    sheet: Annotated[str, Parameter(help="The sheet of a workbook.")] = "",
    encoding: Annotated[str, Parameter(help="A codec's name, like windows-1252.")] = "",
    delimiter: Annotated[str, Parameter(help="What separates the cells.")] = "",
) -> None:
    """Propose a mapping for a supplier's file, with sample values and open questions."""
    from storebridge.formats.mapping_draft import draft
    from storebridge.formats.mapping_survey import survey

    if output is not None and output.exists():
        raise Refused(f"{output} is there already. Give the new mapping another name")
    with opened(file) as found:
        try:
            _tell_known(found)
            made = draft(survey(found.path, encoding, delimiter, sheet), found.name)
        except OSError as error:
            raise ConfigError(f"{file} can't be read: {error.strerror}") from None
    if output is None:
        print(made.text, end="")
        return
    output.write_text(made.text, encoding="utf-8", newline="\n")
    asked = f", {_count(made.asked, 'question')} left" if made.asked else ""
    say(f"Wrote {output}: {_count(made.mapped, 'column')} understood{asked}.")
    say("Look through it, then see what comes of it:")
    say(f"  {command('mapping', 'check', file, '--mapping', output)}")


def _tell_known(found: Opened) -> None:
    """Say so where a file needs no mapping."""
    from storebridge.formats import detect

    with suppress(SourceError):
        name = detect(found.path, Context()).name
        say(f"{found.name} is a {name} file, which needs no mapping.", error=True)


@app.command
def check(
    file: Source,
    /,
    *,
    mapping: Annotated[Path, Parameter(help="The mapping's TOML file.")],
    to: Annotated[str, Parameter(help="A store that says currency, units and location.")] = "",
    json: Json = False,
    reading: Reading | None = None,
    state: StateDir = None,
) -> None:
    """Show the first ten products that a file becomes by a mapping, and all that is wrong."""
    from storebridge.plan.source import reading as context_of

    loaded = TableMapping.load(mapping)
    given = reading.context() if reading else {}
    if to:
        with open(to, state=state) as store:
            context = context_of(store.info, given, store.info.only_location, loaded)
    else:
        chosen = {name: value for name, value in given.items() if name != "format"}
        context = replace(loaded.context(Context()), mapping=loaded, **chosen)
    with opened(file) as found:
        _check(found, loaded, context, json)


def _check(found: Opened, mapping: TableMapping, context: Context, json: bool) -> None:
    from storebridge import formats

    items = formats.read(found.path, context)
    products: list[tuple[Sourced, list[dict[str, str]]]] = []
    count, variants = 0, 0
    problems: list[Problem] = []
    for item in items:
        if isinstance(item, Problem):
            problems.append(replace(item, file=found.name) if found.is_copy else item)
            if len(problems) >= _MOST_PROBLEMS:
                break
        elif isinstance(item.record, Product):
            count, variants = count + 1, variants + len(item.record.variants)
            if len(products) < _SHOWN:
                products.append((item, list(_rows(item, context))))
    if json:
        _write(products, problems, count)
    else:
        _show(products)
        made = f"{_count(count, 'product')}, {_count(variants, 'variant')}"
        say(f"{found.name} by {mapping.name}: {made}.")
        if unused := _unused(found, mapping, context):
            say(f"Columns that are left alone: {', '.join(unused)}")
    if problems:
        raise SourceError(problems)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _unused(found: Opened, mapping: TableMapping, context: Context) -> list[str]:
    try:
        return mapping.rows(found.path, context).unused
    except SourceError:  # told with the other problems
        return []


def _rows(item: Sourced, context: Context) -> Iterator[dict[str, str]]:
    """Yield a product's rows in our own sheet."""
    from storebridge.formats.cells import Losses
    from storebridge.formats.sheet_write import SheetWriter

    writer = SheetWriter(replace(context, currency=""), Losses())
    try:
        assert isinstance(item.record, Product), "mappings make products only"
        named = {"handle"} if "handle" in item.record.given else set()
        for row in writer.product(item.record):
            # A sheet needs a handle for its further rows; the product has none.
            yield {name: text for name, text in row.items() if name != "handle" or named}
    finally:
        writer.handles.close()


def _show(products: list[tuple[Sourced, list[dict[str, str]]]]) -> None:
    for item, rows in products:
        say((item.record.label, "bold"), (f" (row {item.row})", "dim"))
        own = {name for name in rows[0] if _is_own(name)}
        for name in rows[0]:
            if name in own and rows[0][name]:
                say(f"    {name}: ", (_short(rows[0][name]), "green"))
        for row in rows:
            cells = (f"{name}: {_short(text)}" for name, text in row.items() if text)
            shown = [cell for cell in cells if cell.partition(": ")[0] not in own | {"handle"}]
            if shown:
                say(f"    - {', '.join(shown)}")


def _is_own(name: str) -> bool:
    """Whether a column of our sheet is the product's."""
    from storebridge.formats.sheet_columns import column_of

    column = column_of(name)
    return column is not None and not column.of_variant


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _write(
    products: list[tuple[Sourced, list[dict[str, str]]]], problems: list[Problem], count: int
) -> None:
    told: list[dict[str, Any]] = [{"row": item.row, "rows": rows} for item, rows in products]
    names = ("message", "remedy", "file", "row", "column", "value")
    wrong = [{name: getattr(problem, name) for name in names} for problem in problems]
    write_json({"count": count, "products": told, "problems": wrong})
