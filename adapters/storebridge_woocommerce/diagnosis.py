"""What an answer means, and what stands behind a refused connection, with the remedy.

WordPress, WooCommerce, their plugins, and what stands before them (firewalls, proxies, caches)
refuse in many ways and often with the same words. `meaning` reads one answer; `who_is_asking` and
`no_index` ask the site one question more, to tell causes apart that look the same.
Source: recorded exchanges (authentication, permissions, errors).
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from storebridge.errors import (
    AccessDenied,
    ApiError,
    AuthError,
    ConfigError,
    Conflict,
    NotFound,
    RateLimited,
    Rejected,
    StorebridgeError,
    Unavailable,
    Unreadable,
)
from storebridge.flow import Flow, Request, Response, send
from storebridge.wire import excerpt, json_of, loads, retry_after, status_error

__all__ = ["item_error", "meaning", "no_index", "who_is_asking"]

_TAGS = re.compile(r"<[^>]*>")
#: Codes whose status says something else than what is meant.
_CODES: Mapping[str, type[ApiError]] = {
    "woocommerce_rest_product_invalid_id": NotFound,
    "woocommerce_rest_product_variation_invalid_id": NotFound,
    "woocommerce_rest_term_invalid": NotFound,
    "woocommerce_rest_invalid_id": NotFound,
    "woocommerce_rest_already_trashed": NotFound,
    "product_invalid_sku": Conflict,
    "product_invalid_global_unique_id": Conflict,
    "woocommerce_rest_product_not_created": Conflict,
    "term_exists": Conflict,
    "registration-error-email-exists": Conflict,
    "registration-error-username-exists": Conflict,
    "existing_user_email": Conflict,
    "woocommerce_rest_coupon_code_already_exists": Conflict,
    "rate_limit_exceeded": RateLimited,
}
_REMEDIES: Mapping[str, str] = {
    "Consumer secret is invalid": (
        "Give the consumer secret that belongs to this key: they are shown once, when the key is "
        "made in WooCommerce > Settings > Advanced > REST API."
    ),
    "Consumer key is invalid": (
        "Check the consumer key (ck_...) in WooCommerce > Settings > Advanced > REST API; it may "
        "have been revoked."
    ),
    "does not match": (
        "Check the consumer secret. If it is right, the site calls itself by another address than "
        "the one in the store's URL: use the Site Address of WordPress > Settings > General."
    ),
    "Invalid timestamp": (
        "Set this machine's clock: it differs from the server's by more than 15 minutes."
    ),
    "does not have write permissions": (
        "Set the key's permissions to Read/Write in WooCommerce > Settings > Advanced > REST API."
    ),
    "does not have read permissions": (
        "Set the key's permissions to Read/Write in WooCommerce > Settings > Advanced > REST API."
    ),
    "product_invalid_sku": "Another product has this SKU: use its SKU no more, or another one.",
    "woocommerce_rest_product_not_created": (
        "A product in the trash may have this SKU: restore it, or delete it for good."
    ),
    "product_invalid_global_unique_id": "Another product has this GTIN: correct one of them.",
    "term_exists": "There is one with this name already: use its handle, or another name.",
    "woocommerce_product_image_upload_error": (
        "Check that the picture's address can be opened by the shop's server, on port 80, 443 or "
        "8080, and leads to a JPEG, PNG, GIF or WebP with such a file name."
    ),
    "woocommerce_rest_cannot_delete": "WooCommerce keeps its default category.",
}
_HEADER = (
    "The server drops the Authorization header, or a proxy in front of it ends TLS without telling "
    "PHP. For Apache: 'SetEnvIf Authorization \"(.*)\" HTTP_AUTHORIZATION=$1' in .htaccess; for "
    "nginx: pass the header, and HTTPS on, to PHP-FPM."
)
_UNSIGNED = (
    "Over http each request carries a signature in its address (oauth_…), which something before "
    "the shop takes away: let it through, or give the store's URL with https."
)
_ROLE = "Make the key for a user with the role Shop manager or Administrator."


def meaning(response: Response) -> StorebridgeError | None:
    """Return the error in an answer, None for one that can be read."""
    if response.status < 300:
        return _unreadable(response)
    details = _details(response)
    error = _error(response, details)
    if isinstance(error, ApiError):
        error.retry_after = retry_after(response.headers, response.sent_at)
    return error


def item_error(details: Any, request_id: str = "") -> ApiError:
    """Return the error of one item of a batch."""
    data = details.get("data") if isinstance(details, dict) else None
    status = data.get("status") if isinstance(data, dict) else data
    code = str(details.get("code", "")) if isinstance(details, dict) else ""
    status = status if isinstance(status, int) and 400 <= status < 600 else 400
    answer = Response(status=status, request_id=request_id)
    error = _error(answer, details if isinstance(details, dict) else {})
    if isinstance(error, ApiError):
        # 5xx of one item is an answer about it, not a server that failed.
        if isinstance(error, Unavailable):
            return Rejected(str(error), status=status, code=code, request_id=request_id)
        return error
    return Rejected("the store refused it", status=status, code=code, request_id=request_id)


def who_is_asking(*, signed: bool) -> Flow[StorebridgeError | None]:
    """Return why a key was taken for nobody's, None if that can't be told.

    A key that is not known is told as such where requests are signed: what wasn't told didn't come.

    WordPress takes the header for a user's name and an application password: it says that there
    is no such user where the header arrived, and that nobody is logged in where it didn't.
    """
    try:
        yield from send(Request(method="GET", path="/wp-json/wp/v2/users/me"))
    except ApiError as answer:
        if signed:
            return _refused("the shop did not see the signature.", answer, _UNSIGNED)
        if answer.code == "rest_not_logged_in":
            return _refused("the shop did not see the credentials.", answer, _HEADER)
        if answer.code in ("invalid_username", "incorrect_password", "invalid_email"):
            remedy = _REMEDIES["Consumer key is invalid"]
            return _refused("the shop does not know the consumer key.", answer, remedy)
    except StorebridgeError:
        return None
    return None


def _refused(message: str, answer: ApiError, remedy: str) -> AuthError:
    return AuthError(
        message, status=401, code=answer.code, request_id=answer.request_id, remedy=remedy
    )


def no_index(error: ApiError, base_url: str) -> Flow[StorebridgeError]:
    """Return why a site has no index: plain permalinks, or no WordPress; else the same error."""
    if 300 <= error.status < 400:
        return error
    request = Request(method="GET", path="/", params=(("rest_route", "/"),))
    try:
        index = json_of((yield from send(request)))
    except StorebridgeError:
        index = None
    if isinstance(index, dict) and "namespaces" in index:
        return ConfigError(
            f"{base_url} has plain permalinks, under which WooCommerce's keys don't work. Choose "
            "another structure in WordPress > Settings > Permalinks, 'Post name' say"
        )
    if isinstance(error, NotFound):
        return ConfigError(
            f"{base_url} is no WordPress site, or its REST interface is hidden: there is nothing "
            "at /wp-json/. Check the store's URL; for a site in a folder, give the folder too"
        )
    return error


def _unreadable(response: Response) -> Unreadable | None:
    """Return the error of a good status without JSON; a PHP notice before the JSON is passed over.

    What plugins print comes before the JSON, with the status and type of a good answer.
    """
    try:
        json_of(response)
    except Unreadable as error:
        if _salvaged(response):
            return None
        if _is_page(response):
            return Unreadable(
                "a page came instead of the shop's answer: "
                f"it begins with {excerpt(response.body, 80)!r}.",
                status=response.status,
                request_id=response.request_id,
                remedy="A firewall or a cache stands before the shop: let requests to /wp-json/ "
                "through there, for this machine's address.",
            )
        return error
    return None


def _salvaged(response: Response) -> bool:
    """Keep the JSON behind a notice as the answer's; False if there is none to the very end."""
    body = response.body
    if body.rstrip()[-1:] not in (b"]", b"}"):
        return False
    for match in list(re.finditer(rb"(?:^|[>\n])\s*([\[{])", body))[:20]:
        try:
            response.read["json"] = loads(body[match.start(1) :])
        except Unreadable:
            continue
        return True
    return False


def _is_page(response: Response) -> bool:
    start = response.body[:400].lstrip().lower()
    return start.startswith((b"<!doctype", b"<html", b"<head", b"<!--"))


def _details(response: Response) -> Mapping[str, Any]:
    """Return the platform's own words on an error; none where it isn't the platform that spoke."""
    try:
        body = json_of(response)
    except Unreadable:
        body = response.read["json"] if _salvaged(response) else {}
    return body if isinstance(body, dict) else {}


def _error(response: Response, details: Mapping[str, Any]) -> StorebridgeError:
    code, message = str(details.get("code") or ""), _message(details)
    remedy = next((text for sign, text in _REMEDIES.items() if sign in (code or "-", message)), "")
    remedy = remedy or next((text for sign, text in _REMEDIES.items() if sign in message), "")
    kind = _CODES.get(code)
    if response.status == 401 and "permissions" in message:
        kind = AccessDenied
    if kind is None:
        return _by_status(response, code, message, details, remedy)
    return kind(
        message or code,
        status=response.status,
        code=code,
        request_id=response.request_id,
        fields=_fields(details),
        remedy=remedy,
    )


def _by_status(
    response: Response, code: str, message: str, details: Mapping[str, Any], remedy: str
) -> StorebridgeError:
    status, page = response.status, _is_page(response)
    if status == 403 and code.startswith("woocommerce_rest_cannot"):
        remedy = _ROLE
    elif status == 403 and (page or code == "wp_die"):
        message = message or "a firewall or a security plugin refused the request."
        remedy = "Let this machine's address through there, for requests to /wp-json/."
    elif status in (401, 403) and code.startswith(("rest_", "disabled", "restricted")):
        remedy = "A plugin has switched WordPress's REST interface off: allow it for this user."
    elif status == 503 and code == "wp_die":
        remedy = "The shop is in maintenance: try again later."
    elif status == 413:
        remedy = "The server takes no body of this size: raise its limit (client_max_body_size)."
    return status_error(response, message, code=code, fields=_fields(details), remedy=remedy)


def _message(details: Mapping[str, Any]) -> str:
    """Return the message as plain text; WordPress puts HTML and entities into it."""
    text = details.get("message")
    if not isinstance(text, str):
        return ""
    text = " ".join(html.unescape(_TAGS.sub(" ", text)).split())[:300]
    return f"{text}." if text and text[-1] not in ".!?" else text


def _fields(details: Mapping[str, Any]) -> dict[str, str]:
    data = details.get("data")
    params = data.get("params") if isinstance(data, dict) else None
    return {str(k): str(v) for k, v in params.items()} if isinstance(params, dict) else {}
