"""Values: what is written is read back, only what is given is written, and nothing gets bent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from storebridge.adapter import Change, Field
from storebridge.flow import Status
from storebridge.models import Customer, Model, Money, Record, minor_units
from storebridge.parts import declared, path_names
from storebridge.testing.compare import changed, lacking
from storebridge.testing.kit.base import Base, kinds, part_of
from storebridge.testing.rig import Rig
from storebridge.testing.samples import prune

__all__ = ["Update", "ValueTests", "updates"]

_TEXTS = (
    "Crème brûlée – Größe “XL” …",
    "漢字 かな 한글 ไทย",
    "שלום مرحبا",
    "👩‍👩‍👧 ☕️ 🇩🇪",
    'O\'Neill & Söhne "A" \\ / %s {x} <3 ; --',
)
_HTML = (
    '<p class="a" style="color:#123">5 &lt; 6 &amp; "q" – é<br/>line</p>\n<ul><li>ä</li></ul>',
    '<h2>שלום</h2><p>a&nbsp;b 👩‍👩‍👧 <a href="https://shop.example/?a=1&amp;b=2">x</a></p>',
)
_SKU = 'A,B&C=1 "ä"/#2'


class ValueTests(Base):
    """Round trips."""

    @kinds
    def test_created_record_reads_back(self, rig: Rig, kind: str) -> None:
        """Each given field of a new record has its value afterwards, in the platform's form."""
        records = self.supported(rig, kind)
        desired = self.pruned(rig, kind, 1)
        live = rig.read(kind, rig.create(desired))
        found = lacking(rig.adapter.normalise(desired), live, records.fields)
        assert not found, f"not as written: {'; '.join(found)}"

    @kinds
    def test_reads_declared_fields_only(self, rig: Rig, kind: str) -> None:
        """A record that was read gives no field that the adapter doesn't declare."""
        records = self.supported(rig, kind)
        live = rig.read(kind, rig.create(self.pruned(rig, kind, 1)))
        model: type[Model] = records.model
        names = path_names(model)
        paths = {names[name] for name in live.given} - {"platform_fields"}
        extra = [
            path
            for path in paths
            if declared(path, records.fields) is None
            and not any(other.startswith(f"{path}.") for other in records.fields)
        ]
        assert not extra, f"read, and not declared: {extra}"

    @kinds
    def test_pages_and_look_ups_agree(self, rig: Rig, kind: str) -> None:
        """A record is the same whether it comes in a page or by its id."""
        records = self.supported(rig, kind)
        record_id = rig.create(self.pruned(rig, kind, 1))
        [paged] = [record for record in rig.all(kind) if record.id == record_id]
        assert changed(paged, rig.read(kind, record_id), records.fields) == []

    @kinds
    def test_update_writes_only_what_is_given(self, rig: Rig, kind: str) -> None:
        """Each field in turn: it has its new value, and every other field its old one."""
        records = self.supported(rig, kind)
        record_id = rig.create(self.pruned(rig, kind, 1))
        second = self.pruned(rig, kind, 2)
        before = rig.read(kind, record_id)
        tried = 0
        for update in updates(before, second, records.fields):
            outcome = rig.update(kind, record_id, update.part, update.desired)
            after = rig.read(kind, record_id)
            wanted = rig.adapter.normalise(update.desired)
            for where, record in (("the store", after), ("the outcome", outcome.record)):
                if record is not None:
                    found = lacking(wanted, record, records.fields)
                    assert not found, f"{update.path} in {where}: {'; '.join(found)}"
            others = [p for p in changed(before, after, records.fields) if not update.covers(p)]
            assert not others, f"writing {update.path} changed {others} too"
            before, tried = after, tried + 1
        assert tried, "the two samples don't differ in any field"

    @kinds
    def test_lists_that_merge_keep_other_elements(self, rig: Rig, kind: str) -> None:
        """One element is taken out and put back; the others stay as they are."""
        records = self.supported(rig, kind)
        record_id = rig.create(self.pruned(rig, kind, 1))
        live, tried = rig.read(kind, record_id), 0
        for name, spec in records.model.lists.items():
            elements = getattr(live, name)
            if spec.keys is None or spec.mode != "merge" or len(elements) < 2:
                continue
            part, tried = part_of(name, records.fields), tried + 1
            key = spec.keys(elements[0])[0]
            empty = records.model(**{name: ()})
            rig.update(kind, record_id, part, empty, removed={name: (key,)})
            left = getattr(rig.read(kind, record_id), name)
            assert [spec.keys(e)[0] for e in left] == [spec.keys(e)[0] for e in elements[1:]], name
            back = getattr(prune(live, records.fields), name)[0]
            rig.update(kind, record_id, part, records.model(**{name: (back,)}))
            now = getattr(rig.read(kind, record_id), name)
            assert len(now) == len(elements), f"{name}: {len(now)} elements, not {len(elements)}"
        if not tried:
            pytest.skip("no list of this kind merges")

    @kinds
    def test_delete(self, rig: Rig, kind: str) -> None:
        """A deleted record is gone, and deleting it again is no failure of ours."""
        self.supported(rig, kind)
        stays = rig.create(self.small(rig, kind, "kit-stays"))
        goes = rig.create(self.small(rig, kind, "kit-goes"))
        live = rig.read(kind, goes)
        change = Change(
            id="1", action="delete", part="core", record_id=goes, desired=live, before=live
        )
        rig.write(kind, change)
        assert [record.id for record in rig.fetch(kind, f"id:{goes}", f"id:{stays}")] == [stays]
        [outcome] = rig.run_batch(kind, rig.batch(change))
        gone = outcome.status in (Status.APPLIED, Status.UNCHANGED) or outcome.cause == "missing"
        assert gone, f"deleting a record that is gone: {outcome}"

    @kinds
    def test_finds_by_each_key(self, rig: Rig, kind: str) -> None:
        """Each kind of key leads to its record, once; what nothing has is left out."""
        records = self.supported(rig, kind)
        record_id = rig.create(self.pruned(rig, kind, 1))
        other = rig.create(self.small(rig, kind, "kit-else"))
        live = rig.read(kind, record_id)
        names = [name for name in live.keys() if name.partition(":")[0] in records.finds]  # noqa: SIM118
        for name in names:
            found = rig.fetch(kind, name, f"{name.partition(':')[0]}:kit-nowhere")
            assert [record.id for record in found] == [record_id], f"found by {name}"
        found = rig.fetch(kind, *names, f"id:{record_id}", f"id:{other}")
        assert sorted(record.id for record in found) == sorted([record_id, other])
        # A discount without a code is found by its title, and one with codes by those.
        tried = {name.partition(":")[0] for name in (*names, *rig.read(kind, other).keys())}
        if "phone" in records.finds:  # it names only who has no e-mail address
            third = rig.create(Customer(phone="+4930901820", first_name="Kit"))
            assert [each.id for each in rig.fetch(kind, "phone:+4930901820")] == [third]
            tried.add("phone")
        assert tried >= set(records.finds) - {"id"}

    def test_finds_odd_skus(self, rig: Rig) -> None:
        """A SKU with commas, quotes and signs is found whole, and not by a piece of it."""
        records = self.supported(rig, "product")
        if "sku" not in records.finds:
            pytest.skip("products aren't found by SKU")
        product = self.small(rig, "product", "kit-odd")
        variant = product.variants[0].but(sku=_SKU)
        record_id = rig.create(product.but(variants=(variant,)))
        assert [each.id for each in rig.fetch("product", f"sku:{_SKU}")] == [record_id]
        assert rig.fetch("product", "sku:A") == ()

    def test_money_keeps_its_digits(self, rig: Rig) -> None:
        """Amounts of the store's and its markets' currencies come back to the last digit."""
        records = self.supported(rig, "product")
        if declared("variants.price", records.fields) is None:
            pytest.skip("products have no prices")
        rig.furnish()
        record_id = rig.create(self.small(rig, "product", "kit-money"))
        variant = rig.read("product", record_id).variants[0]
        for money in _amounts(rig.info.currency):
            desired = records.model(variants=(_named(variant, price=money),))
            rig.update("product", record_id, part_of("variants.price", records.fields), desired)
            assert rig.read("product", record_id).variants[0].price == money
        if declared("variants.market_prices", records.fields) is None:
            return
        part = part_of("variants.market_prices", records.fields)
        for market in rig.info.markets:
            for money in _amounts(market.currency):
                price = {"market": market.handle, "price": money}
                desired = records.model(variants=(_named(variant, market_prices=(price,)),))
                rig.update("product", record_id, part, desired)
                prices = rig.read("product", record_id).variants[0].market_prices
                assert {each.market: each.price for each in prices}[market.handle] == money

    @kinds
    def test_text_is_kept(self, rig: Rig, kind: str) -> None:
        """Letters of every script, emoji, quotes and HTML come back as they were written."""
        records = self.supported(rig, kind)
        record_id = rig.create(self.small(rig, kind, "kit-text"))
        html = [name for name in ("description_html",) if name in records.fields]
        plain = [
            name for name in ("title", "vendor", "note", "last_name") if name in records.fields
        ]
        for name, texts in [*((n, _HTML) for n in html), *((n, _TEXTS) for n in plain)]:
            for text in texts:
                desired = records.model(**{name: text})
                rig.update(kind, record_id, part_of(name, records.fields), desired)
                wanted = getattr(rig.adapter.normalise(desired), name)
                assert getattr(rig.read(kind, record_id), name) == wanted

    @kinds
    def test_normalise_tells_the_platforms_form(self, rig: Rig, kind: str) -> None:
        """Spaces around texts end up as `normalise` says; it changes nothing the second time."""
        records = self.supported(rig, kind)
        record_id = rig.create(self.small(rig, kind, "kit-form"))
        for name in ("title", "vendor", "last_name", "name"):
            field = records.fields.get(name)
            if field is not None and field.write:
                desired = records.model(**{name: "  spaced\tout  "})
                rig.update(kind, record_id, field.part, desired)
                normal = rig.adapter.normalise(desired)
                assert rig.adapter.normalise(normal) == normal
                found = lacking(normal, rig.read(kind, record_id), records.fields)
                assert not found, f"normalise() says otherwise: {found}"

    @kinds
    def test_longest_values_fit(self, rig: Rig, kind: str) -> None:
        """A text of exactly the declared length is taken, and kept whole."""
        records = self.supported(rig, kind)
        record_id = rig.create(self.small(rig, kind, "kit-long"))
        for name in ("title", "vendor", "product_type", "note"):
            field = records.fields.get(name)
            if field is not None and field.write and field.max_length:
                text = "ä" * field.max_length
                rig.update(kind, record_id, field.part, records.model(**{name: text}))
                assert getattr(rig.read(kind, record_id), name) == text, f"{name} was cut"


class Update(NamedTuple):
    """One field to write alone."""

    path: str
    part: str
    desired: Record
    prefix: str
    """How the paths begin that may change."""

    def covers(self, path: str) -> bool:
        """Return whether a change at a path was asked for."""
        rest = path.removeprefix(self.prefix)
        return path.startswith(self.prefix) and (not rest or rest[0] in ".[")


def updates(live: Record, second: Record, fields: Mapping[str, Field]) -> Iterator[Update]:
    """Yield each field in which a second record differs from a live one, to be written alone."""
    seen: set[str] = set()
    for path, prefix, given in _differences(live, second, "", ""):
        known = declared(path, fields)
        if known is not None and known.write and path not in seen:
            seen.add(path)
            yield Update(path, known.part, type(second)(**given), prefix)


def _differences(
    live: Model, second: Model, above: str, shown: str
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield (path, path with elements, the field as it is to be given)."""
    for name, path in path_names(type(second)).items():
        if name not in second.given or name in ("id", "modes", "platform_fields"):
            continue
        new, old = getattr(second, name), getattr(live, name)
        place, label = above + path, shown + path
        spec = second.lists.get(name)
        if spec is not None and spec.keys is not None and spec.mode == "merge":
            yield from _of_elements(name, old, new, place, label)
        elif isinstance(new, Model) and isinstance(old, Model) and not new.atomic:
            for inner, prefix, given in _differences(old, new, f"{place}.", f"{label}."):
                yield inner, prefix, {name: type(new)(**given)}
        elif new != old and new is not None:
            yield place, label, {name: new}


def _of_elements(
    name: str, old: tuple[Any, ...], new: tuple[Any, ...], place: str, label: str
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    by_key = {key: element for element in reversed(old) for key in element.element_keys()}
    for element in new:
        match = next((by_key[key] for key in element.element_keys() if key in by_key), None)
        if match is None:
            continue
        shown = f"{label}[{match.element_keys()[0]}]"
        if element.atomic:
            if element != match:
                yield place, shown, {name: (element,)}
            continue
        for inner, prefix, given in _differences(match, element, f"{place}.", f"{shown}."):
            yield inner, prefix, {name: (_named(match, **given),)}


def _named(element: Any, **given: Any) -> Any:
    """Return an element with these fields and what names it: its id, where it has one."""
    field, _, _ = element.element_keys()[0].partition(":")
    field = {"hash": "content_hash"}.get(field, field)
    return type(element)(**{field: getattr(element, field), **given})


def _amounts(currency: str) -> Iterator[Money]:
    digits = minor_units(currency)
    for units in (990, 1, 123_456_789, 100_000):
        yield (
            Money(f"{units}", currency)
            if not digits
            else Money(f"{units // 10**digits}.{units % 10**digits:0{digits}d}", currency)
        )
