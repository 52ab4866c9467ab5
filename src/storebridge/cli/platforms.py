"""`platforms`: which adapters are installed, and what each platform can hold."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any

from cyclopts import Parameter

from storebridge import registry
from storebridge.adapter import Adapter, Records
from storebridge.cli.common import Json
from storebridge.cli.output import table, write_json
from storebridge.errors import NotSupported
from storebridge.parts import declared

__all__ = ["capability_table", "platforms"]

#: The rows of the table: a person's words, the kind of record, and a field that stands for it.
_ROWS = (
    ("Products and variants", "product", "title"),
    ("Options and their values", "product", "options"),
    ("Attributes", "product", "attributes"),
    ("Tags", "product", "tags"),
    ("Prices", "product", "variants.price"),
    ("Struck-through prices", "product", "variants.compare_at_price"),
    ("Sales with a start and an end", "product", "variants.sale"),
    ("Costs", "product", "variants.cost"),
    ("Market prices", "product", "variants.market_prices.price"),
    ("Stock by location", "product", "variants.inventory"),
    ("Barcodes", "product", "variants.barcodes"),
    ("Weights", "product", "variants.weight"),
    ("Dimensions", "product", "variants.dimensions"),
    ("Pictures and videos", "product", "media.url"),
    ("Search engine texts", "product", "seo.title"),
    ("Metafields", "product", "metafields.value"),
    ("Definitions of metafields", "metafield_definition", "type"),
    ("Translations", "product", "translations.value"),
    ("Sales channels", "product", "channels"),
    ("Upsells and cross-sells", "product", "upsells"),
    ("Collections", "collection", "title"),
    ("Products in collections", "product", "collections"),
    ("Collections by rules", "collection", "rules.value"),
    ("Categories of a taxonomy", "product", "category"),
    ("Markets", "market", "name"),
    ("Locations", "location", "name"),
    ("Discounts", "discount", "codes"),
    ("Customers", "customer", "email"),
    ("Orders", "order", "line_items.quantity"),
    ("Comments on orders", "order", "comments"),
    ("Reviews", "review", "rating"),
    ("Redirects", "redirect", "path"),
)


def platforms(
    *,
    markdown: Annotated[
        bool, Parameter(name="--table", help="Print the table of capabilities.", negative=())
    ] = False,
    json: Json = False,
) -> None:
    """List the adapters that are installed and what they can do."""
    if markdown:
        print(capability_table())
    elif json:
        write_json([_about(one) for one in registry.installed()])
    else:
        _show()


def _show() -> None:
    rows = []
    for one in registry.installed():
        adapter = registry.load(one.name)
        holds = [kind for kind, records in _kinds(adapter).items() if isinstance(records, Records)]
        sandbox = f"sandbox:{one.name}" if getattr(adapter, "sandbox", "") else ""
        package = f"{one.package} {one.version}"
        rows.append((one.name, adapter.title, package, ", ".join(holds), sandbox))
    table(("name", "platform", "package", "kinds of record", "sandbox"), rows)


def capability_table() -> str:
    """Return what each installed platform can hold, as a table in Markdown."""
    adapters = [registry.load(name) for name in registry.names()]
    kinds = [_kinds(adapter) for adapter in adapters]
    lines = [
        f"| | {' | '.join(adapter.title for adapter in adapters)} |",
        f"|---|{'---|' * len(adapters)}",
    ]
    for words, kind, path in _ROWS:
        cells = (_cell(held.get(kind), path) for held in kinds)
        lines.append(f"| {words} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(records: Records[Any] | NotSupported | None, path: str) -> str:
    field = declared(path, records.fields) if isinstance(records, Records) else None
    if field is None:
        return "-"
    return "yes" if field.write else "read only"


def _about(one: registry.Installed) -> dict[str, Any]:
    kind = registry.load(one.name)
    return {
        "name": one.name,
        "title": kind.title,
        "package": one.package,
        "version": one.version,
        "api_version": kind.api_version,
        "settings": list(kind.Settings.model_fields),
        "kinds": {
            name: {"reason": records.reason, "instead": records.instead}
            if isinstance(records, NotSupported)
            else {"fields": sorted(records.fields), "finds": list(records.finds)}
            for name, records in _kinds(kind).items()
        },
    }


def _kinds(adapter: type[Adapter]) -> Mapping[str, Records[Any] | NotSupported]:
    """Return what a platform keeps; asks an adapter with settings of no store."""
    home = getattr(adapter, "sandbox", "")
    values = import_module(home).settings() if home else adapter.settings_from_url("nowhere")
    return adapter(adapter.Settings.model_validate(values)).kinds()
