"""Invites: our own by their public keys, and those of others that this community has accepted.

The secret of an own invite is nowhere; that of an accepted one is kept until it was used or refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from storage.schema.facts import invites, redemptions

WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class OwnInvite:
    """One invite that was made here. Times are milliseconds since 1970, None where it has not happened."""

    invite_key: bytes
    label: str
    made_ms: int
    expires_ms: int
    revoked_ms: int | None = None
    used_ms: int | None = None
    used_by: bytes | None = None

    def is_open(self, now_ms: int) -> bool:
        """Whether somebody could still use it."""
        return self.revoked_ms is None and self.used_ms is None and now_ms < self.expires_ms


@dataclass(frozen=True, slots=True, repr=False)
class Redemption:
    """An invite of `inviter` that was accepted here; `outcome` is `waiting`, `done` or a refusal's code."""

    inviter: bytes
    secret: bytes
    expires_ms: int
    accepted_ms: int
    outcome: str = WAITING


def add_invite(connection: sa.Connection, invite: OwnInvite) -> None:
    """Keep a new invite."""
    connection.execute(
        sa.insert(invites).values(
            invite_key=invite.invite_key,
            label=invite.label,
            made_ms=invite.made_ms,
            expires_ms=invite.expires_ms,
        )
    )


def invite_of(connection: sa.Connection, invite_key: bytes) -> OwnInvite | None:
    """Return one of our invites, or None."""
    row = connection.execute(sa.select(invites).where(invites.c.invite_key == invite_key)).one_or_none()
    return None if row is None else _invite(row)


def all_invites(connection: sa.Connection) -> Sequence[OwnInvite]:
    """Return our invites, the newest first."""
    question = sa.select(invites).order_by(invites.c.made_ms.desc(), invites.c.invite_key)
    return [_invite(row) for row in connection.execute(question)]


def revoke_invite(connection: sa.Connection, invite_key: bytes, now_ms: int) -> None:
    """Note that one of our invites holds no more."""
    connection.execute(sa.update(invites).where(invites.c.invite_key == invite_key).values(revoked_ms=now_ms))


def use_invite(connection: sa.Connection, invite_key: bytes, *, by: bytes, now_ms: int) -> None:
    """Note who used one of our invites."""
    connection.execute(
        sa.update(invites).where(invites.c.invite_key == invite_key).values(used_ms=now_ms, used_by=by)
    )


def remove_invites(connection: sa.Connection, *, expired_before_ms: int) -> None:
    """Forget those that ended so long ago that nobody asks any more."""
    connection.execute(sa.delete(invites).where(invites.c.expires_ms < expired_before_ms))


def keep_redemption(connection: sa.Connection, redemption: Redemption) -> None:
    """Keep an accepted invite as it is given here; of one inviter the newest stands."""
    connection.execute(sa.delete(redemptions).where(redemptions.c.inviter == redemption.inviter))
    connection.execute(
        sa.insert(redemptions).values(
            inviter=redemption.inviter,
            secret=redemption.secret,
            expires_ms=redemption.expires_ms,
            accepted_ms=redemption.accepted_ms,
            outcome=redemption.outcome,
        )
    )


def end_redemption(connection: sa.Connection, inviter: bytes, outcome: str) -> None:
    """Keep what came of an accepted invite, and its secret no longer."""
    connection.execute(
        sa.update(redemptions).where(redemptions.c.inviter == inviter).values(secret=b"", outcome=outcome)
    )


def all_redemptions(connection: sa.Connection) -> Sequence[Redemption]:
    """Return the accepted invites, the newest first."""
    question = sa.select(redemptions).order_by(redemptions.c.accepted_ms.desc(), redemptions.c.inviter)
    return [Redemption(**row._mapping) for row in connection.execute(question)]  # noqa: SLF001  SQLAlchemy's public name for it


def _invite(row: sa.Row[*tuple[object, ...]]) -> OwnInvite:
    return OwnInvite(**row._mapping)  # noqa: SLF001  SQLAlchemy's public name for it
