from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from storebridge import formats, report
from storebridge.errors import ConfigError, Refused, SourceError
from storebridge.flow import Status
from storebridge.formats import Context, Sourced
from storebridge.formats.base import WHY
from storebridge.plan import SkippedRow
from tests.reports import change, ended, plan_file

SHOPIFY = """\
URL handle,Title,Option1 name,Option1 value,SKU,Price
tee,Tee,Size,S,T-S,10.00
tee,,,M,T-M,11.00
cap,Cap,,,C,5.00
mug,Mug,Glaze,Salt,M-S,8.00
mug,,,Blue,M-B,9.00
"""
WOO = """\
ID,Type,SKU,Name,Regular price,Parent,Attribute 1 name,Attribute 1 value(s)
,variation,T-S,,10,T,Size,S
,variable,T,Tee,,,Size,"S, M"
,simple,C,Cap,5,,,
7,variable,,Mug,,,Glaze,"Salt, Blue"
,variation,M-S,,8,id:7,Glaze,Salt
,variation,T-M,,11,T,Size,M
"""
EUR = Context(currency="EUR", time_zone="UTC")

MakePlan = Callable[..., Path]


@pytest.fixture
def make_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakePlan:
    """Makes a plan from a file in this folder: the rows given failed, in that order."""
    monkeypatch.chdir(tmp_path)

    def make(source: str, *failed: int, **meta: Any) -> Path:
        # No file of the test is newer than the plan.
        meta.setdefault("created_at", later(hours=1))
        rows = [change(f"r{row}", {"title": "a"}, {"title": "b"}, origin=row) for row in failed]
        outcomes = [
            ended(n, Status.FAILED, "it is no good.", "Make it better")
            for n in range(1, len(rows) + 1)
        ]
        return plan_file(tmp_path / "a.plan", rows, outcomes, source=source, **meta)

    return make


def later(**time: int) -> str:
    return (datetime.now(UTC) + timedelta(**time)).isoformat(timespec="seconds")


def handles(path: Path, context: Context = EUR) -> list[str]:
    """Return what a file's products are called; it must be read without a problem."""
    found = list(formats.read(path, context))
    assert all(isinstance(item, Sourced) for item in found), found
    return [item.record.label for item in found if isinstance(item, Sourced)]


def cells(path: Path, delimiter: str = ",", encoding: str = "utf-8") -> list[list[str]]:
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.reader(file, delimiter=delimiter))


WHOLE = "failed: it is no good. Make it better."


def test_the_rows_of_a_failed_product_come_back_and_can_be_planned(
    make_plan: MakePlan, tmp_path: Path
) -> None:
    Path("feed.csv").write_text(SHOPIFY, encoding="utf-8")
    out = tmp_path / "fix.csv"
    assert report.write_failed_rows(make_plan("feed.csv", 2, 5), out) == 4
    source = list(csv.reader(SHOPIFY.splitlines()))
    assert cells(out) == [
        [*source[0], WHY],
        [*source[1], WHOLE],
        [*source[2], ""],
        [*source[4], WHOLE],
        [*source[5], ""],
    ]
    assert handles(out) == ["tee", "mug"]
    originals = [i.record for i in formats.read(Path("feed.csv"), EUR) if isinstance(i, Sourced)]
    returned = [i.record for i in formats.read(out, EUR) if isinstance(i, Sourced)]
    assert returned == [originals[0], originals[2]]


def test_variations_come_back_wherever_they_are(make_plan: MakePlan, tmp_path: Path) -> None:
    Path("feed.csv").write_text(WOO, encoding="utf-8")
    out = tmp_path / "fix.csv"
    assert report.write_failed_rows(make_plan("feed.csv", 3), out) == 3
    assert [row[2] for row in cells(out)[1:]] == ["T-S", "T", "T-M"]
    assert [row[-1] for row in cells(out)[1:]] == ["", WHOLE, ""]
    assert handles(out) == ["Tee"]
    (tmp_path / "a.plan").unlink()
    assert report.write_failed_rows(make_plan("feed.csv", 5), out) == 2
    assert [row[3] for row in cells(out)[1:]] == ["Mug", ""]


def test_our_own_sheet_comes_back_by_whatever_names_its_rows(
    make_plan: MakePlan, tmp_path: Path
) -> None:
    text = "handle,sku,title,seo.title\ntee,T-S,Tee,x\ntee,T-M,,\n,C,Cap,y\nmug,M,Mug,z\n"
    Path("feed.csv").write_text(text, encoding="utf-8")
    out = tmp_path / "fix.csv"
    assert report.write_failed_rows(make_plan("feed.csv", 2, 4), out) == 3
    assert [row[1] for row in cells(out)[1:]] == ["T-S", "T-M", "C"]
    assert len(handles(out)) == 2


@pytest.mark.parametrize(("encoding", "name"), [("cp1252", "windows-1252"), ("utf-16", "")])
def test_a_table_keeps_its_encoding_and_delimiter(
    make_plan: MakePlan, tmp_path: Path, encoding: str, name: str
) -> None:
    text = SHOPIFY.replace(",", ";").replace("Cap", "Mütze – groß")
    Path("feed.csv").write_text(text, encoding=encoding)
    plan = make_plan("feed.csv", 4, options={"context": {"encoding": name}})
    out = tmp_path / "fix.csv"
    report.write_failed_rows(plan, out)
    assert cells(out, ";", encoding)[1][1] == "Mütze – groß"
    assert handles(out, Context(currency="EUR", encoding=name)) == ["cap"]


def test_a_workbook_comes_back_as_one_with_its_digits(make_plan: MakePlan, tmp_path: Path) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook("feed.xlsx") as book:
        sheet = book.add_worksheet("Products")
        for row, line in enumerate(
            csv.reader(SHOPIFY.replace("5.00", "400000000000").splitlines())
        ):
            for column, cell in enumerate(line):
                if row and column == 5:
                    sheet.write_number(row, column, float(cell))
                else:
                    sheet.write_string(row, column, cell)
        sheet.write_string(3, 4, "00400")
    out = tmp_path / "fix.xlsx"
    assert report.write_failed_rows(make_plan("feed.xlsx", 4), out) == 1
    (found,) = [i for i in formats.read(out, EUR) if isinstance(i, Sourced)]
    variant = found.record.variants[0]  # type: ignore[attr-defined]  # it is a product
    assert (variant.sku, str(variant.price)) == ("00400", "400000000000 EUR")


def test_lines_come_back_as_lines(make_plan: MakePlan, tmp_path: Path) -> None:
    lines = [
        '{"storebridge": "jsonl", "version": 1, "store": "s1"}',
        '{"kind": "product", "handle": "tee",  "title": "Té"}',
        '{"kind": "product", "handle": "cap", "delete": true}  ',
        "",
        f'{{"kind": "product", "handle": "mug", "{WHY}": "an old reason"}}',
    ]
    Path("feed.jsonl").write_text("\n".join(lines), encoding="utf-8")
    out = tmp_path / "fix.jsonl"
    assert report.write_failed_rows(make_plan("feed.jsonl", 2, 3, 5), out) == 3
    text = out.read_text(encoding="utf-8").splitlines()
    assert text[0] == lines[0]
    assert text[1] == f'{lines[1][:-1]}, "{WHY}": "{WHOLE}"}}'
    assert [json.loads(line)[WHY] for line in text[1:]] == [WHOLE] * 3
    assert handles(out) == ["tee", "cap", "mug"]


def test_a_file_that_came_back_before_has_the_column_once(
    make_plan: MakePlan, tmp_path: Path
) -> None:
    Path("feed.csv").write_text(SHOPIFY, encoding="utf-8")
    again = tmp_path / "again.csv"
    report.write_failed_rows(make_plan("feed.csv", 2, 4), again)
    (tmp_path / "a.plan").unlink()
    out = tmp_path / "fix.csv"
    assert report.write_failed_rows(make_plan("again.csv", 4), out) == 1
    assert [row[-2:] for row in cells(out)] == [["Price", WHY], ["5.00", WHOLE]]


def test_every_reason_of_a_row_is_told_and_none_is_a_formula(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("feed.csv").write_text(SHOPIFY.replace("Cap", "'=Cap"), encoding="utf-8")
    rows = [change(f"p{n}", {"title": "a"}, {"title": "b"}, origin=4) for n in range(5)]
    plan = plan_file(
        tmp_path / "a.plan",
        rows,
        [
            ended(1, Status.FAILED, "one", "two"),
            ended(2, Status.FAILED, "one", "two"),
            ended(3, Status.UNKNOWN, "three"),
            ended(4, Status.SKIPPED, cause="conflict"),
            ended(5, Status.APPLIED),
        ],
        [SkippedRow("product", "ghost", 4, "unknown", "no such SKU", "Correct it")],
        source="feed.csv",
        created_at=later(hours=1),
    )
    report.write_failed_rows(plan, tmp_path / "fix.csv")
    why = cells(tmp_path / "fix.csv")[1]
    assert why[1] == "'=Cap"
    assert why[-1] == (
        "failed: one. two. unknown: three. skipped: conflict. left alone: no such SKU. Correct it."
    )


def test_nothing_failed_means_no_file(make_plan: MakePlan, tmp_path: Path) -> None:
    assert report.write_failed_rows(make_plan("feed.csv"), tmp_path / "fix.csv") == 0
    assert not (tmp_path / "fix.csv").exists()


def test_a_source_that_was_changed_since_is_refused_unless_it_is_named(
    make_plan: MakePlan, tmp_path: Path
) -> None:
    source, out = tmp_path / "feed.csv", tmp_path / "fix.csv"
    plan = make_plan("feed.csv", 2)
    with pytest.raises(ConfigError, match="--source"):
        report.write_failed_rows(plan, out)
    source.write_text(SHOPIFY, encoding="utf-8")
    report.write_failed_rows(plan, out)
    tomorrow = datetime.now(UTC).timestamp() + 86_400
    os.utime(source, (tomorrow, tomorrow))
    with pytest.raises(ConfigError, match="changed after the plan"):
        report.write_failed_rows(plan, out)
    assert report.write_failed_rows(plan, out, source) == 2


def test_the_source_is_found_beside_the_plan(
    make_plan: MakePlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "feed.csv").write_text(SHOPIFY, encoding="utf-8")
    plan = make_plan("feed.csv", 2)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert report.write_failed_rows(plan, tmp_path / "fix.csv") == 2


def test_what_is_asked_wrongly_is_refused(make_plan: MakePlan, tmp_path: Path) -> None:
    source = tmp_path / "feed.csv"
    source.write_text(SHOPIFY, encoding="utf-8")
    plan = make_plan("feed.csv", 2)
    before = source.read_bytes(), plan.read_bytes()
    for taken in (source, plan):
        with pytest.raises(Refused, match="another name"):
            report.write_failed_rows(plan, taken)
    with pytest.raises(SourceError, match=r"can't become a \.jsonl file"):
        report.write_failed_rows(plan, tmp_path / "fix.jsonl")
    with pytest.raises(ConfigError, match="can't be read"):
        report.write_failed_rows(plan, tmp_path / "fix.csv", tmp_path / "no.csv")
    assert (source.read_bytes(), plan.read_bytes()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.plan", "feed.csv"]
