"""One running node a folder: who holds it, where it listens, how others find it.

with claim_folder(folder):                      # NodeError("node_running") where another one has it
    http = listen(settings.listen_http)         # a busy port moves on and says so
    note_running(folder, RunningNode(...))      # node.json, for the command line
    with stop_on_signal() as stopping:
        await stopping.wait()
"""

import errno
import fcntl
import ipaddress
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from node.config import Listen
from node.config.keys import PORT_MAX
from node.errors import NodeError
from node.files import FILE_MODE, make_folder, write_private

RUNNING_FILE = "node.json"
LOCK_FILE = "node.lock"
PORTS_TRIED_MAX = 20
PORT_STEP = 2  # HTTP and federation stand side by side, and stay on even and odd ports
BACKLOG = 128

_CLAIM_TRIES = 5
_CLAIM_WAIT_SECONDS = 0.05  # a reader of node.json holds the lock for a moment


class RunningNode(msgspec.Struct, frozen=True, kw_only=True):
    """What node.json says while a node runs.

    `http` and `federation` are host:port for this machine; `url` leads to the pages, and `address` to the
    federation, from the network. `settings` are those in force, as `Settings.shown` gives them: no secrets.
    """

    pid: int
    http: str
    federation: str
    url: str
    address: str
    community: str
    name: dict[str, str]
    started_ms: int
    settings: dict[str, dict[str, Any]]

    @property
    def http_place(self) -> tuple[str, int]:
        """Host and port under which this machine reaches the node's HTTP."""
        host, _, port = self.http.rpartition(":")
        return host.strip("[]"), int(port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """An open socket, and whether the wanted port was busy."""

    socket: socket.socket
    wanted: Listen
    bound: Listen

    @property
    def has_moved(self) -> bool:
        """Whether another port than the wanted one was taken."""
        return self.wanted.port not in (0, self.bound.port)


@contextmanager
def claim_folder(folder: Path) -> Iterator[None]:
    """Hold the folder for this process, or raise `node_running`; the system lets go however it ends."""
    make_folder(folder)
    handle = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    try:
        if not _take(handle):
            running = _read(folder)
            raise NodeError("node_running", f"{folder}" + (f", process {running.pid}" if running else ""))
        yield
    finally:
        os.close(handle)


def running_node(folder: Path) -> RunningNode | None:
    """Return what runs on the folder, or None; a file that a killed node left behind does not count."""
    try:
        handle = os.open(folder / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(folder)
    finally:
        os.close(handle)
    return None


def note_running(folder: Path, running: RunningNode) -> None:
    """Write node.json: from now on the command line finds this node."""
    write_private(folder / RUNNING_FILE, msgspec.json.encode(running) + b"\n")


def forget_running(folder: Path) -> None:
    """Remove node.json; it may be gone already."""
    with suppress(OSError):
        (folder / RUNNING_FILE).unlink()


def listen(wanted: Listen) -> Listening:
    """Open a listening socket on the wanted port, or on the next free one below 32768.

    Raises `NodeError`: `port_busy` when all that were tried are in use, `port_refused`, `address_refused`.
    """
    last = min(wanted.port + PORT_STEP * (PORTS_TRIED_MAX - 1), PORT_MAX)
    for port in range(wanted.port, last + 1, PORT_STEP) if wanted.port else (0,):
        opened = _bind(wanted.host, port)
        if opened is not None:
            return Listening(socket=opened, wanted=wanted, bound=Listen(wanted.host, opened.getsockname()[1]))
    raise NodeError("port_busy", f"{wanted.port}…{last}")


def local_address(bound: Listen) -> str:
    """Return host:port under which this machine itself reaches a socket."""
    address = ipaddress.ip_address(bound.host)
    if address.is_unspecified:
        return str(Listen("127.0.0.1" if address.version == 4 else "::1", bound.port))  # noqa: PLR2004  IPv4
    return str(bound)


def reachable_address(bound: Listen) -> str:
    """Return host:port under which the local network reaches a socket; without one, the loopback's."""
    host = bound.host
    if ipaddress.ip_address(host).is_unspecified:
        host = next(iter(lan_addresses()), "127.0.0.1")
    return str(Listen(host, bound.port))


def lan_addresses() -> list[str]:
    """Return this machine's IPv4 addresses for others: that of the default route, then private ones first."""
    from ifaddr import get_adapters

    known = [
        str(ip.ip)
        for adapter in get_adapters()
        for ip in adapter.ips
        if ip.is_IPv4 and _is_for_others(str(ip.ip))
    ]
    routed = _routed_address()
    return sorted(
        dict.fromkeys(known),
        key=lambda address: (address != routed, not ipaddress.ip_address(address).is_private),
    )


def _take(handle: int) -> bool:
    for _ in range(_CLAIM_TRIES):
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_CLAIM_WAIT_SECONDS)
    return False


def _read(folder: Path) -> RunningNode | None:
    """What node.json says; it is not there yet while a node starts."""
    try:
        return msgspec.json.decode((folder / RUNNING_FILE).read_bytes(), type=RunningNode)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _bind(host: str, port: int) -> socket.socket | None:
    """The bound and listening socket, or None where the port is in use."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        opened.bind((host, port))
        opened.listen(BACKLOG)
        opened.setblocking(False)
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            return None
        if error.errno == errno.EACCES:
            raise NodeError("port_refused", str(port)) from error
        if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            raise NodeError("address_refused", host) from error
        raise
    return opened


def _is_for_others(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return not parsed.is_loopback and not parsed.is_link_local


def _routed_address() -> str | None:
    """The source address of the default route. Connecting a datagram socket sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address that is reserved for documents
        except OSError:
            return None
        return str(probe.getsockname()[0])
