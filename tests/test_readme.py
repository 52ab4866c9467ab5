"""The README is true: its session prints what it says, its table is what the adapters declare.

`python tests/test_readme.py` writes both anew.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
SESSION = re.compile(r"(<!-- session -->\n```console\n)(.*?)(```)", re.DOTALL)
TABLE = re.compile(r"(<!-- table -->\n)(.*?)(<!-- /table -->)", re.DOTALL)
COMMANDS = (
    "storebridge plan catalogue.csv --to local:shop.db -o first.plan",
    "storebridge show first.plan --limit 1",
    "storebridge apply first.plan",
    "storebridge plan catalogue.csv --to local:shop.db -o second.plan --check",
    "storebridge undo first.plan --yes",
)


def session(folder: Path) -> str:
    """Return what the README's commands print, one after the other, in a folder."""
    shutil.copy(ROOT / "examples" / "catalogue.csv", folder)
    return "".join(f"$ {command}\n{said(command, folder)}" for command in COMMANDS)


def said(command: str, folder: Path) -> str:
    """Return what one command prints."""
    _, *arguments = shlex.split(command)
    program = "import sys; from storebridge.cli import main; sys.exit(main())"
    ran = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
        timeout=120,
        env={**os.environ, "XDG_DATA_HOME": str(folder), "PYTHONIOENCODING": "utf-8"},
    )
    return ran.stdout + ran.stderr


def table(folder: Path) -> str:
    """Return the capability table of the adapters that are installed."""
    return said("storebridge platforms --table", folder)


def test_the_session_prints_what_it_says(tmp_path: Path) -> None:
    found = SESSION.search(README.read_text(encoding="utf-8"))
    assert found is not None
    assert found[2] == session(tmp_path)


def test_the_capability_table_is_current(tmp_path: Path) -> None:
    found = TABLE.search(README.read_text(encoding="utf-8"))
    assert found is not None
    assert found[2] == table(tmp_path)


def write() -> None:
    """Write the session and the table into the README."""
    text = README.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        for pattern, new in ((SESSION, session(Path(name))), (TABLE, table(Path(name)))):
            text = pattern.sub(lambda found, new=new: found[1] + new + found[3], text)
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
