"""The same in an asynchronous program: `AsyncStore` has the same names."""

import asyncio

import storebridge


async def main() -> None:
    """Count the products of a store by their status."""
    async with storebridge.open_async("local:shop.db") as store:
        counts: dict[str, int] = {}
        async for product in store.products.iter():
            counts[product.status] = counts.get(product.status, 0) + 1
        print(counts)


asyncio.run(main())
