"""A lane of a closed epoch: fetched to its seal and no further, from whomever, and never along a thief's branch."""

from dataclasses import replace

import pytest

from protocol.exchange.fetch import Answered, Ask
from protocol.exchange.following import Effect, LaneFollower, Loaded, Offered, Permitted, State
from protocol.exchange.heads import read_offer, state_head
from protocol.exchange.holding import AdoptHead, Blame, HeldLane, ReportFork
from protocol.identity.successor import SealedLane
from protocol.log.merkle import leaf_hashes
from tests.exchange.memory_store import MemoryStore, sign_head
from tests.exchange.test_lane_follower import ORIGIN, P, Q, head, held, news, offered
from tests.exchange.villages import KEYS, LOG_PUBLICS, A, B, entries

SEALED = SealedLane(20, head(20).root)


def closed(size: int, *, is_own: bool = False, sealed: SealedLane = SEALED) -> HeldLane:
    return replace(held(size, is_own=is_own), sealed=sealed)


def follow(*events: object) -> tuple[LaneFollower, list[Effect]]:
    follower = LaneFollower(ORIGIN)
    return follower, [effect for event in events for effect in follower.handle(event)]  # type: ignore[arg-type]  # events of the follower


def fetched(follower: LaneFollower, effects: list[Effect], *, told: list[bytes]) -> list[Effect]:
    """Let P and Q answer everything that is asked, from a lane that says `told`."""
    store = MemoryStore(A, KEYS[A], LOG_PUBLICS)
    store.append(ORIGIN, told)
    done: list[Effect] = []
    while asks := [effect for effect in effects if isinstance(effect, Ask)]:
        done += effects
        effects = []
        for ask in asks:
            effects += follower.handle(Answered(ask.peer, ask.job, store.answer(B, ask.request)))
    return [*done, *effects]


def adopted(effects: list[Effect]) -> list[int]:
    return [effect.head.size for effect in effects if isinstance(effect, AdoptHead)]


def test_what_stands_beyond_the_seal_is_not_fetched() -> None:
    """The lane is held as far as it counts; a retired key may sign as much as it likes."""
    follower, effects = follow(Loaded(closed(20)), offered(P, 30), news(P, 21, 20), offered(Q, 4_000))
    assert (follower.state, effects) == (State.CURRENT, [])


def test_a_short_copy_is_fetched_to_its_seal() -> None:
    """From the peer that has no more than that, although another one offers more."""
    follower, effects = follow(Loaded(closed(10)), offered(P, 5_000), offered(Q, 20), Permitted())
    assert {effect.peer for effect in effects if isinstance(effect, Ask)} <= {P, Q}
    done = fetched(follower, effects, told=entries(20))
    assert adopted(done) == [20]
    assert follower.state is State.CURRENT
    assert follower.handle(offered(P, 5_001)) == []


def test_a_copy_beyond_the_seal_serves_where_nobody_has_just_that_much() -> None:
    """Whoever fetched before the note came holds more; what is too much is void."""
    follower, effects = follow(Loaded(closed(10)), offered(P, 30), Permitted())
    assert adopted(fetched(follower, effects, told=entries(30))) == [30]


def test_a_branch_that_contradicts_the_seal_is_passed_over() -> None:
    """A thief signed another story with the retired key: nothing of it is stored, and it is asked no more."""
    story = entries(25)
    story[15] = b"another story"
    follower, effects = follow(Loaded(closed(10)), offered(P, 25, changed=15), Permitted())
    done = fetched(follower, effects, told=story)
    assert adopted(done) == []
    assert P not in follower.offering
    assert follower.state is State.CURRENT
    effects = [*follower.handle(offered(Q, 20)), *follower.handle(Permitted())]
    assert adopted(fetched(follower, effects, told=entries(20))) == [20]


def test_the_other_branch_held_is_shown_as_a_fork_by_the_one_that_was_sealed() -> None:
    """We hold the thief's story: the sealed head contradicts it, and the store may drop it."""
    story = entries(12)
    story[11] = b"another story"
    store = MemoryStore(B, KEYS[A], LOG_PUBLICS)
    store.held(ORIGIN)
    lane = store.lanes[ORIGIN]
    lane.entries, lane.leaves, lane.adopted = story, leaf_hashes(story), head(12, changed=11)
    mine = store.held(ORIGIN)
    assert mine is not None
    follower, effects = follow(Loaded(replace(mine, sealed=SEALED)), offered(P, 20), Permitted())
    done = fetched(follower, effects, told=entries(20))
    assert [type(effect) for effect in done if not isinstance(effect, Ask)] == [ReportFork]
    assert follower.state is State.STOPPED
    follower.handle(Loaded(closed(0)))
    effects = [*follower.handle(offered(P, 20)), *follower.handle(Permitted())]
    assert adopted(fetched(follower, effects, told=entries(20))) == [20]


@pytest.mark.parametrize("size", [20, 25])
def test_an_own_lane_raises_no_alarm_about_a_closed_epoch(size: int) -> None:
    """The thief of the old box must not be able to silence the new one."""
    follower, effects = follow(Loaded(closed(20, is_own=True)), offered(P, size, changed=3))
    assert (follower.state, effects) == (State.OWN, [])


def test_an_open_lane_learns_that_it_was_closed() -> None:
    """The note comes while the lane is followed: the next offer beyond it is let go."""
    follower, _ = follow(Loaded(held(20)), Loaded(closed(20)))
    assert follower.handle(offered(P, 30)) == []
    assert follower.state is State.CURRENT


def test_two_heads_of_the_sealed_size_are_evidence() -> None:
    """A retired key signed another root for the very size."""
    follower, effects = follow(
        Loaded(closed(20)), Offered(P, read_offer(state_head(head(20, changed=3).note))), Permitted()
    )
    assert [type(effect) for effect in effects] == [ReportFork]
    assert follower.state is State.STOPPED


def test_an_epoch_that_another_key_opens_now_is_followed_from_its_beginning() -> None:
    """A thief's note was put aside: what its key had signed is forgotten, and the rightful lane is taken."""
    rightful = replace(held(0), log_public=LOG_PUBLICS[B])
    follower, _ = follow(Loaded(held(20)), offered(P, 30), Loaded(rightful))
    assert (follower.state, follower.missing) == (State.CURRENT, 0)
    stolen = follower.handle(offered(Q, 30))
    assert [type(effect) for effect in stolen] == [Blame]
    lane = sign_head(ORIGIN, leaf_hashes(entries(5)), KEYS[B])
    effects = follower.handle(Offered(P, read_offer(state_head(lane.note))))
    effects += follower.handle(Permitted())
    asks = [effect for effect in effects if isinstance(effect, Ask)]
    assert [ask.peer for ask in asks] == [P]
