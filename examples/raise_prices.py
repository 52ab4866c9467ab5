"""Re-price a live store: the store is its own source, and a plain function is the transform."""

from decimal import ROUND_HALF_UP, Decimal

import storebridge
from storebridge.models import Product, Variant


def dearer(desired: Product, live: Product) -> Product:
    """Return the product with every price raised by five percent, to the cent."""
    variants = tuple(
        Variant(id=v.id, price=(v.price * Decimal("1.05")).rounded(ROUND_HALF_UP))
        for v in live.variants
        if v.price is not None
    )
    return desired.but(variants=variants)


with storebridge.open("local:shop.db") as store:
    plan = store.plan(store, "prices.plan", transforms=[dearer])
    for row in plan.rows():
        print(row["record"], row["field"], row["before"], "->", row["after"])
    print(plan.apply())
    undo = plan.undo("undo.plan")
    print("undone:", undo.apply())
