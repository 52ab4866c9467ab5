"""The README is true: its session prints what it says, its table is what the adapters declare.

`python -m tests.test_readme` writes both anew.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from tests.pages import ROOT, Session, masked, renew, renewed

README = ROOT / "README.md"
TABLE = re.compile(r"(<!-- table -->\n)(.*?)(<!-- /table -->)", re.DOTALL)


def page(folder: Path) -> str:
    """Return the README with what its commands print now."""
    shutil.copy(ROOT / "examples" / "catalogue.csv", folder)
    text = renewed(README.read_text(encoding="utf-8"), folder)
    table = Session(folder)("storebridge platforms --table")
    return TABLE.sub(lambda found: found[1] + table + found[3], text)


def test_the_readme_prints_what_it_says(tmp_path: Path) -> None:
    text = README.read_text(encoding="utf-8")
    assert "```console\n$ " in text
    assert TABLE.search(text)
    assert masked(text) == masked(page(tmp_path))


def write() -> None:
    """Write the session and the table into the README."""
    with tempfile.TemporaryDirectory() as name:
        renew(README, page(Path(name)))


if __name__ == "__main__":
    write()
