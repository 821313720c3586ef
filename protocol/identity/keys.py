"""Ids as text, Ed25519 keys and signatures, and which public keys are refused (PROTOCOL.md section 4).

Libraries differ on odd points and malleable signatures; here one rule holds in every place that reads a
key: the encoding of A is canonical, A has no small order, S < L, and R is compared byte for byte.

    key = SigningKey(seed)
    verify_signature(key.public, message, key.sign(message))
    from_base32(to_base32(record_id), 32) == record_id
"""

from functools import cache, lru_cache
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from protocol.errors import IdentityError

KEY_BYTES = 32
SEED_BYTES = 32
SIGNATURE_BYTES = 64
HASH_BYTES = 32

_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_BASE32_ALPHABET = frozenset(_BASE32)
_BASE32_LETTERS = _BASE32.encode("ascii").ljust(256, b"\0")  # for `bytes.translate`: a letter for each 5 bits
_BASE32_DIGITS = str.maketrans(_BASE32, "0123456789abcdefghijklmnopqrstuv")  # as `int` reads base 32

_FIELD_PRIME = 2**255 - 19
_EDWARDS_D = -121665 * pow(121666, -1, _FIELD_PRIME) % _FIELD_PRIME
_SIGN_BIT = 1 << 255
_ORDER_8_Y = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_ORDER_8_U = 0x00B8495F16056286FDB1329CEB8D09DA6AC49FF1FAE35616AEB8413B7C7AEBE0
_OTHER_ORDER_8_U = 0x57119FD0DD4E22D8868E1C58C45C44045BEF839C55B1D0B1248C50A3BC959C5F
# y of the points of order 1, 2, 4 and 8; each order 4 and 8 point has a twin with the other sign of x.
_SMALL_ORDER_Y = frozenset({0, 1, _FIELD_PRIME - 1, _ORDER_8_Y, _FIELD_PRIME - _ORDER_8_Y})
# u of the points of small order on Curve25519 and its twist: every exchange with them gives zero.
_SMALL_ORDER_U = frozenset({0, 1, _FIELD_PRIME - 1, _ORDER_8_U, _OTHER_ORDER_8_U})


@lru_cache(maxsize=4_096)  # the same few communities are named in every answer
def to_base32(raw: bytes) -> str:
    """Return RFC 4648 base32 in lower case without padding: 32 bytes are 52 characters, 16 are 26."""
    characters, spare_bits = _base32_shape(len(raw))
    number = int.from_bytes(raw, "big") << spare_bits
    for upper, lower, shift in _spreading(characters):
        number = (number & upper) << shift | number & lower
    return number.to_bytes(characters, "big").translate(_BASE32_LETTERS).decode("ascii")


def from_base32(text: str, bytes_count: int) -> bytes:
    """Return the `bytes_count` bytes of a lower-case base32 text, or raise `IdentityError`.

    Exactly one text is accepted for each value: no upper case, no padding, no bits beyond the last byte.
    """
    characters, spare_bits = _base32_shape(bytes_count)
    if len(text) != characters:
        raise IdentityError("id_malformed", f"{len(text)} characters instead of {characters}")
    if not _BASE32_ALPHABET.issuperset(text):
        raise IdentityError("id_malformed", "a character outside a-z and 2-7")
    number = int(text.translate(_BASE32_DIGITS), 32)
    if number & (1 << spare_bits) - 1:
        raise IdentityError("id_malformed", "not the one spelling of this id")
    return (number >> spare_bits).to_bytes(bytes_count, "big")


def _base32_shape(bytes_count: int) -> tuple[int, int]:
    """Return how many characters so many bytes are, and how many bits of the last one are not used."""
    characters = (bytes_count * 8 + 4) // 5
    return characters, characters * 5 - bytes_count * 8


@cache
def _spreading(characters: int) -> list[tuple[int, int, int]]:
    """Return (mask, mask, shift) of the steps that move every 5 bits of a number into a byte of their own.

    Each step halves the groups that stand together and moves the upper half of each away from the lower one:
    six steps on the whole number are three times as fast as `base64`, which looks at every character.
    """
    steps = []
    half = 1 << ((characters - 1).bit_length() - 1)
    while half:
        groups = range(0, characters, 2 * half)
        lower = sum(((1 << 5 * half) - 1) << 8 * start for start in groups)
        steps.append((lower << 5 * half, lower, 3 * half))
        half //= 2
    return steps


def log_key_hash(public: bytes) -> bytes:
    """Return the 32 bytes by which a genesis or successor note commits to a log key not in use yet."""
    return sha256(b"wildgrass/v1/next-log-key\n" + public).digest()


class SigningKey:
    """An Ed25519 private key made from its 32-byte seed; it prints as its public half only."""

    __slots__ = ("_private", "public")

    def __init__(self, seed: bytes) -> None:
        """Take the seed of RFC 8032; whoever draws it keeps it secret. Another length is a bug of ours."""
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the 64 signature bytes; the same message always gives the same signature."""
        return self._private.sign(message)

    def __repr__(self) -> str:
        """The public key in text, never the seed."""
        return f"SigningKey(public={to_base32(self.public)})"


def is_signature_valid(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether `signature` is one of `message` by `public`, under the one rule of section 4."""
    if len(signature) != SIGNATURE_BYTES or not _is_usable_encoding(public):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def verify_signature(public: bytes, message: bytes, signature: bytes) -> None:
    """Raise `IdentityError("signature_invalid")` unless the signature holds."""
    if not is_signature_valid(public, message, signature):
        raise IdentityError("signature_invalid")


def check_signing_key(public: bytes) -> None:
    """Refuse what can never verify: a wrong length, a non-canonical, small-order or off-curve point.

    `is_signature_valid` refuses the same keys; here it is said before anybody relies on the key.
    """
    if not _is_usable_encoding(public) or not _is_on_curve(public):
        raise IdentityError("key_refused", "not a usable Ed25519 public key")


def check_sealing_key(public: bytes) -> None:
    """Refuse an X25519 key that is not 32 bytes, not canonical (u < p) or of small order."""
    u = int.from_bytes(public, "little")
    if len(public) != KEY_BYTES or u >= _FIELD_PRIME or u in _SMALL_ORDER_U:
        raise IdentityError("key_refused", "not a usable X25519 public key")


def _is_usable_encoding(public: bytes) -> bool:
    """Length, canonical y, and no small order; that covers x = 0 with a sign bit, whose y is 1 or p - 1."""
    if len(public) != KEY_BYTES:
        return False
    y = int.from_bytes(public, "little") & (_SIGN_BIT - 1)
    return y < _FIELD_PRIME and y not in _SMALL_ORDER_Y


def _is_on_curve(public: bytes) -> bool:
    """Whether x^2 = (y^2 - 1) / (d y^2 + 1) has a root: Euler's criterion on numerator times denominator."""
    y = int.from_bytes(public, "little") & (_SIGN_BIT - 1)
    x_squared = (y * y - 1) * (_EDWARDS_D * y * y + 1) % _FIELD_PRIME
    return pow(x_squared, (_FIELD_PRIME - 1) // 2, _FIELD_PRIME) == 1
