"""The embedded store: everything that storebridge's models have, in one SQLite file.

It is the default store, the demo and the reference of the conformance kit. A store's URL is
`local:` and a path, relative to the working directory:

    local:shop.db
    local:shop.db?currency=USD&locales=en,de&weight_unit=lb
    local::memory:

A file that doesn't exist is made, readable by its owner only, with an identity of its own and one
location, "Default". Its currency is fixed then; the other settings may be given anew each time.

What it does, where platforms differ:

* Handles, SKUs and the other keys of a kind belong to one record; a second one is a conflict.
* A record without a handle gets one made of its title. A product has at least one variant.
* Membership is kept by id, so a collection whose handle changes keeps its products. Rules of
  collections are stored, not evaluated. Related products are keys, stored as given.
* A price in another currency than the store's is refused; so is stock at an unknown location.
* A batch is one transaction, and the file remembers for 30 days which changes it has made: a
  batch that comes again after a kill is answered from that.
* Any number of threads and processes may use a file at once; writers wait for each other.
"""

from storebridge_local.adapter import LocalAdapter, LocalSettings

__all__ = ["LocalAdapter", "LocalSettings"]
