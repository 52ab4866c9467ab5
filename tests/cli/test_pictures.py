"""Pictures on the command line: folders, making them smaller, what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from storebridge.cli.app import run
from tests.pictures import png

SHEET = "handle,title,media\ntee,Tee,front.png\n"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics" / "front.png").write_bytes(png(40, 20))
    (tmp_path / "sheet.csv").write_text(SHEET)
    return tmp_path


def plan(*words: str) -> int:
    where = ("--to", "local:shop.db", "--state", "state", "-o", "a.plan")
    return run(("plan", "sheet.csv", *where, *words))


def test_a_named_folder_and_what_to_make_of_pictures(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--pictures", "pics", "--pictures-max", "10", "--pictures-as", "webp")
    assert plan(*words) == 0
    assert run(("apply", "a.plan", "--state", "state")) == 0
    (kept,) = (shop / "shop.db.pictures").glob("*/*")
    assert kept.name == "front.webp"
    (shop / "a.plan").unlink()
    assert plan(*words, "--check") == 0
    assert "Nothing has to be changed" in capsys.readouterr().out


def test_a_path_that_leads_nowhere_names_the_option(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plan() == 1
    said = capsys.readouterr().err
    assert "sheet.csv, row 2, column 'media': There is no such file" in said
    assert "--pictures" in said
    assert plan("--pictures-as", "gif") == 2
