"""Fails where a tracked file holds something that looks like a credential. Run by `make check`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PATTERNS = {
    "Shopify token": r"\bshp(?:at|ca|pa|ss|ua|rt)_[0-9a-fA-F]{16,}",
    "WooCommerce key": r"\bc[ks]_[0-9a-f]{32,}",
    "bearer token": r"(?i)bearer\s+[a-z0-9._~+/-]{24,}",
    "private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{30,}",
    "AWS key": r"\bAKIA[0-9A-Z]{16}\b",
}


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name]


def findings(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line number and the kind of everything that looks like a secret."""
    for number, line in enumerate(text.splitlines(), 1):
        for kind, pattern in PATTERNS.items():
            if re.search(pattern, line):
                yield number, kind


def main() -> int:
    found = 0
    for path in tracked():
        if not path.is_file():
            continue
        for number, kind in findings(path.read_text(encoding="utf-8", errors="replace")):
            print(f"{path.relative_to(ROOT)}:{number}: looks like a {kind}")
            found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
