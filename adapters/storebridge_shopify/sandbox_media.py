"""Files and media of the sandbox: staged uploads, states that come later, and who uses a file.

A file is UPLOADED, some requests later PROCESSING, then READY or FAILED; an image has no address
before (recorded). A file whose address is dead fails then, without user errors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from storebridge_shopify.sandbox_fields import (
    Info,
    Refused,
    TopError,
    connection,
    field,
    mutation,
    user_error,
)
from storebridge_shopify.sandbox_search import Listing
from storebridge_shopify.sandbox_state import Doc, State, split

__all__ = ["FILES", "add_media", "new_file", "set_files", "status_of"]

Path = tuple[str | int, ...]

_TYPES = {
    "IMAGE": "MediaImage",
    "VIDEO": "Video",
    "EXTERNAL_VIDEO": "ExternalVideo",
    "MODEL_3D": "Model3d",
    "FILE": "GenericFile",
}
_CONTENT = {kind: content for content, kind in _TYPES.items()}
_ENDINGS = {
    "MediaImage": {"png", "gif", "jpg", "jpeg", "webp", "heic", "avif", "svg"},
    "Video": {"mp4", "mov", "webm"},
    "Model3d": {"glb", "usdz"},
}
_MOST_ALT, _MOST_MEDIA, _MOST_URL = 512, 250, 2048


def staged(state: State) -> str:
    """Return the address that files are staged at."""
    return state.url or "https://staged-uploads.myshopify.com"


def new_file(state: State, given: Doc, path: Path, prefix: str = "") -> Doc:
    """Make a file of an input's `originalSource`.

    Raises:
        Refused: if the address is none, or the alternative text is too long.
    """
    source, alt = given.get("originalSource") or "", given.get("alt") or ""
    parts = urlsplit(source)
    if parts.scheme not in ("http", "https") or not parts.netloc or len(source) > _MOST_URL:
        text = f"{prefix or 'File'} URL is invalid"
        raise Refused(user_error([*path, "originalSource"], text, "INVALID_IMAGE_SOURCE_URL"))
    if len(alt) > _MOST_ALT:
        text = f"The alt value exceeds the maximum limit of {_MOST_ALT} characters."
        raise Refused(user_error([*path, "alt"], text, "ALT_VALUE_LIMIT_EXCEEDED"))
    name = given.get("filename") or unquote(parts.path.rpartition("/")[2]) or "file"
    if given.get("filename") and _ending(name) != _ending(parts.path):
        text = "Provided filename extension must match original source."
        code = "MISMATCHED_FILENAME_AND_ORIGINAL_SOURCE"
        raise Refused(user_error([*path, "filename"], text, code))
    content = given.get("contentType") or given.get("mediaContentType")
    kind = _TYPES[content] if content else _guessed(name, source)
    failed = _failure(state, source, name, kind)
    return state.add(
        kind, {"alt": alt, "source": source, "filename": name, "failed": failed, **state.begun()}
    )


def _ending(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""


def _guessed(name: str, source: str) -> str:
    if re.match(r"https?://(www\.)?(youtube\.com|youtu\.be|vimeo\.com)/", source):
        return "ExternalVideo"
    found = (kind for kind, endings in _ENDINGS.items() if _ending(name) in endings)
    return next(found, "MediaImage" if not _ending(name) else "GenericFile")


def _failure(state: State, source: str, name: str, kind: str) -> str | None:
    """Return the code that a file will fail with."""
    if any(dead in source for dead in state.option("dead_urls")):
        return "IMAGE_DOWNLOAD_FAILURE" if kind == "MediaImage" else "GENERIC_FILE_DOWNLOAD_FAILURE"
    if source.startswith(staged(state) + "/staged/"):
        body = state.one("SELECT body FROM files WHERE name = ?", source.partition("/staged/")[2])
        if body is None:
            return "INVALID_SIGNED_URL"
        if kind == "MediaImage" and not _is_image(bytes(body)):
            return "UNSUPPORTED_IMAGE_FILE_TYPE"
    return None


def _is_image(body: bytes) -> bool:
    heads = (b"\x89PNG", b"\xff\xd8", b"GIF8", b"<svg", b"<?xml")
    return body.startswith(heads) or body[8:12] == b"WEBP" or body[4:8] == b"ftyp"


def status_of(state: State, doc: Doc) -> str:
    """Return how far the platform has come with a file."""
    age = state.age(doc)
    if age != "done":
        return "UPLOADED" if age == "new" else "PROCESSING"
    return "FAILED" if doc["failed"] else "READY"


def _address(doc: Doc) -> str:
    name = doc["filename"] if _ending(doc["filename"]) else f"{doc['filename']}.jpg"
    number = split(doc["id"])[1]
    return f"https://cdn.shopify.com/s/files/1/0001/files/{name}?v={number}"


# -- of products


def add_media(state: State, product: Doc, given: Sequence[Doc], path: Path) -> list[str]:
    """Make media at the end of a product and return their ids."""
    made = []
    for at, each in enumerate(given):
        made.append(new_file(state, each, (*path, at), "Image")["id"])
    _check_count(len(product["media"]) + len(made), path)
    product["media"] += made
    return made


def set_files(state: State, product: Doc, given: Sequence[Doc], path: Path) -> None:
    """Replace a product's media: an id is kept or attached, an address is fetched.

    The same address twice is one file (the sandbox's choice).
    """
    found: list[str] = []
    sources: dict[str, str] = {}
    for at, each in enumerate(given):
        where = (*path, at)
        if each.get("id"):
            doc = state.get(each["id"], *_CONTENT)
            if doc is None:
                text = f"File id {each['id']} does not exist."
                raise Refused(user_error([*where, "id"], text, "INVALID_INPUT"))
            if each.get("alt") is not None and each["alt"] != doc["alt"]:
                doc["alt"] = each["alt"]
                state.save(doc)
            found.append(doc["id"])
            continue
        source = each.get("originalSource") or ""
        if source not in sources:
            sources[source] = new_file(state, each, where)["id"]
        found.append(sources[source])
    _check_count(len(found), path)
    product["media"] = list(dict.fromkeys(found))
    for id in product["variants"]:
        variant = state.get(id)
        if variant and any(each not in product["media"] for each in variant["media"]):
            variant["media"] = [each for each in variant["media"] if each in product["media"]]
            state.save(variant)


def _check_count(count: int, path: Path) -> None:
    if count > _MOST_MEDIA:
        text = f"Exceeded the maximum of {_MOST_MEDIA} media per product"
        raise Refused(user_error(path, text, "PRODUCT_MEDIA_LIMIT_EXCEEDED"))


@field("Product", "media")
@field("ProductVariant", "media")
def _media(doc: Doc, info: Info, **arguments: Any) -> Doc:
    found = (info.context.get(id) for id in doc["media"])
    return connection((each for each in found if each), **arguments)


@field("Product", "mediaCount")
def _media_count(doc: Doc, _info: Info) -> Doc:
    return {"count": len(doc["media"]), "precision": "EXACT"}


@field("Product", "featuredMedia")
def _featured(doc: Doc, info: Info) -> Doc | None:
    return info.context.get(doc["media"][0]) if doc["media"] else None


@mutation("productVariantDetachMedia")
def _detach(state: State, productId: str, variantMedia: list[Doc]) -> Doc:  # noqa: N803 - the API's names
    return _attached(state, productId, variantMedia, on=False)


@mutation("productVariantAppendMedia")
def _append(state: State, productId: str, variantMedia: list[Doc]) -> Doc:  # noqa: N803 - the API's names
    return _attached(state, productId, variantMedia, on=True)


def _attached(state: State, id: str, given: list[Doc], *, on: bool) -> Doc:
    product = state.get(id, "Product")
    if product is None:
        text = "Product does not exist"
        raise Refused(user_error(["productId"], text, "PRODUCT_DOES_NOT_EXIST"))
    for at, each in enumerate(given):
        variant = state.get(each["variantId"], "ProductVariant")
        if variant is None or variant["id"] not in product["variants"]:
            path = ["variantMedia", at, "variantId"]
            text = "Variant does not exist on the specified product"
            raise Refused(user_error(path, text, "PRODUCT_VARIANT_DOES_NOT_EXIST_ON_PRODUCT"))
        for media in each["mediaIds"]:
            if media not in product["media"] or (not on and media not in variant["media"]):
                path = ["variantMedia", at, "mediaIds"]
                text = "The specified media is not attached to the specified variant"
                raise Refused(user_error(path, text, "MEDIA_IS_NOT_ATTACHED_TO_VARIANT"))
        variant["media"] = list(each["mediaIds"]) if on else [
            media for media in variant["media"] if media not in each["mediaIds"]
        ]  # fmt: skip
        state.save(variant)
    state.save(product)
    return {"product": product}


# -- fields of files


@field("MediaImage", "fileStatus", "status")
@field("Video", "fileStatus", "status")
@field("ExternalVideo", "fileStatus", "status")
@field("Model3d", "fileStatus", "status")
@field("GenericFile", "fileStatus")
def _status(doc: Doc, info: Info) -> str:
    return status_of(info.context, doc)


@field("MediaImage", "fileErrors", "mediaErrors")
@field("Video", "fileErrors", "mediaErrors")
@field("ExternalVideo", "fileErrors", "mediaErrors")
@field("Model3d", "fileErrors", "mediaErrors")
@field("GenericFile", "fileErrors")
def _errors(doc: Doc, info: Info) -> list[Doc]:
    if status_of(info.context, doc) != "FAILED":
        return []
    text = "The file could not be processed." if "DOWN" not in doc["failed"] else "Download failed."
    return [{"code": doc["failed"], "message": text, "details": doc["source"]}]


@field("MediaImage", "mediaContentType")
@field("Video", "mediaContentType")
@field("ExternalVideo", "mediaContentType")
@field("Model3d", "mediaContentType")
def _content_type(doc: Doc, _info: Info) -> str:
    return _CONTENT[doc["__typename"]]


@field("MediaImage", "image")
def _image(doc: Doc, info: Info) -> Doc | None:
    if status_of(info.context, doc) != "READY":
        return None
    return {"id": doc["id"], "url": _address(doc), "altText": doc["alt"], "width": 800,
            "height": 800}  # fmt: skip


@field("MediaImage", "preview")
@field("Video", "preview")
@field("ExternalVideo", "preview")
@field("Model3d", "preview")
@field("GenericFile", "preview")
def _preview(doc: Doc, info: Info) -> Doc:
    return {"status": status_of(info.context, doc), "image": _image(doc, info)}


@field("GenericFile", "url")
def _url(doc: Doc, info: Info) -> str | None:
    return _address(doc) if status_of(info.context, doc) == "READY" else None


@field("ExternalVideo", "embedUrl", "originUrl")
def _embedded(doc: Doc, _info: Info) -> str:
    return str(doc["source"])


# -- files


class _Files(Listing):
    """All types of file in one list."""

    def page(self, state: State, **arguments: Any) -> Doc:
        """Return a page, all sorted by id."""
        found: list[Doc] = []
        for kind in _CONTENT:
            one = Listing(kind, self.root, self.filters)
            query = {"query": arguments.get("query"), "first": 250}
            while True:
                page = one.page(state, **query)
                found += page["nodes"]
                if not page["pageInfo"]["hasNextPage"]:
                    break
                query["after"] = page["pageInfo"]["endCursor"]
        found.sort(key=lambda doc: int(split(doc["id"])[1]))
        return connection(found, **arguments)


FILES = _Files(
    "File",
    "files",
    {
        "id": lambda _state, doc: split(doc["id"])[1],
        "filename": lambda _state, doc: doc["filename"],
        "media_type": lambda _state, doc: _CONTENT[doc["__typename"]],
        "status": status_of,
        "created_at": lambda _state, doc: doc["createdAt"],
        "updated_at": lambda _state, doc: doc["updatedAt"],
    },
)


@field("QueryRoot", "files")
def _files(_root: Any, info: Info, **arguments: Any) -> Doc:
    return FILES.page(info.context, **arguments)


@mutation("fileCreate")
def _file_create(state: State, files: list[Doc]) -> Doc:
    return {"files": [new_file(state, each, ("files", at)) for at, each in enumerate(files)]}


@mutation("fileUpdate")
def _file_update(state: State, files: list[Doc]) -> Doc:
    docs = {each["id"]: state.get(each["id"], *_CONTENT) for each in files}
    missing = [id for id, doc in docs.items() if doc is None]
    if missing:
        names = ", ".join(f'"{id}"' for id in missing)
        text = (
            f"File id [{names}] does not exist."
            if len(missing) == 1
            else f"File ids [{names}] do not exist."
        )
        raise Refused(user_error(["files"], text, "FILE_DOES_NOT_EXIST"))
    found = [doc for doc in docs.values() if doc]
    if any(status_of(state, doc) != "READY" for doc in found):
        text = "Non-ready files cannot be updated."
        raise Refused(user_error(["files"], text, "NON_READY_STATE"))
    for at, each in enumerate(files):
        doc = docs[each["id"]]
        assert doc is not None
        _change_file(state, doc, each, ("files", at))
    return {"files": found}


def _change_file(state: State, doc: Doc, given: Doc, path: Path) -> None:
    if len(given.get("alt") or "") > _MOST_ALT:
        text = f"The alt value exceeds the maximum limit of {_MOST_ALT} characters."
        raise Refused(user_error([*path, "alt"], text, "ALT_VALUE_LIMIT_EXCEEDED"))
    if given.get("alt") is not None:
        doc["alt"] = given["alt"]
    for name, on in (("referencesToAdd", True), ("referencesToRemove", False)):
        for id in given.get(name) or ():
            product = state.get(id, "Product")
            if product is None:
                text = "The reference target does not exist"
                raise Refused(user_error(["files"], text, "REFERENCE_TARGET_DOES_NOT_EXIST"))
            media = [each for each in product["media"] if each != doc["id"]]
            product["media"] = [*media, doc["id"]] if on else media
            _index(state, product)
    state.save(doc)


def _index(state: State, product: Doc) -> None:
    from storebridge_shopify.sandbox_writing import index_product

    index_product(state, product)
    state.save(product)


@mutation("fileDelete")
def _file_delete(state: State, fileIds: list[str]) -> Doc:  # noqa: N803 - the API's name
    missing = [id for id in fileIds if state.get(id, *_CONTENT) is None]
    if missing:
        text = f"File ids {','.join(missing)} do not exist."
        raise Refused(user_error(["fileIds"], text, "FILE_DOES_NOT_EXIST"))
    for id in fileIds:
        for owner in state.holders("Product", "media", split(id)[1]):
            product = state.get(owner)
            assert product is not None
            product["media"].remove(id)
            for variant in (state.get(each) for each in product["variants"]):
                if variant and id in variant["media"]:
                    variant["media"].remove(id)
                    state.save(variant)
            _index(state, product)
        state.delete(id)
    return {"deletedFileIds": fileIds}


# -- staged uploads


@mutation("stagedUploadsCreate")
def _staged(state: State, input: list[Doc]) -> Doc:
    targets = [_target(state, each, at) for at, each in enumerate(input)]
    return {"stagedTargets": targets}


def _target(state: State, given: Doc, at: int) -> Doc:
    """Return where to upload: PUT to a signed address by default, or a POST form (recorded)."""
    resource, name = given["resource"], given["filename"].rpartition("/")[2]
    if resource in ("VIDEO", "MODEL_3D") and given.get("fileSize") is None:
        word = "video" if resource == "VIDEO" else "3D model"
        text = f"file size is required for {word} resources"
        raise Refused(user_error(["input", at, "fileSize"], text))
    if resource == "IMAGE" and not given["mimeType"].startswith("image/"):
        text = f"{name}: ({given['mimeType']}) is not a recognized format"
        raise Refused(user_error(["input", at, "mimeType"], text))
    key = f"tmp/1/{resource.lower()}/{state.number()}/{name}"
    home = f"{staged(state)}/staged/"
    if (given.get("httpMethod") or "PUT") == "PUT":
        parameters = {"content_type": given["mimeType"], "acl": "private"}
        url = f"{home}{key}?X-Goog-Expires=604800"
    else:
        url = home
        parameters = {"Content-Type": given["mimeType"], "success_action_status": "201",
                      "acl": "private", "key": key, "policy": "sandbox",
                      "x-goog-signature": "sandbox"}  # fmt: skip
    state.run("INSERT OR REPLACE INTO facts VALUES (?, 'true')", f"staged {key}")
    return {
        "url": url,
        "resourceUrl": home + key,
        "parameters": [{"name": name, "value": value} for name, value in parameters.items()],
    }


def expected(state: State, key: str) -> None:
    """Refuse an upload that nobody asked for.

    Raises:
        TopError: if there is no such target.
    """
    if not state.fact(f"staged {key}"):
        raise TopError("NoSuchKey", f"no staged upload {key}")
