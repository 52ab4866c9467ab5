"""Files that Shopify takes in before a call names them."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import NamedTuple

from storebridge.errors import Rejected
from storebridge.flow import FilePart, Flow, Multipart, Request, send
from storebridge_shopify.graphql import call, check

__all__ = ["TRANSFER", "Staged", "file_part", "staged"]

#: Seconds that a file of up to 100 MB may take on its way.
TRANSFER = 300.0


class Staged(NamedTuple):
    """Where a file lies until a call names it."""

    url: str
    """The address that media and imports name."""
    key: str
    """The path that bulk jobs name."""


def file_part(path: Path) -> FilePart:
    """Return a file as an upload names it."""
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return FilePart(name="file", filename=path.name, content=path, media_type=media_type)


def staged(file: FilePart, resource: str) -> Flow[Staged]:
    """Upload a file to where Shopify says, and return what it is known by then.

    No record is touched by a file that lies in wait, so it may be sent as often as it takes.

    Args:
        file: the file; its field is named "file" and comes last, as Shopify asks for.
        resource: what kind of file it is (StagedUploadTargetGenerateUploadResource).
    """
    content = file.content
    size = content.stat().st_size if isinstance(content, Path) else len(content)
    asked = {
        "filename": file.filename,
        "mimeType": file.media_type,
        "resource": resource,
        "httpMethod": "POST",
        "fileSize": str(size),
    }
    payload = check((yield from call("staged_uploads", {"input": [asked]}))["stagedUploadsCreate"])
    (target,) = payload["stagedTargets"]
    fields = {each["name"]: each["value"] for each in target["parameters"]}
    if "key" not in fields:
        raise Rejected("Shopify named no path for an upload")
    body = Multipart(fields=tuple(fields.items()), files=(file,))
    yield from send(
        Request(method="POST", path=target["url"], body=body, foreign=True, timeout=TRANSFER)
    )
    return Staged(str(target["resourceUrl"]), str(fields["key"]))
