"""Invites: what a link says, who may redeem it, and what a guesser gets."""

from dataclasses import replace
from typing import Any

import pytest

from protocol.errors import SessionError
from protocol.exchange.addresses import parse_address
from protocol.exchange.discovery_events import TrustChanged
from protocol.exchange.frames import InviteRedeem, InviteRedeemed, Refused
from protocol.exchange.invite import Invite, invite_key, read_invite, redeeming_message
from protocol.exchange.invites import FINAL, Invites
from protocol.exchange.machine import AskPeer, PeerAnswered, Tell
from protocol.exchange.replication_events import (
    Drop,
    FrameReceived,
    PeerClosed,
    PeerOpened,
    Send,
    WakeAt,
    WishesChanged,
    Woken,
)
from protocol.exchange.trust_events import (
    DONE,
    EndRedemption,
    InviteAccepted,
    InviteMade,
    InvitesLoaded,
    InviteTaken,
    RedemptionEnded,
    TakeInvite,
)
from protocol.identity.keys import SigningKey
from protocol.limits import INVITE_GUESSES_MAX, INVITES_ACCEPTED_MAX
from tests.worked_examples import worked_example

HOST, GUEST, THIEF = b"h" * 32, b"g" * 32, b"t" * 32
SECRET = bytes(range(16))
INVITE = Invite(HOST, SECRET, 1_760_000_000_000, (parse_address("192.0.2.7:8471"),))
TRUSTED = [Tell(TrustChanged(HOST, "followed")), Tell(WishesChanged())]


def host() -> Invites:
    machine = Invites(HOST)
    machine.handle(InvitesLoaded((INVITE.key.public,), ()), 0)
    return machine


def redeem(invite: Invite, redeemer: bytes, *, number: int = 3) -> InviteRedeem:
    signature = invite.key.sign(redeeming_message(invite.inviter, redeemer))
    return InviteRedeem(number, invite.key.public, signature)


def asked(machine: Invites, peer: bytes, frame: InviteRedeem) -> list[Any]:
    return machine.handle(FrameReceived(peer, frame), 0)


@pytest.mark.parametrize(
    "text",
    [
        INVITE.link,
        INVITE.link.upper(),
        f"  {INVITE.link}\n",
        f"Come in!\n{INVITE.link[:40]}\n{INVITE.link[40:90]}\r\n {INVITE.link[90:]}",
    ],
)
def test_a_link_is_read_however_it_was_pasted(text: str) -> None:
    """Capitals, spaces and line breaks of a letter change nothing."""
    assert read_invite(text) == INVITE


@pytest.mark.parametrize("place", range(len("wildgrass:invite/"), len(INVITE.link), 7))
def test_a_mistyped_character_is_noticed_before_anything_is_asked(place: int) -> None:
    """Each character is under the check, so that a slip is no guess."""
    other = "a" if INVITE.link[place] != "a" else "b"
    with pytest.raises(SessionError) as refusal:
        read_invite(INVITE.link[:place] + other + INVITE.link[place + 1 :])
    assert refusal.value.code == "invite_malformed"


@pytest.mark.parametrize(
    "text",
    ["", "wildgrass:invite/", "wildgrass:invite/a", "https://x.example/", INVITE.link[:-3], "x" * 9_000],
)
def test_other_texts_are_no_invite(text: str) -> None:
    """Half a link is none."""
    with pytest.raises(SessionError) as refusal:
        read_invite(text)
    assert refusal.value.code == "invite_malformed"


@pytest.mark.parametrize(
    "wrong",
    [
        replace(INVITE, inviter=b"short"),
        replace(INVITE, secret=b"short"),
        replace(INVITE, addresses=INVITE.addresses * 9),
    ],
)
def test_a_link_with_parts_out_of_bounds_is_refused(wrong: Invite) -> None:
    """The check holds, and what it covers is still judged."""
    said = Invite.link.fget(wrong) if Invite.link.fget else ""
    with pytest.raises(SessionError) as refusal:
        read_invite(said)
    assert refusal.value.code == "invite_malformed"


def test_an_invite_is_redeemed_by_who_holds_it() -> None:
    """The guest asks as soon as a session stands, whoever dialled it; the host's store decides; both trust."""
    guest, inviter = Invites(GUEST), host()
    assert guest.handle(InviteAccepted(INVITE), 0) == []
    inviter.handle(PeerOpened(GUEST, 32), 0)
    (question,) = guest.handle(PeerOpened(HOST, 32), 0)
    assert isinstance(question, AskPeer)
    assert isinstance(question.request, InviteRedeem)
    (taking,) = asked(inviter, GUEST, question.request)
    assert taking == TakeInvite(GUEST, question.request.number, INVITE.key.public)
    answer, *told = inviter.handle(InviteTaken(GUEST, taking.number, ""), 0)
    assert answer == Send(GUEST, InviteRedeemed(taking.number))
    assert told == [Tell(TrustChanged(GUEST, "followed")), Tell(WishesChanged())]
    ending = guest.handle(PeerAnswered(HOST, question.about, InviteRedeemed(1)), 0)
    assert EndRedemption(HOST, DONE) in ending
    assert guest.handle(RedemptionEnded(HOST, DONE), 0) == TRUSTED
    assert guest.handle(PeerOpened(HOST, 32), 0) == [], "it is settled"


def test_an_invite_that_is_accepted_in_session_is_redeemed_at_once() -> None:
    """The two were connected already, dialled from either side."""
    guest = Invites(GUEST)
    guest.handle(PeerOpened(HOST, 32), 0)
    (question,) = guest.handle(InviteAccepted(INVITE), 0)
    assert question.request == redeem(INVITE, GUEST, number=0)


@pytest.mark.parametrize("code", sorted(FINAL))
def test_a_refusal_settles_the_invite_with_its_code(code: str) -> None:
    """Used, expired, revoked, foreign: it is not asked for again, and nobody is trusted."""
    guest = Invites(GUEST)
    guest.handle(PeerOpened(HOST, 32), 0)
    guest.handle(InviteAccepted(INVITE), 0)
    ending = guest.handle(PeerAnswered(HOST, INVITE.key.public, Refused(1, code, "")), 0)
    assert EndRedemption(HOST, code) in ending
    assert guest.handle(RedemptionEnded(HOST, code), 0) == []
    assert guest.handle(PeerOpened(HOST, 32), 0) == []


@pytest.mark.parametrize(
    "answered", [(None, "request_unanswered"), (Refused(1, "store_unavailable", ""), "")]
)
def test_without_an_answer_it_is_asked_again(answered: Any) -> None:
    """An answer that was lost, a host that cannot write just now: in a while, and in the next session."""
    guest = Invites(GUEST)
    guest.handle(PeerOpened(HOST, 32), 0)
    guest.handle(InviteAccepted(INVITE), 0)
    (wake,) = guest.handle(PeerAnswered(HOST, INVITE.key.public, *answered), 0)
    assert isinstance(wake, WakeAt)
    assert [type(effect) for effect in guest.handle(Woken(), wake.at_ms)] == [AskPeer]
    guest.handle(PeerClosed(HOST), 0)
    assert [type(effect) for effect in guest.handle(PeerOpened(HOST, 32), 0)] == [AskPeer]


def test_what_was_overheard_is_worth_nothing_to_another() -> None:
    """A proxy that reads along repeats the guest's words under its own name."""
    inviter = host()
    inviter.handle(PeerOpened(THIEF, 32), 0)
    (refusal,) = asked(inviter, THIEF, redeem(INVITE, GUEST))
    assert refusal == Send(THIEF, Refused(3, "invite_foreign", ""))


def test_a_guesser_is_refused_let_go_and_costs_no_look_into_the_store() -> None:
    """No guess reaches the store; after a few the session ends; who holds the invite is not kept waiting."""
    inviter = host()
    inviter.handle(PeerOpened(THIEF, 32), 0)
    effects: list[Any] = []
    for guess in range(INVITE_GUESSES_MAX):
        key = invite_key(HOST, guess.to_bytes(16, "big"))
        effects += asked(inviter, THIEF, InviteRedeem(3, key.public, key.sign(b"whatever")))
    assert not [effect for effect in effects if isinstance(effect, TakeInvite)]
    assert effects[-1] == Drop(THIEF, "invite_guesses_too_many")
    inviter.handle(PeerOpened(GUEST, 32), 0)
    assert asked(inviter, GUEST, redeem(INVITE, GUEST)) == [TakeInvite(GUEST, 3, INVITE.key.public)]


def test_an_invite_of_another_community_is_foreign() -> None:
    """The secret makes another key for every inviter."""
    inviter = host()
    inviter.handle(PeerOpened(GUEST, 32), 0)
    foreign = replace(INVITE, inviter=b"x" * 32)
    assert asked(inviter, GUEST, redeem(foreign, GUEST)) == [Send(GUEST, Refused(3, "invite_foreign", ""))]
    inviter.handle(InviteMade(invite_key(HOST, b"n" * 16).public), 0)
    newer = replace(INVITE, secret=b"n" * 16)
    assert [type(effect) for effect in asked(inviter, GUEST, redeem(newer, GUEST))] == [TakeInvite]


def test_a_peer_that_asks_twice_at_once_waits_for_its_first_answer() -> None:
    """One look into the store at a time for each peer."""
    inviter = host()
    inviter.handle(PeerOpened(GUEST, 32), 0)
    asked(inviter, GUEST, redeem(INVITE, GUEST))
    assert asked(inviter, GUEST, redeem(INVITE, GUEST)) == [Send(GUEST, Refused(3, "requests_too_many", ""))]
    inviter.handle(InviteTaken(GUEST, 3, "invite_used"), 0)
    assert [type(effect) for effect in asked(inviter, GUEST, redeem(INVITE, GUEST))] == [TakeInvite]


def test_accepted_invites_are_bounded() -> None:
    """A steward cannot fill the memory either."""
    guest = Invites(GUEST)
    for number in range(INVITES_ACCEPTED_MAX + 5):
        guest.handle(InviteAccepted(replace(INVITE, inviter=number.to_bytes(32, "big"))), 0)
    opened = [
        guest.handle(PeerOpened(number.to_bytes(32, "big"), 32), 0)
        for number in range(INVITES_ACCEPTED_MAX + 5)
    ]
    assert sum(map(len, opened)) == INVITES_ACCEPTED_MAX


def test_the_example_of_the_document_comes_out() -> None:
    """Section 26.4: link, key and signature."""
    example = worked_example("invite")
    invite = read_invite(example["link"])
    assert invite.link == example["link"]
    assert invite.secret == bytes.fromhex(example["secret"])
    assert invite.key.public == bytes.fromhex(example["invite key"])
    message = redeeming_message(invite.inviter, bytes.fromhex(example["redeemer"]))
    assert isinstance(invite.key, SigningKey)
    assert invite.key.sign(message) == bytes.fromhex(example["signature"])
