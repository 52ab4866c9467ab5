"""The adapter itself: who it says it is, what it declares, and where its secrets go."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel, SecretStr

from storebridge.adapter import CONTRACT, PARTS, Adapter
from storebridge.engine import Engine, HandlerTransport
from storebridge.errors import NotSupported, StorebridgeError
from storebridge.flow import Request, RequestKind, Response
from storebridge.models import KINDS, Model, is_currency
from storebridge.parts import path_names, unsupported
from storebridge.testing.canaries import Canaries
from storebridge.testing.kit.base import Base, Rigs, kinds
from storebridge.testing.rig import Rig
from storebridge.testing.samples import prune, writable

__all__ = ["ContractTests"]

#: Fields that name an element, steer a write, or hold what only one platform knows.
_NO_VALUES = re.compile(r"(.*\.)?(id|modes|platform_fields|\w+_(add|remove))(\..*)?")


class ContractTests(Base):
    """Declarations, identity and secrets."""

    def test_no_kit_test_is_changed(self) -> None:
        """A test of the kit that can't pass is named in `known_gaps`, never overridden."""
        tests = _tests_of_the_kit(type(self))
        for name, function in tests.items():
            message = f"{name} was changed: name it in known_gaps, with the reason"
            assert getattr(type(self), name, None) is function, message
        for name, reason in self.known_gaps.items():
            assert name.partition("[")[0] in tests, f"known_gaps: there is no test {name}"
            assert reason.strip(), f"known_gaps: {name} has no reason"

    def test_adapter_says_who_it_is(self, rig: Rig) -> None:
        """Name, title, version of the interface, contract and settings are there."""
        kind = type(rig.adapter)
        assert re.fullmatch(r"[a-z][a-z0-9_-]*", kind.name)
        assert kind.title
        assert kind.api_version
        assert kind.contract == CONTRACT
        assert issubclass(kind.Settings, BaseModel)
        assert isinstance(rig.adapter.settings, kind.Settings)
        assert rig.adapter.base_url == "" or rig.adapter.base_url.startswith("http")

    def test_info_is_stable(self, rig: Rig, rigs: Rigs) -> None:
        """A store's identity and facts are the same each time."""
        info = rig.info
        assert info.id
        assert is_currency(info.currency)
        assert rig.run(rig.adapter.info()) == info
        assert rigs("store").info == info

    def test_limits_are_sane(self, rig: Rig) -> None:
        """Rate, burst and concurrency are numbers that an engine can use."""
        limits = rig.adapter.limits
        assert limits.rate is None or limits.rate > 0
        assert limits.burst >= 1
        assert 1 <= limits.concurrency <= limits.max_concurrency

    def test_kinds_are_records_or_reasons(self, rig: Rig) -> None:
        """What the platform lacks is said with its reason; an unknown kind is refused."""
        for kind, found in rig.adapter.kinds().items():
            assert kind in KINDS
            if isinstance(found, NotSupported):
                assert found.reason
            else:
                assert found.model is KINDS[kind]
        try:
            rig.adapter.records("kit-nonsense")
        except NotSupported:
            return
        raise AssertionError("records() of an unknown kind must raise NotSupported")

    @kinds
    def test_declared_fields_exist(self, rig: Rig, kind: str) -> None:
        """Each declared path leads to a field of the model, and to a known part."""
        records = self.supported(rig, kind)
        for path, field in records.fields.items():
            assert _exists(records.model, path), f"{kind} has no field {path}"
            assert field.part in PARTS, f"{path} is in no known part: {field.part}"
            assert field.max_length is None or field.source, f"{path}: where is its limit from?"
        assert "id" in records.finds
        assert records.batch_size >= 1
        assert records.fetch_size >= 1

    @kinds
    def test_samples_cover_what_can_be_written(self, rig: Rig, kind: str) -> None:
        """Each declared field that can be written has a value in a sample, and so is tested."""
        records = self.supported(rig, kind)
        given = set(_paths(self.pruned(rig, kind, 1)))
        lacking = [path for path in writable(records.fields) if path not in given]
        lacking = [path for path in lacking if not _NO_VALUES.fullmatch(path)]
        assert not lacking, f"declared, and never tested: {sorted(lacking)}; give it in sample()"

    @kinds
    def test_what_does_not_fit_is_named(self, rig: Rig, kind: str) -> None:
        """Given fields that aren't declared are named before anything is written."""
        records = self.supported(rig, kind)
        whole = self.sample(kind, 1, rig.info)
        named = set(unsupported(whole, records.fields))
        kept = set(_paths(prune(whole, records.fields)))
        assert not named & kept, f"both writable and unsupported: {sorted(named & kept)}"
        rig.run(records.consult())
        fits = list(records.check(prune(whole, records.fields)))
        assert not fits, f"check() refuses a record that the kit is about to write: {fits}"

    def test_prepare_is_pure(self, rig: Rig) -> None:
        """The same attempt gives the same request, and each attempt has its own signature."""
        self.networked(rig)
        credentials = rig.run(rig.adapter.authorize(rig.clock))
        request = Request(
            method="POST", path="/kit", kind=RequestKind.CREATE, body=b"{}", covers=("1",)
        )

        def prepared(nonce: str) -> Request:
            return rig.adapter.prepare(request, credentials, nonce, 1_700_000_000.0)

        once = prepared("kit-nonce-a")
        assert once == prepared("kit-nonce-a"), "prepare() must depend on what it is given only"
        assert "kit-nonce-a" not in repr(prepared("kit-nonce-b")), "a nonce was kept"
        assert (once.kind, once.covers, once.body) == (request.kind, request.covers, request.body)

    def test_secrets_are_shown_nowhere(self, rig: Rig, canaries: Canaries) -> None:
        """No repr, text or JSON of adapter, settings, credentials or errors has a secret."""
        settings = rig.adapter.settings
        if any(isinstance(value, SecretStr) for _, value in settings):
            assert canaries.values, "adapter() must take its secrets from the canaries"
        credentials = rig.run(rig.adapter.authorize(rig.clock))
        canaries.check("the repr of the adapter or its settings", rig.adapter, settings)
        canaries.check("the JSON of the settings", settings.model_dump_json())
        canaries.check("the repr of the credentials", credentials)
        canaries.check("the base URL", rig.adapter.base_url)

    def test_errors_hide_secrets(self, rig: Rig, canaries: Canaries) -> None:
        """A store that sends the credentials back, in any place, gets them into no error."""
        self.networked(rig)
        text = " ".join(canaries.values)
        echo = text.replace('"', "")
        bodies = (
            f'{{"error": {{"message": "{echo}", "code": "{echo}"}}, "message": "{echo}"}}',
            f'{{"errors": ["{echo}"], "error": "{echo}"}}',
            f"<html>{echo}</html>",
        )
        for body in bodies:
            for status in (200, 401, 422, 500):
                answer = Response(status=status, body=body.encode(), headers={"x-echo": echo})
                error = _raised(rig.adapter, answer, rig)
                if error is not None:
                    canaries.check(f"the error for status {status}", error)


def _tests_of_the_kit(kind: type) -> dict[str, Any]:
    from storebridge.testing.conformance import AdapterConformance

    assert issubclass(kind, AdapterConformance)
    names = (name for name in dir(AdapterConformance) if name.startswith("test_"))
    return {name: getattr(AdapterConformance, name) for name in names}


def _raised(adapter: Adapter, answer: Response, rig: Rig) -> StorebridgeError | None:
    engine = Engine(adapter, clock=rig.clock, transport=HandlerTransport(lambda request: answer))
    try:
        engine.run(adapter.info())
    except StorebridgeError as error:
        return error
    return None


def _exists(model: type[Model], path: str) -> bool:
    """Return whether a dotted path leads through models to a field."""
    name, _, rest = path.partition(".")
    names = {**path_names(model), **{field: field for field in model.model_fields}}
    if name not in names.values():
        return False
    if not rest:
        return True
    inner = _inner(model.model_fields[name].annotation)
    return inner is not None and _exists(inner, rest)


def _inner(annotation: Any) -> type[Model] | None:
    """Return the model in an annotation (`Seo`, `tuple[Variant, ...]`)."""
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return annotation
    parts = (_inner(part) for part in getattr(annotation, "__args__", ()))
    return next((part for part in parts if part is not None), None)


def _paths(record: Model, above: str = "") -> list[str]:
    """Return the paths of the given fields of a record and all that is in it."""
    found: list[str] = []
    for name, path in path_names(type(record)).items():
        if name in record.given:
            found.append(above + path)
            value = getattr(record, name)
            for element in value if isinstance(value, tuple) else (value,):
                if isinstance(element, Model):
                    found += _paths(element, f"{above}{path}.")
    return found
