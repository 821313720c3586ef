"""Having own heads cosigned: rounds in time, one head to all, and nothing believed that does not hold."""

from random import Random
from typing import Any

import pytest

from protocol.exchange.frames import Cosigned, CosignGet, Refused
from protocol.exchange.heads import read_offer
from protocol.exchange.holding import Blame, KeepCosignatures, SignedHead
from protocol.exchange.machine import AskPeer, PeerAnswered
from protocol.exchange.replication_events import LaneAdvanced, PeerClosed, PeerOpened, Send, WakeAt, Woken
from protocol.exchange.witnessing import (
    GrowthProven,
    LoadWitnesses,
    ProveGrowth,
    RoundWanted,
    WitnessesKnown,
    Witnessing,
)
from protocol.identity.keys import SigningKey
from protocol.limits import WITNESS_AGAIN_MS, WITNESS_PATIENCE_MS, WITNESS_ROUND_MS
from protocol.log.cosignature import make_cosignature
from protocol.log.merkle import leaf_hashes
from protocol.log.note import Note, parse_note
from protocol.log.origin import Origin, witness_name
from tests.exchange.memory_store import sign_head
from tests.exchange.villages import KEYS, A, B, C, D, entries, lane_of

FOOD = lane_of(A)
WITNESS_KEYS = {name: SigningKey(bytes(reversed(name[:31])) + b"w") for name in (B, C, D)}


def head(size: int, origin: Origin = FOOD) -> SignedHead:
    return sign_head(origin, leaf_hashes(entries(size)), KEYS[A])


def advanced(size: int, readers: frozenset[bytes] | None = None, origin: Origin = FOOD) -> LaneAdvanced:
    return LaneAdvanced(origin, head(size, origin), True, readers=readers)


def with_witnesses(
    *open_peers: bytes, threshold: int = 2, named: tuple[bytes, ...] = (B, C, D)
) -> Witnessing:
    machine = Witnessing(Random(1))
    machine.handle(WitnessesKnown(threshold, {name: WITNESS_KEYS[name].public for name in named}), 0)
    for peer in open_peers:
        assert LoadWitnesses() not in machine.handle(PeerOpened(peer, 32), 0)
    return machine


def asked(effects: list[Any]) -> dict[bytes, AskPeer]:
    return {effect.peer: effect for effect in effects if isinstance(effect, AskPeer)}


def answer(ask: AskPeer, *, key: SigningKey | None = None, time_seconds: int = 7) -> PeerAnswered:
    assert isinstance(ask.request, CosignGet)
    text = read_offer(ask.request.head).checkpoint.text
    line = make_cosignature(
        text, name=witness_name(ask.peer), key=key or WITNESS_KEYS[ask.peer], time_seconds=time_seconds
    )
    return PeerAnswered(ask.peer, ask.about, Cosigned(1, line.key_id + line.signature))


def kept(effects: list[Any]) -> list[set[str]]:
    """The names under the notes that are to be kept."""
    notes = [parse_note(effect.head.note) for effect in effects if isinstance(effect, KeepCosignatures)]
    return [{line.name for line in note.signatures[1:]} for note in notes]


def test_all_witnesses_are_asked_for_the_same_head_and_a_quorum_ends_the_round() -> None:
    """The two that suffice are kept and shown at once; the third, which comes later, is added."""
    machine = with_witnesses(B, C, D)
    asks = asked(machine.handle(advanced(5), 0))
    assert {(ask.request.head, ask.request.old_size) for ask in asks.values()} == {  # type: ignore[union-attr]  # questions to witnesses
        (asks[B].request.head, 0)  # type: ignore[union-attr]  # a question to a witness
    }
    assert kept(machine.handle(answer(asks[B]), 10)) == []
    effects = machine.handle(answer(asks[C]), 20)
    assert kept(effects) == [{witness_name(B), witness_name(C)}]
    assert {effect.peer for effect in effects if isinstance(effect, Send)} == {B, C, D}
    assert kept(machine.handle(answer(asks[D]), 900)) == [{witness_name(name) for name in (B, C, D)}]


def test_after_two_seconds_a_round_ends_with_what_came() -> None:
    """A silent witness holds nobody up, and without any cosignature nothing is written."""
    machine = with_witnesses(B, C)
    effects = machine.handle(advanced(5), 0)
    assert WakeAt(WITNESS_PATIENCE_MS) in effects
    machine.handle(answer(asked(effects)[B]), 10)
    assert kept(machine.handle(Woken(), WITNESS_PATIENCE_MS)) == [{witness_name(B)}]
    silent = with_witnesses(B, C)
    silent.handle(advanced(5), 0)
    assert kept(silent.handle(Woken(), WITNESS_PATIENCE_MS)) == []


def test_a_lane_has_one_round_a_minute_and_at_once_where_somebody_waits() -> None:
    """Too frequent heads keep witnesses from matching; a claim about an order does not wait."""
    machine = with_witnesses(B, threshold=1)
    machine.handle(answer(asked(machine.handle(advanced(5), 0))[B]), 1)
    for size in range(6, 12):
        assert asked(machine.handle(advanced(size), size)) == {}
    due = machine.handle(Woken(), WITNESS_ROUND_MS)
    assert [effect for effect in due if isinstance(effect, ProveGrowth)] == [ProveGrowth(FOOD, B, 5, 11)]
    machine.handle(GrowthProven(FOOD, B, 5, 11, ()), WITNESS_ROUND_MS)
    machine.handle(Woken(), WITNESS_ROUND_MS + WITNESS_PATIENCE_MS)
    machine.handle(advanced(12), WITNESS_ROUND_MS + 2_500)
    wanted = machine.handle(RoundWanted(FOOD, 13), WITNESS_ROUND_MS + 3_000)
    assert not [effect for effect in wanted if isinstance(effect, ProveGrowth)], "it is not signed yet"
    assert ProveGrowth(FOOD, B, 5, 13) in machine.handle(advanced(13), WITNESS_ROUND_MS + 3_500)


def test_an_unchanged_head_is_cosigned_again_now_and_then() -> None:
    """A cosignature says when: an old one would say that nobody has looked for a year."""
    machine = with_witnesses(B, threshold=1)
    machine.handle(answer(asked(machine.handle(advanced(5), 0))[B]), 1)
    assert asked(machine.handle(Woken(), WITNESS_ROUND_MS)) == {}
    again = asked(machine.handle(Woken(), WITNESS_AGAIN_MS))
    assert again[B].request.old_size == 5  # type: ignore[union-attr]  # a question to a witness


def test_a_witness_that_has_not_heard_our_charter_yet_is_asked_again_soon() -> None:
    """After 1, 2, 4, 8 and 16 seconds, and then once a minute like everybody."""
    machine, now_ms, began = with_witnesses(B, threshold=1), 0, []
    asks = asked(machine.handle(advanced(5), 0))
    while len(began) < 7:
        if B in asks:
            began.append(now_ms)
            machine.handle(PeerAnswered(B, asks[B].about, Refused(1, "witness_log_unknown", "")), now_ms)
        now_ms += 1_000
        asks = asked(machine.handle(Woken(), now_ms))
    assert began == [0, 1_000, 3_000, 7_000, 15_000, 31_000, 91_000]


def test_a_witness_that_comes_later_is_asked_within_a_minute() -> None:
    """Who was away when the head was new is not left out until the next one."""
    machine = with_witnesses(B, threshold=1)
    machine.handle(answer(asked(machine.handle(advanced(5), 0))[B]), 1)
    machine.handle(PeerOpened(C, 32), 5_000)
    assert C in asked(machine.handle(Woken(), WITNESS_ROUND_MS))


def test_a_witness_that_remembers_another_size_is_asked_again_from_there_once() -> None:
    """We may have been restored, it may have been; a liar who names sizes for ever is asked twice."""
    machine = with_witnesses(B, threshold=1)
    ask = asked(machine.handle(advanced(9), 0))[B]

    def told(size: object) -> list[Any]:
        return machine.handle(PeerAnswered(B, ask.about, Refused(1, "witness_size_mismatch", str(size))), 5)

    assert ProveGrowth(FOOD, B, 4, 9) in told(4)
    proven = asked(machine.handle(GrowthProven(FOOD, B, 4, 9, (b"h" * 32,)), 6))
    assert (proven[B].request.old_size, proven[B].request.proof) == (4, (b"h" * 32,))  # type: ignore[union-attr]  # a question to a witness
    assert asked(told(3)) == {}


@pytest.mark.parametrize("size", ["", "x", "-1", "07", "10", str(2**60)])
def test_a_size_that_cannot_be_is_not_believed(size: str) -> None:
    """Nothing is asked again, nothing breaks."""
    machine = with_witnesses(B, threshold=1)
    ask = asked(machine.handle(advanced(9), 0))[B]
    effects = machine.handle(PeerAnswered(B, ask.about, Refused(1, "witness_size_mismatch", size)), 5)
    assert not [effect for effect in effects if isinstance(effect, AskPeer | ProveGrowth)]


def test_a_forged_cosignature_is_blamed_and_not_kept() -> None:
    """Another key, another head, another time under the same signature: none of them counts."""
    machine = with_witnesses(B, C, threshold=1)
    asks = asked(machine.handle(advanced(5), 0))
    forged = answer(asks[B], key=SigningKey(b"\x05" * 32))
    assert isinstance(forged.answer, Cosigned)
    for raw in (forged.answer.signature, answer(asks[B]).answer.signature[:-1] + b"\0"):  # type: ignore[union-attr]  # cosigned
        effects = machine.handle(PeerAnswered(B, asks[B].about, Cosigned(1, raw)), 5)
        assert kept(effects) == []
        assert [effect.peer for effect in effects if isinstance(effect, Blame)] == [B]
    older = make_cosignature(
        head(4).checkpoint.text, name=witness_name(C), key=WITNESS_KEYS[C], time_seconds=7
    )
    replayed = PeerAnswered(C, asks[C].about, Cosigned(1, older.key_id + older.signature))
    assert kept(machine.handle(replayed, 6)) == []


def test_an_answer_of_the_round_before_is_nothing() -> None:
    """What was cosigned then is not what is asked for now."""
    machine = with_witnesses(B, threshold=1)
    late = answer(asked(machine.handle(advanced(5), 0))[B])
    machine.handle(advanced(6), 1)
    machine.handle(Woken(), WITNESS_PATIENCE_MS)
    machine.handle(Woken(), WITNESS_ROUND_MS)
    assert kept(machine.handle(late, WITNESS_ROUND_MS + 1)) == []


def test_a_lane_for_peers_is_shown_to_no_witness_that_may_not_read_it() -> None:
    """Size and root say how much is traded."""
    machine = with_witnesses(B, C, threshold=1)
    assert set(asked(machine.handle(advanced(5, readers=frozenset([C])), 0))) == {C}


def test_witnesses_are_looked_up_when_they_may_have_changed() -> None:
    """With the first session, and with each word of our charter."""
    machine = Witnessing(Random(1))
    assert LoadWitnesses() in machine.handle(PeerOpened(B, 32), 0)
    assert LoadWitnesses() in machine.handle(advanced(2, origin=lane_of(A, "charter")), 0)
    assert LoadWitnesses() not in machine.handle(advanced(2), 0)
    assert asked(machine.handle(WitnessesKnown(1, {B: WITNESS_KEYS[B].public}), 1)), "what waited is asked"
    machine.handle(PeerClosed(B), 2)
    assert asked(machine.handle(Woken(), WITNESS_ROUND_MS)) == {}


def test_only_the_logs_own_line_is_sent_to_witnesses() -> None:
    """Some refuse large notes, and what others signed is not their affair."""
    machine = with_witnesses(B, threshold=1)
    note = parse_note(head(5).note)
    line = make_cosignature(note.text, name=witness_name(C), key=WITNESS_KEYS[C], time_seconds=3)
    signed = SignedHead(
        b"".join((note.text.encode(), b"\n", *(each.line.encode() for each in (*note.signatures, line)))),
        head(5).checkpoint,
    )
    ask = asked(machine.handle(LaneAdvanced(FOOD, signed, True), 0))[B]
    assert isinstance(ask.request, CosignGet)
    assert ask.request.head.cosignatures == ()
    assert isinstance(note, Note)
