"""Pairing: every step against every input, both sides to the same words, and somebody in between."""

from itertools import product
from random import Random
from typing import Any

import pytest

from protocol.exchange.frames import Frame, PairCancel, PairCommit, PairConfirm, PairReveal
from protocol.exchange.pairing import Pairing, Step, commitment_of, numbers_of
from protocol.exchange.replication_events import FrameReceived, PeerClosed, PeerOpened, Send, Woken
from protocol.exchange.trust_events import PairingCancelled, PairingConfirmed, PairingStarted, TrustPeer
from protocol.limits import PAIRING_MS, PAIRINGS_MAX
from tests.worked_examples import worked_bytes, worked_example

A, B, M = b"a" * 32, b"b" * 32, b"m" * 32
NONCES = {A: b"1" * 32, B: b"2" * 32, M: b"3" * 32}


class Table:
    """Nodes with sessions between some of them; what is sent arrives at once, in order."""

    def __init__(self, *sessions: tuple[bytes, bytes]) -> None:
        names = {name for session in sessions for name in session}
        self.machines = {name: Pairing(name) for name in names}
        self.trusted: list[tuple[bytes, bytes]] = []
        self.sent: list[tuple[bytes, bytes, Frame]] = []
        for one, other in sessions:
            self.tell(one, PeerOpened(other, 32))
            self.tell(other, PeerOpened(one, 32))

    def tell(self, name: bytes, event: Any, now_ms: int = 0) -> None:
        for effect in self.machines[name].handle(event, now_ms):
            if isinstance(effect, TrustPeer):
                self.trusted.append((name, effect.peer))
            if isinstance(effect, Send):
                self.sent.append((name, effect.peer, effect.frame))
                self.tell(effect.peer, FrameReceived(name, effect.frame), now_ms)

    def click(self, name: bytes, peer: bytes, now_ms: int = 0) -> None:
        self.tell(name, PairingStarted(peer, NONCES[name]), now_ms)

    def step(self, name: bytes, peer: bytes) -> Step | None:
        pair = self.machines[name].with_peer(peer)
        return pair.step if pair else None

    def numbers(self, name: bytes, peer: bytes) -> tuple[int, ...]:
        pair = self.machines[name].with_peer(peer)
        return pair.numbers if pair else ()

    def code(self, name: bytes, peer: bytes) -> str:
        pair = self.machines[name].with_peer(peer)
        return pair.code if pair else ""


def test_one_click_a_side_and_both_see_the_same_four_words() -> None:
    """Then each says that they are equal, and trust is mutual; before that it is not."""
    table = Table((A, B))
    table.click(A, B)
    assert (table.step(A, B), table.step(B, A)) == (Step.STARTED, Step.OFFERED)
    table.click(B, A)
    assert table.numbers(A, B) == table.numbers(B, A) == numbers_of({A: NONCES[A], B: NONCES[B]})
    assert all(0 <= number < 2048 for number in table.numbers(A, B))
    table.tell(B, PairingConfirmed(A))
    assert (table.step(A, B), table.step(B, A), table.trusted) == (Step.AGREED, Step.CONFIRMED, [])
    table.tell(A, PairingConfirmed(B))
    assert sorted(table.trusted) == [(A, B), (B, A)]


def test_clicks_that_cross_are_one_pairing() -> None:
    """Both click before either hears of the other."""
    ours, theirs = Pairing(A), Pairing(B)
    ours.handle(PeerOpened(B, 32), 0)
    theirs.handle(PeerOpened(A, 32), 0)
    wire = [
        (B, ours.handle(PairingStarted(B, NONCES[A]), 0)),
        (A, theirs.handle(PairingStarted(A, NONCES[B]), 0)),
    ]
    while wire:
        to, effects = wire.pop(0)
        machine, other, sender = (ours, B, B) if to == A else (theirs, A, A)
        for frame in frames(effects):
            wire.append((other, machine.handle(FrameReceived(sender, frame), 0)))  # noqa: PERF401  it grows meanwhile
    assert ours.pairs[B].numbers == theirs.pairs[A].numbers != ()


def test_somebody_in_between_gets_other_words_however_it_chooses() -> None:
    """It has a session with each; whatever it commits to, before it sees what the others show, differs."""
    chance = Random(5)
    equal = 0
    for _ in range(200):
        nonces = {A: chance.randbytes(32), B: chance.randbytes(32)}
        ours, theirs = Pairing(A), Pairing(B)
        for machine in (ours, theirs):
            machine.handle(PeerOpened(M, 32), 0)
        ours.handle(PairingStarted(M, nonces[A]), 0)
        to_a, to_b = chance.randbytes(32), chance.randbytes(32)
        shown = frames(ours.handle(FrameReceived(M, PairCommit(commitment_of(M, to_a))), 0))
        assert shown == [PairReveal(nonces[A])], "A shows its nonce to a commitment alone"
        theirs.handle(FrameReceived(M, PairCommit(commitment_of(M, to_b))), 0)
        assert NONCES[B] not in shown
        theirs.handle(PairingStarted(M, nonces[B]), 0)
        ours.handle(FrameReceived(M, PairReveal(to_a)), 0)
        theirs.handle(FrameReceived(M, PairReveal(to_b)), 0)
        equal += ours.pairs[M].numbers == theirs.pairs[M].numbers
    assert equal == 0


def test_a_nonce_that_is_chosen_after_the_fact_is_refused() -> None:
    """Grinding for the same words means to show another nonce than the one committed to."""
    table = Table((A, M))
    table.tell(A, PairingStarted(M, NONCES[A]))
    table.machines.pop(M)
    machine = table.machines[A]
    machine.handle(FrameReceived(M, PairCommit(commitment_of(M, NONCES[M]))), 0)
    told = frames(machine.handle(FrameReceived(M, PairReveal(b"ground" * 5 + b"!!")), 0))
    assert told == [PairCancel("pairing_mismatch")]
    assert (table.step(A, M), table.code(A, M)) == (Step.ENDED, "pairing_mismatch")
    relayed = Table((A, M))
    relayed.tell(A, PairingStarted(M, NONCES[A]))
    machine = relayed.machines[A]
    machine.handle(FrameReceived(M, PairCommit(commitment_of(B, NONCES[B]))), 0)
    told = frames(machine.handle(FrameReceived(M, PairReveal(NONCES[B])), 0))
    assert told == [PairCancel("pairing_mismatch")], "a commitment names who committed"


INPUTS: dict[str, Any] = {
    "start": PairingStarted(B, NONCES[A]),
    "confirm": PairingConfirmed(B),
    "cancel": PairingCancelled(B),
    "closed": PeerClosed(B),
    "commit": FrameReceived(B, PairCommit(commitment_of(B, NONCES[B]))),
    "reveal": FrameReceived(B, PairReveal(NONCES[B])),
    "peer confirms": FrameReceived(B, PairConfirm()),
    "peer cancels": FrameReceived(B, PairCancel("pairing_cancelled")),
}
FRAMES = ("commit", "reveal", "peer confirms", "peer cancels")
WAY = {
    None: (),
    Step.STARTED: ("start",),
    Step.OFFERED: ("commit",),
    Step.REVEALING: ("start", "commit"),
    Step.COMPARING: ("start", "commit", "reveal"),
    Step.CONFIRMED: ("start", "commit", "reveal", "confirm"),
    Step.AGREED: ("start", "commit", "reveal", "peer confirms"),
    Step.TRUSTED: ("start", "commit", "reveal", "confirm", "peer confirms"),
    Step.ENDED: ("start", "peer cancels"),
}
LEGAL = {
    (None, "start"): Step.STARTED,
    (None, "commit"): Step.OFFERED,
    (Step.STARTED, "commit"): Step.REVEALING,
    (Step.OFFERED, "start"): Step.REVEALING,
    (Step.OFFERED, "cancel"): None,
    (Step.OFFERED, "closed"): None,
    (Step.OFFERED, "peer cancels"): None,
    (Step.REVEALING, "reveal"): Step.COMPARING,
    (Step.COMPARING, "confirm"): Step.CONFIRMED,
    (Step.COMPARING, "peer confirms"): Step.AGREED,
    (Step.CONFIRMED, "peer confirms"): Step.TRUSTED,
    (Step.AGREED, "confirm"): Step.TRUSTED,
    **{(step, "start"): Step.STARTED for step in (Step.ENDED, Step.TRUSTED)},
    **{(step, "commit"): Step.OFFERED for step in (Step.ENDED, Step.TRUSTED)},
    **{(step, "cancel"): None for step in (Step.ENDED, Step.TRUSTED)},
}
UNDER_WAY = (Step.STARTED, Step.REVEALING, Step.COMPARING, Step.CONFIRMED, Step.AGREED)


@pytest.mark.parametrize(("step", "given"), list(product(WAY, INPUTS)))
def test_every_step_meets_every_input(step: Step | None, given: str) -> None:
    """What is legal leads on; what a peer may not say ends it; what a steward may not click changes nothing.

    Trust is asked for by the two moves that complete it, and by no other.
    """
    machine = Pairing(A)
    machine.handle(PeerOpened(B, 32), 0)
    for each in WAY[step]:
        machine.handle(INPUTS[each], 0)
    assert step_of(machine) == step
    effects = machine.handle(INPUTS[given], 0)
    wanted = step
    if (step, given) in LEGAL:
        wanted = LEGAL[(step, given)]
    elif step in UNDER_WAY and given in (*FRAMES, "cancel", "closed"):
        wanted = Step.ENDED
    elif step is Step.OFFERED and given in FRAMES:
        wanted = None
    assert step_of(machine) == wanted
    trusts = [effect for effect in effects if isinstance(effect, TrustPeer)]
    assert trusts == [TrustPeer(B)] * (wanted is Step.TRUSTED and step is not Step.TRUSTED)


def test_a_pairing_that_nobody_finishes_ends_by_itself() -> None:
    """Both are told; what ended is shown for a while, then forgotten."""
    table = Table((A, B))
    table.click(A, B)
    table.tell(A, Woken(), PAIRING_MS)
    assert (table.step(A, B), table.code(A, B)) == (Step.ENDED, "pairing_expired")
    assert table.step(B, A) is None
    table.tell(A, Woken(), 2 * PAIRING_MS)
    assert table.step(A, B) is None


def test_offers_are_bounded_and_leave_nothing_behind() -> None:
    """Any stranger in session may offer one; those who leave are forgotten."""
    machine = Pairing(A)
    peers = [number.to_bytes(32, "big") for number in range(PAIRINGS_MAX + 1)]
    told = []
    for peer in peers:
        machine.handle(PeerOpened(peer, 32), 0)
        told = frames(machine.handle(FrameReceived(peer, PairCommit(b"c" * 32)), 0))
    assert told == [PairCancel("pairings_too_many")]
    assert len(machine.pairs) == PAIRINGS_MAX
    for peer in peers:
        machine.handle(PeerClosed(peer), 0)
    assert machine.pairs == {}


def test_a_peer_without_a_session_is_not_listened_to() -> None:
    """Nor can a steward begin with one."""
    machine = Pairing(A)
    for given in INPUTS.values():
        assert machine.handle(given, 0) == []
    assert machine.pairs == {}


def test_the_example_of_the_document_comes_out() -> None:
    """Section 26.5: commitments and words."""
    example = worked_bytes("pairing")
    ids = {name: example[f"community {name}"] for name in ("A", "B")}
    nonces = {ids[name]: example[f"nonce {name}"] for name in ids}
    for name, community in ids.items():
        assert commitment_of(community, nonces[community]) == example[f"commitment {name}"]
    numbers = " ".join(map(str, numbers_of(nonces)))
    assert numbers == worked_example("pairing-words")["numbers"]


def frames(effects: list[Any]) -> list[Frame]:
    return [effect.frame for effect in effects if isinstance(effect, Send)]


def step_of(machine: Pairing) -> Step | None:
    pair = machine.with_peer(B)
    return pair.step if pair else None
