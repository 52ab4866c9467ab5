"""WordPress' own API, wp/v2: the site, its users, settings and the media library.

WordPress 6.9: consumer keys don't count here, an application password does.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import datetime, timedelta
from typing import Any

from storebridge.flow import Multipart, Response
from storebridge.testing.sandbox import header
from storebridge_woocommerce.sandbox_call import Answer, Call, body_of
from storebridge_woocommerce.sandbox_lists import Where, by_ids, rows_of, words_in
from storebridge_woocommerce.sandbox_media import address_of, picture_sizes, store_file
from storebridge_woocommerce.sandbox_records import Routes, page
from storebridge_woocommerce.sandbox_state import Doc, Refusal, State
from storebridge_woocommerce.sandbox_text import paragraphs, plain, slugged

__all__ = ["arguments", "front", "index", "routes"]

_NAMESPACES = (
    "oembed/1.0", "wc/v3", "wc/v1", "wc/pos/v1/catalog", "jetpack/v4", "wc-admin", "wc-analytics",
    "wc/store", "wc/store/v1", "wc/private", "wc/v2", "wc-admin-email", "wc-telemetry",
    "wccom-site/v3", "wp-abilities/v1", "wp/v2", "wp-site-health/v1", "wp-block-editor/v1",
)  # fmt: skip
_PAGING: dict[str, Doc] = {
    "context": {"type": "string", "enum": ["view", "embed", "edit"], "default": "view"},
    "page": {"type": "integer", "default": 1, "minimum": 1},
    "per_page": {"type": "integer", "default": 10, "minimum": 1, "maximum": 100},
    "search": {"type": "string"},
    "include": {"type": "array", "items": {"type": "integer"}, "default": []},
    "exclude": {"type": "array", "items": {"type": "integer"}, "default": []},
    "offset": {"type": "integer"},
    "order": {"type": "string", "default": "desc", "enum": ["asc", "desc"]},
    "modified_after": {"type": "string", "format": "date-time"},
}


def routes() -> Routes:
    """Return the endpoints, by path under wp/v2."""
    item = "/media/(?P<id>[\\d]+)"
    return {
        "/media": {"GET": _media, "POST": _upload},
        item: {"GET": _medium, "DELETE": _drop, **dict.fromkeys(("POST", "PUT", "PATCH"), _set)},
        "/users/me": {"GET": _me},
        "/settings": {"GET": _site},
    }


def arguments(route: str, verb: str) -> dict[str, Doc]:
    """Return the arguments of a call that are checked."""
    return _PAGING if verb == "GET" and "(" not in route else {}


def index(state: State) -> Doc:
    """Return what the API says of itself: its real address above all."""
    options = state.options
    zone = options["timezone_string"]
    offset = datetime.fromtimestamp(state.clock(), state.zone).utcoffset() or timedelta()
    hours = offset.total_seconds() / 3600
    return {
        "name": options["title"], "description": "", "url": options["url"], "home": options["url"],
        "gmt_offset": int(hours) if hours.is_integer() else hours, "timezone_string": zone,
        "page_for_posts": 0, "page_on_front": 0,
        "show_on_front": "posts", "namespaces": list(_namespaces(state)),
        "authentication": {"application-passwords": {"endpoints": {
            "authorization": f"{options['url']}/wp-admin/authorize-application.php"}}},
        "routes": {},
    }  # fmt: skip


def _namespaces(state: State) -> tuple[str, ...]:
    extra = {
        "yoast": "yoast/v1",
        "rankmath": "rankmath/v1",
        "wpml": "wpml/v1",
        "polylang": "pll/v1",
    }
    return (*_NAMESPACES, *(extra[word] for word in state.options["plugins"] if word in extra))


# ---------------------------------------------------------------------------------------- media


def _found(call: Call) -> Doc:
    found = call.state.post("attachment", int(call.url["id"]))
    if found is None:
        raise Refusal("rest_post_invalid_id", "Invalid post ID.", 404)
    return found


def _media(call: Call) -> Answer:
    where = Where("kind = 'attachment'")
    by_ids(call, where)
    if call["slug"]:
        where.add("slug = ?", call["slug"])
    if call["search"]:
        words_in(where, str(call["search"]), "title", "slug", "sku")
    rows, total = rows_of(call, where)
    size, number = int(call["per_page"]), int(call["page"])
    if number > 1 and (number - 1) * size >= total:
        # WordPress 6.9: past the end wp/v2 refuses, where wc/v3 answers an empty page.
        text = "The page number requested is larger than the number of pages available."
        raise Refusal("rest_post_invalid_page_number", text)
    return page(call, [_shown(call.state, row, call["context"]) for row in rows], total)


def _medium(call: Call) -> Answer:
    return Answer(_shown(call.state, _found(call), plain(call["context"]) or "view"))


def _upload(call: Call) -> Answer:
    state, body = call.state, call.request.body
    if not call.user:
        text = "Sorry, you are not allowed to create posts as this user."
        raise Refusal("rest_cannot_create", text, 401)
    if isinstance(body, Multipart):
        part = body.files[0]
        content = part.content if isinstance(part.content, bytes) else part.content.read_bytes()
        post = store_file(state, part.filename, content)
    else:
        post = store_file(state, _file_name(call), _checked_body(call))
    _describe(state, post, {**call.query, **call.form})
    headers = {
        "location": f"{state.options['url']}/wp-json/wp/v2/media/{post['id']}",
        "x-wp-upload-attachment-id": str(post["id"]),
    }
    return Answer(_shown(state, post, "edit"), 201, headers)


def _file_name(call: Call) -> str:
    text = header(call.request, "content-disposition")
    if not text:
        words = "No Content-Disposition supplied."
        raise Refusal("rest_upload_no_content_disposition", words)
    found = re.search(r'filename\*?="?([^";]+)"?', text)
    if found is None:
        words = (
            "Invalid Content-Disposition supplied. Content-Disposition needs to be formatted as "
            '`attachment; filename="image.png"` or similar.'
        )
        raise Refusal("rest_upload_invalid_disposition", words)
    return found[1]


def _checked_body(call: Call) -> bytes:
    body = body_of(call.request)
    if not body:
        raise Refusal("rest_upload_no_data", "No data supplied.")
    wanted = header(call.request, "content-md5")
    if wanted and wanted.strip() != hashlib.md5(body, usedforsecurity=False).hexdigest():
        text = "Content hash did not match expected."
        raise Refusal("rest_upload_hash_mismatch", text, 412)
    return body


def _set(call: Call) -> Answer:
    post = _found(call)
    if not call.user:
        text = "Sorry, you are not allowed to edit this post."
        raise Refusal("rest_cannot_edit", text, 401)
    _describe(call.state, post, call.merged())
    return Answer(_shown(call.state, post, "edit"))


def _describe(state: State, post: Doc, given: Doc) -> None:
    fresh = post["slug"] == slugged(post["name"])
    if given.get("title"):
        post["name"] = plain(given["title"])
        if fresh and "id" not in given:
            post["slug"] = slugged(post["name"])
    for name, column in (
        ("alt_text", "alt"),
        ("caption", "caption"),
        ("description", "description"),
    ):
        if given.get(name) is not None:
            post[column] = plain(given[name])
    if any(name in given for name in ("title", "alt_text", "caption", "description", "post")):
        state.touch(post)
    state.save_post(post)


def _drop(call: Call) -> Answer:
    post = _found(call)
    if call["force"] not in (True, "true", "1", 1):
        text = "The post does not support trashing. Set 'force=true' to delete."
        raise Refusal("rest_trash_not_supported", text, 501)
    shown = _shown(call.state, post, "edit")
    shown.pop("_links")
    call.state.drop_post(post["id"])
    return Answer({"deleted": True, "previous": shown})


def front(state: State, path: str) -> Response | None:
    """Return a page or file of the shop itself, None for a path of the API."""
    pretty = state.options["permalinks"] == "pretty"
    if path.startswith("/wp-json") and pretty:
        return None
    if path.startswith("/wp-content/uploads/"):
        return _file(state, path.removeprefix("/wp-content/uploads/"))
    slug = path.strip("/").removeprefix("product/")
    if path.startswith("/product/"):
        if state.one("SELECT 1 FROM posts WHERE kind = 'product' AND slug = ?", slug):
            return _page(200, slug)
        # WordPress 6.9: after a change of its slug a product's old address leads to the new one.
        sql = (
            "SELECT slug FROM posts, json_each(doc, '$.old_slugs') old"
            " WHERE posts.kind = 'product' AND old.value = ?"
        )
        moved = state.one(sql, slug)
        if moved:
            target = f"{state.options['url']}/product/{moved}/"
            return Response(status=301, headers={"location": target, "content-type": "text/html"})
    if path.startswith("/index.php"):
        return None
    return _page(200, "Sandbox") if path == "/" else _page(404, "Page not found")


def _page(status: int, title: str) -> Response:
    body = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body></body></html>\n"
    headers = {"content-type": "text/html; charset=UTF-8"}
    return Response(status=status, headers=headers, body=body.encode())


def _file(state: State, name: str) -> Response:
    found = state.one("SELECT doc FROM things WHERE kind = 'file' AND key = ?", name)
    if found is None:
        return _page(404, "Page not found")
    kind = "image/jpeg" if name.endswith((".jpg", ".jpeg")) else f"image/{name.rpartition('.')[2]}"
    body = base64.b64decode(json.loads(found)["body"])
    return Response(status=200, headers={"content-type": kind}, body=body)


# ---------------------------------------------------------------------------------------- shown


def _shown(state: State, post: Doc, context: str) -> Doc:
    url, number, edit = state.options["url"], post["id"], context == "edit"
    guid = address_of(state, post)
    slug = post["slug"]
    shown: Doc = {
        "id": number, "date": state.local(post["created_gmt"]), "date_gmt": post["created_gmt"],
        "guid": _text(guid, guid, edit=edit), "modified": state.local(post["modified_gmt"]),
        "modified_gmt": post["modified_gmt"], "slug": slug, "status": "inherit",
        "type": "attachment", "link": f"{url}/{slug}/",
        "title": _text(post["name"], post["name"], edit=edit), "author": 1, "featured_media": 0,
        "comment_status": "open", "ping_status": "closed", "template": "", "meta": [],
        "class_list": [f"post-{number}", "attachment", "type-attachment", "status-inherit",
                       "hentry"],
        "description": _text(post["description"], _picture(state, post), edit=edit),
        "caption": _text(post["caption"], paragraphs(post["caption"]), edit=edit),
        "alt_text": post["alt"], "media_type": "image" if post["width"] else "file",
        "mime_type": post["mime"], "media_details": _details(state, post),
        "post": post["parent_id"] or None, "source_url": guid,
    }  # fmt: skip
    if edit:
        shown |= {
            "permalink_template": f"{url}/?attachment_id={number}",
            "generated_slug": slugged(post["name"]), "missing_image_sizes": [],
        }  # fmt: skip
    shown["_links"] = _links(f"{url}/wp-json/wp/v2", number)
    return shown


def _text(raw: str, rendered: str, *, edit: bool) -> Doc:
    return {"raw": raw, "rendered": rendered} if edit else {"rendered": rendered}


def _picture(state: State, post: Doc) -> str:
    """Return the HTML that shows a picture."""
    sizes = picture_sizes(post)
    medium = sizes.get("medium") or sizes.get("woocommerce_thumbnail")
    if medium is None:
        return ""
    full, wide = address_of(state, post), post["width"]
    alike = [one for one in dict.fromkeys((medium, *sizes.values()))
             if abs(one[0] * post["height"] / wide - one[1]) <= 1]  # fmt: skip
    sources = [f"{address_of(state, post, one)} {one[0]}w" for one in alike]
    return (
        f'<p class="attachment"><a href=\'{full}\'><img loading="lazy" decoding="async" '
        f'width="{medium[0]}" height="{medium[1]}" src="{address_of(state, post, medium)}" '
        f'class="attachment-medium size-medium" alt="{post["alt"]}" '
        f'srcset="{", ".join((*sources, f"{full} {wide}w"))}" '
        f'sizes="auto, (max-width: {medium[0]}px) 100vw, {medium[0]}px" /></a></p>\n'
    )


def _details(state: State, post: Doc) -> Doc:
    sizes: Doc = {}
    for name, (width, height) in picture_sizes(post).items():
        address = address_of(state, post, (width, height))
        sizes[name] = {"file": address.rpartition("/")[2], "width": width, "height": height,
                       "filesize": width * height // 16, "mime_type": post["mime"],
                       "source_url": address}  # fmt: skip
    if "woocommerce_thumbnail" in sizes:
        sizes["woocommerce_thumbnail"]["uncropped"] = False
    full = address_of(state, post)
    sizes["full"] = {"file": full.rpartition("/")[2], "width": post["width"],
                     "height": post["height"], "mime_type": post["mime"],
                     "source_url": full}  # fmt: skip
    names = ("credit", "camera", "caption", "copyright", "title")
    numbers = ("aperture", "created_timestamp", "focal_length", "iso", "shutter_speed",
               "orientation")  # fmt: skip
    meta: Doc = {**dict.fromkeys(names, ""), **dict.fromkeys(numbers, "0"), "keywords": []}
    return {"width": post["width"], "height": post["height"], "file": post["sku"],
            "filesize": post["filesize"], "sizes": sizes, "image_meta": meta}  # fmt: skip


def _links(base: str, number: int) -> Doc:
    own = {"href": f"{base}/media/{number}"}
    allowed = {"targetHints": {"allow": ["GET", "POST", "PUT", "PATCH", "DELETE"]}}
    return {
        "self": [{**own, **allowed}], "collection": [{"href": f"{base}/media"}],
        "about": [{"href": f"{base}/types/attachment"}],
        "author": [{"embeddable": True, "href": f"{base}/users/1"}],
        "replies": [{"embeddable": True, "href": f"{base}/comments?post={number}"}],
        "wp:action-unfiltered-html": [own], "wp:action-assign-author": [own],
        "curies": [{"name": "wp", "href": "https://api.w.org/{rel}", "templated": True}],
    }  # fmt: skip


# ----------------------------------------------------------------------------------------- site


def _me(call: Call) -> Answer:
    if not call.user:
        raise Refusal("rest_not_logged_in", "You are not currently logged in.", 401)
    url = call.state.options["url"]
    shown: dict[str, Any] = {"id": call.user, "name": "admin", "url": "", "description": "",
                             "link": f"{url}/author/admin/", "slug": "admin", "meta": [],
                             "is_super_admin": True}  # fmt: skip
    if call["context"] == "edit":
        shown |= {"username": "admin", "roles": [call.role],
                  "capabilities": {"manage_woocommerce": True, "upload_files": True}}  # fmt: skip
    base = f"{url}/wp-json/wp/v2/users"
    shown["_links"] = {"self": [{"href": f"{base}/{call.user}"}], "collection": [{"href": base}]}
    return Answer(shown)


def _site(call: Call) -> Answer:
    if not call.user:
        text = "Sorry, you are not allowed to do that."
        raise Refusal("rest_forbidden", text, 401)
    options = call.state.options
    return Answer({
        "title": options["title"], "description": "", "url": options["url"],
        "email": "admin@example.com", "timezone": options["timezone_string"] or "UTC",
        "date_format": "F j, Y", "time_format": "g:i a", "start_of_week": 1,
        "language": "en_US", "use_smilies": True, "default_category": 1,
        "default_post_format": "0", "posts_per_page": 10, "show_on_front": "posts",
        "page_on_front": 0, "page_for_posts": 0, "default_ping_status": "open",
        "default_comment_status": "open", "site_logo": None, "site_icon": 0,
    })  # fmt: skip
