from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest

from storebridge import report
from storebridge.flow import Status
from storebridge.plan import SkippedRow
from storebridge.report.hide import HIDDEN, Hiding, Secrets
from storebridge.report.text import pathless
from tests.reports import change, ended, plan_file

#: Each stands for one place from which a hidden value could get out.
CANARIES = {
    "a field": "771.01",
    "an element that is new": "771.02",
    "a deleted record": "771.03",
    "a metafield": "771.04",
    "a platform's field": "771.05",
    "JSON in a text": "771.06",
    "a reason, from what a transform read": "771.07",
    "a message": "771.08",
    "a message in another spelling": "1.771,09",
    "a remedy": "771.10",
    "a skipped record": "771.11",
    "what a store can't hold": "771.12",
    "an option": "771.13",
    "a reason that names the field": "771.14",
    "a metafield of a new record": "771.15",
}


def told(path: Path) -> str:
    """Return everything in a report, unpacked."""
    if path.suffix != ".xlsx":
        return path.read_text(encoding="utf-8")
    with zipfile.ZipFile(path) as book:
        return "".join(book.read(name).decode() for name in book.namelist())


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    c = list(CANARIES.values())
    cost = {"variants": {"T": {"id": "1", "price": "5.00 EUR", "cost": f"{c[0]} EUR"}}}
    less = {"variants": {"T": {"id": "1", "price": "6.00 EUR", "cost": "3.00 EUR"}}}
    return plan_file(
        tmp_path / "a.plan",
        [
            change(
                "visible",
                cost,
                less | {"title": "Shown"},
                reasons=[f"{c[6]} times two", "a round price", f"unit-cost was {c[13]}"],
                reads={"variants": [{"sku": "T", "cost": f"{c[6]} EUR"}]},
            ),
            change(
                "new",
                None,
                {
                    "variants": [{"sku": "N", "cost": f"{c[1]} EUR"}],
                    "metafields": [{"namespace": "custom", "key": "margin", "value": c[14]}],
                },
            ),
            change("old", {"variants": [{"sku": "O", "cost": f"{c[2]} EUR"}]}, None),
            change(
                "meta",
                {"title": "a"},
                {
                    "title": "b",
                    "metafields": {
                        "custom.margin": {"namespace": "custom", "key": "margin", "value": c[3]},
                        "custom.data": {"key": "data", "value": f'{{"cost": {c[5]}}}'},
                    },
                    "platform_fields": {"erp": {"cost": c[4]}},
                },
            ),
            change("told", None, {"title": "x", "variants": [{"cost": f"{c[7]} EUR"}]}),
            change("spelled", None, {"title": "x", "variants": [{"cost": "1771.09 EUR"}]}),
        ],
        [
            ended(5, Status.FAILED, f"can't take {c[7]} for it", f"Not {c[9]}: correct the cost"),
            ended(6, Status.FAILED, f"can't take {c[8]} for it", "Try again"),
        ],
        [SkippedRow("product", "ghost", 9, "unknown", f"the cost {c[10]} is odd", "Correct it")],
        [
            ("product", "tee", "variants.cost", f"can't hold {c[11]}", ""),
            ("product", "tee", "brand", f"with cost {c[11]}, no brand", ""),
        ],
        options={"where": f"cost > {c[12]}", "status": "draft"},
    )


@pytest.mark.parametrize("suffix", [".html", ".xlsx", ".md"])
def test_hidden_values_are_nowhere_in_a_report(plan: Path, tmp_path: Path, suffix: str) -> None:
    open_, closed = tmp_path / f"open{suffix}", tmp_path / f"closed{suffix}"
    report.write(plan, open_)
    report.write(plan, closed, ["cost", " margin "])
    before, after = told(open_), told(closed)
    seen = {place for place, canary in CANARIES.items() if canary in before}
    assert len(seen) >= len(CANARIES) - 4  # Markdown has no reasons and cuts what is long
    assert {place for place, canary in CANARIES.items() if canary in after} == set()
    assert "1771.09" not in after
    for words in ("visible", "Shown", "6.00 EUR", "cost, margin"):
        assert words in after
    if suffix != ".md":
        assert "a round price" in after


@pytest.mark.parametrize(
    ("hidden", "path", "expected"),
    [
        ("cost", "variants[T.1].cost", True),
        ("COST", "cost", True),
        ("variants.cost", "variants[T].cost", True),
        ("variants", "variants[T].price", True),
        ("seo.title", "seo.title", True),
        ("seo.title", "title", False),
        ("title", "seo.title", True),
        ("cost", "costume", False),
        ("custom.margin", "metafields[custom.margin].value", True),
        ("price", "compare_at_price", False),
    ],
)
def test_a_name_hides_the_field_wherever_it_is(hidden: str, path: str, expected: bool) -> None:
    assert Hiding([hidden]).field(path) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.250,50 is too much", True),
        ("1250.5 is too much", True),
        ("1,250.50", True),
        ("the supplier's ref is acme-77", True),
        ("125050", True),
        ("12.50 is fine", False),
        ("nothing of it", False),
    ],
)
def test_a_hidden_value_is_found_in_any_spelling(text: str, expected: bool) -> None:
    secrets = Secrets()
    secrets.add(["1250.50 EUR", {"ref": "ACME-77"}])
    found = Hiding(["cost"]).text(text, secrets)
    assert (found == HIDDEN) is expected


def test_where_names_are_hidden_labels_are_too(tmp_path: Path) -> None:
    plan = plan_file(
        tmp_path / "a.plan",
        [
            change(
                "secret-handle",
                {"variants": {"SECRET-SKU": {"price": "1 EUR"}}},
                {"variants": {"SECRET-SKU": {"price": "2 EUR"}}},
            )
        ],
        [ended(1, Status.FAILED, "there is no secret-handle")],
    )
    report.write(plan, tmp_path / "a.html", ["sku"])
    after = told(tmp_path / "a.html")
    assert "secret" not in after.casefold()
    assert "2 EUR" in after


def test_nothing_hidden_changes_nothing() -> None:
    none = Hiding([""])
    assert not none
    assert none.value("variants", [{"cost": "1 EUR"}]) == [{"cost": "1 EUR"}]
    assert none.text("the cost", Secrets()) == "the cost"
    assert none.path("variants[T].cost") == "variants[T].cost"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("file:///home/ada/pics/front%20side.jpg", "front side.jpg"),
        (
            "file:///C:/ada/a.jpg can't be read, nor file:///home/b.jpg",
            "a.jpg can't be read, nor b.jpg",
        ),
        ("local:/home/ada/shop.db is locked", "local:shop.db is locked"),
        ("media[file:///home/a.jpg].alt", "media[a.jpg].alt"),
        ("local:shop.db", "local:shop.db"),
        ("https://shop.example/a/b.jpg", "https://shop.example/a/b.jpg"),
    ],
)
def test_folders_of_this_machine_are_left_out(text: str, shown: str) -> None:
    assert pathless([{"url": text}]) == [{"url": shown}]


@pytest.mark.parametrize("suffix", report.SUFFIXES)
@pytest.mark.parametrize("hide", [(), ("cost",)])
def test_no_report_names_a_folder(tmp_path: Path, suffix: str, hide: tuple[str, ...]) -> None:
    media = {"url": "file:///home/ada/pics/a.jpg"}
    path = plan_file(
        tmp_path / "a.plan",
        [change("tee", after={"media": [media]}), change("hat", {"title": "A"}, {"title": "B"})],
        [ended(1, "failed", "file:///home/ada/pics/a.jpg is no picture"), ended(2, "applied")],
        store={"id": "s", "name": "", "url": "local:/home/ada/my shops/shop.db"},
        source="local:/home/ada/other.db",
    )
    output = tmp_path / f"report{suffix}"
    report.write(path, output, hide)
    assert "home/" not in told(output)
    assert "a.jpg" in told(output)
    assert "local:shop.db" in told(output)


@pytest.mark.parametrize("hide", [(), ("available",)])
def test_an_element_says_what_its_path_does_not(tmp_path: Path, hide: tuple[str, ...]) -> None:
    was, now = ({"location": "Shop", "available": count} for count in (5011, 3022))
    levels = [{"variants": {"T": {"inventory": {"Shop": each}}}} for each in (was, now)]
    report.write(plan_file(tmp_path / "a.plan", [change("tee", *levels)]), tmp_path / "a.md", hide)
    assert ("`5011` | `3022`" in told(tmp_path / "a.md")) is not bool(hide)
    assert ("5011" in told(tmp_path / "a.md")) is not bool(hide)


@pytest.mark.parametrize("suffix", [".html", ".md"])
def test_of_several_stores_each_row_names_its_own(tmp_path: Path, suffix: str) -> None:
    def made(name: str) -> Path:
        return plan_file(
            tmp_path / f"{name}.plan",
            [change("tee", {"title": "A"}, {"title": "B"})],
            skipped=[SkippedRow("product", "hat", 3, "unknown", "no such SKU", "Correct it")],
            fit=[("product", "tee", "brand", "no place for it", "")],
            store={"id": name, "name": name, "url": f"local:{name}.db"},
        )

    report.write([made("berlin"), made("vienna")], tmp_path / f"both{suffix}")
    lines = re.split("\n|<tr>", told(tmp_path / f"both{suffix}"))
    for words in (("no such SKU", "hat"), ("no place for it", "brand")):
        rows = [line for line in lines if all(word in line for word in words)]
        assert ["berlin" in row for row in rows] == [True, False]
        assert ["vienna" in row for row in rows] == [False, True]
