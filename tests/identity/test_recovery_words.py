"""The words derive three secrets that tell nothing of each other."""

import hmac
from hashlib import sha256

import pytest

from protocol.errors import IdentityError
from protocol.identity.recovery import derive_recovery_seeds
from tests.worked_examples import worked_bytes


def hkdf_by_the_book(entropy, purpose):
    """RFC 5869 for one block of output."""
    extracted = hmac.digest(b"wildgrass/v1/recovery-words\n", entropy, sha256)
    return hmac.digest(extracted, purpose + b"\x01", sha256)


def test_the_worked_seeds_of_the_specification_hold():
    """PROTOCOL.md prints what the code derives, and so does HKDF written from its text."""
    printed = worked_bytes("recovery-words")
    first, second = (derive_recovery_seeds(printed["entropy"], next_epoch=epoch) for epoch in (1, 2))
    assert first.recovery == second.recovery == printed["recovery seed"]
    assert first.key_box == second.key_box == printed["key-box key"]
    assert first.next_log == printed["next log seed of epoch 1"]
    assert second.next_log == printed["next log seed of epoch 2"]
    for purpose, seed in (
        (b"wildgrass/v1/recovery-key\n", first.recovery),
        (b"wildgrass/v1/key-box\n", first.key_box),
        (b"wildgrass/v1/next-log-key\n1\n", first.next_log),
        (b"wildgrass/v1/next-log-key\n2\n", second.next_log),
    ):
        assert hkdf_by_the_book(printed["entropy"], purpose) == seed


def test_all_seeds_differ():
    """Other words, another purpose or another epoch: another secret."""
    seeds = set()
    for size in (16, 24, 32):
        for epoch in (1, 2, 10):
            derived = derive_recovery_seeds(bytes(size), next_epoch=epoch)
            seeds |= {derived.recovery, derived.next_log, derived.key_box}
    assert len(seeds) == 3 * (1 + 3 + 1)


@pytest.mark.parametrize("size", [0, 15, 33])
def test_too_little_or_too_much_entropy_is_refused(size):
    """16 to 32 bytes, what 12 to 24 words carry."""
    with pytest.raises(IdentityError) as refusal:
        derive_recovery_seeds(bytes(size), next_epoch=1)
    assert refusal.value.code == "entropy_out_of_range"


def test_the_seeds_do_not_stand_in_what_they_print():
    """A value that lands in a log line tells nothing."""
    seeds = derive_recovery_seeds(bytes(16), next_epoch=1)
    assert repr(seeds.recovery) not in repr(seeds)
