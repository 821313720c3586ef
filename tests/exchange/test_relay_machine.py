"""Relays: who is asked when, whatever a relay says, forgets or repeats."""

from collections.abc import Iterable
from typing import Any

from protocol.exchange.exchange import Exchange
from protocol.exchange.frames import (
    Delivery,
    Frame,
    Heads,
    Receipt,
    Refused,
    RelayKept,
    RelayList,
    RelayListed,
    RelayNotice,
    RelayPut,
    RelayRegister,
    RelayTerms,
    Request,
    SealedObject,
)
from protocol.exchange.holding import Blame
from protocol.exchange.relay import RENEW_MS, Relays, RelayState
from protocol.exchange.relay_events import (
    Batch,
    ListNoted,
    LoadParts,
    LoadRelays,
    NoteListed,
    NotePut,
    NoteTerms,
    PartsChanged,
    PartsLoaded,
    RelaysLoaded,
    ShelfChanged,
    WorkFailed,
)
from protocol.exchange.replication_events import (
    FrameReceived,
    PeerClosed,
    PeerOpened,
    Send,
    WishesChanged,
    Woken,
)
from protocol.limits import RELAY_PAGES_MAX, RELAY_POLL_MS, REQUEST_MS

R, S, BUYER, SELLER = b"R" * 32, b"S" * 32, b"b" * 32, b"s" * 32
TERMS = RelayTerms(0, 1_024, 16_777_216, 14)
PART = SealedObject(b"c" * 32, b"ciphertext", ())
WAITING = (Delivery(BUYER, b"c" * 32),)


class Side:
    """One community's machines, with their numbered requests, a clock, and what they want done."""

    def __init__(self) -> None:
        self.relays = Relays()
        self.exchange = Exchange(self.relays)
        self.now_ms = 0
        self.sent: list[tuple[bytes, Frame]] = []
        self.asked: list[Any] = []

    def tell(self, event: Any) -> "Side":
        for effect in self.exchange.handle(event, self.now_ms):
            if isinstance(effect, Send):
                self.sent.append((effect.peer, effect.frame))
            else:
                self.asked.append(effect)
        return self

    def open(self, *peers: bytes) -> "Side":
        for peer in peers:
            self.tell(PeerOpened(peer, 32))
        return self

    def load(
        self, *, own: Iterable[bytes] = (), senders: Iterable[bytes] = (BUYER,), holding: Iterable[bytes] = ()
    ) -> "Side":
        return self.tell(RelaysLoaded(tuple(own), tuple(senders), tuple(holding)))

    def requests(self, kind: type[Request], peer: bytes = R) -> list[Any]:
        """The requests of a kind that went out and were not looked at before."""
        found = [frame for to, frame in self.sent if to == peer and isinstance(frame, kind)]
        self.sent = [(to, frame) for to, frame in self.sent if frame not in found]
        return found

    def wants(self, kind: type) -> list[Any]:
        found = [effect for effect in self.asked if isinstance(effect, kind)]
        self.asked = [effect for effect in self.asked if effect not in found]
        return found

    def answer(self, question: type[Request], answer: Any, peer: bytes = R) -> "Side":
        """Answer the newest request of a kind."""
        request = self.requests(question, peer)[-1]
        fields = [getattr(answer, name) for name in answer.__struct_fields__[1:]]
        return self.tell(FrameReceived(peer, type(answer)(request.number, *fields)))

    def pass_ms(self, milliseconds: int) -> "Side":
        self.now_ms += milliseconds
        return self.tell(Woken())


def registered() -> Side:
    """A recipient whose relay keeps things for it, and has listed nothing yet."""
    side = Side().open(R).load(own=[R])
    return side.answer(RelayRegister, TERMS)


def test_a_recipient_registers_with_its_relay_and_asks_for_its_list() -> None:
    """The store is asked who the relays are, the relay is told from whom, then asked what waits."""
    side = Side().open(R, S)
    assert side.wants(LoadRelays)
    assert side.load(own=[R], senders=[BUYER, SELLER]).requests(RelayRegister, S) == []
    side.answer(RelayRegister, TERMS)
    assert [(note.relay, note.terms.days) for note in side.wants(NoteTerms)] == [(R, 14)]
    side.answer(RelayList, RelayListed(0, 4, False, WAITING, ()))
    assert side.wants(NoteListed) == [NoteListed(R, WAITING, ())]
    assert side.relays.state_of(R) is RelayState.NOTING
    side.tell(ListNoted(R))
    assert side.relays.state_of(R) is RelayState.CURRENT


def test_a_relay_forgets_receipts_only_after_they_are_on_our_disk() -> None:
    """The next list begins behind what the store has taken in, and before that nothing is asked."""
    side = registered().answer(RelayList, RelayListed(0, 4, True, (), (Receipt(b"c" * 32, b"p" * 32),)))
    assert side.requests(RelayList) == []
    [asked] = side.tell(ListNoted(R)).requests(RelayList)
    assert asked.after == 4


def test_a_list_that_the_store_did_not_take_in_is_asked_for_again() -> None:
    """A full disk loses nothing: the row is the old one."""
    side = registered().answer(RelayList, RelayListed(0, 4, False, WAITING, ()))
    side.tell(WorkFailed(side.wants(NoteListed)[0])).pass_ms(RELAY_POLL_MS)
    assert [asked.after for asked in side.requests(RelayList)] == [0]


def test_a_notice_asks_for_the_list_once_and_never_is_lost() -> None:
    """Ten notices while one list is on its way are one more list; from a stranger they are nothing."""
    side = registered()
    for peer in (R, R, R, S):
        side.tell(FrameReceived(peer, RelayNotice()))
    [asked] = side.requests(RelayList)
    side.tell(FrameReceived(R, RelayListed(asked.number, 4, False, (), ()))).tell(ListNoted(R))
    assert [asked.after for asked in side.requests(RelayList)] == [4]
    assert side.open(S).tell(FrameReceived(S, RelayNotice())).requests(RelayList, S) == []


def test_a_relay_that_lists_in_circles_is_blamed_and_left_until_the_next_poll() -> None:
    """More that does not move on, or a row that goes back, ends this round."""
    side = registered().answer(RelayList, RelayListed(0, 0, True, (), ()))
    assert Blame(R, "relay_list_stuck") in side.wants(Blame)
    assert side.requests(RelayList) == []
    side.pass_ms(RELAY_POLL_MS).answer(RelayList, RelayListed(0, 9, False, (), ())).tell(ListNoted(R))
    side.pass_ms(RELAY_POLL_MS).answer(RelayList, RelayListed(0, 8, False, (), ()))
    assert Blame(R, "relay_list_stuck") in side.wants(Blame)


def test_a_list_without_end_is_followed_for_so_many_pages() -> None:
    """A relay that invents deliveries costs a bounded number of pages a round."""
    side = registered()
    pages = 0
    while side.sent and any(isinstance(frame, RelayList) for _, frame in side.sent):
        pages += 1
        side.answer(RelayList, RelayListed(0, pages, True, WAITING, ())).tell(ListNoted(R))
    assert pages == RELAY_PAGES_MAX
    assert len(side.pass_ms(RELAY_POLL_MS).requests(RelayList)) == 1


def test_a_refused_registration_is_told_and_what_waits_is_asked_for_all_the_same() -> None:
    """The relay's steward may have changed their mind after something was put."""
    side = Side().open(R).load(own=[R]).answer(RelayRegister, Refused(0, "relay_not_admitted", ""))
    assert side.wants(NoteTerms) == [NoteTerms(R, None, "relay_not_admitted")]
    assert len(side.requests(RelayList)) == 1
    assert len(side.pass_ms(RELAY_POLL_MS).requests(RelayRegister)) == 1
    side = Side().open(R).load(own=[R]).pass_ms(REQUEST_MS)
    assert side.wants(NoteTerms) == []
    assert len(side.pass_ms(RELAY_POLL_MS).requests(RelayRegister)) == 2


def test_a_registration_is_renewed_daily_and_when_the_senders_change() -> None:
    """A session may stand for months; and whoever is followed from now on may leave something from now on."""
    side = registered().answer(RelayList, RelayListed(0, 0, False, (), ())).tell(ListNoted(R))
    assert side.tell(WishesChanged()).wants(LoadRelays)
    assert side.load(own=[R]).requests(RelayRegister) == []
    [asked] = side.load(own=[R], senders=[BUYER, SELLER]).requests(RelayRegister)
    assert asked.senders == (BUYER, SELLER)
    side.tell(FrameReceived(R, RelayTerms(asked.number, 1, 1, 1)))
    side.pass_ms(RENEW_MS)
    assert len(side.requests(RelayRegister)) == 1


def test_a_relay_that_is_no_longer_named_is_told_so() -> None:
    """An empty list of senders ends the registration."""
    [asked] = registered().load(own=[]).requests(RelayRegister)
    assert asked.senders == ()


def test_what_waits_is_put_and_put_on_until_the_store_has_no_more() -> None:
    """One question to the store at a time; what the relay keeps and what it leaves out is noted."""
    side = Side().open(R).load()
    assert side.wants(LoadParts) == [LoadParts((R,))]
    side.tell(PartsChanged()).tell(PartsLoaded((Batch(R, SELLER, (PART,)),)))
    assert side.wants(LoadParts) == []
    side.answer(RelayPut, RelayKept(0, (b"c" * 32, b"x" * 32), 1_000))
    assert side.wants(NotePut) == [NotePut(R, (b"c" * 32,), (b"c" * 32,), 1_000, RELAY_POLL_MS)]
    assert side.wants(LoadParts) == [LoadParts((R,))]
    assert side.tell(PartsLoaded(())).wants(LoadParts) == []


def test_a_sender_hears_of_receipts_where_something_of_its_is_kept() -> None:
    """After a put a notice of that relay is listened to, and after a restart the list is asked for."""
    side = Side().open(R).load().tell(PartsLoaded((Batch(R, SELLER, (PART,)),)))
    side.answer(RelayPut, RelayKept(0, (b"c" * 32,), 1_000)).tell(FrameReceived(R, RelayNotice()))
    assert len(side.requests(RelayList)) == 1
    assert len(Side().open(R).load(holding=[R]).requests(RelayList)) == 1


def test_a_lost_session_is_tried_with_the_next_and_a_refusal_after_a_while() -> None:
    """A relay that was restarted is no relay that refuses."""
    side = Side().open(R).load().tell(PartsLoaded((Batch(R, SELLER, (PART,)),))).tell(PeerClosed(R))
    assert side.wants(NotePut) == [NotePut(R, (b"c" * 32,), (), 0, 0)]
    side = Side().open(R).load().tell(PartsLoaded((Batch(R, SELLER, (PART,)),)))
    side.answer(RelayPut, Refused(0, "relay_full", ""))
    assert side.wants(NotePut) == [NotePut(R, (b"c" * 32,), (), 0, RELAY_POLL_MS)]
    side = Side().open(R).load().tell(PartsLoaded((Batch(R, SELLER, (PART,)),))).pass_ms(REQUEST_MS)
    assert side.wants(NotePut) == [NotePut(R, (b"c" * 32,), (), 0, RELAY_POLL_MS)]


def test_a_store_that_cannot_tell_what_waits_is_asked_again_with_the_next_poll() -> None:
    """Nothing hangs because one question failed."""
    side = Side().open(R).load()
    [asked] = side.wants(LoadParts)
    assert side.tell(WorkFailed(asked)).wants(LoadParts) == []
    assert side.pass_ms(RELAY_POLL_MS).wants(LoadParts) == [LoadParts((R,))]


def test_whoever_took_its_parts_directly_is_served_by_a_relay_once_it_is_gone() -> None:
    """A session that ends is a reason to look at what waits."""
    side = Side().open(R, SELLER).load()
    side.wants(LoadParts)
    assert side.tell(PartsLoaded(())).tell(PeerClosed(SELLER)).wants(LoadParts) == [LoadParts((R,))]


def test_a_relay_tells_those_who_are_there_and_nobody_else() -> None:
    """What is new on our own shelf is told to whom it concerns."""
    side = Side().open(SELLER).tell(ShelfChanged(SELLER)).tell(ShelfChanged(BUYER))
    assert [to for to, frame in side.sent if isinstance(frame, RelayNotice)] == [SELLER]


def test_answers_out_of_turn_change_nothing() -> None:
    """A late page, a page twice, a store that answers twice: the row stays where it was."""
    side = registered()
    [asked] = side.requests(RelayList)
    page = RelayListed(asked.number, 4, False, WAITING, ())
    side.tell(FrameReceived(R, page)).tell(FrameReceived(R, page)).tell(ListNoted(R)).tell(ListNoted(R))
    assert len(side.wants(NoteListed)) == 1
    assert side.relays.state_of(R) is RelayState.CURRENT
    side.tell(ListNoted(S)).tell(FrameReceived(R, Heads(99, bytes(16), 0, False, ())))
    assert side.requests(RelayList) == []
