"""Auditors: admit one with a token, revoke, list. The token is shown once and stored as a hash."""

import secrets
from hashlib import sha256
from typing import Annotated

from msgspec import Meta

from node.actions.shapes import Answer, Request
from node.core import Node
from node.errors import NodeError
from node.writer.transaction import Transaction
from protocol.identity.keys import to_base32
from protocol.lanes.kind import LANE_NAMES
from storage.accounts import Auditor, all_auditors, auditor_of, revoke_auditor
from storage.accounts import admit_auditor as keep_auditor
from storage.views.reading import StateReader

TOKEN_BYTES = 32
_DAY_MS = 86_400_000


class AuditorDraft(Request, frozen=True, kw_only=True):
    """Who is admitted, to which lanes, for how long."""

    label: Annotated[str, Meta(min_length=1, max_length=100)]
    lanes: Annotated[tuple[str, ...], Meta(min_length=1, max_length=64)] = LANE_NAMES
    days: Annotated[int, Meta(ge=1, le=3_650)] = 90


class AuditorToken(Answer, frozen=True, kw_only=True):
    """The token: it is not stored, and is not shown again."""

    token: str
    expires_ms: int


class AuditorName(Request, frozen=True, kw_only=True):
    """Whom an admission was given to."""

    label: Annotated[str, Meta(min_length=1, max_length=100)]


class RevokedAnswer(Answer, frozen=True, kw_only=True):
    """How many tokens were closed."""

    revoked: int


class AuditorsQuery(Request, frozen=True, kw_only=True):
    """Nothing to say: all auditors."""


class AuditorAnswer(Answer, frozen=True, kw_only=True):
    """One admission."""

    label: str
    lanes: list[str]
    expires_ms: int
    revoked_ms: int | None = None


class AuditorsAnswer(Answer, frozen=True, kw_only=True):
    """Admissions by label."""

    auditors: list[AuditorAnswer]


async def admit_auditor(node: Node, request: AuditorDraft) -> AuditorToken:
    """Admit an auditor to lanes that are not public, and return the token."""
    unknown = sorted(set(request.lanes) - set(LANE_NAMES))
    if unknown:
        raise NodeError("request_field_refused", f"no lane is called {unknown[0][:60]!r}")
    token = to_base32(secrets.token_bytes(TOKEN_BYTES))
    expires_ms = node.clock.now() + request.days * _DAY_MS
    auditor = Auditor(token_hash(token), request.label, tuple(sorted(set(request.lanes))), expires_ms)
    await node.write(lambda transaction: keep_auditor(transaction.connection, auditor))
    return AuditorToken(token=token, expires_ms=expires_ms)


async def dismiss_auditor(node: Node, request: AuditorName) -> RevokedAnswer:
    """Close every open token of an auditor."""
    now_ms = node.clock.now()

    def job(transaction: Transaction) -> RevokedAnswer:
        return RevokedAnswer(revoked=revoke_auditor(transaction.connection, request.label, now_ms))

    return await node.write(job)


async def list_auditors(node: Node, request: AuditorsQuery) -> AuditorsAnswer:
    """List all admissions, revoked ones too."""

    def question(read: StateReader) -> AuditorsAnswer:
        return AuditorsAnswer(
            auditors=[
                AuditorAnswer(
                    label=auditor.label,
                    lanes=list(auditor.lanes),
                    expires_ms=auditor.expires_ms,
                    revoked_ms=auditor.revoked_ms,
                )
                for auditor in all_auditors(read.connection)
            ]
        )

    return await node.read(question)


async def may_read(node: Node, token: str, lane: str) -> bool:
    """Tell whether a token opens lanes of this name on this node, now."""
    now_ms = node.clock.now()
    auditor = await node.read(lambda read: auditor_of(read.connection, token_hash(token)))
    return auditor is not None and auditor.may_read(lane, now_ms)


def token_hash(token: str) -> bytes:
    """Return what is stored of a token: 256 random bits need no salt and no slow hash."""
    return sha256(b"wildgrass/v1/auditor-token\n" + token.encode()).digest()
