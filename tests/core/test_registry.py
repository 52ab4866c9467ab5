from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from storebridge import registry
from storebridge.errors import ConfigError

ADAPTER = """
from storebridge.adapter import Adapter

class {name}(Adapter):
    name = "{word}"
    contract = {contract}
"""

Offer = Callable[..., None]


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Install a package that offers one adapter."""

    def install(package: str, word: str, code: str | None = None, contract: int = 1) -> None:
        site = tmp_path / package
        info = site / f"{package}-2.1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 2.1\n")
        (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\n{word} = {package}:Thing\n")
        body = ADAPTER.format(name="Thing", word=word, contract=contract) if code is None else code
        (site / f"{package}.py").write_text(body)
        monkeypatch.syspath_prepend(str(site))

    return install


def test_an_installed_adapter_is_listed_without_importing_it(offer: Offer) -> None:
    offer("sb_listed", "listed")
    assert "listed" in registry.names()
    assert registry.Installed("listed", "sb_listed", "2.1", "sb_listed:Thing") in (
        registry.installed()
    )
    assert "sb_listed" not in sys.modules


def test_a_named_adapter_is_loaded(offer: Offer) -> None:
    offer("sb_named", "named")
    assert registry.load("named").name == "named"


def test_two_packages_with_one_name_are_an_error(offer: Offer) -> None:
    offer("sb_first", "twice")
    offer("sb_second", "twice")
    with pytest.raises(ConfigError, match=r"sb_\w+ 2\.1, sb_\w+ 2\.1\. Uninstall all but one"):
        registry.load("twice")
    assert "sb_first" not in sys.modules


def test_an_unknown_name_says_what_there_is(offer: Offer) -> None:
    offer("sb_other", "other")
    with pytest.raises(ConfigError, match=r"'nothing'; installed: .*other.*pip"):
        registry.load("nothing")


@pytest.mark.parametrize(
    ("word", "contract", "remedy"),
    [("newer", 99, "Update storebridge"), ("older", 0, "Update the adapter")],
)
def test_another_contract_is_refused(offer: Offer, word: str, contract: int, remedy: str) -> None:
    offer(f"sb_{word}", word, contract=contract)
    with pytest.raises(ConfigError, match=remedy):
        registry.load(word)


@pytest.mark.parametrize(
    ("word", "code", "message"),
    [
        ("broken", "raise RuntimeError('no such thing')", "can't be imported.*no such thing"),
        ("alien", "Thing = dict", "is no subclass"),
        ("misnamed", ADAPTER.format(name="Thing", word="x", contract=1), "calls itself 'x'"),
    ],
)
def test_what_is_no_adapter_is_refused(offer: Offer, word: str, code: str, message: str) -> None:
    offer(f"sb_{word}", word, code)
    with pytest.raises(ConfigError, match=message):
        registry.load(word)
