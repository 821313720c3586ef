"""A real node as a process, for tests that kill or trace it."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

START_SECONDS = 120.0
SHOP = {"sector": "food", "name": {"en": "Farm"}}


def wait_until(holds: Callable[[], bool], *, seconds: float) -> float:
    """Look again and again, and return after how many seconds it held; fail when it never does."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, "it never held"
        time.sleep(0.05)
    return time.monotonic() - began


class RunningNode:
    """`wildgrass up` on a folder; `prefix` runs before it, strace for instance."""

    def __init__(
        self,
        folder: Path,
        prefix: Sequence[str | Path] = (),
        *,
        federation: str = "127.0.0.1:0",
        name: str = "Traced",
        **settings: str,
    ) -> None:
        self.folder = folder
        flags = ["--folder", folder, "--listen-http", "127.0.0.1:0", "--listen-federation", federation]
        founding = ["--name-en", name, "--currency", "EUR", "--kit-file", folder.parent / "kit", "--json"]
        said = {f"WILDGRASS_{setting.upper()}": value for setting, value in settings.items()}
        environment = {**os.environ, "WILDGRASS_MDNS": "off", **said}
        self._log = (folder.parent / "log").open("ab")
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "node.cli", "up", *flags, *founding],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, (self.folder.parent / "log").read_text()
            if (self.folder / "node.json").exists():
                self.running = json.loads((self.folder / "node.json").read_text())
                self.token = (self.folder / "api.token").read_text().strip()
                if self._answers():
                    return
            time.sleep(0.05)
        self.process.kill()
        raise AssertionError((self.folder.parent / "log").read_text())

    def _answers(self) -> bool:
        """An old node.json of a killed node names a port where nobody, or another, answers."""
        try:
            return self.get("/healthz") == b'{"status": "ok"}' and self.running["pid"] in self._pids()
        except OSError:
            return False

    def _pids(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def get(self, path: str) -> bytes:
        with self.open() as connection:
            connection.request("GET", path)
            return connection.getresponse().read()

    def ask(self, path: str) -> dict[str, Any]:
        with self.open() as connection:
            connection.request("GET", "/api/v1" + path, headers={"Authorization": f"Bearer {self.token}"})
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        with self.open() as connection:
            return self.post_on(connection, path, body)

    def post_on(
        self, connection: http.client.HTTPConnection, path: str, body: dict[str, Any]
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection.request("POST", "/api/v1" + path, json.dumps(body), headers)
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
        assert response.status in (200, 201), answer
        return answer

    def open(self) -> AbstractContextManager[http.client.HTTPConnection]:
        return closing(http.client.HTTPConnection(self.running["http"], timeout=10))

    def listing(self, shop_id: str, number: int) -> dict[str, Any]:
        return {
            "sector": "food",
            "shop_id": shop_id,
            "title": {"en": f"Traced tomato {number}"},
            "price": {"currency": "EUR", "amount_minor": 100 + number},
            "unit_code": "KGM",
            "tax": {"tax_class": "food", "rate_bp": 700},
            "fulfilment": ["pickup"],
        }

    def checkpoint(self) -> bytes:
        return self.get(f"/lanes/{self.running['community']}/0/market/food/checkpoint")

    def kill(self) -> None:
        os.kill(self.running["pid"], signal.SIGKILL)
        self.process.wait()
        self._log.close()

    def stop(self) -> float:
        """Ask it to stop, and return the seconds that it took."""
        asked = time.monotonic()
        os.kill(self.running["pid"], signal.SIGTERM)
        self.process.wait(10)
        self._log.close()
        return time.monotonic() - asked
