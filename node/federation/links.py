"""All links of the node: who is let in, which of two sessions goes on, what each peer's clock says.

Knows communities and connections; what is in their frames is the driver's affair.

    links = Links(own, store)
    link = await links.hold(websocket, "dialer", binding, dialled=dial)
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import SystemRandom
from statistics import median_low

from node.errors import NodeError
from node.federation.budget import Budget
from node.federation.driver import Driver
from node.federation.intake import MESSAGE_BYTES_MAX, Intake
from node.federation.link import SMALL_ANSWER_BYTES_MAX, Link, WebSocket, remote_address
from node.federation.memory import LOOKUPS_MAX, MEMORY, Memory
from node.federation.store import FederationStore
from node.writer.clock import system_clock
from protocol.exchange.chance import Chance
from protocol.exchange.discovery import Discovery
from protocol.exchange.discovery_events import Dial, PeerMet, Trust
from protocol.exchange.frames import NONCE_BYTES, Bye, Frame, Request, encode_frame
from protocol.exchange.http_witnesses import AskWitness
from protocol.exchange.identify import identify
from protocol.exchange.rates import Meter, Meters, Ranges, range_of
from protocol.exchange.replication_events import FrameReceived, PeerClosed, PeerOpened, WishesChanged
from protocol.exchange.session import Admit, Binding, OwnSide, Role, Session, is_newcomer_kept
from protocol.identity.keys import to_base32
from protocol.limits import (
    FRAME_BYTES_MAX,
    RANGE_PLACES_MAX,
    RANGE_SHARE,
    SESSIONS_FOUND_MAX,
)
from storage.errors import StorageError

log = logging.getLogger("wildgrass.federation")


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a link before its other end has proven anything."""

    address: str
    dialled: Dial | None
    is_proxied: bool


class Links:
    """The table of links, and the driver that speaks through them."""

    def __init__(
        self,
        own: OwnSide,
        store: FederationStore,
        *,
        memory: Memory = MEMORY,
        chance: Chance | None = None,
        on_dial: Callable[[Dial], None] = lambda _dial: None,
        on_ask_witness: Callable[[AskWitness], None] = lambda _ask: None,
    ) -> None:
        """Take who we are and what we grant, the store, what may be held in memory, chance, and who connects."""
        discovery = Discovery(own, chance or SystemRandom(), memory.bounds)
        self.driver = Driver(store, self, discovery, own.identity.community, memory)
        self.dial = on_dial
        self.ask_witness = on_ask_witness
        self._own = own
        self._memory = memory
        self._places = Budget(memory.large_messages * MESSAGE_BYTES_MAX)
        self._answers = Budget(memory.answers_bytes)
        self._lookups = asyncio.Semaphore(LOOKUPS_MAX)
        self._ranges = Ranges(lambda now_ms: Meters(own.grant, now_ms, share=RANGE_SHARE))
        self._outboxes_bytes = 0
        self._strangers: set[bytes] = set()
        self._turn = asyncio.Lock()
        self._store = store
        self._all: dict[Link, _Known] = {}
        self._open: dict[bytes, Link] = {}
        self._clock_offsets: dict[bytes, int] = {}
        self.dialled_ms: int | None = None

    @property
    def communities(self) -> frozenset[bytes]:
        """With whom a session stands."""
        return frozenset(self._open)

    def open_link(self, community: bytes | None) -> Link | None:
        """Return the session with a community, if one stands."""
        return self._open.get(community) if community else None

    async def hold(
        self,
        websocket: WebSocket,
        role: Role,
        binding: Binding,
        *,
        dialled: Dial | None = None,
        intake: Intake | None = None,
    ) -> Link | None:
        """Carry a connection to its end and return its link; None where there was no room for it."""
        address = remote_address(websocket)
        if not self._has_room(role, address):
            await websocket.send_bytes(encode_frame(Bye("session_full")))
            await websocket.close()
            return None
        session = Session(
            role,
            self._own,
            binding,
            nonce=secrets.token_bytes(NONCE_BYTES),
            time_ms=system_clock(),
            identify=identify,
            expected=dialled.expected if dialled else None,
        )
        link = Link(self, websocket, session, intake)
        self._all[link] = _Known(address, dialled, role == "listener" and binding.way == "proxied")
        try:
            end = await link.run()
            log.info("a session as %s ended: %s %s", role, end.code[:64], end.detail)
        finally:
            del self._all[link]
            self._forget(link)
            link.ended.set()  # last: whoever waits for it looks at the table next
        return link

    async def admit(self, link: Link, admit: Admit) -> None:
        """Take in a peer that has proven itself: of two sessions with one community, one goes on."""
        community, dialled = admit.identity.community, self._all[link].dialled
        is_wanted = dialled is not None and dialled.is_wanted
        address = dialled.address.text if dialled else None
        try:
            trust = await self._store.met(community, admit.genesis, address=address, is_wanted=is_wanted)
        except (StorageError, NodeError) as error:
            log.warning("nobody can be let in: %s", error.code)
            link.close("store_unavailable")
            return
        dial = dialled.dial if dialled else None
        self.driver.tell(PeerMet(community, admit.genesis, trust, dial))
        if trust == "blocked":
            link.close("session_blocked")
            return
        present = self._open.get(community)
        if present is None and not self._has_place(trust):
            link.close("session_full")
        elif present is not None and not self._is_newcomer_kept(link, present, community):
            link.close("session_duplicate")
        else:
            self._open_session(link, admit, present, trust)
            self._note_clock(community, admit.time_ms - system_clock() if trust == "followed" else None)
        if is_wanted:
            self.driver.tell(WishesChanged())

    def received(self, link: Link, frame: Frame) -> None:
        """Hand on a frame; a link that another one has replaced is not listened to."""
        community = self._community_of(link)
        if community is not None:
            self.driver.tell(FrameReceived(community, frame))

    async def answer_within(self, link: Link, request: Request) -> tuple[bytes, int]:
        """Answer a peer; a large answer is looked up again once there is room for it, and not held before that."""
        answer = await self._look_up(link, request)
        size = len(answer)
        if size <= SMALL_ANSWER_BYTES_MAX:
            return answer, 0
        if self._answers.try_take(size, is_stranger=link.is_stranger):
            return answer, size
        del answer
        await self._answers.take(FRAME_BYTES_MAX, is_stranger=link.is_stranger)
        try:
            answer = await self._look_up(link, request)
        except asyncio.CancelledError:
            self._answers.give_back(FRAME_BYTES_MAX, is_stranger=link.is_stranger)
            raise
        return answer, FRAME_BYTES_MAX

    async def _look_up(self, link: Link, request: Request) -> bytes:
        assert link.admitted is not None, "requests come after the proof"
        async with self._lookups:
            return encode_frame(await self.driver.answer(link.admitted.identity.community, request))

    def answered(self, link: Link, counted_bytes: int) -> None:
        """Let others have the room of an answer that is sent."""
        self._answers.give_back(counted_bytes, is_stranger=link.is_stranger)

    async def until_room(self) -> None:
        """Wait until the store has taken up what came before."""
        await self.driver.until_room()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Take one message of all links in a round of the loop: hundreds at once hold it no longer than one."""
        async with self._turn:
            yield
            await asyncio.sleep(0)

    def outbox_changed(self, change_bytes: int) -> None:
        """Let nobody's slow reading fill our memory: beyond the bound, who keeps us waiting for most goes."""
        self._outboxes_bytes += change_bytes
        if change_bytes > 0 and self._outboxes_bytes > self._memory.outboxes_bytes:
            slowest = max(self._all, key=lambda link: link.outbox_bytes if link.end is None else -1)
            slowest.close("session_slow")

    def send(self, peer: bytes, frame: Frame) -> None:
        """Queue a frame for a peer."""
        if peer in self._open:
            self._open[peer].send(frame)

    def serve(self, peer: bytes, request: Request) -> None:
        """Queue a peer's request for its answer."""
        if peer in self._open:
            self._open[peer].serve(request)

    def drop(self, peer: bytes, code: str) -> None:
        """End the session with a peer."""
        if peer in self._open:
            self._open[peer].close(code)

    def close_all(self, code: str) -> list[Link]:
        """End all sessions, and return the links that are ending."""
        links = list(self._all)
        for link in links:
            link.close(code)
        return links

    def _has_room(self, role: Role, address: str) -> bool:
        """Whether one more may greet; one address range never takes all places of those who dial us."""
        if role == "dialer":
            return True
        greeting = [
            range_of(known.address)
            for link, known in self._all.items()
            if link.role == role and link.admitted is None
        ]
        places = self._memory.handshakes
        of_range = min(RANGE_PLACES_MAX, places // 2)
        return len(greeting) < places and greeting.count(range_of(address)) < of_range

    def _is_newcomer_kept(self, newcomer: Link, present: Link, community: bytes) -> bool:
        own = self._own.identity.community

        def dialer_of(link: Link) -> bytes:
            return own if link.role == "dialer" else community

        return is_newcomer_kept(newcomer_dialed_by=dialer_of(newcomer), present_dialed_by=dialer_of(present))

    def _has_place(self, trust: Trust) -> bool:
        """Whether there is room for one more; strangers, who can be any number, never take all of it."""
        sessions_max = self._memory.sessions
        if len(self._open) >= sessions_max:
            return False
        return trust == "followed" or len(self._strangers) < min(
            SESSIONS_FOUND_MAX, max(1, sessions_max // 2)
        )

    def _open_session(self, link: Link, admit: Admit, present: Link | None, trust: Trust) -> None:
        community = admit.identity.community
        if link.role == "listener":
            self.dialled_ms = system_clock()
        link.measure(self._make_meter(link, trust))
        link.is_stranger = trust != "followed"
        if link.intake is not None:
            link.intake.admit(
                self._places, is_stranger=link.is_stranger, on_slow=lambda: link.close("session_slow")
            )
        self._strangers.discard(community) if trust == "followed" else self._strangers.add(community)
        if present is not None:
            present.close("session_duplicate")
        self._open[community] = link
        log.info("a session with %s stands", to_base32(community))
        known = self._all[link]
        remote = "" if known.is_proxied else known.address
        self.driver.tell(PeerOpened(community, admit.requests_max, remote))

    def _make_meter(self, link: Link, trust: Trust) -> Meter:
        """Whom we dialled or follow is not held to what others of its address range do."""
        now_ms = int(asyncio.get_running_loop().time() * 1000)
        is_stranger = link.role == "listener" and trust != "followed"
        of_range = self._ranges.of(self._all[link].address, now_ms) if is_stranger else None
        return Meter(self._own.grant, now_ms, of_range=of_range)

    def _community_of(self, link: Link) -> bytes | None:
        """The community whose open session this link is."""
        community = link.admitted.identity.community if link.admitted else None
        return community if community is not None and self._open.get(community) is link else None

    def _forget(self, link: Link) -> None:
        community = self._community_of(link)
        if community is not None:
            del self._open[community]
            self._strangers.discard(community)
            self._note_clock(community, None)
            self.driver.tell(PeerClosed(community, link.end.code if link.end else "session_lost"))

    def _note_clock(self, community: bytes, offset_ms: int | None) -> None:
        if offset_ms is None:
            self._clock_offsets.pop(community, None)
        else:
            self._clock_offsets[community] = offset_ms
        offsets = self._clock_offsets.values()
        self._store.note_peer_clocks(median_low(offsets) if offsets else 0)
