"""Pictures: a file is taken in once, told by its source, and known by its id afterwards."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from storebridge.flow import Multipart, Request
from storebridge.models import Media, Product
from storebridge.parts import declared
from storebridge.testing.kit.base import Base, part_of
from storebridge.testing.rig import Rig
from storebridge.testing.samples import prune

__all__ = ["MediaTests"]

#: A whole PNG of four by four pixels.
_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAQAAAAECAIAAAAmkwkpAAAAEElEQVR4nGM4wcAARwzEcQBRwwyB7RhOggAA"
    "AABJRU5ErkJggg=="
)


class MediaTests(Base):
    """Local files as the pictures of products."""

    def test_a_picture_file_is_taken_in_and_told(self, rig: Rig) -> None:
        """A file becomes one medium, and the outcome says which source it was made of."""
        product = _pictured(self, rig)
        live = rig.read("product", rig.create(product))
        assert len(live.media) == 1, f"one file made {len(live.media)} media"
        made = {key: medium for key, medium in rig.media.items() if medium == live.media[0].id}
        assert not set(product.media[0].element_keys()).isdisjoint(made), (
            "no Outcome.media says which medium came of the file: planning again would upload it "
            "once more"
        )

    def test_a_medium_with_an_id_is_never_uploaded_again(self, rig: Rig) -> None:
        """A second run that gives the medium by its id sends no file, and makes no other medium."""
        product = _pictured(self, rig)
        record_id = rig.create(product)
        medium = rig.read("product", record_id).media[0]
        sent = len(rig.exchanges)
        fields = rig.records("product").fields
        again = prune(Product(media=(Media(id=medium.id, alt="Kit, seen anew"),)), fields)
        known = again.model_copy(
            update={"media": tuple(m.model_copy(update={"id": medium.id}) for m in again.media)}
        )
        rig.update("product", record_id, part_of("media", fields), known)
        held = rig.read("product", record_id).media
        assert [each.id for each in held] == [medium.id], "the medium was made anew"
        files = [e.request.path for e in rig.exchanges[sent:] if _has_file(e.request)]
        assert not files, f"files were uploaded again: {files}"


def _pictured(kit: Base, rig: Rig) -> Product:
    """Return a product with one picture file; skip where the store takes none."""
    records = kit.supported(rig, "product")
    known = declared("media.url", records.fields)
    if known is None or not known.write:
        pytest.skip("this platform takes no pictures of products")
    path = rig.folder / "kit-picture.png"
    path.write_bytes(_PNG)
    product: Product = kit.small(rig, "product", "kit-picture")
    return product.model_copy(
        update={"media": (Media(url=path.resolve().as_uri(), alt="Kit picture"),)}
    )


def _has_file(request: Request) -> bool:
    body = request.body
    return isinstance(body, Path) or (isinstance(body, Multipart) and bool(body.files))
