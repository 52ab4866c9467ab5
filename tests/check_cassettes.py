"""Fails where a cassette has no test, or lies where no test looks. Run by `make check`.

A cassette is `cassettes/<platform>/<test_module>/<test>.yaml`, recorded from a real server.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent


def tests_of(module: Path) -> set[str]:
    """Return the names of a module's test functions and methods."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def orphans(cassettes: Path, tests: Path) -> Iterator[str]:
    """Yield the cassettes that no test plays."""
    for path in sorted(cassettes.rglob("*.yaml")):
        parts = path.relative_to(cassettes).parts
        if len(parts) != 3:
            yield f"{path}: not at <platform>/<test_module>/<test>.yaml"
            continue
        platform, module, name = parts
        source = tests / "adapters" / platform / f"{module}.py"
        if not source.is_file() or name.removesuffix(".yaml") not in tests_of(source):
            yield f"{path}: no test {name.removesuffix('.yaml')!r} in {source}"


def main() -> int:
    found = list(orphans(ROOT / "cassettes", ROOT / "tests"))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
