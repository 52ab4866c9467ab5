"""The conformance kit: whether an adapter keeps the promises that storebridge makes for it.

    class TestAcme(AdapterConformance):
        walk_records = 7

        def adapter(self, folder, canaries):
            token = SecretStr(canaries.secret("token"))
            return AcmeAdapter(AcmeSettings(url="https://shop.example", token=token, page_size=2))

        def handler(self, folder):
            return sandbox.create(folder / "acme.db")

Nothing runs at collection, and nothing reaches the network. Each test is run for each kind of
record and skipped where the adapter says `NotSupported`; the kit knows no platform by name.
"""

from __future__ import annotations

from storebridge.testing.kit.answers import AnswerTests
from storebridge.testing.kit.contract import ContractTests
from storebridge.testing.kit.media import MediaTests
from storebridge.testing.kit.paging import PagingTests
from storebridge.testing.kit.survival import SurvivalTests
from storebridge.testing.kit.values import ValueTests

__all__ = ["AdapterConformance"]


class AdapterConformance(
    ContractTests, ValueTests, MediaTests, PagingTests, AnswerTests, SurvivalTests
):
    """The tests of an adapter: subclass it, and give `adapter` and, over HTTP, `handler`.

    | subject | what is tested |
    |---|---|
    | contract | identity, declared fields, limits, secrets in reprs, errors and requests |
    | values | round trips, updates of one field alone, lists, keys, money, text, normal forms |
    | media | a picture file taken in once, told by its source, known by its id |
    | paging | every record once, also while the store changes; queries; fields that are needed |
    | answers | every status and broken body, throttling, refused credentials, one bad change |
    | survival | lost answers at every request, kills after every instruction, strangers' records |
    """
