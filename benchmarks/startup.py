"""Measures what starting costs, and prints two ratios.

* `storebridge --help` against a cyclopts application with the same commands and empty bodies
* `import storebridge` against `import pydantic`

Each side runs in processes of its own, in turns; the ratio is that of the medians of CPU time.

    python benchmarks/startup.py [--runs 15]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from storebridge.cli.app import COMMANDS

_EMPTY = """
from cyclopts import App

app = App(name="storebridge", help="Bulk work on web shops.", version="0")
{commands}
app.register_install_completion_command(help="Let the shell complete commands and options.")
app(result_action="return_value")
"""
_COMMAND = """
@app.command(name={name!r}, help={help!r})
def _{name}() -> None: ...
"""


def cpu(arguments: list[str]) -> float:
    """Run a process and return the seconds that it took; CPU time where that can be told."""
    if sys.platform == "win32":
        started = time.perf_counter()
        subprocess.run(arguments, stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - started
    import resource

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(arguments, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(ours: list[str], floor: list[str], runs: int) -> tuple[float, float]:
    """Return the median seconds of two commands that run in turns."""
    cpu(ours), cpu(floor)  # the first runs fill the caches
    pairs = [(cpu(ours), cpu(floor)) for _ in range(runs)]
    return median(a for a, _ in pairs), median(b for _, b in pairs)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    commands = "".join(_COMMAND.format(name=n, help=line) for n, (_, line) in COMMANDS.items())
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.py"
        empty.write_text(_EMPTY.format(commands=commands), encoding="utf-8")
        helped = [sys.executable, "-c", "from storebridge.cli import main; main()", "--help"]
        show(
            "storebridge --help / empty cyclopts application",
            1.3,
            *compare(helped, [sys.executable, str(empty), "--help"], runs),
        )
    ours = [sys.executable, "-c", "import storebridge"]
    show(
        "import storebridge / import pydantic",
        1.3,
        *compare(ours, [sys.executable, "-c", "import pydantic"], runs),
    )


def show(what: str, most: float, ours: float, floor: float) -> None:
    ratio = ours / floor
    print(f"{what}: {ratio:.2f} (at most {most}; {ours * 1000:.0f} ms / {floor * 1000:.0f} ms)")


if __name__ == "__main__":
    main()
