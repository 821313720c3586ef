"""Invites are kept by their keys; the secret of an accepted one goes when it has done its work."""

from storage.engine import Store
from storage.invites import (
    OwnInvite,
    Redemption,
    add_invite,
    all_invites,
    all_redemptions,
    end_redemption,
    invite_of,
    keep_redemption,
    remove_invites,
    revoke_invite,
    use_invite,
)

OLD, NEW = OwnInvite(b"o" * 32, "for the mill", 1, 50), OwnInvite(b"n" * 32, "", 2, 90)


def test_an_invite_is_open_until_it_is_used_revoked_or_over(store: Store) -> None:
    """Each end is noted, and those that are long over are forgotten."""
    with store.write() as connection:
        for invite in (OLD, NEW):
            add_invite(connection, invite)
        assert all_invites(connection) == [NEW, OLD]
        assert (OLD.is_open(49), OLD.is_open(50)) == (True, False)
        use_invite(connection, NEW.invite_key, by=b"g" * 32, now_ms=7)
        revoke_invite(connection, OLD.invite_key, 8)
        used, revoked = (invite_of(connection, invite.invite_key) for invite in (NEW, OLD))
        assert used is not None
        assert revoked is not None
        assert (used.used_by, used.used_ms, revoked.revoked_ms) == (b"g" * 32, 7, 8)
        assert not used.is_open(10)
        assert not revoked.is_open(10)
        remove_invites(connection, expired_before_ms=60)
        assert all_invites(connection) == [used]


def test_an_accepted_invite_keeps_its_secret_no_longer_than_needed(store: Store) -> None:
    """Of one inviter the newest stands; what came of it stays without the secret."""
    with store.write() as connection:
        keep_redemption(connection, Redemption(b"h" * 32, b"s" * 16, 9, 1))
        keep_redemption(connection, Redemption(b"h" * 32, b"t" * 16, 9, 2))
        assert [each.secret for each in all_redemptions(connection)] == [b"t" * 16]
        end_redemption(connection, b"h" * 32, "done")
        (ended,) = all_redemptions(connection)
        assert (ended.secret, ended.outcome) == (b"", "done")
