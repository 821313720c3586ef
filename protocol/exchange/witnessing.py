"""Having our heads cosigned: one round open a lane, the same head to all witnesses (PROTOCOL.md section 27.2).

Witnesses are communities, asked over their sessions, and those over HTTP (`http_witnesses`); here both are known
by bytes: a community id, or the UTF-8 of a key name.

A round ends with enough cosignatures, or after two seconds with those that came; late ones are kept too. At
most one a minute a lane, but at once where somebody waits for it; a head that does not change is sent again
now and then, because a cosignature also says when.

    effects = witnessing.handle(WitnessesKnown(own, threshold=2, keys={community: witness_key}), now_ms)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from protocol.errors import ProtocolError
from protocol.exchange.chance import Chance
from protocol.exchange.frames import NO_INSTANCE, Cosigned, CosignGet, Heads, Refused
from protocol.exchange.heads import state_head
from protocol.exchange.holding import Blame, KeepCosignatures, SignedHead
from protocol.exchange.http_witnesses import AskWitness, HttpWitnesses, HttpWitnessKnown, WitnessAnswered
from protocol.exchange.machine import AskPeer, PeerAnswered
from protocol.exchange.replication_events import LaneAdvanced, PeerClosed, PeerOpened, Send, WakeAt, Woken
from protocol.lanes.kind import CHARTER
from protocol.limits import (
    TREE_SIZE_MAX,
    WITNESS_AGAIN_MS,
    WITNESS_PATIENCE_MS,
    WITNESS_RETRIES_MAX,
    WITNESS_RETRY_MS,
    WITNESS_ROUND_MS,
)
from protocol.log.cosignature import cosignature_times
from protocol.log.lines import parse_decimal
from protocol.log.note import (
    COSIGNATURE_V1,
    KEY_ID_BYTES,
    Note,
    NoteSignature,
    VerifierKey,
    format_note,
    parse_note,
)
from protocol.log.origin import Origin, witness_name


@dataclass(frozen=True, slots=True)
class WitnessesKnown:
    """Whom our charter names, with their witness keys, and how many suffice; `http` are asked over HTTP."""

    threshold: int
    keys: Mapping[bytes, bytes]
    http: tuple[HttpWitnessKnown, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadWitnesses:
    """Ask the store for the witnesses; `WitnessesKnown` comes back."""


@dataclass(frozen=True, slots=True)
class RoundWanted:
    """Somebody waits for cosignatures of the first `size` entries of this lane: the minute is not waited for."""

    origin: Origin
    size: int


@dataclass(frozen=True, slots=True)
class GrowthProven:
    """The consistency proof between two sizes of an own lane."""

    origin: Origin
    witness: bytes
    old_size: int
    size: int
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ProveGrowth:
    """Ask the store for the proof that the first `size` entries of an own lane begin with the first `old_size`."""

    origin: Origin
    witness: bytes
    old_size: int
    size: int


@dataclass(slots=True)
class _Round:
    """One head that all witnesses are asked to cosign; `asked_again` are those that told us another size."""

    head: SignedHead
    deadline_ms: int
    waiting: set[bytes]
    asked_again: set[bytes] = field(default_factory=set)
    lines: dict[bytes, NoteSignature] = field(default_factory=dict)
    is_over: bool = False


@dataclass(slots=True)
class _Lane:
    """One own lane: its newest head, who may read it, what each witness cosigned last, and the last round.

    `retry_ms` is when those are asked again who did not know yet that we named them, `retries` how often.
    """

    head: SignedHead
    readers: frozenset[bytes] | None
    sizes: dict[bytes, int] = field(default_factory=dict)
    round: _Round | None = None
    started_ms: int | None = None
    retries: int = 0
    retry_ms: int | None = None


class Witnessing:
    """The machine that has own heads cosigned. Only open peers are asked, and only those who may read the lane."""

    HEARS: ClassVar[frozenset[type]] = frozenset(
        {WitnessesKnown, RoundWanted, GrowthProven, WitnessAnswered, LaneAdvanced, PeerOpened, PeerClosed}
    )
    FRAMES: ClassVar[frozenset[type]] = frozenset()

    def __init__(self, chance: Chance) -> None:
        """Start without witnesses; `chance` is for those over HTTP."""
        self._http = HttpWitnesses(chance)
        self._threshold = 0
        self._keys: dict[bytes, VerifierKey] = {}
        self._open: set[bytes] = set()
        self._lanes: dict[Origin, _Lane] = {}
        self._wanted: dict[Origin, int] = {}

    def handle(self, event: Any, now_ms: int) -> list[Any]:
        """Take one event and return what to do, in order."""
        effects = self._MOVES[type(event)](self, event, now_ms)
        for origin in self._lanes:
            effects += self._go_on(origin, now_ms)
        return [*effects, *self._wake(now_ms)]

    # What happens.

    def _known(self, event: WitnessesKnown, now_ms: int) -> list[Any]:
        """They may have to hear our charter first: a round that comes too early is repeated soon."""
        self._threshold = event.threshold
        before = self._keys
        self._keys = {
            community: VerifierKey(witness_name(community), COSIGNATURE_V1, public)
            for community, public in event.keys.items()
        }
        self._keys |= self._http.know(event.http)
        if self._keys != before:
            for lane in self._lanes.values():
                lane.retries, lane.retry_ms = 0, now_ms
        return []

    def _advanced(self, event: LaneAdvanced, _now_ms: int) -> list[Any]:
        if not event.is_own:
            return []
        lane = self._lanes.setdefault(event.origin, _Lane(event.head, event.readers))
        if event.head.size >= lane.head.size:
            lane.head, lane.readers = event.head, event.readers
        return [LoadWitnesses()] if event.origin.lane == CHARTER else []

    def _round_wanted(self, event: RoundWanted, _now_ms: int) -> list[Any]:
        self._wanted[event.origin] = max(event.size, self._wanted.get(event.origin, 0))
        return []  # the head that covers them may not be signed yet

    def _opened(self, event: PeerOpened, _now_ms: int) -> list[Any]:
        self._open.add(event.peer)
        return [] if self._keys else [LoadWitnesses()]

    def _closed(self, event: PeerClosed, _now_ms: int) -> list[Any]:
        self._open.discard(event.peer)
        return []

    def _woken(self, _event: Woken, _now_ms: int) -> list[Any]:
        return []

    def _proven(self, event: GrowthProven, _now_ms: int) -> list[Any]:
        lane = self._lanes.get(event.origin)
        current = lane.round if lane else None
        if current is None or current.head.size != event.size or event.witness not in current.waiting:
            return []
        return [self._ask(event.origin, event.witness, current.head, event.old_size, event.proof)]

    def _answered(self, event: PeerAnswered, now_ms: int) -> list[Any]:
        assert isinstance(event.about, tuple), "a lane and a size were asked about"
        origin, size = event.about
        lane = self._lanes.get(origin)
        current = lane.round if lane else None
        if lane is None or current is None or current.head.size != size:
            return []  # of a round before this one
        if isinstance(event.answer, Cosigned):
            return self._cosigned(origin, lane, current, event.peer, event.answer)
        if isinstance(event.answer, Refused) and event.answer.code == "witness_size_mismatch":
            return self._told_size(origin, lane, current, event.peer, event.answer.about, now_ms)
        current.waiting.discard(event.peer)
        is_early = isinstance(event.answer, Refused) and event.answer.code == "witness_log_unknown"
        if is_early and lane.retry_ms is None and lane.retries < WITNESS_RETRIES_MAX:
            lane.retry_ms = now_ms + (WITNESS_RETRY_MS << lane.retries)
            lane.retries += 1
        return []

    def _http_answered(self, event: WitnessAnswered, now_ms: int) -> list[Any]:
        """A witness over HTTP has answered, or has not: from here on it is one like the others."""
        lane = self._lanes.get(event.origin)
        head = lane.round.head if lane and lane.round else None
        answer = self._http.answered(event, head, now_ms)
        about = (event.origin, event.size)
        effects = self._answered(PeerAnswered(event.witness, about, answer), now_ms)
        if isinstance(answer, Refused) and answer.code not in _HONEST:
            effects.append(Blame(event.witness, answer.code, answer.about))
        return effects

    # Rounds.

    def _go_on(self, origin: Origin, now_ms: int) -> list[Any]:
        """End a round that is due, and begin the next one where there is something to ask."""
        lane = self._lanes[origin]
        effects: list[Any] = []
        current = lane.round
        if current is not None and not current.is_over:
            is_enough = len(current.lines) >= max(self._threshold, 1)
            if is_enough or not current.waiting or now_ms >= current.deadline_ms:
                current.is_over = True
                effects += self._spread(origin, lane, current)
        if (current is None or current.is_over) and self._is_due(origin, lane, now_ms):
            effects += self._begin(origin, lane, now_ms)
        return effects

    def _able(self, lane: _Lane) -> set[bytes]:
        """The witnesses that may be asked: those over HTTP only about lanes that anybody may read."""
        able = self._open.intersection(self._keys)
        return able | self._http.names if lane.readers is None else able.intersection(lane.readers)

    def _is_due(self, origin: Origin, lane: _Lane, now_ms: int) -> bool:
        return bool(self._able(lane)) and now_ms >= self._due_ms(origin, lane)

    def _due_ms(self, origin: Origin, lane: _Lane) -> int:
        """When the next round of a lane is due, if a witness is there, and one of those that matter is ready."""
        able = self._able(lane)
        has_same = lane.round is not None and lane.round.head.size == lane.head.size
        lacking = able - set(lane.round.lines) if lane.round is not None and has_same else able
        ready_ms = min(map(self._http.ready_ms, lacking or able))
        asked_size = lane.round.head.size if lane.round else 0
        if lane.started_ms is None or asked_size < self._wanted.get(origin, 0) <= lane.head.size:
            return ready_ms
        due_ms = lane.started_ms + (WITNESS_ROUND_MS if lacking else WITNESS_AGAIN_MS)
        return max(ready_ms, due_ms if lane.retry_ms is None else min(due_ms, lane.retry_ms))

    def _begin(self, origin: Origin, lane: _Lane, now_ms: int) -> list[Any]:
        asked = {
            witness
            for witness in self._able(lane)
            if now_ms >= self._http.ready_ms(witness) and not self._http.is_asked(witness, origin)
        }
        if not asked:
            return []  # the answers of before come first
        lane.started_ms, lane.retry_ms = now_ms, None
        lane.round = _Round(lane.head, now_ms + WITNESS_PATIENCE_MS, asked)
        return [self._ask_or_prove(origin, lane, witness) for witness in sorted(asked)]

    def _ask_or_prove(self, origin: Origin, lane: _Lane, witness: bytes) -> Any:
        old_size, head = lane.sizes.get(witness, 0), lane.head
        if lane.round is not None:
            head = lane.round.head
        if old_size in (0, head.size):
            return self._ask(origin, witness, head, old_size, ())
        return ProveGrowth(origin, witness, old_size, head.size)

    def _ask(
        self, origin: Origin, witness: bytes, head: SignedHead, old_size: int, proof: tuple[bytes, ...]
    ) -> AskPeer | AskWitness:
        if witness in self._http.names:
            return self._http.ask(witness, origin, head, old_size, proof)
        stated = state_head(_without_cosignatures(head.note))
        return AskPeer(witness, CosignGet(0, stated, old_size, proof), (origin, head.size))

    def _cosigned(
        self, origin: Origin, lane: _Lane, current: _Round, witness: bytes, answer: Cosigned
    ) -> list[Any]:
        current.waiting.discard(witness)
        key = self._keys.get(witness)
        if key is None:
            return []
        try:
            line = NoteSignature(key.name, answer.signature[:KEY_ID_BYTES], answer.signature[KEY_ID_BYTES:])
            cosignature_times(Note(current.head.checkpoint.text, (line,)), [key])
        except ProtocolError as error:
            return [Blame(witness, error.code, error.detail)]
        current.lines[witness] = line
        lane.sizes[witness] = current.head.size
        return self._spread(origin, lane, current) if current.is_over else []

    def _told_size(
        self, origin: Origin, lane: _Lane, current: _Round, witness: bytes, told: str, now_ms: int
    ) -> list[Any]:
        """A witness knows another size than we thought: once a round it is asked again from there."""
        try:
            size = parse_decimal(told, maximum=TREE_SIZE_MAX)
        except ProtocolError:
            size = TREE_SIZE_MAX
        if witness in current.asked_again or size > current.head.size:
            current.waiting.discard(witness)
            self._http.fail(witness, now_ms)
            return []
        current.asked_again.add(witness)
        lane.sizes[witness] = size
        return [self._ask_or_prove(origin, lane, witness)]

    def _spread(self, origin: Origin, lane: _Lane, current: _Round) -> list[Any]:
        """Keep what came, and show it to everybody who may read the lane."""
        if not current.lines:
            return []
        lines = tuple(current.lines[witness] for witness in sorted(current.lines))
        note = format_note(parse_note(_without_cosignatures(current.head.note)).with_signatures(*lines))
        told = Heads(0, NO_INSTANCE, 0, False, (state_head(note),))
        readers = self._open if lane.readers is None else self._open.intersection(lane.readers)
        head = SignedHead(note, current.head.checkpoint)
        return [KeepCosignatures(origin, head), *(Send(peer, told) for peer in sorted(readers))]

    def _wake(self, now_ms: int) -> list[WakeAt]:
        times = [
            lane.round.deadline_ms
            for lane in self._lanes.values()
            if lane.round is not None and not lane.round.is_over
        ]
        times += [self._due_ms(origin, lane) for origin, lane in self._lanes.items() if self._able(lane)]
        later = [time for time in times if time > now_ms]
        return [WakeAt(min(later))] if later else []

    _MOVES: ClassVar[Mapping[type, Callable[..., list[Any]]]] = {
        WitnessesKnown: _known,
        RoundWanted: _round_wanted,
        GrowthProven: _proven,
        WitnessAnswered: _http_answered,
        LaneAdvanced: _advanced,
        PeerOpened: _opened,
        PeerClosed: _closed,
        PeerAnswered: _answered,
        Woken: _woken,
    }


_HONEST = (
    "witness_size_mismatch",
    "witness_log_unknown",
    "witness_refused",
)  # what one over HTTP may well say


def _without_cosignatures(note: bytes) -> bytes:
    """The note with the log's own line alone: some witnesses refuse large ones."""
    parsed = parse_note(note)
    return format_note(Note(parsed.text, parsed.signatures[:1]))
