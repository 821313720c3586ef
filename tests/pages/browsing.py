"""A browser without JavaScript: keeps cookies, follows redirects, fills in forms; and nodes to visit as processes."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

ROOT = Path(__file__).resolve().parents[2]
ANSWER_SECONDS = 30
REDIRECTS_MAX = 8
QUIET = ("--mdns", "off", "--log-level", "error", "--no-qr")
ANY_PORTS = ("--listen-http", "127.0.0.1:0", "--listen-federation", "127.0.0.1:0")


@dataclass
class PageForm:
    """A form as it stands in a page; the name and value of each button besides."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[PageForm] = []
        self._selected = ""
        self._in_textarea = ""
        self._is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(PageForm(given.get("action", "")))
            self._is_inside = True
        if not self._is_inside:
            return
        fields = self.forms[-1].fields
        if tag == "input":
            fields[given["name"]] = given.get("value", "")
        elif tag == "textarea":
            self._in_textarea = given["name"]
            fields[given["name"]] = ""
        elif tag == "select":
            self._selected = given["name"]
        elif tag == "option" and (self._selected not in fields or "selected" in given):
            fields[self._selected] = given["value"]
        elif tag == "button" and "name" in given:
            self.forms[-1].buttons.append((given["name"], given["value"]))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_inside = False
        if tag == "textarea":
            self._in_textarea = ""

    def handle_data(self, text: str) -> None:
        if self._in_textarea:
            self.forms[-1].fields[self._in_textarea] += text.removeprefix("\n")


@dataclass
class Seen:
    """What the browser shows at last."""

    status: int
    url: str
    text: str
    headers: dict[str, str]

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def forms(self) -> list[PageForm]:
        parser = _Forms()
        parser.feed(self.text)
        return parser.forms

    def form(self, action: str = "") -> PageForm:
        """The first form that posts there; without an action, to the page itself."""
        return next(form for form in self.forms if form.action == action)


class Browser:
    """Somebody who looks at pages, with the cookies of one browser."""

    def __init__(self, language: str = "en") -> None:
        self.language = language
        self.cookies: dict[str, str] = {}
        self.last: Seen | None = None

    def get(self, url: str, **headers: str) -> Seen:
        return self._follow("GET", url, None, headers)

    def post(self, url: str, fields: dict[str, str], **headers: str) -> Seen:
        return self._follow("POST", url, fields, headers)

    def send(self, form: PageForm, **typed: str) -> Seen:
        """Fill in a form of the page that is shown, and send it."""
        assert self.last is not None
        return self.post(urljoin(self.last.url, form.action or self.last.url), {**form.fields, **typed})

    def once(self, method: str, url: str, fields: dict[str, str] | None, headers: dict[str, str]) -> Seen:
        """One request, without following where it leads."""
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=ANSWER_SECONDS)
        try:
            sent = {"Accept-Language": self.language, "User-Agent": "Firefox on Linux", **headers}
            if self.cookies:
                sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
            if fields is not None:
                sent["Content-Type"] = "application/x-www-form-urlencoded"
                sent.setdefault("Origin", f"http://{parts.netloc}")
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, target or "/", urlencode(fields) if fields is not None else None, sent)
            response = connection.getresponse()
            text = response.read().decode()
            for cookie in response.headers.get_all("Set-Cookie") or []:
                self._keep(cookie)
            return Seen(
                response.status, url, text, {name.lower(): value for name, value in response.headers.items()}
            )
        finally:
            connection.close()

    def _follow(self, method: str, url: str, fields: dict[str, str] | None, headers: dict[str, str]) -> Seen:
        for _ in range(REDIRECTS_MAX):
            seen = self.once(method, url, fields, headers)
            if seen.status != 303:
                self.last = seen
                return seen
            method, url, fields, headers = "GET", urljoin(url, seen.headers["location"]), None, {}
        raise AssertionError(f"{url} leads round in circles")

    def _keep(self, cookie: str) -> None:
        pair, _, attributes = cookie.partition(";")
        name, _, value = pair.partition("=")
        assert "httponly" in attributes.lower()
        assert "samesite=lax" in attributes.lower()
        if "max-age=0" in attributes.lower():
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = value.strip('"')


@dataclass
class UpProcess:
    """`wildgrass up` and the first line of it that a test wants."""

    process: subprocess.Popen[str]
    folder: Path

    def line_with(self, words: str) -> str:
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        while line := self.process.stdout.readline():
            if words in line:
                return line.strip()
        raise AssertionError(self.process.stderr.read())

    def answer(self) -> dict:
        return json.loads(self.line_with("{"))

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(ANSWER_SECONDS)


@contextmanager
def up(folder: Path, *arguments: str, language: str = "C.UTF-8") -> Iterator[UpProcess]:
    """`wildgrass up` on a folder, on ports that are free; ended at the end."""
    command = [
        sys.executable,
        "-m",
        "node.cli",
        "up",
        "--folder",
        str(folder),
        *QUIET,
        *ANY_PORTS,
        *arguments,
    ]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": language, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            yield UpProcess(process, folder)
        finally:
            if process.poll() is None:
                process.kill()
