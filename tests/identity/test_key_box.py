"""The key box: opens with its key for its community, and never otherwise."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.encoding import encode
from protocol.errors import IdentityError
from protocol.identity.key_box import LiveKeys, open_key_box, seal_key_box
from protocol.limits import KEY_BOX_BYTES_MAX
from tests.worked_examples import worked_bytes

PRINTED = worked_bytes("key-box")
KEY, COMMUNITY, NONCE, BOX = (PRINTED[name] for name in ("key", "community id", "nonce", "box of epoch 0"))
KEYS = LiveKeys(epoch=0, **{name: PRINTED[name] for name in ("log", "sealing", "transport", "witness")})


def refused(box: bytes, *, key: bytes = KEY, community: bytes = COMMUNITY) -> str:
    with pytest.raises(IdentityError) as error:
        open_key_box(box, key=key, community=community)
    return error.value.code


def test_the_printed_box_is_what_its_keys_seal_to():
    """The worked example of section 4.7, both ways."""
    assert seal_key_box(KEYS, key=KEY, community=COMMUNITY, nonce=NONCE) == BOX
    assert open_key_box(BOX, key=KEY, community=COMMUNITY) == KEYS
    assert "01" * 8 not in repr(KEYS)


@settings(max_examples=100)
@given(place=st.integers(0, len(BOX) - 1), change=st.integers(1, 255))
def test_any_altered_byte_keeps_it_shut(place, change):
    """Nonce, ciphertext and tag alike."""
    altered = bytearray(BOX)
    altered[place] ^= change
    assert refused(bytes(altered)) == "key_box_not_opened"


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_bytes_of_a_stranger_are_refused(box):
    """Whatever a peer hands back."""
    assert refused(box) == "key_box_not_opened"


def test_another_key_community_length_or_content_keeps_it_shut():
    """A box of another community, a cut one, and one whose content is not the canonical map."""
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    assert refused(BOX, key=bytes(32)) == "key_box_not_opened"
    assert refused(BOX, community=bytes(32)) == "key_box_not_opened"
    assert refused(BOX[:-1]) == "key_box_not_opened"
    assert refused(bytes(KEY_BOX_BYTES_MAX + 1)) == "key_box_not_opened"
    fields = {name: getattr(KEYS, name) for name in KEYS.__struct_fields__}
    backwards = sorted(fields.items(), reverse=True)
    for content in (
        b"",
        encode([]),
        encode({**fields, "more": 1}),
        encode({**fields, "log": bytes(31)}),
        encode({**fields, "epoch": -1}),
        encode({**fields, "epoch": "0"}),
        encode(fields) + b"\xc0",
        bytes([0x85]) + b"".join(encode(part) for pair in backwards for part in pair),
    ):
        sealed = ChaCha20Poly1305(KEY).encrypt(NONCE, content, b"wildgrass/v1/live-keys\n" + COMMUNITY)
        assert refused(NONCE + sealed) == "key_box_not_opened"
