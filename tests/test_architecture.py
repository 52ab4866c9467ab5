from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parent.parent
#: What takes its time to import, and is loaded only by what needs it.
HEAVY = ("httpx2", "babel", "langcodes", "rich", "cyclopts", "pydantic", "xlsxwriter", "tenacity")


def test_every_part_knows_only_what_it_may(capsys: pytest.CaptureFixture[str]) -> None:
    code = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    logging.getLogger("storebridge").disabled = False  # it sets up logging, for all that follow
    assert code == 0, capsys.readouterr().out


def loaded(statement: str) -> set[str]:
    """Return which heavy modules a statement imports, in a process of its own."""
    report = f"import sys; print(*(m for m in {HEAVY} if m in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}; {report}"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("import storebridge", set()),
        ("import storebridge; storebridge.open", {"pydantic", "tenacity"}),
        ("import storebridge.plan", {"pydantic", "tenacity"}),
        ("import storebridge.formats", {"pydantic"}),
        ("import storebridge.cli", set()),
    ],
)
def test_heavy_libraries_are_loaded_only_where_they_are_needed(
    statement: str, allowed: set[str]
) -> None:
    assert loaded(statement) <= allowed


def test_files_and_functions_stay_small() -> None:
    for folder, most in (("src", 600), ("adapters", 450)):
        for file in (ROOT / folder).rglob("*.py"):
            lines = file.read_text(encoding="utf-8").count("\n")
            assert lines <= most, f"{file.relative_to(ROOT)} has {lines} lines"
