"""The HTML that WordPress lets through in a product's texts (`wp_kses_post`).

WooCommerce 11.0.1 filters for everyone, administrators' keys too: script, iframe, style and form
tags and handlers go, the text in them stays; `javascript:` goes; `&` becomes `&amp;`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html.entities import name2codepoint

__all__ = ["kses"]

_TAGS = frozenset(
    (
        "address", "a", "abbr", "acronym", "area", "article", "aside", "audio", "b", "bdo", "big",
        "blockquote", "br", "button", "caption", "cite", "code", "col", "colgroup", "data", "dd",
        "del", "details", "dfn", "dialog", "div", "dl", "dt", "em", "fieldset", "figcaption",
        "figure", "font", "footer", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr",
        "i", "img", "ins", "kbd", "label", "legend", "li", "main", "map", "mark", "menu", "nav",
        "object", "ol", "p", "pre", "q", "rp", "rt", "ruby", "s", "samp", "search", "section",
        "small", "span", "strike", "strong", "sub", "summary", "sup", "table", "tbody", "td",
        "textarea", "tfoot", "th", "thead", "time", "title", "tr", "track", "tt", "u", "ul", "var",
        "video",
    )
)  # fmt: skip
_ANY = frozenset((
    "class", "id", "style", "title", "role", "dir", "lang", "hidden", "align", "xml:lang",
))  # fmt: skip
_MORE = {
    "a": "href rel rev name target download",
    "area": "alt coords href nohref shape target",
    "audio": "autoplay controls loop muted preload src",
    "blockquote": "cite",
    "button": "disabled name type value",
    "col": "char charoff span valign width",
    "data": "value",
    "del": "datetime",
    "details": "open",
    "dialog": "open",
    "font": "color face size",
    "hr": "noshade size width",
    "img": "alt border height hspace loading longdesc vspace src usemap width decoding "
    "fetchpriority srcset sizes",
    "ins": "datetime cite",
    "label": "for",
    "li": "value",
    "map": "name",
    "object": "data type",
    "ol": "start type reversed",
    "pre": "width",
    "q": "cite",
    "table": "bgcolor border cellpadding cellspacing rules summary width",
    "td": "abbr axis bgcolor char charoff colspan headers height nowrap rowspan scope valign width",
    "textarea": "cols rows disabled name readonly",
    "th": "abbr axis bgcolor char charoff colspan headers height nowrap rowspan scope valign width",
    "time": "datetime",
    "tr": "bgcolor char charoff valign",
    "track": "default kind label src srclang",
    "ul": "type",
    "video": "autoplay controls height loop muted playsinline poster preload src width",
}
_Tags = dict[str, frozenset[str]]
_ALLOWED: _Tags = {tag: _ANY | frozenset(_MORE.get(tag, "").split()) for tag in _TAGS}
#: What a term's description may have: WordPress 6.9 filters it as a comment's text.
_INLINE: _Tags = {
    "a": frozenset(("href", "title")),
    "abbr": frozenset(("title",)),
    "acronym": frozenset(("title",)),
    "blockquote": frozenset(("cite",)),
    "del": frozenset(("datetime",)),
    "q": frozenset(("cite",)),
    **dict.fromkeys(("b", "cite", "code", "em", "i", "s", "strike", "strong"), frozenset()),
}
_URLS = frozenset(["href", "src", "cite", "poster", "data", "longdesc", "usemap"])
_SCHEMES = frozenset(
    (
        "http", "https", "ftp", "ftps", "mailto", "news", "irc", "irc6", "ircs", "gopher", "nntp",
        "feed", "telnet", "mms", "rtsp", "sms", "svn", "tel", "fax", "xmpp", "webcal", "urn",
    )
)  # fmt: skip
_FREE = ("data-", "aria-")
_PIECE = re.compile(r"<!--.*?(?:-->|$)|<[^>]*(?:>|$)|>", re.DOTALL)
_TAG = re.compile(r"<\s*(/\s*)?([a-zA-Z0-9-]+)([^>]*)>?", re.DOTALL)
_ATTRIBUTE = re.compile(r"""([a-zA-Z_:][\w:.-]*)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+))?""")
_SCHEME = re.compile(r"\s*([a-zA-Z][\w+.-]*)\s*:")


@lru_cache(16_384)
def kses(text: str, *, inline: bool = False) -> str:
    """Return a text with only the tags and attributes that WordPress allows in posts.

    Args:
        text: HTML.
        inline: allow only what stands within a line, as in the descriptions of terms.
    """
    text = text.replace("\0", "")
    if "&" in text:
        text = _entities(text)
    if "<" not in text and ">" not in text:
        return text
    allowed = _INLINE if inline else _ALLOWED
    return _PIECE.sub(lambda found: _piece(found, allowed), text)


def _entities(text: str) -> str:
    """Return a text in which each `&` begins an entity that WordPress knows."""
    text = text.replace("&", "&amp;")
    text = re.sub(r"&amp;(#0*[0-9]{1,7}|#[xX]0*[0-9A-Fa-f]{1,6});", r"&\1;", text)
    return re.sub(r"&amp;([A-Za-z]{2,8}[0-9]{0,2});", _named, text)


def _named(found: re.Match[str]) -> str:
    known = found[1] in name2codepoint or found[1] == "apos"
    return f"&{found[1]};" if known else found[0]


def _piece(found: re.Match[str], allowed: _Tags) -> str:
    text = found[0]
    if text == ">":
        return "&gt;"
    if text.startswith("<!--"):
        inner = text[4:].removesuffix("-->")
        return f"<!--{inner}-->" if inner.strip() else ""
    tag = _TAG.fullmatch(text)
    if tag is None or tag[2].lower() not in allowed:
        return ""
    if tag[1]:
        return f"</{tag[2]}>"
    closed = " /" if tag[3].rstrip().endswith("/") else ""
    return f"<{tag[2]}{_attributes(allowed[tag[2].lower()], tag[3])}{closed}>"


def _attributes(allowed: frozenset[str], text: str) -> str:
    kept = []
    for name, value in _ATTRIBUTE.findall(text):
        word = name.lower()
        if word not in allowed and not ("class" in allowed and word.startswith(_FREE)):
            continue
        if not value:
            kept.append(f" {name}")
            continue
        value = value[1:-1] if value[0] in "\"'" else value
        value = _safe(value) if word in _URLS else value
        kept.append(f' {name}="{value}"')
    return "".join(kept)


def _safe(url: str) -> str:
    """Return an address without a scheme that isn't allowed: `javascript:x()` becomes `x()`."""
    while (found := _SCHEME.match(url)) is not None and found[1].lower() not in _SCHEMES:
        url = url[found.end() :]
    return url
