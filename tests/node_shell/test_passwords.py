"""Passwords are kept as Argon2id, checked in one way for everybody, and derived one at a time."""

import asyncio

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from node.errors import NodeError
from node.passwords import (
    NOBODYS_HASH,
    PASSWORD_CHARACTERS_MAX,
    WAITING_MAX,
    Passwords,
    is_password,
    password_hash,
)

PASSWORD = "correct 马 battery"


def cost(kept: str) -> list[str]:
    """Algorithm, version, memory, passes, lanes: all of a PHC text but salt and hash."""
    return kept.split("$")[1:4]


def test_what_is_kept_is_the_recommended_argon2id_under_a_salt_of_its_own() -> None:
    """RFC 9106's second option: 64 MiB, 3 passes, 4 lanes; two of one password differ."""
    first, second = password_hash(PASSWORD), password_hash(PASSWORD)
    assert cost(first) == ["argon2id", "v=19", "m=65536,t=3,p=4"]
    assert first != second
    assert is_password(PASSWORD, first)
    assert not is_password(PASSWORD + " ", second)
    assert Argon2id.verify_phc_encoded(PASSWORD.encode(), first) is None  # and no pepper or own format


def test_nobody_costs_as_much_as_somebody() -> None:
    """The hash of nobody has the same cost, lengths and form, so that the time tells nothing."""
    kept = password_hash(PASSWORD)
    assert cost(NOBODYS_HASH) == cost(kept)
    assert [len(part) for part in NOBODYS_HASH.split("$")] == [len(part) for part in kept.split("$")]
    assert not is_password(PASSWORD, None)


def test_the_way_a_keyboard_composes_signs_makes_no_difference() -> None:
    """é in one sign and in two is one password; a lone surrogate is a wrong one, and no traceback."""
    kept = password_hash("caf\u00e9 au lait")
    assert is_password("cafe\u0301 au lait", kept)
    assert not is_password("\ud800" * 8, kept)


async def test_a_password_has_a_length() -> None:
    """8 to 200 characters are taken; a longer one never matches by its beginning."""
    passwords = Passwords()
    try:
        for refused in ("", "1234567", "x" * (PASSWORD_CHARACTERS_MAX + 1)):
            with pytest.raises(NodeError) as error:
                await passwords.make_hash(refused)
            assert error.value.code == "password_refused"
        kept = await passwords.make_hash("密" * PASSWORD_CHARACTERS_MAX)
        assert await passwords.is_right("密" * PASSWORD_CHARACTERS_MAX, kept)
        assert not await passwords.is_right("密" * (PASSWORD_CHARACTERS_MAX + 1), kept)
    finally:
        passwords.close()


async def test_few_wait_and_the_others_are_refused() -> None:
    """Who goes away while waiting makes room, and is not derived any more."""
    passwords = Passwords()
    try:
        waiting = [asyncio.ensure_future(passwords.is_right(PASSWORD, None)) for _ in range(WAITING_MAX)]
        await asyncio.sleep(0)  # lets each take its place
        with pytest.raises(NodeError) as error:
            await passwords.is_right(PASSWORD, None)
        assert error.value.code == "inbox_full"
        for one in waiting[1:]:
            one.cancel()
        await asyncio.wait(waiting[1:])
        assert await passwords.is_right(PASSWORD, None) is False
        assert await waiting[0] is False
    finally:
        passwords.close()
