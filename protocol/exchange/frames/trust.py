"""The frames by which communities find each other (PROTOCOL.md section 26)."""

from typing import Annotated

from msgspec import Meta, Struct

from protocol.exchange.frames.fields import Code, Count, Hash, Key, Nonce, Signature
from protocol.limits import ADDRESS_PAGE_MAX, ADDRESS_RECORD_BYTES_MAX, GENESIS_TOLD_BYTES_MAX


class SignedAddress(Struct, frozen=True, array_like=True):
    """An address record and the genesis that names the key which signed it."""

    record: Annotated[bytes, Meta(min_length=1, max_length=ADDRESS_RECORD_BYTES_MAX)]
    genesis: Annotated[bytes, Meta(min_length=1, max_length=GENESIS_TOLD_BYTES_MAX)]


class AddressesGet(Struct, frozen=True, array_like=True, tag="addresses_get"):
    """Asks for the addresses of these communities, and of `count` others that the answerer picks."""

    number: Count
    wanted: Annotated[tuple[Hash, ...], Meta(max_length=ADDRESS_PAGE_MAX)]
    count: Annotated[int, Meta(ge=0, le=ADDRESS_PAGE_MAX)]


class Addresses(Struct, frozen=True, array_like=True, tag="addresses"):
    """Those of the addresses that are held, and some others."""

    number: Count
    addresses: Annotated[tuple[SignedAddress, ...], Meta(max_length=ADDRESS_PAGE_MAX)]


class AddressTold(Struct, frozen=True, array_like=True, tag="address_told"):
    """A newer address of the sender's own community, or of one that it follows; not asked for."""

    address: SignedAddress


class InviteRedeem(Struct, frozen=True, array_like=True, tag="invite_redeem"):
    """Redeems an invite of the answerer: its key, and that key's signature for the asker."""

    number: Count
    key: Key
    signature: Signature


class InviteRedeemed(Struct, frozen=True, array_like=True, tag="invite_redeemed"):
    """The invite holds, and the inviter's charter vouches for the asker."""

    number: Count


class PairCommit(Struct, frozen=True, array_like=True, tag="pair_commit"):
    """A steward wants to compare words; the sender cannot change its nonce any more."""

    commitment: Hash


class PairReveal(Struct, frozen=True, array_like=True, tag="pair_reveal"):
    """The nonce that was committed to."""

    nonce: Nonce


class PairConfirm(Struct, frozen=True, array_like=True, tag="pair_confirm"):
    """A steward says that both see the same words."""


class PairCancel(Struct, frozen=True, array_like=True, tag="pair_cancel"):
    """The comparison is over without trust."""

    code: Code


TrustRequest = AddressesGet | InviteRedeem
TrustAnswer = Addresses | InviteRedeemed
TrustPush = AddressTold | PairCommit | PairReveal | PairConfirm | PairCancel
