"""Texts as WordPress keeps them: what it eats, escapes, filters and wraps, and the way back.

Sources: recorded exchanges with WooCommerce 11.0 (content filtering, categories, variations);
WordPress's own `wp_unslash`, `wp_kses_post`, `wpautop` and `sanitize_title_with_dashes`.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import unquote

__all__ = [
    "alt_form",
    "autop",
    "filtered",
    "html_form",
    "inline_form",
    "plain",
    "slashed",
    "slug_form",
    "sluglike",
    "spoken_form",
    "tax_class",
    "term_form",
    "without_signs",
    "words",
]

#: Tags that WordPress takes out of a post's text; what is between them stays as text.
_REFUSED = (
    "script", "style", "iframe", "form", "input", "select", "option", "textarea", "object",
    "embed", "applet", "base", "link", "meta", "svg", "noscript", "frame", "frameset",
)  # fmt: skip
#: The tags that a term's description may have (`wp_kses` with the default tags).
_INLINE = frozenset(
    ("a", "abbr", "acronym", "b", "blockquote", "cite", "code", "del", "em", "i", "q", "s",
     "strike", "strong")
)  # fmt: skip
_TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9-]*)((?:\"[^\"]*\"|'[^']*'|[^'\">])*)>")
_REFUSED_TAG = re.compile(rf"</?(?:{'|'.join(_REFUSED)})\b(?:\"[^\"]*\"|'[^']*'|[^'\">])*>", re.I)
_HANDLER = re.compile(r"\s+on[a-z]+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>]+)", re.I)
_SCRIPTED = re.compile(r"(=\s*[\"']?)\s*javascript:", re.I)
_BARE = re.compile(r"&(?!(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});)")
_SIGN = re.compile(r"(<[a-zA-Z/!][^<>]*>)|[<>]")
#: A tag or a comment, or else what kses takes out from a bare < on, and a bare >.
_PIECE = re.compile(r"<!--.*?(?:-->|$)|</?[a-zA-Z][^>]*(?:>|$)|(<[^>]*(?:>|$))|(>)", re.S)
_CLOSED = re.compile(r"\s*/$")
_BLOCK = re.compile(
    r"<(?:p|div|ul|ol|li|table|h[1-6]|blockquote|pre|section|article|figure|hr|dl|details)\b", re.I
)

#: Characters of a slug (recorded exchanges: limits).
_LONGEST = 200
#: What WordPress keeps as it is.
_SLUG = re.compile(r"[a-z0-9_]+(?:-[a-z0-9_]+)*")
#: Letters that `remove_accents` writes out and Unicode doesn't take apart.
_LATIN = str.maketrans(
    {"ß": "s", "æ": "ae", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "œ": "oe", "þ": "th", "ħ": "h",
     "ı": "i", "ŋ": "n", "€": "e", "£": ""}
)  # fmt: skip
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_DANISH = str.maketrans({"æ": "ae", "ø": "oe", "å": "aa"})
_BY_LANGUAGE = {"de": _GERMAN, "da": _DANISH}


def slashed(text: str) -> str:
    r"""Return a text with each backslash doubled: WordPress takes one of them away."""
    return text.replace("\\", "\\\\")


def words(text: str) -> str:
    """Return a plain text (a title, a tag) as it is sent: no part of it is taken for HTML."""
    return slashed(html.escape(text.strip().replace("\0", ""), quote=False))


def plain(text: str) -> str:
    """Return the plain text that a name stands for; names are escaped on reading."""
    return html.unescape(text)


def term_form(name: str) -> str:
    """Return the name of a category, a tag or a brand as it reads back: on one line, trimmed."""
    return " ".join(re.sub(r"%[a-fA-F0-9]{2}", "", name.replace("\0", "")).split())


def alt_form(text: str) -> str:
    """Return the text of a picture as it reads back: on one line, trimmed, without %41."""
    return re.sub(r"[\r\n\t ]+", " ", re.sub(r"%[a-fA-F0-9]{2}", "", text)).strip()


def html_form(text: str) -> str:
    """Return HTML as it reads back after `wp_kses_post`, for what shops write."""
    text = _REFUSED_TAG.sub("", text.replace("\0", ""))
    text = _PIECE.sub(lambda match: "" if match[1] else "&gt;" if match[2] else match[0], text)
    text = _TAG.sub(_cleaned, text)
    return _BARE.sub("&amp;", text)


def spoken_form(text: str) -> str:
    """Return what people write (a review, a note) as it reads back: signs that are no tag stay.

    Sent as they are, "2 < 3 and 5 > 4" would lose what is between the two (WooCommerce 11.0.1).
    """
    return html_form(without_signs(text))


def without_signs(text: str) -> str:
    """Return HTML in which each < and > that is no tag's is escaped."""
    return _SIGN.sub(lambda found: found[1] or html.escape(found[0]), text)


def filtered(text: str) -> Iterator[str]:
    """Yield, in words, what WordPress will take out of HTML."""
    found = (match[0].lstrip("</").split()[0].rstrip(">/") for match in _REFUSED_TAG.finditer(text))
    names = dict.fromkeys(name.lower() for name in found)
    yield from (f"the tag <{name}>" for name in names)
    if any(_HANDLER.search(match[2]) for match in _TAG.finditer(text)):
        yield "on… attributes"
    if _SCRIPTED.search(text):
        yield "javascript: links"
    if any(match[1] for match in _PIECE.finditer(_REFUSED_TAG.sub("", text))):
        yield "what stands between a < that begins no tag and the next > (write &lt;)"


def inline_form(text: str) -> str:
    """Return HTML as a term's description keeps it: a few inline tags, the others' text."""
    kept = _TAG.sub(
        lambda match: _cleaned(match) if match[1].lower() in _INLINE else "",
        text.replace("\0", ""),
    )
    return _BARE.sub("&amp;", kept).strip()


def autop(text: str) -> str:
    """Return a variation's description as it reads back: plain lines become paragraphs."""
    text = html_form(text).strip()
    if not text or _BLOCK.search(text):
        return text
    paragraphs = re.split(r"\n\s*\n", text)
    return "\n".join(f"<p>{part.strip().replace(chr(10), '<br />' + chr(10))}</p>"
                     for part in paragraphs)  # fmt: skip


def sluglike(slug: str) -> str:
    """Return a stored slug as people read it; other scripts are percent-encoded in the store."""
    return unquote(slug) if "%" in slug else slug


@lru_cache(maxsize=4096)
def slug_form(handle: str, language: str = "") -> str:
    """Return a handle as WordPress keeps it: lower case, accents folded by its language."""
    if len(handle) <= _LONGEST and _SLUG.fullmatch(handle):
        return handle
    text = unicodedata.normalize("NFC", unquote(handle)).lower()
    text = text.translate(_BY_LANGUAGE.get(language[:2], {})).translate(_LATIN)
    text = "".join(map(_folded, text))
    text = re.sub(r"[\s./–—]+", "-", text)
    text = re.sub(r"[\x00-\x7f]", lambda match: match[0] if _kept(match[0]) else "", text)
    return _cut(re.sub(r"-+", "-", text).strip("-"))


def tax_class(name: str) -> str:
    """Return the slug of a tax class, "" for the standard one; "" for what is none at all.

    A class can be called by its name too ("Reduced rate"). Codes of goods ("PC040100"), which other
    platforms keep in this field, mean nothing to WooCommerce, which would drop them.
    """
    slug = "" if re.fullmatch(r"[A-Z]+[0-9]+", name) else slug_form(name)
    return "" if slug == "standard" else slug


def _cut(slug: str) -> str:
    """Return as much of a slug as WordPress keeps, which counts it percent-encoded."""
    size = 0
    for place, letter in enumerate(slug):
        size += 1 if letter.isascii() else 3 * len(letter.encode())
        if size > _LONGEST:
            return slug[:place].rstrip("-")
    return slug


def _folded(letter: str) -> str:
    base = unicodedata.normalize("NFKD", letter)[0]
    return base.lower() if base.isascii() and base.isalpha() else letter


def _kept(char: str) -> bool:
    return char.isalnum() or char in "-_"


def _cleaned(match: re.Match[str]) -> str:
    """Return a tag without what kses refuses, and closed as kses closes it."""
    attributes = _SCRIPTED.sub(r"\1", _HANDLER.sub("", match[2]))
    closing = match[0].startswith("</")
    attributes = _CLOSED.sub(" /", attributes) if attributes.rstrip().endswith("/") else attributes
    return f"<{'/' if closing else ''}{match[1]}{attributes}>"
