"""Tasks: transforms of desired records, with their inputs. They know the models, and no store.

`storebridge.tasks.listing` edits products: set, clear, find and replace.
"""

from __future__ import annotations
