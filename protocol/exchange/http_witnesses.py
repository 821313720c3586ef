"""Witnesses that are asked over HTTP: what is sent, what an answer says, who is left alone (PROTOCOL.md section 27.4).

Only the own charter names them, so only stewards decide whom this node calls. One that fails is left alone for
a while, twice as long each time.

    effect = witnesses.ask(name, origin, head, old_size=12, proof=hashes)    # an AskWitness
    answer = witnesses.answered(WitnessAnswered(name, origin, 15, 200, body), head, now_ms)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from protocol.errors import LogError
from protocol.exchange.chance import Chance
from protocol.exchange.frames import Answer, Cosigned, Refused
from protocol.exchange.holding import SignedHead
from protocol.limits import CODE_CHARACTERS_MAX, WITNESS_BACK_OFF_MS, WITNESS_BACK_OFF_MS_MAX
from protocol.log.note import Note, VerifierKey, format_note, parse_note
from protocol.log.origin import Origin
from protocol.log.witness import AddCheckpoint, make_add_checkpoint, read_cosigned


@dataclass(frozen=True, slots=True)
class HttpWitnessKnown:
    """A witness that the own charter names: its key, and where it is asked."""

    key: VerifierKey
    url: str


@dataclass(frozen=True, slots=True)
class AskWitness:
    """Post `body` to `url`/add-checkpoint; `WitnessAnswered` comes back, with the same witness, lane and size."""

    witness: bytes
    url: str
    origin: Origin
    size: int
    body: bytes


@dataclass(frozen=True, slots=True)
class WitnessAnswered:
    """The end of an `AskWitness`: HTTP status and body, or None where nothing whole came in time."""

    witness: bytes
    origin: Origin
    size: int
    status: int | None
    body: bytes = b""


@dataclass(slots=True)
class _Patience:
    """How often one has failed in a row, and when it may be asked again."""

    failures: int = 0
    ready_ms: int = 0


class HttpWitnesses:
    """Those that are known, by the UTF-8 of their key names: nobody's community id reads like one."""

    def __init__(self, chance: Chance) -> None:
        """Start without any; `chance` keeps nodes from calling all at once."""
        self._chance = chance
        self._known: dict[bytes, HttpWitnessKnown] = {}
        self._patience: dict[bytes, _Patience] = {}
        self._asked: set[tuple[bytes, Origin]] = set()

    @property
    def names(self) -> frozenset[bytes]:
        """All that are known."""
        return frozenset(self._known)

    def know(self, witnesses: Sequence[HttpWitnessKnown]) -> Mapping[bytes, VerifierKey]:
        """Take those that the charter names now, and return their keys; one that changed begins anew."""
        before = self._known
        self._known = {witness.key.name.encode(): witness for witness in witnesses}
        self._patience = {
            name: kept
            for name, kept in self._patience.items()
            if name in self._known and self._known[name] == before.get(name)
        }
        return {name: witness.key for name, witness in self._known.items()}

    def ready_ms(self, witness: bytes) -> int:
        """Return when a witness may be asked; any that is no HTTP witness at any time."""
        kept = self._patience.get(witness)
        return kept.ready_ms if kept else 0

    def is_asked(self, witness: bytes, origin: Origin) -> bool:
        """Whether an answer about this lane is still awaited of it."""
        return (witness, origin) in self._asked

    def ask(
        self, witness: bytes, origin: Origin, head: SignedHead, old_size: int, proof: tuple[bytes, ...]
    ) -> AskWitness:
        """Return the question for a cosignature of a head."""
        parsed = parse_note(head.note)
        note = format_note(Note(parsed.text, parsed.signatures[:1]))  # some witnesses refuse large ones
        self._asked.add((witness, origin))
        body = make_add_checkpoint(AddCheckpoint(old_size, proof, note))
        return AskWitness(witness, self._known[witness].url, origin, head.size, body)

    def answered(self, event: WitnessAnswered, head: SignedHead | None, now_ms: int) -> Answer | None:
        """Return what an answer says of `head`, None where it is not of that head or says nothing."""
        self._asked.discard((event.witness, event.origin))
        known = self._known.get(event.witness)
        if known is None:
            return None
        if event.status is None:
            self.fail(event.witness, now_ms)
            return None
        if head is None or head.size != event.size:
            return None
        try:
            line = read_cosigned(event.status, event.body, text=head.checkpoint.text, witness=known.key)
        except LogError as error:
            if error.code != "witness_size_mismatch":
                self.fail(event.witness, now_ms)
            return Refused(0, error.code, error.detail[:CODE_CHARACTERS_MAX])
        self._patience.pop(event.witness, None)
        return Cosigned(0, line.key_id + line.signature)

    def fail(self, witness: bytes, now_ms: int) -> None:
        """Leave a witness alone for a while; nothing where it is none of these."""
        if witness not in self._known:
            return
        kept = self._patience.setdefault(witness, _Patience())
        longest = min(WITNESS_BACK_OFF_MS << min(kept.failures, 30), WITNESS_BACK_OFF_MS_MAX)
        kept.failures += 1
        kept.ready_ms = now_ms + int(longest * (2 + self._chance.random()) / 3)
