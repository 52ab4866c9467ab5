from __future__ import annotations

import base64
import hashlib
import json
import re
import tracemalloc
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from storebridge import report
from storebridge.errors import ConfigError, PlanError, Refused
from storebridge.flow import Status
from storebridge.plan import SkippedRow
from storebridge.report import html
from tests.reports import change, ended, plan_file

#: What breaks out of a text, an attribute, a script, a comment, or a template.
HOSTILE = (
    "<script>window.bad=1</script>",
    "</script><script>window.bad=2</script>",
    '"><img src=x onerror=window.bad=3>',
    "' onmouseover='window.bad=4' x='",
    "<!--<script>",
    "]]></script><svg/onload=window.bad=5>",
    "</title></noscript><iframe src=javascript:window.bad=6>",
    "javascript:window.bad=7",
    "&lt;script&gt;",
    "\u2028\u2029 line\x00end \U0001f600 \u202egnp.exe",
    "${window.bad=8} {{window.bad=9}} `",
    "</style><style>@import url(https://bad.example/x.css)</style>",
    '\\"]</script>',
)


class Page(HTMLParser):
    """A page as a browser takes it apart."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.style = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        elif self.cdata_elem == "style":
            self.style += data
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def changes(self) -> list[dict[str, Any]]:
        blocks = [text for attrs, text in self.scripts if "data-changes" in attrs]
        return [item for block in blocks for item in json.loads(block)]

    def named(self, name: str) -> Any:
        return next(json.loads(text) for attrs, text in self.scripts if attrs.get("id") == name)

    @property
    def policy(self) -> str:
        metas = (attrs for tag, attrs in self.tags if tag == "meta")
        return next(a["content"] or "" for a in metas if "http-equiv" in a)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "report.html"


def made(plan: Path, out: Path, *hide: str) -> Page:
    report.write(plan, out, hide)
    return Page(out)


def hostile_plan(path: Path, text: str) -> Path:
    return plan_file(
        path,
        [
            change(text, None, {"title": text, "tags": [text], "seo": {"title": text}}),
            change(text, {"title": "a"}, {"title": text}, reasons=[text]),
            change("v", {"variants": {text: None}}, {"variants": {text: {"sku": text}}}),
        ],
        [ended(1, Status.FAILED, text, text, cause=text, request_id=text)],
        [SkippedRow("product", text, 3, text, text, text)],
        [("product", text, text, text, text)],
        store={"id": "s", "name": text, "url": text},
        source=text,
        options={"where": text},
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_value_is_only_ever_text(tmp_path: Path, out: Path, text: str) -> None:
    calm = made(hostile_plan(tmp_path / "calm.plan", "calm"), tmp_path / "calm.html")
    page = made(hostile_plan(tmp_path / "a.plan", text), out)
    assert page.tags == calm.tags  # it made no element and no attribute
    code = [script for attrs, script in page.scripts if "type" not in attrs]
    assert code == [script for attrs, script in calm.scripts if "type" not in attrs]
    failed = next(doc for doc in page.changes if doc["s"] == "failed")
    assert (failed["l"], failed["o"][1:3]) == (text, [text, text])
    assert ["title", None, text] in [[f[0], *f[2:]] for f in failed["f"]]
    assert text.replace("\x00", "\ufffd") in page.text.replace("\x00", "\ufffd")


def test_a_text_that_turns_the_direction_of_writing_turns_itself_only(
    tmp_path: Path, out: Path
) -> None:
    page = made(plan_file(tmp_path / "a.plan", [], source="\u202egnp.exe"), out)
    shown = [part for part in page.source.split("<") if "\u202e" in part]
    assert shown
    assert all(part.startswith("bdi>") for part in shown)


def test_json_can_not_end_its_script_nor_open_a_comment(tmp_path: Path, out: Path) -> None:
    page = made(hostile_plan(tmp_path / "a.plan", "</script><!--<script>&\u2028"), out)
    for attrs, text in page.scripts:
        if attrs.get("type") == "application/json":
            assert not re.search("[<>&\u2028\u2029]", text)


def test_the_policy_lets_nothing_run_or_load_but_the_page_and_pictures(
    tmp_path: Path, out: Path
) -> None:
    page = made(hostile_plan(tmp_path / "a.plan", "calm"), out)
    rules = dict(rule.strip().split(" ", 1) for rule in page.policy.split(";"))
    (script,) = [text for attrs, text in page.scripts if "type" not in attrs]
    assert rules == {
        "default-src": "'none'",
        "script-src": f"'{digest(script)}'",
        "style-src": f"'{digest(page.style)}'",
        "img-src": "https: http:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    for tag, attrs in page.tags:
        assert tag not in ("link", "img", "iframe", "object", "embed", "form", "base")
        assert not any(name.startswith("on") or name in ("style", "src") for name in attrs)
        assert (attrs.get("href") or "#").startswith("#")
    assert not re.search(r"@import|url\(", page.style)
    assert not re.search(r"\b(fetch|XMLHttpRequest|import|innerHTML|eval|Function)\b", script)


def digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def test_a_page_says_what_a_plan_would_do(tmp_path: Path, out: Path) -> None:
    plan = plan_file(
        tmp_path / "a.plan",
        [
            change("tee", {"title": "Old"}, {"title": "New"}, reasons=["it is nicer"]),
            change("cap", None, {"title": "Cap", "variants": [{"sku": "C"}]}, origin=7),
            change("pen", {"title": "Pen"}, None, origin=None),
        ],
        skipped=[SkippedRow("product", "ghost", 9, "unknown", "no such SKU", "Correct the SKU")],
        fit=[("product", f"p{n}", "brand", "there is no brand", "its docs") for n in range(3)],
        options={"guards": {"max_share": 20}, "stock": True, "where": ""},
    )
    page = made(plan, out)
    assert page.named("fields") == ["title", "variants"]
    assert page.changes[0] == {
        "t": 0, "k": "product", "p": "core", "a": "update", "s": "planned", "l": "tee", "r": 2,
        "w": ["it is nicer"], "f": [["title", 0, "Old", "New"]],
    }  # fmt: skip
    assert [(doc["a"], doc.get("r")) for doc in page.changes] == [
        ("update", 2), ("create", 7), ("delete", None)
    ]  # fmt: skip
    for words in (
        "Not applied yet", "feed.csv", "22 November 2026, 10:00 UTC", "local:shop.db",
        "no such SKU", "Correct the SKU", "max_share = 20, stock", "2 writes",
        "there is no brand (its docs)", "a.plan",
    ):  # fmt: skip
        assert words in page.text
    assert re.search(r"product brand3there is no brand", page.text.replace("\n", ""))
    assert re.search(r"Digest[0-9a-f]{64}", page.text)
    tiles = re.findall(r'<li class="(\w+)(?: zero)?"><b>(\d+)</b>', page.source)
    assert tiles == [
        ("create", "1"), ("update", "1"), ("delete", "1"), ("unchanged", "0"), ("skipped", "1")
    ]  # fmt: skip


def test_after_apply_problems_come_first_with_their_remedies(tmp_path: Path, out: Path) -> None:
    changes = [change(f"p{n}", {"title": "a"}, {"title": "b"}, origin=n) for n in range(1, 7)]
    plan = plan_file(
        tmp_path / "a.plan",
        changes,
        [
            ended(1, Status.APPLIED),
            ended(3, Status.FAILED, "the price is no price", "Correct it", http_status=422),
            ended(4, Status.SKIPPED, "it was changed", "Plan again", cause="conflict"),
            ended(5, Status.UNKNOWN, "the line broke", "Run it again"),
        ],
    )
    page = made(plan, out)
    assert [(doc["l"], doc["s"]) for doc in page.changes] == [
        ("p3", "failed"), ("p4", "skipped"), ("p5", "unknown"),
        ("p1", "applied"), ("p2", "open"), ("p6", "open"),
    ]  # fmt: skip
    assert page.changes[0]["o"] == ["", "the price is no price", "Correct it", 422, ""]
    assert "o" not in page.changes[3]
    assert "What went wrong, and what to do (3)" in page.text
    assert "Stopped: 2 changes not reached" in page.text
    for words in ("the price is no price", "Correct it", "Plan again", "Run it again"):
        assert words in page.text


def test_where_no_script_runs_the_first_changes_are_a_table(tmp_path: Path, out: Path) -> None:
    plan = plan_file(tmp_path / "a.plan", [change("tee", {"title": "Old"}, {"title": "New"})])
    plain = made(plan, out).source.partition("<noscript>")[2].partition("</noscript>")[0]
    assert re.findall(r"<td[^>]*><bdi>([^<]*)", plain) == ["update tee", "title", "Old", "New"]


def test_what_has_no_room_is_counted_and_is_never_a_problem(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, "_MOST_BYTES", 1000)
    changes = [change(f"p{n}", {"title": "a"}, {"title": "b"}) for n in range(50)]
    plan = plan_file(tmp_path / "a.plan", changes, [ended(50, Status.FAILED, "no")])
    page = made(plan, out)
    assert 5 < len(page.changes) < 15
    assert page.changes[0]["l"] == "p49"
    assert f"no room for {50 - len(page.changes)} of 50 changes" in page.text


def test_a_very_long_text_is_cut_and_says_so(tmp_path: Path, out: Path) -> None:
    plan = plan_file(
        tmp_path / "a.plan", [change("tee", {"title": ""}, {"description_html": "x" * 30_000})]
    )
    page = made(plan, out)
    value = next(f[3] for f in page.changes[0]["f"] if f[0] == "description_html")
    assert value == "x" * 20_000 + "… (cut; 30,000 characters in all)"
    assert len(page.source) < 70_000


def test_half_a_surrogate_pair_is_written_as_its_escape(tmp_path: Path, out: Path) -> None:
    plan = plan_file(tmp_path / "a.plan", [change("tee", {"title": ""}, {"title": "a\ud800"})])
    assert made(plan, out).changes[0]["f"][0][3] == "a\ud800"


def test_several_plans_share_a_page(tmp_path: Path, out: Path) -> None:
    plans = [
        plan_file(
            tmp_path / f"{name}.plan",
            [change(f"tee-{name}", {"title": "a"}, {"title": "b"})],
            store={"id": name, "name": name, "url": f"local:{name}.db"},
        )
        for name in ("north", "south")
    ]
    report.write(plans, out)
    page = Page(out)
    assert page.named("stores") == ["north", "south"]
    assert [(doc["t"], doc["l"]) for doc in page.changes] == [(0, "tee-north"), (1, "tee-south")]
    assert "2 stores" in page.text
    assert "local:south.db" in page.text


def test_memory_stays_flat(tmp_path: Path, out: Path) -> None:
    def peak(count: int) -> int:
        rows = [change(f"p{n}", {"title": "a" * 200}, {"title": "b" * 200}) for n in range(count)]
        plan = plan_file(tmp_path / f"{count}.plan", rows)
        del rows
        tracemalloc.start()
        report.write(plan, out)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(10)  # what is loaded and compiled once
    assert peak(3000) < 1.2 * peak(1200)


def test_a_report_replaces_neither_plan_nor_source_and_names_its_kinds(tmp_path: Path) -> None:
    plan = plan_file(tmp_path / "a.html", [], source="feed.xlsx")
    before = plan.read_bytes()
    with pytest.raises(Refused, match="what the report is about"):
        report.write(plan, plan)
    (tmp_path / "feed.xlsx").write_bytes(b"the source")
    with pytest.raises(Refused, match="another name"):
        report.write(plan, tmp_path / "feed.xlsx")
    with pytest.raises(ConfigError, match=r"\.html, \.xlsx or \.md"):
        report.write(plan, tmp_path / "report.pdf")
    with pytest.raises(PlanError):
        report.write(tmp_path / "no.plan", tmp_path / "b.html")
    assert plan.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "feed.xlsx"]


def test_an_empty_plan_says_so(tmp_path: Path, out: Path) -> None:
    page = made(plan_file(tmp_path / "a.plan", []), out)
    assert "Nothing to change" in page.text
    assert page.changes == []
