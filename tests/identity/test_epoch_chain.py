"""Which successor note closes an epoch: the same notes give everybody the same keys."""

from itertools import permutations

from protocol.identity.keys import SigningKey, log_key_hash
from protocol.identity.succession import Closing, EpochChain, make_chain, standing_notes
from protocol.identity.successor import (
    EpochKeys,
    add_recovery_signature,
    join_successors,
    make_successor,
    trim_successor,
    verify_successor,
)
from protocol.log.note import format_note, parse_note, sign_note
from tests.identity.founders import COMMUNITY, FOUNDED_MS, GENESIS, NEXT_LOG, RECOVERY, key
from tests.identity.test_successor_notes import AFTER_NEXT, FRESH, successor

FIRST = EpochKeys.of_genesis(COMMUNITY, GENESIS)
NEXT_KEY = make_successor(successor(), log=NEXT_LOG)
QUORUM = make_successor(successor(FRESH), log=FRESH, recovery=RECOVERY)
OTHER_QUORUM = make_successor(successor(FRESH, time_ms=FOUNDED_MS + 2_000), log=FRESH, recovery=RECOVERY)
THIEF = SigningKey(b"t" * 32)


def chain(*notes: bytes, **more: object) -> EpochChain:
    return make_chain(FIRST, {0: notes}, **more)  # type: ignore[arg-type]  # what make_chain takes


def raws(found: EpochChain) -> list[bytes]:
    return [closing.raw for closing in found.closings]


def test_without_notes_the_first_epoch_is_open() -> None:
    """The keys are those of the genesis, and no other epoch has any."""
    found = chain()
    assert (found.epoch, found.log_key(0), found.log_key(1), found.contested) == (
        0,
        GENESIS.log_key,
        None,
        (),
    )


def test_a_quorum_puts_the_next_key_aside_in_whatever_order_they_come() -> None:
    """One sheet cannot override a quorum."""
    for notes in permutations([NEXT_KEY, QUORUM]):
        found = chain(*notes)
        assert found.newest.log_key == FRESH.public
        assert found.epoch == 1


def test_two_quorum_notes_contest_the_epoch_until_a_steward_chooses() -> None:
    """Followers stop there; the choice of either goes on with it, and a choice of neither changes nothing."""
    for notes in permutations([NEXT_KEY, QUORUM, OTHER_QUORUM]):
        found = chain(*notes)
        assert (found.epoch, len(found.contested)) == (0, 2)
        for one in found.contested:
            chosen = chain(*notes, chosen={0: one.name})
            assert (raws(chosen), chosen.contested) == ([one.raw], ())
    assert chain(QUORUM, OTHER_QUORUM, chosen={0: bytes(32)}).epoch == 0


def test_two_next_key_notes_contest_it_too_and_a_quorum_ends_that() -> None:
    """Who holds the words twice over, owner and thief, cannot settle it with the words."""
    again = make_successor(successor(time_ms=FOUNDED_MS + 5_000), log=NEXT_LOG)
    assert (chain(NEXT_KEY, again).epoch, len(chain(NEXT_KEY, again).contested)) == (0, 2)
    assert chain(NEXT_KEY, again, QUORUM).newest.log_key == FRESH.public


def test_one_text_is_one_note_with_the_signatures_of_all_copies() -> None:
    """Two halves of a quorum, collected apart, are a quorum together."""
    halves = [make_successor(successor(FRESH), log=FRESH, recovery=[each]) for each in RECOVERY]
    assert chain(halves[0]).epoch == 0
    joined = join_successors(*(trim_successor(half, FIRST) for half in halves))
    assert verify_successor(joined, FIRST).kind == "quorum"
    weak, strong = (
        NEXT_KEY,
        add_recovery_signature(add_recovery_signature(NEXT_KEY, RECOVERY[0]), RECOVERY[1]),
    )
    for notes in permutations([weak, strong]):
        found = chain(*notes)
        assert len(found.closings) == 1
        assert found.closings[0].succession.kind == "quorum"


def test_foreign_lines_do_not_make_another_note() -> None:
    """Anybody can write a line under a note; what is kept stays the same."""
    scribbled = format_note(sign_note(parse_note(NEXT_KEY), name="example.org/scribble", key=THIEF))
    assert scribbled != NEXT_KEY
    assert trim_successor(scribbled, FIRST) == trim_successor(NEXT_KEY, FIRST)


def test_what_does_not_hold_is_passed_over() -> None:
    """A thief with the live keys, one sheet of two, other bytes: none of it closes an epoch."""
    by_thief = make_successor(successor(THIEF), log=THIEF)
    one_sheet = make_successor(successor(THIEF), log=THIEF, recovery=RECOVERY[:1])
    assert chain(by_thief, one_sheet, b"no note").epoch == 0
    assert raws(chain(by_thief, NEXT_KEY)) == [trim_successor(NEXT_KEY, FIRST)]


def test_each_note_names_the_keys_of_the_next() -> None:
    """Three epochs in a row, and the wrong key for the third ends the chain before it."""
    second = make_successor(
        successor(AFTER_NEXT, epoch=1, next_log_key_hash=log_key_hash(key(11).public)), log=AFTER_NEXT
    )
    notes = {0: [NEXT_KEY], 1: [second]}
    assert make_chain(FIRST, notes).epoch == 2
    assert make_chain(FIRST, {**notes, 0: [QUORUM]}).epoch == 2  # it announced the same next key
    other = make_successor(
        successor(FRESH, next_log_key_hash=log_key_hash(key(12).public)), log=FRESH, recovery=RECOVERY
    )
    assert make_chain(FIRST, {**notes, 0: [other]}).epoch == 1


def test_none_stand_where_none_hold() -> None:
    """The empty case."""
    assert standing_notes(list[Closing]()) == []
