"""A node, or any static server, that holds lanes over HTTP or HTTPS (PROTOCOL.md section 21.1).

Every answer is bounded before it is read, every wait has an end, redirects are not followed, and the auditor's
token goes into the Authorization header and nowhere else. What was read stays in a temporary folder, so a
second reading sees the same bytes.

    with HttpSource("https://market.example:8470", token="...") as source: ...
"""

import http.client
import ssl
import time
from collections.abc import Collection
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self
from urllib.parse import urlsplit

from protocol.errors import AuditError

TIMEOUT_SECONDS = 10
ANSWER_SECONDS_MAX = 120
KEPT_BYTES_MAX = 16 * 2**30
_FAILURES_MAX = 2
_BUSY_TRIES = 4
_CHUNK_BYTES = 262_144
_ERROR_BYTES_MAX = 65_536
_REFUSED = (http.client.UNAUTHORIZED, http.client.FORBIDDEN)
_BUSY = (http.client.TOO_MANY_REQUESTS, http.client.SERVICE_UNAVAILABLE)


class HttpSource:
    """Reads lanes over one connection that is kept; use it as a context manager."""

    is_live = True

    def __init__(
        self, address: str, token: str | None = None, *, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        """Take the address that stands before `/lanes/...`; raises `AuditError` where it is none."""
        parts = urlsplit(address)
        try:
            port = parts.port
        except ValueError as error:
            raise AuditError("source_unreadable", f"{address}: {error}") from error
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise AuditError("source_unreadable", f"{address}: write http://host:port or https://host")
        self.name = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._prefix = parts.path.rstrip("/")
        self._connection = _connection(parts.scheme, parts.hostname, port, timeout_seconds)
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "wildgrass-audit"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"
        self._folder = TemporaryDirectory(prefix="wildgrass-audit-")
        self._kept_bytes = 0
        self._failures = 0

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection and delete what was kept."""
        self._connection.close()
        self._folder.cleanup()

    def read(self, path: str, bytes_max: int) -> bytes | None:
        """Return what stands at a path, or None where the server has nothing there."""
        kept = Path(self._folder.name) / sha256(path.encode()).hexdigest()
        if kept.exists():
            return kept.read_bytes()
        raw = self._get(path, bytes_max)
        if raw is not None:
            self._kept_bytes += len(raw)
            if self._kept_bytes > KEPT_BYTES_MAX:
                raise AuditError("source_unreadable", f"{self.name}: more than {KEPT_BYTES_MAX} bytes in all")
            kept.write_bytes(raw)
        return raw

    def checkpoint_paths(self) -> Collection[str] | None:
        """Return None: what a server holds is what its index says."""
        return None

    def _get(self, path: str, bytes_max: int) -> bytes | None:
        for attempt in range(_BUSY_TRIES):
            status, raw = self._ask(path, bytes_max)
            if status == http.client.OK:
                return raw
            if status == http.client.NOT_FOUND:
                return None
            if status in _REFUSED:
                raise AuditError("source_refused", f"{self.name}/{path}")
            if status not in _BUSY:
                break
            time.sleep(0.25 * 2**attempt)
        raise AuditError("file_unreadable", f"{self.name}/{path}: HTTP status {status}")

    def _ask(self, path: str, bytes_max: int) -> tuple[int, bytes]:
        """Ask once; a connection that was closed meanwhile is opened again, a dead server is left alone."""
        if self._failures >= _FAILURES_MAX:
            raise AuditError("source_unreadable", f"{self.name} does not answer")
        while True:
            try:
                self._connection.request("GET", f"{self._prefix}/{path}", headers=self._headers)
                with self._connection.getresponse() as response:
                    raw = _read_bounded(response, bytes_max, path)
                    if not response.isclosed():
                        self._connection.close()  # more follows than an error is worth
            except (OSError, http.client.HTTPException, ValueError) as error:
                self._connection.close()
                self._failures += 1
                if self._failures >= _FAILURES_MAX:
                    raise AuditError("source_unreadable", f"{self.name}: {error}") from error
                continue
            except AuditError:
                self._connection.close()
                raise
            self._failures = 0
            return response.status, raw


def _connection(
    scheme: str, host: str, port: int | None, timeout_seconds: float
) -> http.client.HTTPConnection:
    if scheme == "http":
        return http.client.HTTPConnection(host, port, timeout=timeout_seconds)
    context = ssl.create_default_context()
    return http.client.HTTPSConnection(host, port, timeout=timeout_seconds, context=context)


def _read_bounded(response: http.client.HTTPResponse, bytes_max: int, path: str) -> bytes:
    """Read an answer that is neither too large nor too slow; the page that comes with an error is not read."""
    if response.status != http.client.OK:
        response.read(_ERROR_BYTES_MAX)
        return b""
    until = time.monotonic() + ANSWER_SECONDS_MAX
    parts: list[bytes] = []
    size = 0
    if response.length is not None and response.length > bytes_max:
        raise AuditError("file_too_large", f"{path}: {response.length} bytes, at most {bytes_max}")
    while chunk := response.read1(_CHUNK_BYTES):
        parts.append(chunk)
        size += len(chunk)
        if size > bytes_max:
            raise AuditError("file_too_large", f"{path}: more than {bytes_max} bytes")
        if time.monotonic() > until:
            raise AuditError("file_unreadable", f"{path}: not read within {ANSWER_SECONDS_MAX} seconds")
    if response.length:
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(parts)
