"""Every example runs as it stands, one after the other, in a folder with a catalogue."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: In an order in which each finds what it needs: the first one fills the store.
EXAMPLES = (
    "plan_a_catalogue.py",
    "raise_prices.py",
    "copy_a_store.py",
    "async_store.py",
    "webhooks.py",
)
SAID = {
    "plan_a_catalogue.py": "nothing left to do",
    "raise_prices.py": "undone: local:shop.db",
    "copy_a_store.py": "applied",
    "async_store.py": "active",
    "webhooks.py": "products/update: tee",
}


def test_no_example_is_left_out() -> None:
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == set(EXAMPLES)


def test_every_example_runs(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "catalogue.csv", tmp_path)
    for name in EXAMPLES:
        ran = subprocess.run(
            [sys.executable, str(ROOT / "examples" / name)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "XDG_DATA_HOME": str(tmp_path / "data")},
        )
        assert ran.returncode == 0, f"{name}: {ran.stderr}"
        assert SAID[name] in ran.stdout, f"{name}: {ran.stdout}"


def test_the_scripts_of_the_readme_are_examples() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    script = (ROOT / "examples" / EXAMPLES[0]).read_text(encoding="utf-8")
    body = script[script.index("import storebridge") :]
    assert f"```python\n{body}```" in readme
    webhooks = (ROOT / "examples" / "webhooks.py").read_text(encoding="utf-8")
    receive = webhooks[webhooks.index("def receive") : webhooks.index("\n\nwith ")]
    assert f"```python\n{receive.rstrip()}\n```" in readme
