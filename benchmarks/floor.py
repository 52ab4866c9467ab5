"""The floor: the least that any program must do to bring a Shopify CSV into SQLite.

Reads the file with `csv`, builds plain dicts and writes the same records as JSON, one row each.
"""

from __future__ import annotations

import csv
import json
import sqlite3
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any


def products(path: Path) -> Iterator[dict[str, Any]]:
    """Yield one plain dict per product, of the same content that a plan would write."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        handle = "URL handle" if "URL handle" in (rows.fieldnames or ()) else "Handle"
        for name, group in groupby(rows, key=lambda row: row[handle]):
            lines = list(group)
            yield {"handle": name, **_given(lines[0]), "variants": [_given(row) for row in lines]}


def _given(row: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in row.items() if value}


def main() -> None:
    source, target = map(Path, sys.argv[1:3])
    db = sqlite3.connect(target)
    db.execute("CREATE TABLE records (handle TEXT PRIMARY KEY, body TEXT NOT NULL)")
    rows = ((product["handle"], json.dumps(product)) for product in products(source))
    db.executemany("INSERT INTO records VALUES (?, ?)", rows)
    db.commit()


if __name__ == "__main__":
    main()
