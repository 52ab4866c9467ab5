"""The spool: memory stays flat however many records go through it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_CHILD = """
import re, sys
from pathlib import Path
from storebridge.plan.spool import Spool

def peak(records):
    with Spool.temporary(Path(sys.argv[1])) as spool:
        for start in range(0, records, 100):
            numbers = range(start, start + 100)
            rows = ((str(n), "x" * 2500, [f"handle:h-{n}", f"sku:S{n}"]) for n in numbers)
            spool.add_live("product", rows)
        spool.index_live()
        assert len(spool.find_live("product", ["sku:S7"])) == 1
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

few = peak(200)
print(peak(10_000) - few)
"""


def test_a_large_store_takes_little_more_memory_than_a_small_one(tmp_path: Path) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("the most memory that a process had can't be told so on this system")
    command = [sys.executable, "-c", _CHILD, str(tmp_path)]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    assert float(made.stdout) < 5, "MB more for 25 MB of records"
