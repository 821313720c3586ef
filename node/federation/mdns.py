"""Neighbours on the local network: announce this node, and hear of others (PROTOCOL.md section 17.7).

A network without multicast is no fault of anybody's: it is told as a value, and the node goes on without.

    neighbourhood = Neighbourhood(own, on_found)
    failure = await neighbourhood.start()       # "" or the reason why nobody is found here
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from zeroconf import Error, InterfaceChoice, IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from node.federation.neighbour import Neighbour
from protocol.errors import IdentityError
from protocol.identity.keys import HASH_BYTES, from_base32, to_base32

SERVICE_TYPE = "_wildgrass._tcp.local."
TXT_VERSION = b"1"
NEIGHBOURS_MAX = 256
LOOKUP_MS = 3_000
STOP_SECONDS = 1.0
_LABEL_CHARACTERS = 20  # enough of the id to tell nodes apart; the whole id stands in the TXT record
_PORT_MAX = 65_535

log = logging.getLogger("wildgrass.federation.mdns")


class Neighbourhood:
    """The announcement of this node and the search for others."""

    def __init__(
        self,
        own: Neighbour,
        on_found: Callable[[Neighbour], None],
        *,
        interfaces: Sequence[str] = (),
        addresses: Sequence[str] = (),
    ) -> None:
        """Take what to announce: `addresses` of this machine; `interfaces` (by address) to use, none: all."""
        self._own = own
        self._on_found = on_found
        self._interfaces = list(interfaces)
        self._addresses = list(addresses) or [own.host]
        self._zeroconf: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
        self._lookups: set[asyncio.Task[None]] = set()
        self._known: dict[bytes, Neighbour] = {}
        self.failure = ""

    @property
    def neighbours(self) -> tuple[Neighbour, ...]:
        """Who was found so far."""
        return tuple(self._known.values())

    async def start(self) -> str:
        """Announce and begin to search; return "" or why that cannot be done here."""
        try:
            for interface in self._interfaces:
                _check_multicast(interface)
            self._zeroconf = AsyncZeroconf(
                interfaces=self._interfaces or InterfaceChoice.Default, ip_version=IPVersion.V4Only
            )
            await self._zeroconf.async_register_service(self._service(), allow_name_change=True)
            self._browser = AsyncServiceBrowser(
                self._zeroconf.zeroconf, SERVICE_TYPE, handlers=[self._changed]
            )
        except (OSError, Error) as error:
            self.failure = str(error) or type(error).__name__
            log.info("neighbours are not found on this network: %s", self.failure)
            await self.stop()
        return self.failure

    async def stop(self) -> None:
        """Say goodbye and stop searching."""
        for lookup in self._lookups:
            lookup.cancel()
        zeroconf, self._zeroconf = self._zeroconf, None
        browser, self._browser = self._browser, None
        try:
            async with asyncio.timeout(STOP_SECONDS):
                if browser is not None:
                    await browser.async_cancel()
                if zeroconf is not None:
                    await zeroconf.async_unregister_all_services()
                    await zeroconf.async_close()
        except (OSError, Error, TimeoutError) as error:
            log.debug("the goodbye was not heard: %s", error)

    def _service(self) -> AsyncServiceInfo:
        label = to_base32(self._own.community)[:_LABEL_CHARACTERS]
        return AsyncServiceInfo(
            SERVICE_TYPE,
            f"{label}.{SERVICE_TYPE}",
            port=self._own.port,
            parsed_addresses=self._addresses,
            server=f"wildgrass-{label}.local.",
            properties={
                "v": TXT_VERSION,
                "id": to_base32(self._own.community).encode(),
                "http": str(self._own.http_port).encode(),
            },
        )

    def _changed(
        self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        if state_change is ServiceStateChange.Removed or len(self._lookups) >= NEIGHBOURS_MAX:
            return
        lookup = asyncio.get_running_loop().create_task(self._look_up(zeroconf, service_type, name))
        self._lookups.add(lookup)
        lookup.add_done_callback(self._lookups.discard)

    async def _look_up(self, zeroconf: Zeroconf, service_type: str, name: str) -> None:
        service = AsyncServiceInfo(service_type, name)
        try:
            is_found = await service.async_request(zeroconf, LOOKUP_MS)
        except (OSError, Error) as error:
            log.debug("%s was not looked up: %s", name, error)
            return
        neighbour = read_neighbour(service) if is_found else None
        if neighbour is None or neighbour.community == self._own.community:
            return
        if neighbour.community in self._known or len(self._known) < NEIGHBOURS_MAX:
            self._known[neighbour.community] = neighbour
            self._on_found(neighbour)


def read_neighbour(service: AsyncServiceInfo) -> Neighbour | None:
    """Return whom an announcement speaks of, or None where it is not one of ours or not well formed."""
    texts = service.properties
    hosts = sorted(filter(_is_near, service.parsed_addresses(IPVersion.V4Only)), key=_is_loopback)
    port, http_port = service.port or 0, _port(texts.get(b"http"))
    if texts.get(b"v") != TXT_VERSION or not hosts or not 0 < port <= _PORT_MAX or http_port is None:
        return None
    try:
        community = from_base32((texts.get(b"id") or b"").decode("ascii"), HASH_BYTES)
    except (UnicodeDecodeError, IdentityError):
        return None
    return Neighbour(community, hosts[0], port, http_port)


def _check_multicast(interface: str) -> None:
    """Raise `OSError` where nothing can be sent from this address; zeroconf would leave a socket behind."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))


def _is_near(host: str) -> bool:
    """Whether an address can be a neighbour's: an announcement must not send us out into the internet."""
    return ip_address(host).is_private


def _is_loopback(host: str) -> bool:
    return ip_address(host).is_loopback


def _port(raw: bytes | None) -> int | None:
    text = (raw or b"").decode("ascii", "replace")
    if not text.isdecimal() or not text.isascii() or len(text) > len(str(_PORT_MAX)):
        return None
    port = int(text)
    return port if 0 < port <= _PORT_MAX else None
