"""A client of the sandbox that knows nothing of the adapter: it sends the documents beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from storebridge.flow import FilePart, Multipart, Request, Response
from storebridge_shopify.sandbox import Sandbox, create, settings

DOCUMENTS = Path(__file__).parent / "documents"


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


class Shop:
    """A sandbox with a clock of its own, asked by the names of documents."""

    def __init__(self, rate: float = 1e9, **switches: Any) -> None:
        self.clock = Clock()
        self.sandbox: Sandbox = create(clock=self.clock, rate=rate, **switches)
        self.headers: dict[str, str] = {"x-shopify-access-token": settings()["token"]}
        data = self.data("shop")
        self.places = [node["id"] for node in data["locations"]["nodes"]]
        self.channels = [node["id"] for node in data["publications"]["nodes"]]
        self.prices = [
            node["catalogs"]["nodes"][0]["priceList"]["id"] for node in data["markets"]["nodes"]
        ]

    def send(self, text: str, variables: Any = None, version: str = "2026-10") -> Response:
        body = json.dumps({"query": text, "variables": variables or {}}).encode()
        headers = {"content-type": "application/json", **self.headers}
        path = f"/admin/api/{version}/graphql.json"
        return self.sandbox(Request(method="POST", path=path, headers=headers, body=body))

    def ask(self, name: str, **variables: Any) -> Any:
        """Return the answer to a document, errors and all."""
        text = (DOCUMENTS / f"{name}.graphql").read_text("utf-8")
        return json.loads(self.send(text, variables).body)

    def data(self, name: str, **variables: Any) -> Any:
        answer = self.ask(name, **variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def payload(self, name: str, **variables: Any) -> Any:
        """Return the payload of a mutation that has no user errors."""
        (found,) = self.data(name, **variables).values()
        wrong = found.get("userErrors") or found.get("mediaUserErrors")
        assert not wrong, wrong
        return found

    def wrong(self, name: str, **variables: Any) -> list[tuple[Any, Any, str]]:
        """Return the user errors of a mutation as (field, code, message)."""
        (found,) = self.data(name, **variables).values()
        return [(e["field"], e.get("code"), e["message"]) for e in found["userErrors"]]

    def make(self, title: str = "Mug", sizes: str = "SM", **more: Any) -> Any:
        """Make a product with a variant for each size and return it."""
        return self.payload("product_set", input={**product(title, sizes), **more})["product"]

    def product(self, id: str) -> Any:
        return self.data("products", ids=[id], first=1)["nodes"][0]

    def pause(self, requests: int = 2) -> None:
        """Let so many requests go by."""
        for _ in range(requests):
            self.data("job", id="gid://shopify/Job/1")

    def upload(self, lines: list[Any] | bytes) -> str:
        """Stage a file of variables and return its path."""
        target = self.payload("staged", input=[STAGED])["stagedTargets"][0]
        body = lines if isinstance(lines, bytes) else "\n".join(map(json.dumps, lines)).encode()
        fields = tuple((each["name"], each["value"]) for each in target["parameters"])
        form = Multipart(fields=fields, files=(FilePart("file", "v.jsonl", body),))
        assert self.sandbox(Request(method="POST", path=target["url"], body=form)).status == 201
        return str(dict(fields)["key"])

    def finished(self, id: str, requests: int = 5) -> Any:
        """Return a bulk operation after some requests."""
        for _ in range(requests):
            found = self.data("bulk_status", id=id, first=1)["bulkOperation"]
        return found

    def lines(self, url: str) -> list[str]:
        response = self.sandbox(Request(method="GET", path=url))
        assert response.status == 200
        return response.body.decode().splitlines()


STAGED = {"resource": "BULK_MUTATION_VARIABLES", "filename": "v.jsonl", "mimeType": "text/jsonl",
          "httpMethod": "POST"}  # fmt: skip


def product(title: str = "Mug", sizes: str = "SM") -> dict[str, Any]:
    """Return the input of a product with a variant for each size."""
    return {
        "title": title,
        "productOptions": [{"name": "Size", "values": [{"name": size} for size in sizes]}],
        "variants": [
            {"optionValues": [{"optionName": "Size", "name": size}], "price": "9.9",
             "sku": f"{title}-{size}"}
            for size in sizes
        ],
    }  # fmt: skip
