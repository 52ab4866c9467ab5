"""WooCommerce: shops on WordPress, by its REST interface wc/v3 (WooCommerce 8 and newer).

    storebridge stores add acme woocommerce+https://shop.example

Keys are made in WooCommerce > Settings > Advanced > REST API (permissions Read/Write). A user and
an application password besides let pictures be uploaded from files.

What it does, where platforms differ:

* Categories are the shop's collections, a tree. Tags, attributes and brands are made when missing.
* A regular price and one lower price, which may have dates: see `storebridge.models.prices`. A
  price that WooCommerce would bend or drop is refused before it is sent.
* A product without options is its own variant, with the same id.
* Stock is one number for each product; its location is called "Default".
* Nothing is archived: an archived product becomes private. Deleted ones go to the trash.
* Creating is no transaction and has no key of its own. So each new product carries a mark in its
  metadata (`_storebridge_key`), by which it is known again when an answer was lost.
* An order is made once under its key or its number elsewhere; one without either is refused. The
  order keeps them in its metadata, is found by them, and reads them back in place of the shop's
  own number. Its lines stay as they were made.
* Discounts are coupons with one code each. Reviews are known by who says what about which product,
  since the shop keeps no mark with them; those that wait for approval are read, spam is not.
* An order's notes are its comments, one call for each order, so they are read where they are asked
  for: `store.orders.iter(fields={"comments"})`. A new one with `to_customer` is an e-mail. Parcels
  need a plugin for tracking numbers; without one, a comment tells the customer.
* What was changed since a time is filtered by the shop for products, orders and discounts, and here
  for customers. Reviews have no such date: all are read. A new note doesn't date its order.
* Settings are read by `store.call(Request(method="GET", path="/settings/general"))`, and so for
  `products`, `tax` and the zones in `/shipping/zones`.
* `storebridge_woocommerce.verify` checks what the shop's webhooks send.
* Search engine texts need Yoast or Rank Math; without them they are in the fit report.
"""

from storebridge_woocommerce.adapter import WooCommerceAdapter, WooCommerceSettings, from_api
from storebridge_woocommerce.webhooks import verify

__all__ = ["WooCommerceAdapter", "WooCommerceSettings", "from_api", "verify"]
