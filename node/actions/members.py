"""Members: admit one, let one go, list them by their pseudonymous ids."""

import secrets
from typing import Annotated

from msgspec import UNSET, Meta

from node.actions.shapes import Answer, HashText, IdText, Request, Said, hash_of, id_of, place_of, said
from node.core import Node
from node.writer.transaction import Transaction
from protocol.identity.keys import to_base32
from protocol.lanes.charter.members import MemberAdmitted, MemberLeft, Role
from protocol.lanes.kind import CHARTER
from storage.views.reading import StateReader

_MEMBERS_MAX = 10_000


class MemberDraft(Request, frozen=True, kw_only=True):
    """A member to admit, or to give other roles or another key."""

    roles: Annotated[list[Role], Meta(min_length=1, max_length=8)]
    key: HashText | None = None
    member_id: IdText | None = None


class AdmittedMember(Said, frozen=True, kw_only=True):
    """The record, and the member's id."""

    member_id: str


class MemberName(Request, frozen=True, kw_only=True):
    """One member."""

    member_id: IdText


class MembersQuery(Request, frozen=True, kw_only=True):
    """Nothing to say: all members of our own community."""


class MemberAnswer(Answer, frozen=True, kw_only=True):
    """A member who is admitted now."""

    member_id: str
    roles: list[Role]
    has_key: bool


class MembersAnswer(Answer, frozen=True, kw_only=True):
    """Members by id."""

    members: list[MemberAnswer]


async def admit_member(node: Node, request: MemberDraft) -> AdmittedMember:
    """Admit a member; a known one gets the roles and the key that are given here."""
    member_id = id_of(request.member_id) if request.member_id else secrets.token_bytes(16)
    body = MemberAdmitted(
        member_id=member_id,
        roles=sorted(set(request.roles)),
        key=hash_of(request.key) if request.key else UNSET,
    )

    def job(transaction: Transaction) -> AdmittedMember:
        reference = transaction.say(CHARTER, body)
        return AdmittedMember(record=place_of(reference), member_id=to_base32(member_id))

    return await node.write(job)


async def release_member(node: Node, request: MemberName) -> Said:
    """Let a member go; what it said before stays valid."""
    body = MemberLeft(member_id=id_of(request.member_id))
    return await node.write(lambda transaction: said(transaction.say(CHARTER, body)))


async def list_members(node: Node, request: MembersQuery) -> MembersAnswer:
    """List the members who are admitted now."""

    def question(read: StateReader) -> MembersAnswer:
        rows = read.scan("member", (node.community,), length=2, limit=_MEMBERS_MAX)
        return MembersAnswer(
            members=[
                MemberAnswer(
                    member_id=to_base32(key[1]),
                    roles=list(member.history[-1].roles),
                    has_key=member.history[-1].key is not None,
                )
                for key, member in rows
                if member.is_admitted
            ]
        )

    return await node.read(question)
