"""Members: pseudonymous ids, the keys they sign with, and what they may do (PROTOCOL.md section 10.2)."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.errors import RecordVoid
from protocol.fields import ObjectId, PublicKey
from protocol.identity.keys import check_signing_key, is_signature_valid
from protocol.lanes.kind import (
    CHARTER,
    Change,
    Entry,
    Put,
    Reader,
    RecordKind,
    Span,
    Tables,
    charter_size_of,
    close_last_span,
    open_span,
)
from protocol.limits import ROLES_MAX
from protocol.log.record import Body, member_message

Role = Literal["steward", "shopkeeper", "member"]


class MemberAdmitted(Body, frozen=True, kw_only=True):
    """`member.admitted`: a member joins, or gets another key or other roles."""

    member_id: ObjectId
    roles: Annotated[list[Role], Meta(min_length=1, max_length=ROLES_MAX)]
    key: PublicKey | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Roles are sorted, each once."""
        if self.roles != sorted(set(self.roles)):
            raise ValueError("roles must be sorted, each once")


class MemberLeft(Body, frozen=True, kw_only=True):
    """`member.left`: from here on the member says nothing more."""

    member_id: ObjectId


class Membership(msgspec.Struct, frozen=True, gc=False):
    """One stretch of a member's history with the key and roles of that stretch."""

    span: Span
    roles: tuple[Role, ...]
    key: bytes | None


class Member(msgspec.Struct, frozen=True, gc=False):
    """All stretches of one member, oldest first."""

    history: tuple[Membership, ...]

    @property
    def is_admitted(self) -> bool:
        """Whether the newest stretch is open."""
        return self.history[-1].span.until_epoch is None


TABLES: Tables = {"member": Member}


def step_admitted(read: Reader, entry: Entry) -> list[Change]:
    """A new stretch begins; the one before it, where open, ends here."""
    body, key = entry.record.body, (entry.position.community, entry.record.body.member_id)
    history = _closed(read.get("member", key), entry)
    member_key = None if body.key is UNSET else body.key
    if member_key is not None:
        check_signing_key(member_key)
    membership = Membership(open_span(entry, earlier=history), tuple(body.roles), member_key)
    return [Put("member", key, Member((*history, membership)))]


def step_left(read: Reader, entry: Entry) -> list[Change]:
    """The open stretch ends."""
    key = (entry.position.community, entry.record.body.member_id)
    member = read.get("member", key)
    if member is None or not member.is_admitted:
        raise RecordVoid("member_unknown")
    return [Put("member", key, Member(_closed(member, entry)))]


def verify_author(read: Reader, entry: Entry, role: str | None) -> None:
    """Check who speaks: nobody but the community itself, or a member with `role` and a valid signature."""
    record, position = entry.record, entry.position
    if record.author is None:
        return
    if role is None:
        raise RecordVoid("author_not_permitted", f"{record.kind} is said by the community itself")
    member = read.get("member", (position.community, record.author))
    at = charter_size_of(entry)
    membership = next((m for m in member.history if m.span.covers(at)), None) if member else None
    if membership is None or membership.key is None:
        raise RecordVoid("author_unknown")
    if role not in membership.roles:
        raise RecordVoid("author_not_permitted", f"{record.kind} needs the role {role}")
    message = member_message(
        position.community,
        position.lane,
        position.epoch,
        record.charter_size,
        record.kind,
        record.time_ms,
        record.author,
        record.body,
    )
    if not is_signature_valid(membership.key, message, record.signature or b""):
        raise RecordVoid("author_signature")


def _closed(member: Member | None, entry: Entry) -> tuple[Membership, ...]:
    if member is None or not member.is_admitted:
        return member.history if member else ()
    last = member.history[-1]
    (span,) = close_last_span((last.span,), entry)
    return (*member.history[:-1], Membership(span, last.roles, last.key))


KINDS = (
    RecordKind("member.admitted", CHARTER, MemberAdmitted, step_admitted),
    RecordKind("member.left", CHARTER, MemberLeft, step_left),
)
