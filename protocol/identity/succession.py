"""The keys of all epochs of a community, from its genesis and the successor notes that are known (section 25.1).

The same notes give the same keys to node and auditor, in whatever order they came: nothing here reads a clock.

    chain = make_chain(EpochKeys.of_genesis(community, genesis), {0: [raw]})
    chain.keys[epoch].log_key
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from protocol.errors import ProtocolError
from protocol.identity.successor import (
    EpochKeys,
    SealedLane,
    Succession,
    join_successors,
    trim_successor,
    verify_successor,
)
from protocol.limits import EPOCHS_AUDITED_MAX, SUCCESSORS_KEPT_MAX
from protocol.log.note import parse_note


@dataclass(frozen=True, slots=True)
class Closing:
    """A note that holds: what it brings about, and its bytes."""

    succession: Succession
    raw: bytes

    @property
    def epoch(self) -> int:
        """The epoch that it closes."""
        return self.succession.successor.epoch

    @property
    def lanes(self) -> Mapping[str, SealedLane]:
        """What each lane came to."""
        return self.succession.successor.lanes

    @property
    def name(self) -> bytes:
        """SHA-256 of its text, by which a steward chooses it; signatures do not count."""
        return sha256(self.succession.successor.text.encode()).digest()


@dataclass(frozen=True, slots=True)
class EpochChain:
    """The keys of each epoch from 0 on, how each but the last one ended, and what keeps the last one from ending.

    `contested` are the notes of the last epoch that contradict each other, none of which was chosen.
    """

    keys: tuple[EpochKeys, ...]
    closings: tuple[Closing, ...] = ()
    contested: tuple[Closing, ...] = ()

    @property
    def epoch(self) -> int:
        """The epoch that is open."""
        return self.keys[-1].epoch

    @property
    def newest(self) -> EpochKeys:
        """The keys of the open epoch."""
        return self.keys[-1]

    def log_key(self, epoch: int) -> bytes | None:
        """Return the log key of an epoch, None where no note has opened it."""
        return self.keys[epoch].log_key if epoch < len(self.keys) else None

    def seal(self, lane: str, epoch: int) -> SealedLane | None:
        """Return what a lane came to in a closed epoch, None where it has no entries or the epoch is open."""
        return self.closings[epoch].lanes.get(lane) if epoch < len(self.closings) else None

    def is_closed(self, epoch: int) -> bool:
        """Whether a note has closed this epoch."""
        return epoch < len(self.closings)

    def refuses(self, lane: str, epoch: int, size: int, root_at: Callable[[int], bytes]) -> bool:
        """Whether a copy of `size` entries is another branch of a closed epoch than its note has sealed.

        `root_at` gives the copy's root at a size.
        """
        sealed = self.seal(lane, epoch)
        return sealed is not None and size >= sealed.size and root_at(sealed.size) != sealed.root


def make_chain(
    first: EpochKeys,
    notes: Mapping[int, Sequence[bytes]],
    chosen: Mapping[int, bytes] | None = None,
) -> EpochChain:
    """Return the epochs that the notes prove, as far as they are undisputed or a steward has chosen.

    `notes` are by the epoch that they close; those that do not hold are passed over. `chosen` names by epoch
    the note (`Closing.name`) that the reader's stewards chose of several that contradict each other.
    """
    keys, closings = [first], list[Closing]()
    while len(closings) < EPOCHS_AUDITED_MAX:
        epoch = keys[-1].epoch
        standing = standing_notes(hold_notes(keys[-1], notes.get(epoch, ())))
        picked = [each for each in standing if (chosen or {}).get(epoch) == each.name]
        if len(standing) > 1 and not picked:
            return EpochChain(tuple(keys), tuple(closings), tuple(standing))
        if not standing:
            break
        closings += (picked or standing)[:1]
        keys.append(closings[-1].succession.opened)
    return EpochChain(tuple(keys), tuple(closings))


def hold_notes(closing_keys: EpochKeys, notes: Iterable[bytes]) -> list[Closing]:
    """Return the notes that hold for the epoch of `closing_keys`: one a text, with the signatures of all copies."""
    found: dict[str, Closing] = {}
    for note in notes:
        try:
            succession = verify_successor(note, closing_keys)
        except ProtocolError:
            continue
        closing = Closing(succession, trim_successor(note, closing_keys))
        text = succession.successor.text
        found[text] = _merged(found[text], closing, closing_keys) if text in found else closing
    return list(found.values())


def note_to_keep(raw: bytes, closing_keys: EpochKeys, kept: Sequence[bytes]) -> bytes | None:
    """Return the note, trimmed, where it says more about the epoch of `closing_keys` than those that are kept do.

    Raises `ProtocolError` where it does not hold.
    """
    text = parse_note(raw).text
    succession = verify_successor(raw, closing_keys)
    known = {each.succession.successor.text: each for each in hold_notes(closing_keys, kept)}
    copy = known.get(text)
    if copy is not None and copy.succession.kind in (succession.kind, "quorum"):
        return None  # further signatures would add nothing to its authority
    of_this_kind = sum(each.succession.kind == succession.kind for each in known.values())
    if copy is None and of_this_kind >= SUCCESSORS_KEPT_MAX:
        return None  # those that are kept show already that it is contested
    return trim_successor(raw, closing_keys)


def standing_notes(held: Sequence[Closing]) -> list[Closing]:
    """Return the notes that no other one puts aside (section 25.1): one closes the epoch, several contest it.

    A quorum puts the word of one sheet aside, however long that one has stood.
    """
    quorum = [each for each in held if each.succession.kind == "quorum"]
    return quorum or list(held)


def _merged(one: Closing, other: Closing, closing_keys: EpochKeys) -> Closing:
    """Two copies of one text: all signatures."""
    raw = join_successors(one.raw, other.raw)
    return replace(one, succession=verify_successor(raw, closing_keys), raw=raw)
