"""Template: a made-up platform with an HTTP interface. Copy this package to start an adapter.

What the platform does, where platforms differ:

* REST and JSON under `/v1`, with a token in a header. Amounts are text beside a currency.
* A product is created whole, its variants inside. Stock, market prices, translations and
  collections have a call of their own each, which sets what it names and leaves the rest.
* A handle that is taken, or missing, is made unique without a word: sending a create twice makes
  two products. So an answer that was lost is looked for by key before anything is sent again.
* SKUs and customers' e-mail addresses are unique: a second one is refused with 409.
* It keeps no orders and no pictures.
"""

from storebridge_template.adapter import TemplateAdapter, TemplateSettings

__all__ = ["TemplateAdapter", "TemplateSettings"]
