"""Reads the rows of Shopify's product CSV into products."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, Literal

from storebridge.formats.base import Context
from storebridge.formats.cells import (
    BadCell,
    Field,
    boolean,
    closest,
    key_of,
    money_in,
    picker,
    plain,
    scalars,
    validated,
)
from storebridge.formats.keys import FileKeys
from storebridge.formats.pictures import checked
from storebridge.formats.shopify_cells import NO_OPTION, ONLINE_STORE, parsers, weight_of
from storebridge.formats.shopify_columns import ALIASES, GOOGLE, MARKET, METAFIELD, Column
from storebridge.formats.table import Table
from storebridge.models import Product

__all__ = ["Reader"]

Rows = list[tuple[int, list[str]]]

_SIDES = ("length", "width", "height")


class Reader:
    """Turns the rows of one table into products; what each column means is worked out once."""

    def __init__(self, table: Table, context: Context) -> None:
        self.table, self.report, self.context = table, table.report, context
        self.handle = -1
        self.delete = False
        self.expects: Literal["", "new", "existing"] = ""
        self.product: list[Field] = []
        self.product_meta: list[Field] = []
        self.shared: list[Field] = []
        self.variant: list[Field] = []
        self.variant_meta: list[Field] = []
        self.platform: list[Field] = []
        self.image: list[Field] = []
        self.markets: dict[str, list[Field]] = {}
        self.options: dict[str, dict[str, int]] = {}
        self.names: dict[str, str] = {}
        self.tracker = self.sized = False
        self._parsers = parsers(context)
        self._variant_rows: list[int] = []
        self._media_rows: list[int] = []
        self._survey()
        self._own = picker([i for i, _, _ in (*self.product, *self.product_meta)])
        self._further = picker([i for i, _, _ in self.shared])

    # --- the header ---------------------------------------------------------------------------

    def _survey(self) -> None:
        seen: dict[object, str] = {}
        for index, header in enumerate(self.table.header):
            own = self.report.header[index]
            column = ALIASES.get(key_of(header))
            key = column or key_of(header)
            if not header:
                if own:  # translated to nothing: the user leaves the column out
                    continue
                self._header_problem(own, "A column has no name", "Name it, or delete it")
            elif key in seen:
                self._header_problem(
                    own, f"This is the same column as {seen[key]!r}", "Keep one of them"
                )
            elif column is not None:
                self._standard(index, own, column)
            else:
                self._pattern(index, own, header)
            seen[key] = own
        if "handle" not in self.names:
            self.handle = -1
            self._header_problem(
                "URL handle",
                "The column with the products' handles is missing",
                "Add a column URL handle (or Handle), or translate one with "
                "--header 'OWN=URL handle'",
            )

    def _header_problem(self, column: str, message: str, remedy: str) -> None:
        self.report.add(1, column, "", message, remedy)

    def _standard(self, index: int, own: str, column: Column) -> None:
        key = column.key
        self.names.setdefault(f"variants.{key}" if column.scope == "variant" else key, own)
        if key == "handle":
            self.handle = index
        elif column.scope == "option":
            self.options.setdefault(key[-1], {})[key[:-1]] = index
        elif column.scope == "image":
            self.names.setdefault(f"media.{key}", own)
            self.image.append((index, key, self._parsers.get(f"media.{key}")))
        elif column.scope == "platform":
            fields = self.shared if key.startswith("google ") else self.platform
            fields.append((index, key, plain))
        elif column.scope == "variant":
            name = column.current if key == "barcodes" else key
            self.tracker = self.tracker or key == "tracker"
            self.sized = self.sized or key in _SIDES
            self.variant.append((index, key, self._parsers.get(f"variants.{name}", plain)))
        else:
            self.product.append((index, key, self._parsers.get(key)))

    def _pattern(self, index: int, own: str, header: str) -> None:
        """Place a column whose name has a variable part, or that nobody knows."""
        if meta := METAFIELD.fullmatch(header):
            owner, namespace, key = meta.groups()
            fields = self.product_meta if owner.casefold() == "product" else self.variant_meta
            fields.append((index, f"{namespace.strip()}.{key.strip()}", None))
        elif market := MARKET.fullmatch(header):
            self._market(index, own, market[1].casefold(), market[2].strip())
        elif google := GOOGLE.fullmatch(header):
            self.shared.append((index, f"google {google[1].strip()}", plain))
        elif close := closest(header, ALIASES):
            column = ALIASES[close]
            self._header_problem(
                own,
                f"There is no such column; {column.current} is close",
                f"Correct the name, or leave the column out with --header '{own}='",
            )
        else:
            self.shared.append((index, f"columns {header}", None))

    def _market(self, index: int, own: str, what: str, market: str) -> None:
        key = "included" if what == "included" else "price"
        key = "compare_at_price" if what.startswith("compare") else key
        currencies = {key_of(name): code for name, code in self.context.market_currencies.items()}
        parse: Callable[[str], Any] = boolean
        if key != "included":
            parse = money_in(
                currencies.get(key_of(market), ""),
                f"the market {market}",
                f"--market-currency '{market}=EUR'",
            )
        self.names[f"market {market}.{key}"] = own
        self.markets.setdefault(market, []).append((index, key, parse))

    # --- the rows -----------------------------------------------------------------------------

    def products(self) -> Iterator[tuple[int, Product | None]]:
        """Yield the first row and the product of each group; None where it has problems."""
        at = self.handle
        for handle, rows in groupby(self.table.rows, lambda item: item[1][at].strip()):
            if handle:
                group = list(rows)
                yield group[0][0], self._product(handle, group)
                continue
            for row, _ in rows:
                self.report.add(
                    row,
                    self.names["handle"],
                    "",
                    "The row has no handle",
                    "Give it the handle of its product",
                )

    def note(self, keys: FileKeys, row: int, product: Product) -> None:
        """Keep the keys of a product that was just read, to find those that come twice."""
        keys.add("handle", product.handle, row, row)
        for variant, at in zip(product.variants, self._variant_rows, strict=True):
            if variant.sku:
                keys.add("sku", f"sku:{variant.sku}", row, at)

    def repeated(self, key: str, row: int, first: int) -> None:
        """Report a handle or SKU that another product has already."""
        if key.startswith("sku:"):
            self.report.add(
                row,
                self.names["variants.sku"],
                key[4:],
                f"Row {first} has this SKU already, in another product",
                "Give each variant a SKU of its own",
            )
        else:
            self.report.add(
                row,
                self.names["handle"],
                key,
                f"Row {first} begins a product with this handle already",
                "Put the rows of one product together; a second product needs its own handle",
            )

    def _product(self, handle: str, rows: Rows) -> Product | None:
        row, first = rows[0]
        fields = scalars(self.product, first, row, self.report)
        fields["handle"] = handle
        command = fields.pop("command", "")
        self.delete = command == "delete"
        self.expects = "" if self.delete else command
        if fields.get("channels") == ():  # the column speaks of this one channel only
            fields["channels_remove"] = (ONLINE_STORE,)
            del fields["channels"]
        _nest_seo(fields)
        if self.product_meta:
            _put(fields, "metafields", self._metafields(self.product_meta, first, row))
        shared = scalars(self.shared, first, row, self.report) if self.shared else {}
        _platform(fields, shared)
        for other, cells in rows[1:]:
            self._agrees(first, other, cells)
        self._media(fields, rows)
        self._variants(fields, rows, shared)
        return self._validated(fields, row)

    def _validated(self, fields: dict[str, Any], row: int) -> Product | None:
        product = validated(fields, row, self.report)
        if product is None:
            return None
        product, findings = checked(product, self.context)
        for finding in findings:
            at, column = self._spot(finding.path, row, product)
            self.report.found(at, column, finding)
        return product

    def _spot(self, path: str, row: int, product: Product) -> tuple[int, str]:
        """Return the row and the column that a path in the model came from."""
        head, _, rest = path.partition(".")
        if head not in ("variants", "media"):
            return row, self.names.get(head, path)
        place, _, field = rest.partition(".")
        at = self._media_rows if head == "media" else self._variant_rows
        if field.startswith("market_prices."):
            _, which, field = field.split(".")
            market = product.variants[int(place)].market_prices[int(which)].market
            return at[int(place)], self.names.get(f"market {market}.{field}", path)
        name = field.partition(".")[0]
        name = {"weight": "grams", "dimensions": field.rpartition(".")[2]}.get(name, name)
        column = "value1" if name == "options" else f"{head}.{name}"
        return at[int(place)], self.names.get(column, path)

    def _agrees(self, first: list[str], row: int, cells: list[str]) -> None:
        """Report a later row of a product that says something else about the product."""
        if not any(self._own(cells)):
            return
        for index, _, _ in (*self.product, *self.product_meta):
            if cells[index].strip() and cells[index] != first[index]:
                self.report.add(
                    row,
                    self.report.header[index],
                    cells[index],
                    "The first row of this product has another value",
                    "Write it in the product's first row, and leave the others blank",
                )

    def _metafields(self, fields: list[Field], cells: list[str], row: int) -> list[dict[str, str]]:
        found = scalars(fields, cells, row, self.report)
        parts = ((key.partition("."), value) for key, value in found.items())
        return [{"namespace": ns, "key": key, "value": value} for (ns, _, key), value in parts]

    def _media(self, fields: dict[str, Any], rows: Rows) -> None:
        self._media_rows = []
        if not self.image:
            return
        media: list[dict[str, Any]] = []
        for row, cells in rows:
            item = scalars(self.image, cells, row, self.report)
            if not item:
                continue
            if "url" not in item:
                self.report.add(
                    row,
                    self.names.get("media.alt", self.names.get("media.position", "")),
                    "",
                    "The row describes a picture and has no address of it",
                    "Give the picture's address, or empty the other picture cells",
                )
            elif not any(_same_picture(item, earlier) for earlier in media):
                media.append(item)
                self._media_rows.append(row)
        _put(fields, "media", media)

    # --- variants -----------------------------------------------------------------------------

    def _variants(self, fields: dict[str, Any], rows: Rows, shared: dict[str, str]) -> None:
        row, first = rows[0]
        names, values = self._named_options(first, row)
        variants, self._variant_rows = [], []
        for row, cells in rows:
            choice = [cells[index].strip() for index in values]
            variant = self._variant(cells, row)
            later = self.shared and row != rows[0][0]
            own = self._own_shared(cells, row, shared) if later else {}
            if not variant and not any(choice):
                self._ownerless(row, own)
                continue
            self._complete(variant, cells, row, own)
            if names is not None:
                self._choose(variant, choice, values, row)
            variants.append(variant)
            self._variant_rows.append(row)
        if names is not None:
            _set_options(fields, names, variants)
        _put(fields, "variants", variants)

    def _named_options(
        self, first: list[str], row: int
    ) -> tuple[list[dict[str, Any]] | None, list[int]]:
        """Return a product's options and the places of their values; None if it names none."""
        named: list[dict[str, Any]] = []
        places = []
        for number in sorted(self.options):
            parts = self.options[number]
            name = first[parts["name"]].strip() if "name" in parts else ""
            value = parts.get("value", -1)
            if not name:
                if value >= 0 and first[value].strip():
                    self.report.add(
                        row,
                        self.report.header[value],
                        first[value],
                        "The option value has no option name",
                        f"Write the name in Option{number} name of the product's first row",
                    )
                continue
            option: dict[str, Any] = {"name": name}
            if linked := first[parts["linked_to"]].strip() if "linked_to" in parts else "":
                option["platform_fields"] = {"shopify": {"linked_to": linked}}
            if value < 0:
                self._header_problem(
                    f"Option{number} value", "The column is missing", "Add it, with the values"
                )
            else:
                named.append(option)
                places.append(value)
        return (named or None), places

    def _choose(
        self, variant: dict[str, Any], choice: list[str], values: list[int], row: int
    ) -> None:
        variant["options"] = choice
        if not all(choice):
            missing = values[choice.index("")]
            self.report.add(
                row,
                self.report.header[missing],
                "",
                "The variant has no value for this option",
                "Give it one, or empty the row's other variant cells",
            )

    def _variant(self, cells: list[str], row: int) -> dict[str, Any]:
        """Return what a row says about a variant; nothing for a row that has none."""
        report = self.report
        variant = scalars(self.variant, cells, row, report)
        if self.platform and (platform := scalars(self.platform, cells, row, report)):
            variant["platform"] = platform
        if self.variant_meta:
            _put(variant, "metafields", self._metafields(self.variant_meta, cells, row))
        if self.markets:
            prices = [
                {"market": market, **price}
                for market, fields in self.markets.items()
                if (price := scalars(fields, cells, row, report))
            ]
            _put(variant, "market_prices", prices)
        return variant

    def _complete(
        self, variant: dict[str, Any], cells: list[str], row: int, own: dict[str, str]
    ) -> None:
        """Put together what several columns say about a variant."""
        platform = {**variant.pop("platform", {}), **own}
        if self.tracker:
            tracker = variant.pop("tracker", "")
            variant["tracked"] = bool(tracker)
            if tracker and tracker != "shopify":
                platform["inventory_tracker"] = tracker
        unit = variant.pop("weight_unit", None)
        if "grams" in variant:
            variant["weight"] = weight_of(variant.pop("grams"), unit or "g")
        elif unit:
            platform["weight_unit"] = unit
        if self.sized:
            self._dimensions(variant, row)
        if platform:
            _platform(variant, platform)

    def _dimensions(self, variant: dict[str, Any], row: int) -> None:
        unit = variant.pop("length_unit", None) or self.context.length_unit
        sides = {side: variant.pop(side) for side in _SIDES if side in variant}
        if sides and not unit:
            self.report.cell(
                row,
                self.report.header.index(self.names[f"variants.{next(iter(sides))}"]),
                "",
                BadCell(
                    "Nothing says the unit of the packed sizes",
                    "Fill Packed product dimension unit, or name it with --length-unit cm",
                    once=True,
                ),
            )
        elif sides:
            variant["dimensions"] = {
                side: {"value": value, "unit": unit} for side, value in sides.items()
            }

    def _own_shared(self, cells: list[str], row: int, shared: dict[str, str]) -> dict[str, str]:
        if not any(self._further(cells)):
            return {}
        found = scalars(self.shared, cells, row, self.report)
        return {key: value for key, value in found.items() if shared.get(key) != value}

    def _ownerless(self, row: int, own: dict[str, str]) -> None:
        for key, value in own.items():
            self.report.add(
                row,
                key.partition(" ")[2],
                value,
                "The row has no variant that this belongs to",
                "Write it in the product's first row, or in a variant's row",
            )


def _set_options(
    fields: dict[str, Any], names: list[dict[str, Any]], variants: list[dict[str, Any]]
) -> None:
    """Give a product its options with all values that its variants have."""
    if len(names) == 1 and names[0] == {"name": NO_OPTION[0]}:
        values = [variant["options"] for variant in variants]
        if values in ([], [[NO_OPTION[1]]]):
            names = []
            for variant in variants:
                variant["options"] = ()
    for place, option in enumerate(names):
        seen = dict.fromkeys(variant["options"][place] for variant in variants)
        option["values"] = tuple(value for value in seen if value)
    fields["options"] = names


def _same_picture(item: dict[str, Any], earlier: dict[str, Any]) -> bool:
    return all(earlier.get(key) == value for key, value in item.items())


def _nest_seo(fields: dict[str, Any]) -> None:
    seo = {
        key.removeprefix("seo_"): fields.pop(key)
        for key in ("seo_title", "seo_description")
        if key in fields
    }
    _put(fields, "seo", seo)


def _platform(fields: dict[str, Any], found: dict[str, str]) -> None:
    """Put values that the model has no field for under `platform_fields["shopify"]`."""
    values: dict[str, Any] = {}
    for key, value in found.items():
        group, _, name = key.partition(" ")
        if name:
            group = "google_shopping" if group == "google" else group
            values.setdefault(group, {})[name] = value
        else:
            values[key] = value
    if values:
        fields["platform_fields"] = {"shopify": values}


def _put(fields: dict[str, Any], key: str, value: Any) -> None:
    if value:
        fields[key] = value
