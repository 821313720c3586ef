"""A successor note closes an epoch by the announced key or by a quorum, and by nobody else."""

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import IdentityError, LogError, ProtocolError
from protocol.identity.keys import log_key_hash, to_base32
from protocol.identity.successor import (
    EpochKeys,
    RecoverySet,
    SealedLane,
    Successor,
    add_recovery_signature,
    make_successor,
    parse_successor,
    verify_successor,
)
from protocol.log.note import format_note, parse_note, sign_note
from tests.identity.founders import COMMUNITY, FOUNDED_MS, GENESIS, LOG, NEXT_LOG, RECOVERY, WITNESS, key
from tests.worked_examples import worked_text

CLOSING = EpochKeys.of_genesis(COMMUNITY, GENESIS)
AFTER_NEXT = key(8)
FRESH = key(9)
NEW_SHEET = key(10)


def root(word):
    return sha256(b"\0" + word).digest()


LANES = {"charter": SealedLane(12, root(b"charter")), "market/food": SealedLane(300, root(b"food"))}


def successor(log=NEXT_LOG, **changes):
    fields = {
        "community": COMMUNITY,
        "epoch": 0,
        "time_ms": FOUNDED_MS + 1_000,
        "log_key": log.public,
        "next_log_key_hash": log_key_hash(AFTER_NEXT.public),
        "lanes": LANES,
    }
    return Successor(**(fields | changes))


def new_set(*keys, threshold=2):
    return RecoverySet(threshold=threshold, keys=tuple(each.public for each in keys))


def refused(raw, code, closing=CLOSING):
    with pytest.raises(ProtocolError) as refusal:
        verify_successor(raw, closing)
    assert refusal.value.code == code


def test_the_worked_notes_of_the_specification_hold():
    """Both notes that PROTOCOL.md prints are those of the code, byte for byte, and close the epoch."""
    next_key, quorum = (worked_text(f"successor-{kind}").encode() for kind in ("next-key", "quorum"))
    assert next_key == make_successor(successor(), log=NEXT_LOG)
    assert verify_successor(next_key, CLOSING).kind == "next_key"
    new_keys = successor(FRESH, time_ms=FOUNDED_MS + 2_000, recovery=new_set(RECOVERY[1], NEW_SHEET))
    assert quorum == make_successor(new_keys, log=FRESH, recovery=[*RECOVERY, NEW_SHEET])
    assert verify_successor(quorum, CLOSING).kind == "quorum"


def test_the_announced_key_opens_the_next_epoch():
    """A planned rotation keeps the recovery set, and hands on the next announcement."""
    succession = verify_successor(make_successor(successor(), log=NEXT_LOG), CLOSING)
    assert succession.successor == successor()
    assert succession.opened == replace(
        CLOSING, epoch=1, log_key=NEXT_LOG.public, next_log_key_hash=log_key_hash(AFTER_NEXT.public)
    )


def test_epochs_follow_each_other():
    """What one note opens, the next one closes; the first note does not close it again."""
    first = make_successor(successor(), log=NEXT_LOG)
    opened = verify_successor(first, CLOSING).opened
    onward = successor(
        AFTER_NEXT,
        epoch=1,
        next_log_key_hash=log_key_hash(FRESH.public),
        lanes={"trade": SealedLane(1, root(b"t"))},
    )
    second = make_successor(onward, log=AFTER_NEXT)
    assert verify_successor(second, opened).opened.epoch == 2
    refused(first, "successor_mismatch", opened)
    refused(second, "successor_mismatch")


def test_a_quorum_may_give_the_epoch_to_any_key_and_to_other_sheets():
    """Signatures are collected one by one; short of the threshold the note holds nothing."""
    raw = make_successor(successor(FRESH, recovery=new_set(RECOVERY[1], NEW_SHEET)), log=FRESH)
    refused(raw, "successor_not_authorised")
    raw = add_recovery_signature(raw, RECOVERY[0])
    refused(raw, "successor_not_authorised")
    raw = add_recovery_signature(raw, RECOVERY[1])
    refused(raw, "successor_not_authorised")  # the new sheet has not shown that somebody holds it
    succession = verify_successor(add_recovery_signature(raw, NEW_SHEET), CLOSING)
    assert succession.kind == "quorum"
    assert succession.opened.recovery == new_set(RECOVERY[1], NEW_SHEET)


def test_new_recovery_keys_do_not_count_for_the_quorum_that_brings_them_in():
    """Only the old set decides; otherwise anybody could appoint themselves."""
    mallory = [key(number) for number in (40, 41)]
    raw = make_successor(successor(FRESH, recovery=new_set(*mallory)), log=FRESH, recovery=mallory)
    refused(raw, "successor_not_authorised")


def test_one_signature_twice_is_one_signer():
    """A repeated line does not make a quorum."""
    raw = make_successor(successor(FRESH), log=FRESH, recovery=[RECOVERY[0], RECOVERY[0]])
    refused(raw, "successor_not_authorised")


def test_one_sheet_does_not_override_a_quorum():
    """The announced key alone may not replace the recovery keys."""
    for keys in ((RECOVERY[0],), (NEW_SHEET,)):
        changed = successor(recovery=new_set(*keys, threshold=1))
        raw = make_successor(changed, log=NEXT_LOG, recovery=[*keys])
        refused(raw, "successor_not_authorised")


def test_a_stolen_log_key_does_not_rotate():
    """The key of the closing epoch has no say in who follows it."""
    raw = make_successor(successor(FRESH), log=FRESH)
    name = f"wildgrass/v1/{to_base32(COMMUNITY)}/recovery"
    raw = format_note(sign_note(parse_note(raw), name=name, key=LOG))
    refused(raw, "successor_not_authorised")


def test_a_log_key_that_nobody_holds_does_not_rule():
    """A quorum cannot name a key that has not signed: nobody could sign the next epoch."""
    text = successor(FRESH).text
    note = parse_note(make_successor(successor(FRESH), log=FRESH, recovery=RECOVERY))
    without = replace(note, signatures=note.signatures[1:])
    assert without.text == text
    refused(format_note(without), "successor_not_authorised")


def test_a_note_that_no_known_key_signed_is_refused():
    """Strangers' lines count for nothing, and one false line of a known key refuses the whole."""
    note = parse_note(make_successor(successor(), log=NEXT_LOG))
    strangers = sign_note(replace(note, signatures=()), name="peer.example", key=WITNESS)
    refused(format_note(strangers), "note_not_signed")
    with_stranger = sign_note(note, name="peer.example", key=WITNESS)
    assert verify_successor(format_note(with_stranger), CLOSING).kind == "next_key"
    forged = replace(note.signatures[0], signature=bytes(64))
    refused(format_note(note.with_signatures(forged)), "note_signature_invalid")


def test_a_note_of_another_community_or_epoch_is_refused():
    """A note closes what it names and nothing else."""
    raw = make_successor(successor(), log=NEXT_LOG)
    refused(raw, "successor_mismatch", replace(CLOSING, community=bytes(32)))
    refused(raw, "successor_mismatch", replace(CLOSING, epoch=1))


@pytest.mark.parametrize(
    ("log", "changes", "code"),
    [
        (LOG, {}, "key_repeated"),
        (RECOVERY[0], {}, "key_repeated"),
        (NEXT_LOG, {"next_log_key_hash": log_key_hash(NEXT_LOG.public)}, "key_repeated"),
        (NEXT_LOG, {"next_log_key_hash": log_key_hash(LOG.public)}, "key_repeated"),
        (NEXT_LOG, {"next_log_key_hash": log_key_hash(RECOVERY[0].public)}, "key_repeated"),
        (FRESH, {"recovery": new_set(FRESH, NEW_SHEET)}, "key_repeated"),
        (FRESH, {"recovery": new_set(NEW_SHEET, NEW_SHEET)}, "key_repeated"),
        (FRESH, {"recovery": new_set(NEW_SHEET, threshold=2)}, "recovery_set_refused"),
        (FRESH, {"recovery": new_set(NEW_SHEET, threshold=0)}, "recovery_set_refused"),
        (FRESH, {"recovery": RecoverySet(threshold=1, keys=(bytes(32),))}, "key_refused"),
    ],
)
def test_keys_that_may_not_rule_are_refused(log, changes, code):
    """Reused, unusable or unreachable keys are refused even when a quorum asks for them."""
    raw = make_successor(successor(log, **changes), log=log, recovery=[*RECOVERY, NEW_SHEET])
    refused(raw, code)


def test_an_unusable_log_key_is_refused():
    """A key of small order would let anybody sign the next epoch."""
    raw = make_successor(successor(FRESH), log=FRESH, recovery=RECOVERY)
    weak = successor(FRESH, log_key=bytes(32)).text
    name = f"wildgrass/v1/{to_base32(COMMUNITY)}/recovery"
    note = sign_note(replace(parse_note(raw), text=weak, signatures=()), name=name, key=RECOVERY[0])
    refused(format_note(note), "key_refused")


LINES = worked_text("successor-quorum").partition("\n\n")[0].split("\n")


@pytest.mark.parametrize(
    "lines",
    [
        [],
        LINES[1:],
        LINES[:3],
        ["wildgrass/v2/successor", *LINES[1:]],
        [*LINES[:2], "epoch 00", *LINES[3:]],
        [*LINES[:2], "epoch -1", *LINES[3:]],
        [*LINES[:2], "epoch 2147483648", *LINES[3:]],
        [*LINES[:2], "epoch  0", *LINES[3:]],
        [*LINES[:3], "time 9007199254740992", *LINES[4:]],
        [*LINES[:4], "log AAAA", *LINES[5:]],
        [*LINES[:4], LINES[4].rstrip("="), *LINES[5:]],
        [*LINES[:6], "recovery", *LINES[7:]],
        [*LINES[:6], "recovery 1", *LINES[7:]],
        [*LINES[:6], "recovery 1 ", *LINES[7:]],
        [*LINES[:6], "recovery 17" + LINES[5].removeprefix("next") * 17, *LINES[7:]],
        [*LINES[:6], "recovery 16" + LINES[5].removeprefix("next") * 17, *LINES[7:]],
        [*LINES[:7], LINES[8], LINES[7]],
        [*LINES, LINES[8]],
        [*LINES[:7], LINES[7].replace("charter", "Charter")],
        [*LINES[:7], LINES[7].replace("charter", "a/b/c")],
        [*LINES[:7], LINES[7].replace(" 12 ", " 0 ")],
        [*LINES[:7], LINES[7].replace(" 12 ", " 012 ")],
        [*LINES[:7], LINES[7].replace(" 12 ", f" {2**48 + 1} ")],
        [*LINES[:7], LINES[7] + " more"],
        [*LINES[:7], LINES[7] + " "],
        [*LINES, ""],
        [*LINES, "extension"],
        [*LINES[:7], *[LINES[7].replace("charter", f"lane_{number:02}") for number in range(65)]],
    ],
)
def test_a_text_with_another_spelling_is_refused(lines):
    """Missing, misplaced, repeated, misspelt or additional lines are no successor note."""
    with pytest.raises(IdentityError) as refusal:
        parse_successor("".join(f"{line}\n" for line in lines))
    assert refusal.value.code == "successor_malformed"


def test_a_malformed_community_id_is_refused_as_such():
    """The id in the note has the one spelling of ids."""
    with pytest.raises(IdentityError) as refusal:
        parse_successor(successor().text.replace(to_base32(COMMUNITY), to_base32(COMMUNITY).upper()))
    assert refusal.value.code == "id_malformed"


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,8}(/[a-z][a-z0-9_]{0,8})?", fullmatch=True),
        st.builds(SealedLane, st.integers(1, 2**48), st.binary(min_size=32, max_size=32)),
        max_size=20,
    ),
    st.integers(0, 2**31 - 1),
    st.none()
    | st.builds(
        RecoverySet,
        threshold=st.integers(0, 16),
        keys=st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=16).map(tuple),
    ),
)
@settings(max_examples=100)
def test_a_text_survives_its_parsing(lanes, epoch, recovery):
    """Whatever a successor says, its text says the same."""
    said = successor(epoch=epoch, lanes=lanes, recovery=recovery)
    assert parse_successor(said.text) == said


@given(st.integers(0), st.integers(0, 7))
@settings(max_examples=200)
def test_a_changed_bit_closes_nothing(position, bit):
    """One bit flipped anywhere in the note: it is refused."""
    raw = bytearray(worked_text("successor-next-key").encode())
    raw[position % len(raw)] ^= 1 << bit
    with pytest.raises((IdentityError, LogError)):
        verify_successor(bytes(raw), CLOSING)
