"""A small client of a running node's API, without aiohttp: the command line starts in a blink.

with connect(folder) as client:
    client.call("POST", "/shops", {"sector": "food", "name": {"en": "Corner Shop"}})
"""

import json
import os
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode

from node.api_token import read_token
from node.errors import ApiRefusal, NodeError, Report, exit_code_of
from node.locale import language_of_environment
from node.operations.lifecycle import RunningNode, running_node

TIMEOUT_SECONDS = 60
ANSWER_BYTES_MAX = 64 * 1_048_576

JSON_HEADERS = {"Content-Type": "application/json"}
FILE_HEADERS = {"Content-Type": "application/octet-stream"}

_PREFIX = "/api/v1"
_BODY_METHODS = ("POST", "PUT", "PATCH")
_SUCCESS = range(200, 300)


class Client:
    """One connection to one node; not for several threads."""

    def __init__(self, host: str, port: int, token: str, *, language: str) -> None:
        """Take where the node listens, the token of its folder, and the language for refusals."""
        self._connection = HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
        self._headers = {"Authorization": f"Bearer {token}", "Accept-Language": language}

    def call(self, method: str, path: str, fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the answer of one action; `fields` go into the body, or the query of a GET or DELETE.

        A field that is None is left out. Raises `ApiRefusal` where the node refuses, `NodeError` where it
        does not answer.
        """
        target, body = request_of(method, path, fields)
        return self._ask(method, target, body, {} if body is None else JSON_HEADERS)

    def upload(self, path: str, content: bytes) -> dict[str, Any]:
        """Return the answer of an action that takes a file; raises as `call` does."""
        return self._ask("POST", _PREFIX + path, content, FILE_HEADERS)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.close()

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> dict[str, Any]:
        try:
            self._connection.request(method, path, body, {**self._headers, **headers})
            response = self._connection.getresponse()
            raw = response.read(ANSWER_BYTES_MAX + 1)
        except HTTPException as error:
            raise NodeError("node_answer_malformed", type(error).__name__) from error
        return answer_of(response.status, raw)


def connect(folder: Path) -> Client:
    """Return a client of the node that runs on a folder; raises `node_not_running` where none does."""
    running = running_node(folder)
    if running is None:
        raise NodeError("node_not_running", str(folder))
    return client_of(folder, running)


def client_of(folder: Path, running: RunningNode) -> Client:
    """Return a client of a node that is known to run on this folder."""
    language = language_of_environment(os.environ)
    return Client(*running.http_place, read_token(folder), language=language)


def in_path(text: str) -> str:
    """Return a text as one part of a path."""
    return quote(text, safe="")


def request_of(method: str, path: str, fields: Mapping[str, Any] | None) -> tuple[str, bytes | None]:
    """Return the target and the body of a request for one action, as `Client.call` takes them."""
    given = {name: value for name, value in (fields or {}).items() if value is not None}
    if method in _BODY_METHODS:
        return _PREFIX + path, json.dumps(given).encode()
    return _PREFIX + path + ("?" + urlencode(_texts(given), doseq=True) if given else ""), None


def answer_of(status: int, raw: bytes) -> dict[str, Any]:
    """Return the JSON object of a node's answer; raises `ApiRefusal` for a refusal, `NodeError` for nonsense."""
    try:
        answer = json.loads(raw) if len(raw) <= ANSWER_BYTES_MAX else None
    except (ValueError, RecursionError) as error:
        raise NodeError("node_answer_malformed", f"status {status}") from error
    if not isinstance(answer, dict):
        raise NodeError("node_answer_malformed", f"status {status}")
    if status in _SUCCESS:
        return answer
    raise ApiRefusal(_report(answer, status))


def _report(answer: dict[str, Any], status: int) -> Report:
    said = answer.get("error")
    if not isinstance(said, dict) or not all(isinstance(said.get(name), str) for name in _REPORT_FIELDS):
        raise NodeError("node_answer_malformed", f"status {status}")
    return Report(
        **{name: said[name] for name in _REPORT_FIELDS},
        status=status,
        exit_code=exit_code_of(said["code"], status),
    )


_REPORT_FIELDS = ("code", "sentence", "detail", "next_step")


def _texts(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Query values as the API reads them: true and false as JSON writes them."""
    return {name: json.dumps(value) if isinstance(value, bool) else value for name, value in fields.items()}
