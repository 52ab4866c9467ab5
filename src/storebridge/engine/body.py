"""The body of an answer as it arrives: decoded, counted, and kept or streamed to a file."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from storebridge.errors import BadAnswer, OutcomeUnknown, Unreadable

__all__ = ["Body"]

_GZIP = 16 + zlib.MAX_WBITS
_STEP = 1024 * 1024


class Body:
    """Takes the bytes of one answer.

    At most one gzip layer is decoded, as it was asked for; the caps hold before and after
    decoding. A file appears under its name only when it is whole.
    """

    def __init__(self, headers: Mapping[str, str], cap: int, save_to: str = "") -> None:
        """Prepare for an answer with these headers.

        Raises:
            BadAnswer: for an encoding that wasn't asked for, several ones, or too long a body.
        """
        self._cap, self._raw, self._size, self._streams = cap, 0, 0, 1
        encoding = headers.get("content-encoding", "").strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise BadAnswer("the answer is encoded in a way that was not asked for")
        self._gzip = zlib.decompressobj(_GZIP) if encoding.endswith("gzip") else None
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length[:20]) > cap:
            raise BadAnswer(self._too_large())
        self._path = Path(save_to) if save_to else None
        self._chunks: list[bytes] = []
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            self._file = self._part.open("wb")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._part.unlink(missing_ok=True)

    @property
    def _part(self) -> Path:
        return Path(f"{self._path}.part")

    def feed(self, chunk: bytes) -> None:
        """Take bytes from the wire.

        Raises:
            BadAnswer: if they are too many, before or after decoding.
            Unreadable: if they are no gzip.
        """
        self._raw += len(chunk)
        if self._raw > self._cap:
            raise BadAnswer(self._too_large())
        for piece in self._decoded(chunk):
            self._size += len(piece)
            if self._size > self._cap:
                raise BadAnswer(self._too_large())
            if self._file is not None:
                self._file.write(piece)
            else:
                self._chunks.append(piece)

    def finish(self) -> tuple[bytes, Path | None]:
        """Return the whole body, or the file that holds it.

        Raises:
            OutcomeUnknown: if the gzip stream was cut off.
        """
        if self._gzip is not None and self._raw and not self._gzip.eof:
            raise OutcomeUnknown("the answer was cut off (its gzip stream has no end)")
        if self._file is None or self._path is None:
            return b"".join(self._chunks), None
        self._file.close()
        os.replace(self._part, self._path)
        return b"", self._path

    def _decoded(self, chunk: bytes) -> Iterator[bytes]:
        """Yield decoded bytes in bounded steps: 600 bytes of gzip can hold 600 KB."""
        if self._gzip is None:
            yield chunk
            return
        try:
            while chunk:
                if self._gzip.eof:
                    self._gzip = self._next_stream()
                yield self._gzip.decompress(chunk, _STEP)
                chunk = self._gzip.unconsumed_tail or self._gzip.unused_data
        except zlib.error:
            raise Unreadable("the answer is no valid gzip") from None

    def _next_stream(self) -> zlib._Decompress:
        """Return a new decoder: gzip files may be several streams in a row, but not of nothing."""
        self._streams += 1
        if self._streams > 16 + self._raw // 1024:
            raise BadAnswer("the answer is no sensible gzip")
        return zlib.decompressobj(_GZIP)

    def _too_large(self) -> str:
        return f"the answer is larger than {self._cap:,} bytes"
