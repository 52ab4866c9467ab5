"""The tutorials are true: every command prints what its page says.

`python -m tests.test_docs` writes the pages anew.
"""

from __future__ import annotations

import inspect
import re
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest
import xlsxwriter
from python_calamine import CalamineWorkbook

import storebridge
from storebridge import models
from storebridge.formats import mapping
from storebridge.formats.mapping import TableMapping
from storebridge.jobs import _OWN
from storebridge.models import LineItem, Model, Money, Order
from storebridge.plan import Guards
from storebridge.store import Store
from tests.pages import ROOT, Session, masked, renew, renewed, scripted

DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.glob("*.md") if "\n$ " in path.read_text(encoding="utf-8"))

#: The page whose blocks are a script.
SCRIPT = DOCS / "06-in-python.md"
_MAPPING = re.compile(r"(<!-- mapping -->\n```toml\n).*?(```\n<!-- /mapping -->)", re.DOTALL)


def two_are_sold(session: Session) -> None:
    """A client buys two shirts, after the shelves were counted."""
    line = LineItem(sku="NL-200-M", title="Nordlicht Leinenhemd", quantity=2)
    bought = Order(number="#1001", created_at=datetime.now(UTC), line_items=(line,))
    with shop(session) as store:
        store.orders.create(bought)


def proper_titles(session: Session) -> None:
    """Excel's =PROPER(); and a colleague at work in the shop."""
    path = session.folder / "titles.xlsx"
    head, *rows = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Products")
        for place, (handle, title) in enumerate([head, *((h, t.title()) for h, t in rows)]):
            sheet.write_row(place, 0, (handle, title))
    edit(session, "sku = 'SC-121'", "--set price=35.00")


def wrong_sale(session: Session) -> None:
    """Prices of too many products go down; then a colleague works on."""
    edit(session, "handle like 'cap-*' or handle like 'jacket-*'", "--set price=19.90 -o sale.plan")
    edit(session, "handle in ('jacket-alta-red', 'jacket-alta-blue')", "--replace title RAIN STORM")
    edit(session, "handle = 'cap-alta-red'", "--set price=21.00")


def cut_off_after_berlin(session: Session) -> None:
    """The next night's feed; and a run that lost its power when one store was done."""
    (folder,) = session.folder.glob("plans/nightly-*.plans")
    folder.rename(folder.with_name("nightly-the-night-before.plans"))
    feed = session.folder / "monday.csv"
    feed.write_text(feed.read_text(encoding="utf-8").replace(";9;", ";7;"), encoding="utf-8")
    session("storebridge plan nightly.toml")
    session(f"storebridge apply plans/{folder.name}/berlin.plan")
    assert session.code == 0


def edit(session: Session, where: str, what: str) -> None:
    session(f'storebridge edit local:shop.db --where "{where}" {what} --yes')
    assert session.code == 0


def shop(session: Session) -> storebridge.Store:
    return storebridge.open(f"local:{session.folder / 'shop.db'}")


HANDS = {
    hand.__name__: hand for hand in (two_are_sold, proper_titles, wrong_sale, cut_off_after_berlin)
}


def mapped() -> str:
    """The page on mappings, with the whole mapping that the module shows."""
    text = (DOCS / "mappings.md").read_text(encoding="utf-8")
    documented = str(mapping.__doc__)
    start, end = documented.index("    [file]"), documented.index("\nA name")
    shown = textwrap.dedent(documented[start:end])
    return _MAPPING.sub(lambda found: f"{found[1]}{shown}{found[2]}", text)


def in_python(folder: Path) -> str:
    """The page on Python: what its script prints, and what a store and the models have."""
    text = scripted(SCRIPT.read_text(encoding="utf-8"), folder)
    for name, lines in (("records", _records()), ("models", _models())):
        head, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        start, rest = text.partition(head)[0], text.partition(end)[2]
        text = f"{start}{head}" + "".join(f"{line}\n" for line in lines) + f"{end}{rest}"
    return text


def _records() -> Iterator[str]:
    yield from ("| In a store | What they are |", "|---|---|")
    for name, member in vars(Store).items():
        if isinstance(member, property) and "Items[" in str(member.fget.__annotations__["return"]):
            yield f"| `store.{name}` | {_first_line(member)} |"


def _models() -> Iterator[str]:
    yield from ("| Model | What it is |", "|---|---|")
    for name in models.__all__:
        member = getattr(models, name)
        if inspect.isclass(member) and issubclass(member, (Model, Money)):
            yield f"| `{name}` | {_first_line(member)} |"


def _first_line(member: object) -> str:
    return str(inspect.getdoc(member)).splitlines()[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_a_page_prints_what_it_says(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert masked(text) == masked(renewed(text, tmp_path, HANDS))


def test_the_page_on_python_is_one_script_that_runs(tmp_path: Path) -> None:
    assert SCRIPT.read_text(encoding="utf-8") == in_python(tmp_path)


def test_the_page_on_mappings_has_every_word() -> None:
    text = (DOCS / "mappings.md").read_text(encoding="utf-8")
    assert text == mapped()
    rules = TableMapping.parse(text.partition("```toml\n")[2].partition("```")[0]).rules
    assert rules.pictures is not None


def test_the_page_on_jobs_has_every_guard_and_word() -> None:
    text = (DOCS / "jobs-and-guards.md").read_text(encoding="utf-8")
    guards = [f"`--{field.name.replace('_', '-')} " for field in fields(Guards)]
    words = [f"| `{word}` |" for word in _OWN]
    assert [each for each in guards + words if each not in text] == []


def test_every_link_leads_somewhere() -> None:
    for page in DOCS.glob("*.md"):
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            assert (DOCS / target).exists(), f"{page.name}: {target}"


def test_the_list_has_every_page() -> None:
    listed = (DOCS / "README.md").read_text(encoding="utf-8")
    names = {page.name for page in DOCS.glob("*.md")} - {"README.md"}
    assert {name for name in names if f"({name})" not in listed} == set()


def write() -> None:
    """Write what the commands print now into the pages."""
    renew(DOCS / "mappings.md", mapped())
    with tempfile.TemporaryDirectory() as folder:
        renew(SCRIPT, in_python(Path(folder)))
    for page in PAGES:
        with tempfile.TemporaryDirectory() as folder:
            text = renewed(page.read_text(encoding="utf-8"), Path(folder), HANDS)
            renew(page, text)


if __name__ == "__main__":
    write()
