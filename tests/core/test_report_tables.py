from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import python_calamine as calamine

from storebridge import report
from storebridge.flow import Status
from storebridge.plan import SkippedRow
from storebridge.report import markdown, xlsx
from tests.reports import change, ended, plan_file

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1")


def sheets(path: Path) -> dict[str, list[list[Any]]]:
    book = calamine.CalamineWorkbook.from_path(str(path))
    return {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    return plan_file(
        tmp_path / "a.plan",
        [
            change("tee", {"title": "Old", "tags": ["a"]}, {"title": "New", "tags": ["a", "b"]}),
            change("cap", None, {"variants": [{"sku": "00123"}]}, reasons=["new", "draft"]),
        ],
        [
            ended(1, Status.APPLIED),
            ended(2, Status.FAILED, "it is | no", "Do *this*", cause="rejected", http_status=422),
        ],
        [SkippedRow("product", "ghost", 9, "unknown", "no such SKU", "Correct it")],
        [("product", "tee", "brand", "no brand", "its docs")],
    )


def test_a_workbook_has_a_row_per_field_and_a_sheet_for_each_question(
    plan: Path, tmp_path: Path
) -> None:
    report.write(plan, tmp_path / "a.xlsx")
    book = sheets(tmp_path / "a.xlsx")
    assert list(book) == ["Summary", "Changes", "Skipped", "Fit", "Outcomes"]
    assert ["Source", "feed.csv"] in book["Summary"]
    assert ["Create", 1.0] in book["Summary"]
    assert ["Outcome: failed", 1.0] in book["Summary"]
    tee = ["Shop", "product", "tee", "update", "core", 2.0]
    cap = ["Shop", "product", "cap", "create", "core", 2.0]
    assert book["Changes"][1:] == [
        [*tee, "title", "Old", "New", "", "applied", "reverse"],
        [*tee, "tags", "a", "a, b", "", "applied", "reverse"],
        [*cap, "variants", "", '[{"sku": "00123"}]', "new; draft", "failed", "reverse"],
    ]
    assert book["Skipped"][1:] == [
        ["Shop", "product", "ghost", 9.0, "unknown", "no such SKU", "Correct it"]
    ]
    assert book["Fit"][1:] == [["Shop", "product", "brand", 1.0, "no brand", "its docs", "tee"]]
    assert book["Outcomes"][2][6:11] == ["failed", "rejected", "it is | no", "Do *this*", 422.0]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_begins_as_a_formula(tmp_path: Path, text: str) -> None:
    plan = plan_file(
        tmp_path / "a.plan",
        [change(text, {"title": "a"}, {"title": text}, reasons=[text])],
        [ended(1, Status.FAILED, text, text, cause=text)],
        [SkippedRow("product", text, 1, text, text, text)],
        [("product", text, text, text, text)],
        source=text,
    )
    report.write(plan, tmp_path / "a.xlsx")
    for rows in sheets(tmp_path / "a.xlsx").values():
        cells = [cell for row in rows for cell in row if isinstance(cell, str)]
        assert not [cell for cell in cells if re.match("[=+\\-@\t\r＝＋－＠]", cell)]
        assert f"'{text}" in cells


def test_digits_that_are_names_stay_texts(tmp_path: Path) -> None:
    row = change(
        "x", {"barcode": ""}, {"platform_fields": {"shopify": {"code": "0012345678901234"}}}
    )
    report.write(plan_file(tmp_path / "a.plan", [row]), tmp_path / "a.xlsx")
    cells = [cell for line in sheets(tmp_path / "a.xlsx")["Changes"] for cell in line]
    assert "0012345678901234" in cells


def test_a_long_sheet_goes_on_and_a_long_text_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx, "_MOST_ROWS", 4)
    rows = [change(f"p{n}", {"title": "a"}, {"title": "b" * 40_000}) for n in range(5)]
    report.write(plan_file(tmp_path / "a.plan", rows), tmp_path / "a.xlsx")
    book = sheets(tmp_path / "a.xlsx")
    assert [row[2] for row in book["Changes"][1:]] == ["p0", "p1", "p2"]
    assert [row[2] for row in book["Changes 2"][1:]] == ["p3", "p4"]
    assert book["Changes"][1][8].endswith("b… (cut; 40,000 characters)")
    assert len(book["Changes"][1][8]) == 32_000


def test_markdown_has_a_summary_and_tables(plan: Path, tmp_path: Path) -> None:
    report.write(plan, tmp_path / "a.md")
    text = (tmp_path / "a.md").read_text(encoding="utf-8")
    for line in (
        "# Plan for Shop",
        "* Source: `feed.csv`",
        "* Records: 1 create, 1 update, 1 skipped",
        "* Changes: 1 applied, 1 failed",
        "| failed | `cap` | 2 | it is \\| no | Do \\*this\\* |",
        "| update | `tee` | `tags` | `a` | `a, b` | applied |",
        "| `product ghost` | 9 | no such SKU | Correct it |",
        "| `product brand` | 1 | no brand | `tee` |",
    ):
        assert line in text.splitlines(), line


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("a|b", "`a\\|b`"),
        ("a`b", "``a`b``"),
        ("`", "`` ` ``"),
        ("two\nlines", "`two lines`"),
        ("![x](https://bad.example/x.png)", "`![x](https://bad.example/x.png)`"),
        ("<img src=x>", "`<img src=x>`"),
    ],
)
def test_a_value_never_ends_its_cell_or_becomes_markup(
    tmp_path: Path, value: str, cell: str
) -> None:
    plan = plan_file(
        tmp_path / "a.plan",
        [change("tee", {"title": "a"}, {"title": value})],
        [ended(1, Status.FAILED, value)],
    )
    report.write(plan, tmp_path / "a.md")
    text = (tmp_path / "a.md").read_text(encoding="utf-8")
    assert f"| update | `tee` | `title` | `a` | {cell} | failed |" in text.splitlines()
    (told,) = [line for line in text.splitlines() if line.startswith("| failed ")]
    message = told.removeprefix("| failed | `tee` | 2 | ").removesuffix(" |  |")
    assert not re.search(r"(?<!\\)[<!`|]", message)


def test_markdown_is_capped_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "_MOST_ROWS", 3)
    rows = [change(f"p{n}", {"title": "a"}, {"title": "b"}) for n in range(5)]
    report.write(plan_file(tmp_path / "a.plan", rows), tmp_path / "a.md")
    text = (tmp_path / "a.md").read_text(encoding="utf-8")
    assert text.count("| update |") == 3
    assert "And more: an HTML or XLSX report has them." in text
