"""What is sealed opens to what was promised, for its readers only."""

import json

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import IdentityError, SealingError
from protocol.identity.sealing import (
    PAYLOAD_BYTES_MAX,
    ReaderKey,
    commitment,
    open_sealed,
    seal,
    unwrap_key,
    wrap_key,
)
from protocol.limits import SEALED_BYTES_MAX
from tests.identity import hpke_by_the_book
from tests.worked_examples import worked_bytes

SECRETS = st.binary(min_size=32, max_size=32)
SALT, CONTENT_KEY = bytes([1]) * 32, bytes([2]) * 32
PAYLOAD = b"two jars of honey"
PROMISED = commitment(SALT, PAYLOAD)
SEALED = seal(PAYLOAD, SALT, CONTENT_KEY)
READER, STRANGER = ReaderKey(bytes([3]) * 32), ReaderKey(bytes([4]) * 32)


def refused(code, function, *arguments):
    with pytest.raises(SealingError) as refusal:
        function(*arguments)
    assert refusal.value.code == code


def test_the_worked_example_of_the_specification_opens_and_is_made_again():
    """Every printed value follows from those above it; the wrap too, by the second implementation."""
    printed = worked_bytes("sealing")
    promised = commitment(printed["salt"], printed["payload"])
    assert promised == printed["commitment"]
    assert seal(printed["payload"], printed["salt"], printed["content key"]) == printed["ciphertext"]
    reader = ReaderKey(printed["reader private key"])
    assert reader.public == printed["reader public key"]
    info = b"wildgrass/v1/content-key\n" + promised + reader.public
    wrapped = hpke_by_the_book.seal_to(
        reader.public, info, printed["content key"], ephemeral=printed["ephemeral private key"]
    )
    assert wrapped == printed["wrapped key"]
    content_key = unwrap_key(printed["wrapped key"], promised, reader)
    assert open_sealed(printed["ciphertext"], content_key, promised) == printed["payload"]


def test_the_second_implementation_of_hpke_passes_the_vector_of_its_standard():
    """RFC 9180 appendix A.2.1, first encryption."""
    wrapped = hpke_by_the_book.seal_to(
        bytes.fromhex("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a"),
        b"Ode on a Grecian Urn",
        b"Beauty is truth, truth beauty",
        ephemeral=bytes.fromhex("f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600"),
        aad=b"Count-0",
    )
    assert wrapped.hex() == (
        "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"
        "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"
    )


@given(st.binary(max_size=300), SECRETS, SECRETS, SECRETS)
@settings(max_examples=50)
def test_a_reader_opens_what_was_sealed(payload, salt, content_key, reader_seed):
    """Seal, wrap, unwrap, open: the payload again; the second implementation unwraps the same key."""
    reader, promised = ReaderKey(reader_seed), commitment(salt, payload)
    wrapped = wrap_key(content_key, promised, reader.public)
    assert len(wrapped) == 80
    assert unwrap_key(wrapped, promised, reader) == content_key
    info = b"wildgrass/v1/content-key\n" + promised + reader.public
    assert hpke_by_the_book.open_with(reader_seed, info, wrapped) == content_key
    assert open_sealed(seal(payload, salt, content_key), content_key, promised) == payload


def test_no_two_wraps_are_equal():
    """Every wrap has an ephemeral key of its own."""
    assert len({wrap_key(CONTENT_KEY, PROMISED, READER.public) for _ in range(5)}) == 5


def test_a_key_is_unwrapped_by_its_reader_and_for_its_payload_only():
    """Another reader, another commitment, another byte or length: nothing opens."""
    wrapped = wrap_key(CONTENT_KEY, PROMISED, READER.public)
    refused("wrapped_key_not_opened", unwrap_key, wrapped, PROMISED, STRANGER)
    refused("wrapped_key_not_opened", unwrap_key, wrapped, commitment(SALT, b"other"), READER)
    refused("wrapped_key_not_opened", unwrap_key, wrapped[:-1], PROMISED, READER)
    refused("wrapped_key_not_opened", unwrap_key, wrapped + b"x", PROMISED, READER)
    refused("wrapped_key_not_opened", unwrap_key, b"", PROMISED, READER)
    for position in range(80):
        mutated = bytearray(wrapped)
        mutated[position] ^= 1
        refused("wrapped_key_not_opened", unwrap_key, bytes(mutated), PROMISED, READER)


def test_an_encapsulated_key_of_small_order_opens_nothing(shared_data):
    """A sender who wraps with a key that makes every secret zero is refused like any other failure."""
    groups = json.loads(shared_data("hostile/wycheproof_x25519_test.json").read_text())["testGroups"]
    for case in (case for group in groups for case in group["tests"] if "LowOrderPublic" in case["flags"]):
        wrapped = bytes.fromhex(case["public"]) + bytes(48)
        refused("wrapped_key_not_opened", unwrap_key, wrapped, PROMISED, READER)


@pytest.mark.parametrize("public", [b"", bytes(31), bytes(32), (1).to_bytes(32, "little"), b"\xff" * 32])
def test_nothing_is_wrapped_for_an_unusable_key(public):
    """A reader's key of small order, or no key at all, is refused before the content key is touched."""
    with pytest.raises(IdentityError) as refusal:
        wrap_key(CONTENT_KEY, PROMISED, public)
    assert refusal.value.code == "key_refused"


def test_every_changed_byte_of_a_ciphertext_is_noticed():
    """No byte of the ciphertext, key or commitment can be changed."""
    for position in range(len(SEALED)):
        mutated = bytearray(SEALED)
        mutated[position] ^= 1
        refused("sealed_not_opened", open_sealed, bytes(mutated), CONTENT_KEY, PROMISED)
    refused("sealed_not_opened", open_sealed, SEALED, bytes(32), PROMISED)
    refused("sealed_not_opened", open_sealed, SEALED, CONTENT_KEY, commitment(SALT, b"other"))


@pytest.mark.parametrize("size", [0, 15, 16, 47])
def test_a_ciphertext_too_short_for_its_salt_is_refused(size):
    """Even a valid tag does not make a payload of bytes that are missing."""
    short = ChaCha20Poly1305(CONTENT_KEY).encrypt(bytes(12), bytes(max(0, size - 16)), PROMISED)[:size]
    refused("sealed_not_opened", open_sealed, short, CONTENT_KEY, PROMISED)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_content_key_of_another_length_opens_nothing(size):
    """A reader may have been wrapped anything."""
    refused("sealed_not_opened", open_sealed, SEALED, bytes(size), PROMISED)


def test_a_ciphertext_that_opens_to_something_else_is_refused():
    """Who seals one thing under the commitment of another is found out, though the cipher is content."""
    lie = ChaCha20Poly1305(CONTENT_KEY).encrypt(bytes(12), SALT + b"one jar of honey!", PROMISED)
    refused("commitment_mismatch", open_sealed, lie, CONTENT_KEY, PROMISED)


def test_the_size_of_what_is_sealed_is_bounded():
    """The largest payload is sealed and opened; one byte more is refused on both ways."""
    largest = bytes(PAYLOAD_BYTES_MAX)
    sealed = seal(largest, SALT, CONTENT_KEY)
    assert len(sealed) == SEALED_BYTES_MAX
    assert open_sealed(sealed, CONTENT_KEY, commitment(SALT, largest)) == largest
    refused("sealed_too_large", seal, largest + b"x", SALT, CONTENT_KEY)
    refused("sealed_too_large", open_sealed, sealed + b"x", CONTENT_KEY, PROMISED)


def test_the_salt_hides_equal_payloads():
    """Two orders of one thing have two commitments."""
    assert commitment(SALT, PAYLOAD) != commitment(bytes(32), PAYLOAD)


def test_the_wycheproof_cases_of_the_cipher_have_their_verdicts(shared_data):
    """The cipher under our sealing gives every public case its verdict."""
    groups = json.loads(shared_data("hostile/wycheproof_chacha20_poly1305_test.json").read_text())[
        "testGroups"
    ]
    checked = 0
    for group in (group for group in groups if (group["ivSize"], group["keySize"]) == (96, 256)):
        for case in group["tests"]:
            key, iv, aad, msg, ct, tag = (
                bytes.fromhex(case[name]) for name in ("key", "iv", "aad", "msg", "ct", "tag")
            )
            try:
                opened = ChaCha20Poly1305(key).decrypt(iv, ct + tag, aad)
            except Exception:  # noqa: BLE001  any failure is the verdict that is compared
                opened = None
            assert (opened == msg) == (case["result"] == "valid"), case["comment"]
            checked += 1
    assert checked > 200
