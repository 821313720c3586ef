"""An invite: what a steward hands to another community, by link, QR code or file (PROTOCOL.md section 26.4).

    invite = Invite(own_community, secret, expires_ms, addresses)
    read_invite(invite.link) == invite
    redemption = invite.key.sign(redeeming_message(invite.inviter, redeemer))

The secret makes a signing key. The inviter keeps its public half only; whoever holds the secret signs with it
for one community, so that a proxy on the way, or a reader of the inviter's store, gains nothing.
"""

import re
from dataclasses import dataclass
from hashlib import sha256

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocol.encoding import decode, encode
from protocol.errors import EncodingError, IdentityError, SessionError
from protocol.exchange.addresses import Address, is_well_spelled
from protocol.identity.keys import HASH_BYTES, SEED_BYTES, SigningKey, from_base32, to_base32
from protocol.limits import ADDRESSES_MAX, INTEGER_MAX, INVITE_BYTES_MAX

LINK_PREFIX = "wildgrass:invite/"
SECRET_BYTES = 16
INVITE_FORMAT = 1
INVITE_DOMAIN = b"wildgrass/v1/invite\n"
_CHECK_BYTES = 4
_TEXT_CHARACTERS_MAX = 8_192
_LINK = re.compile(r"wildgrass:invite/([a-z2-7]+)")


@dataclass(frozen=True, slots=True, repr=False)
class Invite:
    """Who invites, the one-time secret of 16 bytes, until when (ms since 1970), and where the inviter is reached."""

    inviter: bytes
    secret: bytes
    expires_ms: int
    addresses: tuple[Address, ...]

    @property
    def key(self) -> SigningKey:
        """The key that redeems it."""
        return invite_key(self.inviter, self.secret)

    @property
    def link(self) -> str:
        """The text that is sent; in capitals it makes a smaller QR code and means the same."""
        said = encode([INVITE_FORMAT, self.inviter, self.secret, self.expires_ms, list(self.addresses)])
        return LINK_PREFIX + to_base32(said + _check_of(said))

    def __repr__(self) -> str:
        """Nothing that is secret."""
        return f"Invite(inviter={to_base32(self.inviter)}, expires_ms={self.expires_ms})"


def invite_key(inviter: bytes, secret: bytes) -> SigningKey:
    """Return the key that an invite's secret makes for its inviter."""
    seed = HKDF(algorithm=SHA256(), length=SEED_BYTES, salt=INVITE_DOMAIN, info=inviter).derive(secret)
    return SigningKey(seed)


def redeeming_message(inviter: bytes, redeemer: bytes) -> bytes:
    """Return what the invite's key signs: for whom, so that nobody else can use what was overheard."""
    return INVITE_DOMAIN + encode([inviter, redeemer])


def read_invite(text: str) -> Invite:
    """Return the invite in a text as people paste it: with spaces, line breaks, capitals, or words around it.

    Raises `invite_malformed`, also where a single character was mistyped.
    """
    if len(text) > _TEXT_CHARACTERS_MAX:
        raise SessionError("invite_malformed", f"{len(text)} characters")
    found = _LINK.search("".join(text.split()).lower())
    if found is None:
        raise SessionError("invite_malformed", "no link of an invite")
    try:
        raw = from_base32(found[1], len(found[1]) * 5 // 8)
        said, check = raw[:-_CHECK_BYTES], raw[-_CHECK_BYTES:]
        if check != _check_of(said):
            raise SessionError("invite_malformed", "a character is wrong or missing")
        return _read(decode(said, bytes_max=INVITE_BYTES_MAX))
    except (IdentityError, EncodingError, msgspec.ValidationError) as error:
        raise SessionError("invite_malformed", str(error)) from error


def _read(plain: object) -> Invite:
    version, inviter, secret, expires_ms, addresses = msgspec.convert(
        plain, tuple[int, bytes, bytes, int, tuple[Address, ...]]
    )
    is_sound = (
        version == INVITE_FORMAT
        and (len(inviter), len(secret)) == (HASH_BYTES, SECRET_BYTES)
        and 0 <= expires_ms <= INTEGER_MAX
        and len(addresses) <= ADDRESSES_MAX
        and all(map(is_well_spelled, addresses))
    )
    if not is_sound:
        raise SessionError("invite_malformed", "a part of it is out of bounds")
    return Invite(inviter, secret, expires_ms, addresses)


def _check_of(said: bytes) -> bytes:
    return sha256(INVITE_DOMAIN + said).digest()[:_CHECK_BYTES]
