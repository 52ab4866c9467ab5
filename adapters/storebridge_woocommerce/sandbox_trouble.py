"""What goes wrong between a client and WordPress: gateways, plugins, firewalls, fatal errors.

A switch `troubles` holds what happens to the next requests, each entry
`"<kind>"`, `"<kind>*3"` (three times) or `"<kind>*"` (until it is taken away):

* `notice`, `bom`: a PHP warning or a byte order mark before the JSON;
* `empty`: an empty 200; `challenge`: a firewall's page of HTML with 200; `firewall`: 403;
* `maintenance`: 503; `bad_gateway`: 502 before the work; `timeout`: 504 after it;
* `fatal`: a PHP fatal error before the work, `late_fatal` after it;
* `too_large`: 413 of the web server; `busy`: 429.
"""

from __future__ import annotations

from storebridge.flow import Request, Response
from storebridge.testing.sandbox import answer, header
from storebridge_woocommerce.sandbox_state import State

__all__ = ["AFTER", "BEFORE", "fatal", "gateway", "next_trouble", "spoiled", "stopped"]

#: Troubles that come before WordPress does anything, and those that come after.
BEFORE = ("maintenance", "bad_gateway", "fatal", "too_large", "busy", "firewall", "challenge")
AFTER = ("notice", "bom", "empty", "timeout", "late_fatal")

_CRITICAL = (
    '<p>There has been a critical error on this website.</p><p><a href="https://wordpress.org/'
    'documentation/article/faq-troubleshooting/">Learn more about troubleshooting WordPress.</a>'
    "</p>"
)
_NOTICE = (
    '<br />\n<b>Warning</b>:  Undefined array key "foo" in '
    "<b>/var/www/html/wp-content/plugins/bad/bad.php</b> on line <b>12</b><br />\n"
)
_GATEWAY = {
    413: "413 Request Entity Too Large",
    414: "414 Request-URI Too Large",
    429: "429 Too Many Requests",
    502: "502 Bad Gateway",
    504: "504 Gateway Time-out",
}


def next_trouble(state: State) -> str:
    """Return what happens to this request, and count it down; "" for nothing."""
    planned: list[str] = state.options["troubles"]
    if not planned:
        return ""
    kind, star, count = planned[0].partition("*")
    if star and not count:
        return kind
    left = int(count or 1) - 1
    state.options["troubles"] = ([f"{kind}*{left}"] if left else []) + planned[1:]
    return kind


def stopped(request: Request, kind: str) -> Response:
    """Return the answer of what never reached WordPress."""
    match kind:
        case "too_large":
            return gateway(413)
        case "busy":
            return gateway(429, retry_after="1")
        case "bad_gateway":
            return gateway(502)
        case "maintenance":
            text = "Briefly unavailable for scheduled maintenance. Check back in a minute."
            return _died(request, text, 503, "Maintenance", retry_after="600")
        case "fatal":
            return fatal(request, "Uncaught Error: Call to undefined function broken()")
        case "firewall":
            return _died(request, "Blocked by security plugin", 403, "Forbidden")
    return _html(200, "<html><head><title>One moment, please...</title></head><body>"
                      "<script>location.reload()</script></body></html>")  # fmt: skip


def spoiled(request: Request, kind: str, said: Response) -> Response:
    """Return the answer of work that was done, as it arrives."""
    match kind:
        case "notice":
            return Response(
                status=said.status, headers=said.headers, body=_NOTICE.encode() + said.body
            )
        case "bom":
            return Response(
                status=said.status, headers=said.headers, body=b"\xef\xbb\xbf" + said.body
            )
        case "empty":
            return _html(200, "")
        case "timeout":
            return gateway(504)
    return fatal(request, "Uncaught Error: Call to undefined function broken()")


def gateway(status: int, **headers: str) -> Response:
    """Return nginx's own page."""
    words = _GATEWAY[status]
    body = (
        f"<html>\r\n<head><title>{words}</title></head>\r\n<body>\r\n<center><h1>{words}</h1>"
        "</center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n"
    )
    names = {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(
        status=status, headers={"content-type": "text/html", **names}, body=body.encode()
    )


def fatal(request: Request, message: str) -> Response:
    """Return the answer of a PHP fatal error: JSON only for who speaks JSON."""
    if not _speaks_json(request):
        return _html(500, _page("WordPress &rsaquo; Error", _CRITICAL))
    error = {"type": 1, "message": message, "file": "/var/www/html/wp-includes/load.php", "line": 1}
    doc = {"code": "internal_server_error", "message": _CRITICAL,
           "data": {"status": 500, "error": error}, "additional_errors": []}  # fmt: skip
    return answer(500, doc)


def _died(request: Request, text: str, status: int, title: str, **headers: str) -> Response:
    """Return what `wp_die` says."""
    if not _speaks_json(request):
        return _html(status, _page(title, text))
    doc = {"code": "wp_die", "message": text, "data": {"status": status}, "additional_errors": []}
    return answer(status, doc, **headers)


def _speaks_json(request: Request) -> bool:
    return "json" in header(request, "accept") or "json" in header(request, "content-type")


def _page(title: str, text: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en-US">\n<head>\n\t<meta http-equiv="Content-Type" content="'
        f'text/html; charset=UTF-8" />\n\t<title>{title}</title>\n</head>\n<body id="error-page">\n'
        f'\t<div class="wp-die-message">{text}</div></body>\n</html>\n\t'
    )


def _html(status: int, body: str) -> Response:
    headers = {"content-type": "text/html; charset=UTF-8"}
    return Response(status=status, headers=headers, body=body.encode())
