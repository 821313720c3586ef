"""A real PostgreSQL server for the tests: started by themselves, on loopback, thrown away afterwards.

Where the server is installed it must work; only where it is not installed are its tests skipped. PostgreSQL
refuses to run as root, so then it runs as `postgres` or `nobody`.
"""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

START_SECONDS = 60


def find_binaries() -> Path | None:
    """The folder with `initdb` and `postgres`, or None where the server is not installed."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


class PostgresServer:
    """A running server. `database()` yields the URL of a new, empty database."""

    def __init__(self, port: int, user: str) -> None:
        self.port = port
        self.user = user
        self._numbers = count(1)

    def url(self, database: str) -> str:
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    @contextmanager
    def database(self) -> Iterator[str]:
        name = f"test_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            for database in (name, f"{name}_guard"):
                self.run(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


@contextmanager
def running_server(binaries: Path) -> Iterator[PostgresServer]:
    """Make a cluster in a folder with a short path (a socket's path is short), and run it."""
    user = _user()
    folder = Path(tempfile.mkdtemp(prefix="wgpg", dir="/tmp"))
    as_user = {"user": user} if os.geteuid() == 0 else {}
    if as_user:
        shutil.chown(folder, user)
    port = _free_port()
    subprocess.run(
        [
            binaries / "initdb",
            "-D",
            folder / "data",
            "-U",
            user,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "-N",
        ],
        check=True,
        capture_output=True,
        cwd=folder,
        **as_user,
    )
    settings = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": folder,
        "fsync": "off",  # the tests ask what is said to the server, not what its disk does
        "full_page_writes": "off",
        "shared_buffers": "16MB",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    log = folder / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", folder / "data", *options],
            stdout=output,
            stderr=output,
            cwd=folder,
            **as_user,
        )
    try:
        _wait(server, port, user, log)
        yield PostgresServer(port, user)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(START_SECONDS)
        shutil.rmtree(folder)


def _user() -> str:
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid()).pw_name
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _free_port() -> int:
    while True:
        port = random.randrange(20_000, 32_768)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def _wait(server: subprocess.Popen[bytes], port: int, user: str, log: Path) -> None:
    import time

    import psycopg

    until = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(f"postgresql://{user}@127.0.0.1:{port}/postgres", connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > until:
                raise RuntimeError(log.read_text(errors="replace")) from error
            time.sleep(0.05)  # the world starts; no test's outcome hangs on this
        else:
            return
