"""Where requests may go: a table of URLs that a hostile store could give."""

from __future__ import annotations

import ipaddress

import pytest

from storebridge import errors
from storebridge.engine.address import Origin, foreign_origin, is_public
from storebridge.flow import Request

STORE = Origin.of_store("https://shop.example/wp-json")

HOSTILE = [
    "http://cdn.example/f",
    "http://cdn.example:443/f",
    "ftp://cdn.example/f",
    "file:///etc/passwd",
    "gopher://cdn.example:70/",
    "data:text/plain,x",
    "javascript:alert(1)",
    "//cdn.example/f",
    "/f",
    "cdn.example/f",
    "",
    "https://",
    "https:///f",
    "https://:443/f",
    "https://user@cdn.example/f",
    "https://user:pw@cdn.example/f",
    "https://shop.example@evil.example/f",
    "https://cdn.example:22/f",
    "https://cdn.example:8443/f",
    "https://cdn.example:0/f",
    "https://cdn.example:99999/f",
    "https://cdn.example:x/f",
    "https://127.0.0.1/f",
    "https://127.0.0.1./f",
    "https://127.1/f",
    "https://127.0.1/f",
    "https://2130706433/f",
    "https://0x7f000001/f",
    "https://0x7f.1/f",
    "https://0177.0.0.1/f",
    "https://017700000001/f",
    "https://0/f",
    "https://0.0.0.0/f",
    "https://10.0.0.1/f",
    "https://172.16.0.1/f",
    "https://172.31.255.255/f",
    "https://192.168.0.1/f",
    "https://169.254.169.254/latest/meta-data",
    "https://100.64.0.1/f",
    "https://192.0.2.1/f",
    "https://198.18.0.1/f",
    "https://224.0.0.1/f",
    "https://255.255.255.255/f",
    "https://256.256.256.256/f",
    "https://1.2.3.4.5/f",
    "https://[::1]/f",
    "https://[::]/f",
    "https://[::ffff:127.0.0.1]/f",
    "https://[::ffff:7f00:1]/f",
    "https://[::ffff:169.254.169.254]/f",
    "https://[64:ff9b::7f00:1]/f",
    "https://[64:ff9b::a00:1]/f",
    "https://[2002:7f00:1::]/f",
    "https://[2002:a9fe:a9fe::1]/f",
    "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/f",
    "https://[fe80::1]/f",
    "https://[fe80::1%25eth0]/f",
    "https://[fc00::1]/f",
    "https://[fd12:3456::1]/f",
    "https://[fec0::1]/f",
    "https://[ff02::1]/f",
    "https://[::1/f",
    "https://cdn.example\\@127.0.0.1/f",
    "https://cdn.example\t/f",
    "https://cdn.example\r\nHost: x/f",
    "https://cdn.exa mple/f",
    "https://１２７.0.0.1/f",
    "https://127。0。0。1/f",
    "https://ⓔvil.example/f",
    "https://cdn..example/f",
    "https://-cdn.example/f",
    "https://cdn.example%00.evil/f",
    "https://cdn.example#@evil.example/",
    " https://127.0.0.1/f",
]


def foreign(url: str) -> Request:
    return Request(method="GET", path=url, foreign=True)


@pytest.mark.parametrize("url", [url for url in HOSTILE if "#@" not in url])
def test_a_url_that_leads_inside_is_refused(url):
    with pytest.raises(errors.Refused) as caught:
        foreign_origin(foreign(url), STORE)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://cdn.example/f?sig=1", "https://cdn.example"),
        ("https://CDN.Example:443/f", "https://cdn.example"),
        ("https://8.8.8.8/f", "https://8.8.8.8"),
        ("https://[2606:4700::1111]/f", "https://[2606:4700::1111]"),
        ("https://xn--mller-kva.example/f", "https://xn--mller-kva.example"),
        ("https://a_b.s3.amazonaws.com./f", "https://a_b.s3.amazonaws.com"),
        ("https://cdn.example#@evil.example/", "https://cdn.example"),
        ("https://shop.example/other", "https://shop.example"),
    ],
)
def test_a_public_url_is_taken_for_what_it_is(url, origin):
    assert str(foreign_origin(foreign(url), STORE)) == origin


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700:4700::1111", True),
        ("64:ff9b::808:808", True),
        ("::ffff:8.8.8.8", True),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::1", False),
        ("2001::1", False),
        ("192.0.0.8", False),
        ("240.0.0.1", False),
        ("3fff::1", False),
        ("4000::1", False),
        ("224.0.1.1", False),
        ("fec0::7", False),
        ("::", False),
    ],
)
def test_which_addresses_are_public(address, public):
    assert is_public(ipaddress.ip_address(address)) is public


def test_the_store_s_origin_is_scheme_host_and_port():
    assert Origin.of_store("https://Shop.Example:443/x").same == STORE.same
    for other in ("https://shop.example:8443", "https://www.shop.example", "http://127.0.0.1:1"):
        assert Origin.of_store(other).same != STORE.same
    assert Origin.of_store("http://localhost:8080").is_loopback
    assert Origin.of_store("http://[::1]:8080").is_loopback
