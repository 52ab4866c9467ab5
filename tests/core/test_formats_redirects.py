"""Redirects in tables: Shopify's own, Matrixify's, and a plain one."""

from __future__ import annotations

from pathlib import Path

import pytest

from storebridge.errors import Problem, SourceError
from storebridge.formats import Context, Sourced, detect, read, write
from storebridge.models import Product, Redirect
from storebridge.store import Store

TEE = Redirect(path="/tee.html", target="/products/tee")


def table(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "redirects.csv"
    path.write_text("\n".join((*rows, "")), "utf-8")
    return path


def found(path: Path) -> tuple[list[Sourced], list[str]]:
    items = list(read(path, Context()))
    said = [
        f"{item.row} {item.column}: {item.message}" for item in items if isinstance(item, Problem)
    ]
    return [item for item in items if isinstance(item, Sourced)], said


@pytest.mark.parametrize("name", ["r.csv", "r.xlsx"])
def test_redirects_round_trip(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    records = [TEE, Redirect(path="/b", target="/", key="7"), Product(handle="tee")]
    losses = write(path, records, Context(), "redirects")
    assert [(each.kind, each.field) for each in losses] == [
        ("redirect", "key"),
        ("product", "record"),
    ]
    assert detect(path, Context()).name == "redirects"
    items, said = found(path)
    assert [item.record for item in items] == [TEE, Redirect(path="/b", target="/")]
    assert said == []


def test_shopifys_own_file_is_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    write(path, [TEE], Context(), "redirects")
    assert path.read_text("utf-8-sig").splitlines() == [
        "Redirect from,Redirect to",
        "/tee.html,/products/tee",
    ]


@pytest.mark.parametrize(
    "head", ["Path,Target", "Redirect from,Redirect to", "path,target", "PATH,TARGET"]
)
def test_each_header_is_known(tmp_path: Path, head: str) -> None:
    path = table(tmp_path, head, "/tee.html,/products/tee")
    assert detect(path, Context()).name == "redirects"
    assert [item.record for item in found(path)[0]] == [TEE]


def test_commands_of_matrixify_are_obeyed(tmp_path: Path) -> None:
    rows = ("ID,Command,Path,Target", "7,DELETE,/a,", "8,NEW,/b,/x", "9,UPDATE,/c,/x",
            ",MERGE,/d,/x", ",,/e,/x", ",EXPLODE,/f,/x")  # fmt: skip
    items, said = found(table(tmp_path, *rows))
    assert [(item.record.label, item.delete, item.expects) for item in items] == [
        ("/a", True, ""),
        ("/b", False, "new"),
        ("/c", False, "existing"),
        ("/d", False, ""),
        ("/e", False, ""),
    ]
    assert [each.partition(":")[0] for each in said] == ["7 command"]


@pytest.mark.parametrize(
    ("row", "where"),
    [("old,/x", "2 path"), ("/a b,/x", "2 path"), ("/a,x", "2 target"), ("/a,/a", "2 target")],
)
def test_what_is_wrong_is_told_with_its_row(tmp_path: Path, row: str, where: str) -> None:
    _, said = found(table(tmp_path, "Path,Target", row))
    assert [each.partition(":")[0] for each in said] == [where]


def test_a_path_that_comes_twice_is_told(tmp_path: Path) -> None:
    _, said = found(table(tmp_path, "Path,Target", "/a,/x", "/a,/y"))
    assert said == ["3 path: Row 2 has the same path already"]


@pytest.mark.parametrize("head", ["Path,Title", "Path,Target,Price", "handle,target,title"])
def test_a_table_of_other_things_is_none_of_redirects(tmp_path: Path, head: str) -> None:
    assert detect(table(tmp_path, head, "/a,b,1"), Context()).name != "redirects"


def test_half_a_redirect_is_none(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        detect(table(tmp_path, "Redirect from", "/a"), Context())


def test_a_file_of_redirects_goes_into_a_store(store: Store, tmp_path: Path) -> None:
    path = table(tmp_path, "Path,Target", "/a,/x", "/b,/y")
    assert store.plan(str(path), tmp_path / "1.plan").apply().counts["applied"] == 2
    assert {each.path: each.target for each in store.redirects.iter()} == {"/a": "/x", "/b": "/y"}
    path = table(tmp_path, "Path,Target", "/a,/z", "/b,/y")
    assert store.plan(str(path), tmp_path / "2.plan").apply().counts["applied"] == 1
    found = store.redirects.find("path:/a")
    assert found is not None
    assert found.target == "/z"
