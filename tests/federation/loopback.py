"""Nodes on loopback: the real federation over real TLS, with a store in memory and keys from a word."""

import asyncio
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, Self

from node.config import Listen, read_sources
from node.federation import Federation
from node.federation.store import Finding, LookedUp, Question
from node.operations.lifecycle import Listening
from node.vault import Vault
from node.writer.lane_writer import Advance
from protocol.exchange.backups import BackupLoaded, LoadBackup
from protocol.exchange.discovery_events import ForgetKnown, KeepKnown, Known, Trust
from protocol.exchange.follow_rules import FollowRule
from protocol.exchange.frames import (
    Answer,
    Blob,
    BlobGet,
    CosignGet,
    Refused,
    Request,
    Sealed,
    SealedGet,
    SealedObject,
)
from protocol.exchange.holding import HeldLane, SignedHead, StoreStep
from protocol.exchange.listing import Place, SumUpHeads
from protocol.exchange.relay_events import (
    LoadParts,
    LoadRelays,
    PartsLoaded,
    RelayEvent,
    RelaysLoaded,
    RelayWork,
)
from protocol.exchange.replication_events import LaneAdvanced, LaneStored, StepsFailed
from protocol.exchange.resuming import HeadsOfLoaded, OwnHeadsLoaded
from protocol.exchange.standing import KeepShown
from protocol.exchange.statements import JudgeStatement, LoadStatements, StatementJudged, StatementsLoaded
from protocol.exchange.trust_events import FollowKnown, InvitesLoaded, PeerTrusted, Settle, Settled, TrustPeer
from protocol.exchange.witnessing import WitnessesKnown
from protocol.identity.genesis import make_genesis
from protocol.identity.keys import SigningKey, log_key_hash
from protocol.identity.sealing import ReaderKey
from protocol.log.merkle import leaf_hash
from protocol.log.origin import Origin
from protocol.log.record import encode_record
from storage.errors import StorageError
from tests.exchange.memory_store import MemoryStore
from tests.village import seed

PATIENCE_SECONDS = 60.0


def make_vault(word: str) -> Vault:
    """A whole community from one word."""
    log, witness, transport, recovery, later = (
        SigningKey(seed(f"{word} {role}")) for role in ("log", "witness", "transport", "recovery", "next")
    )
    sealing = ReaderKey(seed(f"{word} sealing"))
    genesis = make_genesis(
        name={"en": word},
        currency="EUR",
        log=log,
        witness=witness,
        transport=transport,
        sealing_key=sealing.public,
        next_log_key_hash=log_key_hash(later.public),
        recovery=[recovery],
        recovery_threshold=1,
    )
    record = encode_record("community.founded", genesis, time_ms=1_760_000_000_000)
    return Vault(
        folder=Path(word),
        community=leaf_hash(record),
        genesis=genesis,
        genesis_record=record,
        log_keys={0: log},
        witness=witness,
        transport=transport,
        transport_seed=seed(f"{word} transport"),
        sealing=sealing,
        api_token="token",
    )


class LoopbackStore:
    """The store of the protocol's tests, asked from threads as a real one is."""

    def __init__(self, vault: Vault) -> None:
        self.memory = MemoryStore(
            vault.community, vault.log_keys[0], {vault.community: vault.log_keys[0].public}
        )
        self.trusts: dict[bytes, Trust] = {}
        self.known_before: list[Known] = []
        self.own_record = b""
        self.kept: dict[bytes, Known] = {}
        self.sectors: tuple[str, ...] = ()
        self.follow_rules: tuple[FollowRule, ...] = ()
        self.met_at: list[str | None] = []
        self.findings: list[Finding] = []
        self.clock_offsets: list[int] = []
        self.sealed: dict[bytes, SealedObject] = {}
        self.blobs: dict[bytes, bytes] = {}
        self.batches: list[int] = []
        self.is_broken = False
        self.witnesses = WitnessesKnown(0, {})
        self.backups_asked: list[LoadBackup] = []
        self.acknowledged: list[bytes] = []
        self.signing: list[str] = []
        self.compared: list[tuple[Origin, int]] = []
        self.on_growth: Callable[[], None] = lambda: None
        self.genesis_keys: dict[bytes, bytes] = {}
        self._lock = Lock()

    async def known(self) -> tuple[tuple[Known, ...], bytes]:
        return tuple(self.known_before), self.own_record

    async def take_changes(self, changes: Sequence[KeepKnown | ForgetKnown]) -> None:
        self._check()
        for change in changes:
            if isinstance(change, KeepKnown):
                self.kept[change.known.community] = change.known
            else:
                self.kept.pop(change.community, None)
        _beat()

    async def invites(self) -> InvitesLoaded:
        return InvitesLoaded((), ())

    async def settle(self, effect: Settle) -> Settled:
        self._check()
        assert isinstance(effect, TrustPeer | FollowKnown), "no invites are made here"
        if isinstance(effect, FollowKnown):
            self._learn(effect.peer, effect.genesis)
        self.set_trust(effect.peer, "followed")
        return PeerTrusted(effect.peer)

    async def rules(self) -> tuple[FollowRule, ...]:
        return self.follow_rules

    async def own_sectors(self) -> tuple[str, ...]:
        return self.sectors

    async def places(self) -> Mapping[bytes, Place]:
        return self.memory.places

    async def keep_shown(self, shown: Sequence[KeepShown]) -> None:
        self.shown = [*shown]

    async def keep_places(self, places: Mapping[bytes, Place]) -> None:
        self.memory.places.update(places)

    async def look_up(self, question: Question) -> LookedUp:
        self._check()
        if not isinstance(question, SumUpHeads):
            return self.witnesses
        return await asyncio.to_thread(self.memory.sum_up, question, b"k" * 16)

    async def cosign(self, request: CosignGet) -> Answer:
        return Refused(request.number, "witness_log_unknown", "")

    async def trust_of(self, community: bytes) -> Trust:
        return self.trusts.get(community, "found")

    def _learn(self, community: bytes, genesis_record: bytes) -> None:
        from protocol.lanes import BODY_TYPES
        from protocol.log.record import decode_record

        self.genesis_keys[community] = decode_record(genesis_record, BODY_TYPES).body.log_key

    async def met(
        self, community: bytes, genesis_record: bytes, *, address: str | None, is_wanted: bool
    ) -> Trust:
        self._check()
        self.met_at.append(address)
        self._learn(community, genesis_record)
        trust = self.trusts.get(community, "found")
        self.set_trust(community, "followed" if is_wanted and trust == "found" else trust)
        return self.trusts[community]

    def set_trust(self, community: bytes, trust: Trust) -> None:
        self.trusts[community] = trust
        self.memory.log_publics.pop(community, None)
        if trust == "followed":
            self.memory.log_publics[community] = self.genesis_keys[community]

    async def hold_lanes(
        self, origins: Collection[Origin]
    ) -> tuple[tuple[HeldLane, ...], tuple[Origin, ...]]:
        held = {origin: await self._off_loop(self.memory.held, origin) for origin in origins}
        return tuple(lane for lane in held.values() if lane), tuple(o for o, lane in held.items() if not lane)

    async def take_steps(
        self, steps: Sequence[StoreStep], *, peers: Collection[bytes]
    ) -> Sequence[LaneStored | LaneAdvanced | StepsFailed]:
        self.batches.append(len(steps))
        return await self._off_loop(lambda: [self.memory.take(step) for step in steps])

    async def own_advances(
        self, lanes: Collection[str] | None, *, shown: Mapping[Origin, int], peers: Collection[bytes]
    ) -> Sequence[LaneAdvanced]:
        own = [origin for origin in self.memory.lanes if origin.community == self.memory.community]
        return [
            self.memory.news(origin, shown.get(origin, 0))
            for origin in own
            if lanes is None or origin.lane in lanes
        ]

    async def answer(self, reader: bytes, request: Request) -> Answer:
        if isinstance(request, SealedGet):
            found = [self.sealed[name] for name in request.commitments if name in self.sealed]
            return Sealed(request.number, tuple(found[:3]))
        if isinstance(request, BlobGet):
            content = self.blobs.get(request.digest)
            if content is None:
                return Refused(request.number, "blob_not_held", "")
            part = content[request.offset : request.offset + request.length]
            return Blob(request.number, len(content), part)
        return await self._off_loop(self.memory.answer, reader, request)

    async def keep_sealed(self, sender: bytes, objects: Sequence[SealedObject]) -> tuple[bytes, ...]:
        self._check()
        admitted = [item for item in objects if item.ciphertext != b"for nobody here"]
        self.sealed |= {item.commitment: item for item in admitted}
        return tuple(item.commitment for item in admitted)

    async def compare_head(self, origin: Origin, head: SignedHead) -> None:
        self.compared.append((origin, head.size))
        _beat()

    async def own_heads(self) -> OwnHeadsLoaded:
        heads = {
            origin: lane.adopted
            for origin, lane in self.memory.lanes.items()
            if origin.community == self.memory.community and lane.adopted
        }
        return OwnHeadsLoaded(
            self.memory.community, 0, self.memory.key.public, heads, frozenset(self.acknowledged)
        )

    async def heads_of(self, peer: bytes) -> HeadsOfLoaded:
        lanes = [lane for origin, lane in self.memory.lanes.items() if origin.community == peer]
        return HeadsOfLoaded(peer, tuple(lane.adopted.note for lane in lanes if lane.adopted))

    async def note_acknowledged(self, peer: bytes) -> None:
        self.acknowledged.append(peer)
        _beat()

    def hold_signing(self) -> None:
        self.signing.append("held")
        _beat()

    def allow_signing(self) -> None:
        self.signing.append("")
        _beat()

    def stop_signing(self, code: str) -> None:
        self.signing.append(code)
        _beat()

    async def load_statements(self, after: int | None) -> StatementsLoaded:
        loaded: StatementsLoaded = (await self._off_loop(self.memory.mind, LoadStatements(after)))[0]
        return loaded

    async def judge_statement(self, peer: bytes, text: bytes) -> StatementJudged:
        judged, *grown = await self._off_loop(self.memory.mind, JudgeStatement(peer, text))
        if grown:
            self.on_growth()
        return judged  # type: ignore[no-any-return]  # a StatementJudged comes first

    async def do_relay_work(self, work: RelayWork) -> RelayEvent | None:
        """Nobody here has relays."""
        if isinstance(work, LoadRelays):
            return RelaysLoaded((), (), ())
        return PartsLoaded(()) if isinstance(work, LoadParts) else None

    async def load_backup(self, asked: LoadBackup) -> BackupLoaded:
        self.backups_asked.append(asked)
        return BackupLoaded(asked.peer, is_keeper=False)

    async def report(self, finding: Finding) -> None:
        self.findings.append(finding)
        _beat()

    def note_peer_clocks(self, offset_ms: int) -> None:
        self.clock_offsets.append(offset_ms)
        _beat()

    async def _off_loop(self, work: Callable[..., Any], *arguments: Any) -> Any:
        def locked() -> Any:
            with self._lock:
                self._check()
                return work(*arguments)

        try:
            return await asyncio.to_thread(locked)
        finally:
            _beat()

    def _check(self) -> None:
        if self.is_broken:
            raise StorageError("storage_full", "")


class LoopbackNode:
    """One community with its store and its federation, on a port of its own. An async context."""

    def __init__(
        self, word: str, *dialled: "LoopbackNode | str", port: int = 0, host: str = "127.0.0.1", **flags: Any
    ) -> None:
        self.vault = make_vault(word)
        self.community = self.vault.community
        self.store = LoopbackStore(self.vault)
        self.listening = bound(host, port)
        self._http = replace(self.listening, bound=Listen(host, 8470))
        peers = [peer if isinstance(peer, str) else peer.address for peer in dialled]
        self._flags = {"mdns": "false", "peers": ",".join(peers), **flags}
        self.federation: Federation

    @property
    def address(self) -> str:
        return str(self.listening.bound)

    def lane(self, lane: str = "market/food") -> Origin:
        return Origin(self.community, lane, 0)

    def append(self, entries: list[bytes], lane: str = "market/food") -> None:
        """Sign a new head, and tell the federation as the writer does."""
        self.store.memory.append(self.lane(lane), entries)
        self.federation.note(Advance(signed=(lane,)))

    def holds(self, origin: Origin) -> list[bytes]:
        """The entries under the adopted head."""
        lane = self.store.memory.lanes.get(origin)
        return lane.entries[: lane.adopted.size] if lane and lane.adopted else []

    async def __aenter__(self) -> Self:
        settings = read_sources(flags=self._flags, environment={"HOME": "/nonexistent"}).settings()
        self.federation = Federation(
            store=self.store, vault=self.vault, settings=settings, listening=self.listening, http=self._http
        )
        self.store.on_growth = lambda: self.federation.note(Advance(has_new_evidence=True))
        await self.federation.__aenter__()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.federation.__aexit__(None, None, None)


def bound(host: str, port: int) -> Listening:
    opened = socket.create_server((host, port), backlog=16)
    opened.setblocking(False)
    return Listening(socket=opened, wanted=Listen(host, port), bound=Listen(*opened.getsockname()[:2]))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def low_port() -> int:
    """One below those of outgoing connections, where our own servers listen."""
    for port in range(21_000, 32_000, 7):
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("every port is in use")


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something holds, looking again whenever a store was spoken to; fail when it never does."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            beat = asyncio.get_running_loop().create_future()
            _waiting.append(beat)
            await beat


def _beat() -> None:
    """A store was spoken to: whoever waits for a change looks again, after everybody else's turn."""
    while _waiting:
        beat = _waiting.pop()
        beat.get_loop().call_soon(lambda beat=beat: beat.done() or beat.set_result(None))


_waiting: list[asyncio.Future[None]] = []
