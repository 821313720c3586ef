"""The federation as the node sees it: one async context that listens, dials, finds and asks (section 17).

async with Federation(store=store, vault=vault, settings=settings, listening=peers, http=http) as federation:
    await federation.add_address("192.0.2.7:8471", None)
    federation.connected()
"""

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

import aiohttp
from aiohttp.web import WebSocketResponse

from node.config import Listen, Settings
from node.config.keys import DIALS_OUT_ONLY
from node.errors import NodeError
from node.federation.certificate import listening_context
from node.federation.dialer import open_connection
from node.federation.intake import Intake, bound_tls_buffers
from node.federation.links import Links
from node.federation.listener import Listener
from node.federation.memory import memory_of_machine, share_memory
from node.federation.neighbour import Neighbour
from node.federation.questions import Questions
from node.federation.store import FederationStore
from node.federation.witness_client import WitnessClient
from node.operations.lifecycle import Listening, lan_addresses, listen, reachable_address
from node.vault import Vault
from node.writer.clock import system_clock
from node.writer.lane_writer import Advance
from protocol.errors import SessionError
from protocol.exchange.addresses import Address, parse_address
from protocol.exchange.discovery import Sighting
from protocol.exchange.discovery_events import (
    AddressNamed,
    Dial,
    DialEnded,
    OwnPlaceChanged,
    SearchBegun,
    TrustChanged,
)
from protocol.exchange.follow_rules import RulesChanged
from protocol.exchange.frames import Grant
from protocol.exchange.http_witnesses import AskWitness, WitnessAnswered
from protocol.exchange.pairing import Pair
from protocol.exchange.relay_events import (
    PartsChanged,
    RelaysChanged,
    ShelfChanged,
)
from protocol.exchange.replication_events import WishesChanged
from protocol.exchange.session import Binding, OwnSide, PeerIdentity, bind_direct, bind_proxied
from protocol.exchange.standing import PeerStanding
from protocol.exchange.trust_events import (
    InviteAccepted,
    InviteMade,
    PairingCancelled,
    PairingConfirmed,
    PairingStarted,
)
from protocol.exchange.witnessing import RoundWanted
from protocol.lanes.kind import CHARTER, TRADE
from protocol.limits import ADDRESSES_MAX
from protocol.log.origin import Origin
from storage.errors import StorageError

if TYPE_CHECKING:
    from node.federation.mdns import Neighbourhood

BACKUP_LANES = frozenset(
    {CHARTER, TRADE}
)  # the one says who keeps ours, the other brings sealed parts with it
STOP_SECONDS = 1.5
LOOPBACK = "127.0.0.1"

log = logging.getLogger("wildgrass.federation")

Word = (
    AddressNamed | InviteMade | InviteAccepted | PairingStarted | PairingConfirmed | PairingCancelled
)  # fmt: skip


class Federation:
    """Sessions with other communities, from the listening socket to the last goodbye."""

    def __init__(
        self,
        *,
        store: FederationStore,
        vault: Vault,
        settings: Settings,
        listening: Listening,
        http: Listening,
    ) -> None:
        """Take what the node has opened; nothing is said to anybody before the context is entered."""
        own = OwnSide(
            vault.genesis_record,
            PeerIdentity(vault.community, vault.transport.public),
            vault.transport.sign,
            Grant(settings.peer_bytes_second, settings.peer_bytes_burst, settings.peer_requests_second),
        )
        self._store = store
        self._settings = settings
        self._binding = bind_direct(vault.transport.public)
        self.memory = share_memory(settings.memory_bytes or memory_of_machine(), settings.sessions_max)
        self._links = Links(
            own,
            store,
            memory=self.memory,
            on_dial=self._start_dial,
            on_ask_witness=self._start_asking,
        )
        self.address = reachable_address(listening.bound)
        context = listening_context(vault.transport_seed)
        self._listener = Listener(listening.socket, context, self._accept, self.memory.connections)
        self._behind_proxy: Listener | None = None
        self._neighbourhood: Neighbourhood | None = None
        self._looking: asyncio.Task[None] | None = None
        if settings.mdns:
            self._neighbourhood = self._make_neighbourhood(vault.community, listening, http)
        self._places = _places(settings, listening.bound)
        self._tasks: asyncio.TaskGroup | None = None
        self._running: set[asyncio.Task[None]] = set()
        self.questions = Questions(self._links.driver)

    async def __aenter__(self) -> Self:
        """Listen, dial what is known, and look around; raises `NodeError` for an address in the settings."""
        named = self._named_in_settings()
        bound_tls_buffers()
        log.info(
            "peers can make this node hold %d MiB of memory at most, %d of them at a time",
            self.memory.bytes_max >> 20,
            self.memory.sessions,
        )
        known, own_record = await self._store.known()
        invites = await self._store.invites()
        self._witnesses = await WitnessClient().__aenter__()
        self._tasks = await asyncio.TaskGroup().__aenter__()
        await self._links.driver.load()
        self._running |= set(self._links.driver.start(self._tasks))
        await self._listener.start(self._tasks)
        if self._settings.listen_proxied is not None:
            self._behind_proxy = Listener(
                listen(self._settings.listen_proxied).socket,
                None,
                self._accept_proxied,
                self.memory.connections,
            )
            await self._behind_proxy.start(self._tasks)
        tell = self._links.driver.tell
        tell(RulesChanged(await self._store.rules()))
        tell(SearchBegun(known, own_record, system_clock()))
        tell(invites)
        await self._tell_place()
        for address in named:
            tell(address)
        if self._neighbourhood is not None:
            self._looking = self._spawn("neighbours", self._look_around(self._neighbourhood))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say goodbye to everybody, and stop in time whoever does not answer."""
        assert self._tasks is not None, "the context was entered"
        try:
            await self._stop_looking()
            await self._say_goodbye()
            self._links.driver.stop()
            await self._listener.stop()
            if self._behind_proxy is not None:
                await self._behind_proxy.stop()
            for task in list(self._running):
                task.cancel()
            await self._tasks.__aexit__(kind, error, trace)
        finally:
            await self._witnesses.__aexit__(None, None, None)

    async def _stop_looking(self) -> None:
        if self._neighbourhood is not None and self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
            await self._neighbourhood.stop()

    async def _say_goodbye(self) -> None:
        endings = [
            asyncio.ensure_future(link.ended.wait()) for link in self._links.close_all("session_stopping")
        ]
        if endings:
            await asyncio.wait(endings, timeout=STOP_SECONDS)

    @property
    def neighbours(self) -> tuple[Neighbour, ...]:
        """Who was found on the local network; being found says nothing about being trusted."""
        return self._neighbourhood.neighbours if self._neighbourhood else ()

    @property
    def dialled_ms(self) -> int | None:
        """When another node last dialled this one; None: not since it started, so perhaps none can."""
        return self._links.dialled_ms

    @property
    def looks_around(self) -> bool:
        """Whether the settings let this node look for neighbours on the local network."""
        return self._neighbourhood is not None

    @property
    def mdns_failure(self) -> str:
        """Why nobody can be found on the local network, or nothing."""
        return self._neighbourhood.failure if self._neighbourhood else ""

    def standing(self, community: bytes) -> PeerStanding:
        """Return who is behind, a connected community or we."""
        return self._links.driver.standing(community)

    def shown_by(self, community: bytes) -> Mapping[Origin, int]:
        """Return up to where a connected community has shown to hold each of our lanes."""
        return self._links.driver.shown_by(community)

    def connected(self) -> frozenset[bytes]:
        """Return the communities with which a session stands."""
        return self._links.communities

    @property
    def blames(self) -> Mapping[str, int]:
        """How often peers did what the protocol forbids, by code."""
        return self._links.driver.blames

    @property
    def memory_bytes_max(self) -> int:
        """What sessions, fetches and piles may hold together, whatever peers do (section 30.4)."""
        return self.memory.bytes_max

    async def rules_changed(self) -> None:
        """Act on other rules: follow whom they name, and fetch or leave lanes as they say."""
        self._links.driver.tell(RulesChanged(await self._store.rules()))
        self._links.driver.reconsider_all()
        self._links.driver.tell(WishesChanged())

    @property
    def places(self) -> tuple[Address, ...]:
        """Where others reach this node; nowhere where it only dials out."""
        return self._places

    @property
    def pairs(self) -> Mapping[bytes, Pair]:
        """The pairings that are under way or have just ended."""
        return self._links.driver.pairing.pairs

    def hear(self, event: Word) -> None:
        """Hear what a steward wants of other communities."""
        self._links.driver.tell(event)

    def sightings(self) -> list[Sighting]:
        """Return everybody that this node knows, as cards show them."""
        return self._links.driver.discovery.sightings(int(asyncio.get_running_loop().time() * 1000))

    def ask_witnesses(self, origin: Origin, size: int) -> None:
        """Hear that somebody waits for cosignatures of the first `size` entries of an own lane."""
        self._links.driver.tell(RoundWanted(origin, size))

    @property
    def start_answers(self) -> tuple[int, int]:
        """How many of the peers that are asked before the first signature have answered, and how many there are."""
        return self._links.driver.start_answers

    def go_on_alone(self) -> None:
        """Sign without the answers that are waited for: a steward has decided so."""
        self._links.driver.go_on_alone()

    @property
    def paused_lanes(self) -> Mapping[Origin, int]:
        """The largest size on offer of each lane that is at its quota (section 30.5)."""
        return self._links.driver.paused_lanes

    def quota_changed(self, community: bytes) -> None:
        """Look again at the lanes of a community: what was paused may go on."""
        self._links.driver.reconsider(community)

    def note(self, advance: Advance) -> None:
        """Hear what the writer has done; signed heads are pushed, and lanes of new epochs asked for."""
        if advance.signed:
            self._links.driver.note_signed(advance.signed)
        if BACKUP_LANES.intersection(advance.signed) or advance.succeeded:
            self._links.driver.note_backup()
        if advance.has_new_evidence:
            self._links.driver.note_evidence()
        for community in advance.succeeded:
            self._links.driver.reconsider(community)
        if advance.succeeded:
            self._links.driver.tell(WishesChanged())
        if TRADE in advance.signed:
            self._links.driver.tell(PartsChanged())
        if CHARTER in advance.signed and self._tasks is not None:
            self._spawn("own place", self._tell_place())  # a lane of another sector may have been opened

    def tell_shelf_changed(self, community: bytes) -> None:
        """Hear that as a relay we have something new for a community."""
        self._links.driver.tell(ShelfChanged(community))

    def tell_relays_changed(self) -> None:
        """Hear that the community has named other relays."""
        self._links.driver.tell(RelaysChanged())

    async def add_address(self, text: str, community: bytes | None) -> None:
        """Dial an address from now on, and follow who answers there; with `community`, only that one.

        Raises `NodeError` where the address is not well written.
        """
        address = _address(text, "request_field_refused")
        self._links.driver.tell(AddressNamed(address, "added", community, is_wanted=True))
        present = self._links.open_link(community)
        if present is not None and present.admitted is not None and community is not None:
            await self._store.met(community, present.admitted.genesis, address=address.text, is_wanted=True)
            self._links.driver.tell(WishesChanged())

    async def trust_changed(self, community: bytes) -> None:
        """Act on a community that is followed, not followed any more, or blocked from now on."""
        trust = await self._store.trust_of(community)
        self._links.driver.tell(TrustChanged(community, trust))
        if trust == "blocked":
            self._links.drop(community, "session_blocked")
        self._links.driver.reconsider(community)
        self._links.driver.tell(WishesChanged())
        self._links.driver.note_backup()

    async def _accept(self, websocket: WebSocketResponse, intake: Intake) -> None:
        """Hold what dialled us in a task of ours: a bug there is not aiohttp's to swallow."""
        await asyncio.wait([self._spawn("listen", self._hold(websocket, self._binding, intake))])

    async def _accept_proxied(self, websocket: WebSocketResponse, intake: Intake) -> None:
        """As above, for what came through our proxy: the session is bound to its host."""
        host = next(place.host for place in self._places if place.way == "proxied")
        await asyncio.wait([self._spawn("listen", self._hold(websocket, bind_proxied(host), intake))])

    async def _hold(self, websocket: WebSocketResponse, binding: Binding, intake: Intake) -> None:
        await self._links.hold(websocket, "listener", binding, intake=intake)

    def _spawn(self, name: str, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        assert self._tasks is not None, "the context was entered"
        task = self._tasks.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def _named_in_settings(self) -> list[AddressNamed]:
        """The addresses in the settings, or `NodeError` for one that is none."""
        settings = self._settings
        hosts = {place.host for place in self._places if place.way == "proxied"}
        if len(hosts) > 1 or bool(hosts) != (settings.listen_proxied is not None):
            raise NodeError("setting_refused", "reached_at names one wss:// host where listen_proxied is set")
        return [
            *(
                AddressNamed(_address(text, "setting_refused"), "added", is_wanted=True)
                for text in settings.peers
            ),
            *(AddressNamed(_address(text, "setting_refused"), "bootstrap") for text in settings.bootstrap),
        ]

    async def _tell_place(self) -> None:
        """Say where we are; what cannot be looked up now is said with the next word in the charter."""
        try:
            sectors = await self._store.own_sectors()
        except (StorageError, NodeError) as error:
            log.warning("the own sectors were not looked up: %s", error.code)
            return
        self._links.driver.tell(OwnPlaceChanged(self._places, self._settings.region, sectors))

    def _start_dial(self, dial: Dial) -> None:
        self._spawn(f"dial {dial.address.text}", self._dial(dial))

    async def _dial(self, dial: Dial) -> None:
        """Connect, hold the session to its end, and tell how it ended."""
        started = asyncio.get_running_loop().time()
        code = "session_lost"
        try:
            async with open_connection(dial.address, may_be_near=dial.may_be_near) as connection:
                link = await self._links.hold(
                    connection.websocket,
                    "dialer",
                    connection.binding,
                    dialled=dial,
                    intake=connection.intake,
                )
            code = link.end.code if link is not None and link.end is not None else "session_full"
        except (OSError, TimeoutError, aiohttp.ClientError, SessionError) as error:
            log.debug("%s does not answer: %s", dial.address.text, error)
        stood_ms = int((asyncio.get_running_loop().time() - started) * 1000)
        self._links.driver.tell(DialEnded(dial.dial, code, stood_ms))

    def _start_asking(self, ask: AskWitness) -> None:
        self._spawn(f"witness {ask.url}", self._ask_witness(ask))

    async def _ask_witness(self, ask: AskWitness) -> None:
        status, body = await self._witnesses.add_checkpoint(ask.url, ask.body)
        self._links.driver.tell(WitnessAnswered(ask.witness, ask.origin, ask.size, status, body))

    async def _look_around(self, neighbourhood: "Neighbourhood") -> None:
        await neighbourhood.start()

    def _make_neighbourhood(self, community: bytes, listening: Listening, http: Listening) -> "Neighbourhood":
        from node.federation.mdns import Neighbourhood  # where it is switched off, zeroconf is never loaded

        is_everywhere = listening.bound.host in ("0.0.0.0", "::")  # noqa: S104  compared, not bound
        addresses = (lan_addresses() or [LOOPBACK]) if is_everywhere else [listening.bound.host]
        own = Neighbour(community, addresses[0], listening.bound.port, http.bound.port)
        interfaces = [] if is_everywhere else addresses
        return Neighbourhood(own, self._found, addresses=addresses, interfaces=interfaces)

    def _found(self, neighbour: Neighbour) -> None:
        """Dial a neighbour where the steward lets us; to follow it at once is the steward's choice too."""
        if self._settings.follow_lan == "off":
            return
        address = Address("direct", neighbour.host, neighbour.port)
        is_wanted = self._settings.follow_lan == "auto"
        self._links.driver.tell(AddressNamed(address, "nearby", neighbour.community, is_wanted=is_wanted))


def _places(settings: Settings, bound: Listen) -> tuple[Address, ...]:
    """Where others reach this node: as the settings say, else the addresses of this machine."""
    if settings.reached_at == (DIALS_OUT_ONLY,):
        return ()
    if settings.reached_at:
        return tuple(map(parse_address, settings.reached_at))
    is_everywhere = bound.host in ("0.0.0.0", "::")  # noqa: S104  compared, not bound
    hosts = (lan_addresses() or [LOOPBACK]) if is_everywhere else [bound.host]
    return tuple(Address("direct", host, bound.port) for host in hosts[:ADDRESSES_MAX])


def _address(text: str, code: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise NodeError(code, f"{text}: {error}") from error
