"""Files that Shopify takes in before a call names them."""

from __future__ import annotations

from typing import Any

from storebridge.adapter import Change
from storebridge.flow import FilePart, Flow, Multipart, Request, RequestKind, send
from storebridge_shopify.records import mutate

__all__ = ["staged"]


def staged(
    change: Change[Any], name: str, content: bytes, resource: str, media_type: str
) -> Flow[str]:
    """Upload a file to where Shopify says, and return the address that it is known by then.

    Args:
        change: what it is for.
        name: the file's name.
        content: its bytes.
        resource: what kind of file it is (StagedUploadTargetGenerateUploadResource).
        media_type: its MIME type.
    """
    asked = {"filename": name, "mimeType": media_type, "resource": resource, "httpMethod": "POST"}
    asked["fileSize"] = str(len(content))
    payload = yield from mutate("staged_uploads", "stagedUploadsCreate", {"input": [asked]}, change)
    (target,) = payload["stagedTargets"]
    fields = tuple((each["name"], each["value"]) for each in target["parameters"])
    part = FilePart(name="file", filename=name, content=content, media_type=media_type)
    yield from send(
        Request(
            method="POST",
            path=target["url"],
            kind=RequestKind.SET,
            body=Multipart(fields=fields, files=(part,)),
            covers=(change.id,),
            foreign=True,
            timeout=300.0,
        )
    )
    return str(target["resourceUrl"])
