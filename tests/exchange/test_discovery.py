"""The search for others: who is dialled where, what is told on, what a liar can make us do."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from protocol.exchange.addresses import Address, parse_address, parse_address_record
from protocol.exchange.discovery import Discovery
from protocol.exchange.discovery_events import (
    AddressNamed,
    ClockRead,
    Dial,
    DialEnded,
    ForgetKnown,
    KeepKnown,
    Known,
    OwnPlaceChanged,
    PeerMet,
    ReadClock,
    SearchBegun,
    Trust,
    TrustChanged,
)
from protocol.exchange.follow_rules import FollowRule, RulesChanged
from protocol.exchange.frames import Addresses, AddressesGet, AddressTold, Heads, Refused, SignedAddress
from protocol.exchange.holding import Blame
from protocol.exchange.machine import AskPeer, PeerAnswered
from protocol.exchange.replication_events import (
    Drop,
    FrameReceived,
    PeerClosed,
    PeerOpened,
    PeerSilent,
    Send,
    WakeAt,
    Woken,
)
from protocol.exchange.trust_events import FollowKnown
from protocol.limits import (
    ADDRESS_QUESTIONS_MAX,
    ADDRESS_RECORD_RENEWED_MS,
    ADDRESS_RECORDS_READ_MAX,
    COMERS_MAX,
    DIAL_TARGETS_MAX,
    FOLLOWED_BY_RULES_MAX,
    FOUND_BYTES,
    FOUND_BYTES_MAX,
    LINKS_WANTED,
    RECORD_BYTES_MAX,
    TOLD_BY_ONE_MAX,
    TOLD_DIALLED_BY_ONE_MAX,
    TOLD_MAX,
)
from tests.exchange.address_villages import TIME_MS, Signer, signer

OWN, SHOP, MILL, LIAR = signer("own"), signer("shop"), signer("mill"), signer("liar")
OLD, NEW = "192.0.2.1:8471", "192.0.2.2:8471"


@dataclass
class Searcher:
    """A machine under a clock of its own, and what it did."""

    known: tuple[Known, ...] = ()
    own_record: bytes = b""
    now_ms: int = 0
    wake_ms: int | None = None
    done: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.machine = Discovery(OWN.own, Random(7))
        self.tell(SearchBegun(self.known, self.own_record, TIME_MS))

    def tell(self, event: Any) -> list[Any]:
        effects = self.machine.handle(event, self.now_ms)
        self.done += effects
        for effect in effects:
            if isinstance(effect, WakeAt):
                self.wake_ms = effect.at_ms
            if isinstance(effect, ReadClock):
                effects = [*effects, *self.tell(ClockRead(TIME_MS + self.now_ms))]
        return effects

    def wait(self, until: Callable[[], bool], *, longest_ms: int = 3_600_000) -> None:
        end_ms = self.now_ms + longest_ms
        while not until() and self.wake_ms is not None and self.wake_ms <= end_ms:
            self.now_ms, self.wake_ms = max(self.now_ms, self.wake_ms), None
            self.tell(Woken())

    def meet(self, peer: Signer, trust: Trust = "followed", dial: int | None = None) -> list[Any]:
        met = self.tell(PeerMet(peer.community, peer.genesis, trust, dial))
        return [*met, *self.tell(PeerOpened(peer.community, 32))]

    def told(self, told: SignedAddress, by: Signer = MILL) -> list[Any]:
        return self.tell(FrameReceived(by.community, AddressTold(told)))

    def answered(self, *told: SignedAddress, by: Signer = MILL) -> list[Any]:
        return self.tell(PeerAnswered(by.community, "addresses", Addresses(1, told)))

    def asked(self, *wanted: bytes, count: int = 16, by: Signer = MILL) -> Addresses | Refused:
        (sent,) = sent_to(self.tell(FrameReceived(by.community, AddressesGet(4, wanted, count))), by)
        assert isinstance(sent, Addresses | Refused)
        return sent

    def fail(self, dial: Dial, code: str = "session_lost") -> list[Any]:
        return self.tell(DialEnded(dial.dial, code, 10))

    @property
    def dials(self) -> list[Dial]:
        return dials(self.done)


def dials(effects: list[Any]) -> list[Dial]:
    return [effect for effect in effects if isinstance(effect, Dial)]


def sent_to(effects: list[Any], peer: Signer) -> list[Any]:
    return [effect.frame for effect in effects if isinstance(effect, Send) and effect.peer == peer.community]


def followed(peer: Signer, *addresses: str) -> Known:
    hints = tuple(map(parse_address, addresses))
    return Known(peer.community, "added", 0, trust="followed", genesis=peer.genesis, hints=hints)


def crowd(count: int, word: str = "sybil") -> list[Signer]:
    return [signer(f"{word} {number}") for number in range(count)]


def test_who_is_followed_is_dialled_from_the_start_and_again_after_a_failure() -> None:
    """At once, then after a wait that grows, until somebody answers."""
    search = Searcher((followed(SHOP, OLD),))
    waits = []
    for _ in range(4):
        at_ms = search.now_ms
        count = len(search.dials)
        search.fail(search.dials[-1])
        search.wait(lambda count=count: len(search.dials) > count)
        waits.append(search.now_ms - at_ms)
    assert {(dial.address, dial.expected) for dial in search.dials} == {(parse_address(OLD), SHOP.community)}
    assert waits == sorted(waits)
    assert waits[0] > 500
    count = len(search.dials)
    search.meet(SHOP, dial=search.dials[-1].dial)
    search.wait(lambda: len(search.dials) > count, longest_ms=100_000)
    assert len(search.dials) == count, "who is connected is not dialled"


def test_a_node_that_moved_is_found_by_its_id() -> None:
    """A neighbour has the newer record: the dialer follows it at once, and not the old address."""
    search = Searcher((followed(SHOP, OLD), followed(MILL)))
    search.fail(search.dials[-1])
    asks = [effect for effect in search.meet(MILL) if isinstance(effect, AskPeer)]
    assert SHOP.community in asks[-1].request.wanted, "the neighbour is asked for whom we miss"
    found = dials(search.answered(SHOP.told(NEW)))
    assert [(dial.address.text, dial.expected) for dial in found] == [(NEW, SHOP.community)]
    search.fail(found[0])
    search.wait(lambda: search.dials[-1] is not found[0])
    assert search.dials[-1].address.text == NEW


def test_an_old_record_that_is_sent_again_changes_nothing() -> None:
    """Replayed by whomever and however often: the newest wins."""
    search = Searcher((followed(SHOP), followed(MILL)))
    search.meet(MILL)
    old, new = SHOP.told(OLD), SHOP.told(NEW, time_ms=TIME_MS + 1)
    search.told(old)
    search.told(new)
    for told in (old, new, old):
        effects = search.told(told)
        assert not [effect for effect in effects if not isinstance(effect, WakeAt)]
    search.fail(search.dials[-1])
    search.wait(lambda: len(search.dials) > 1)
    assert search.dials[-1].address.text == NEW


@pytest.mark.parametrize(
    "time_ms", [TIME_MS + 700_000, TIME_MS - 31 * 24 * 3_600_000], ids=["ahead of the clock", "expired"]
)
def test_a_record_of_another_time_is_passed_over_and_nobody_is_blamed(time_ms: int) -> None:
    """Clocks are wrong without anybody's ill will."""
    search = Searcher((followed(SHOP), followed(MILL)))
    search.meet(MILL)
    search.told(SHOP.told(NEW, time_ms=time_ms))
    assert search.dials == []
    assert not [effect for effect in search.done if isinstance(effect, Blame)]


def test_a_forged_record_is_blamed_on_who_told_it() -> None:
    """Signed by another key, or with the genesis of somebody else: nothing is believed, the rest is not read."""
    search = Searcher((followed(MILL),))
    search.meet(MILL)
    forged = Signer(SHOP.community, SHOP.genesis, LIAR.transport).told(NEW)
    for lie in (forged, SHOP.told(NEW, genesis=LIAR.genesis), SHOP.told(NEW, genesis=b"no genesis")):
        effects = search.answered(lie, signer("honest").told(NEW))
        blames = [effect for effect in effects if isinstance(effect, Blame)]
        assert [(blame.peer, blame.code) for blame in blames] == [(MILL.community, "address_record_forged")]
        assert dials(effects) == []
    assert [sight.known.community for sight in search.machine.sightings(0)] == [MILL.community]


def test_a_community_that_dials_out_only_is_not_dialled() -> None:
    """Its record names no address: we wait until it comes, and an old address is not tried."""
    search = Searcher((followed(SHOP, OLD), followed(MILL)))
    search.meet(MILL)
    search.told(SHOP.told())
    search.fail(search.dials[-1])
    count = len(search.dials)
    search.wait(lambda: len(search.dials) > count, longest_ms=1_000_000)
    assert len(search.dials) == count
    (sight,) = [one for one in search.machine.sightings(0) if one.known.community == SHOP.community]
    assert sight.reach == "dials_out"


def test_a_proxied_host_that_is_not_its_own_costs_a_try_and_no_trust() -> None:
    """A liar names somebody else's host: another community answers there, and its own name stays unreached."""
    search = Searcher((followed(LIAR),))
    search.meet(LIAR)
    search.tell(PeerClosed(LIAR.community))
    search.meet(MILL, "found")
    (dial,) = dials(search.told(LIAR.told("wss://shop.example")))
    assert (dial.address, dial.expected) == (Address("proxied", "shop.example", 443), LIAR.community)
    search.fail(dial, "session_community_mismatch")
    (sight,) = [one for one in search.machine.sightings(0) if one.known.community == LIAR.community]
    assert sight.reach == "unreached"


def test_endless_peers_of_a_liar_are_bounded_in_memory_and_dialling() -> None:
    """Thousands are told: a few are kept, fewer are tried at a time, and each of those a few times."""
    search = Searcher((followed(LIAR),))
    search.meet(LIAR)
    for number, sybil in enumerate(crowd(TOLD_BY_ONE_MAX + 30)):
        search.told(sybil.told(f"198.51.100.{number % 250}:9000"), by=LIAR)
        search.now_ms += 1_000
    told = [sight for sight in search.machine.sightings(search.now_ms) if sight.known.found == "told"]
    assert len(told) == TOLD_BY_ONE_MAX
    assert len(search.dials) == TOLD_DIALLED_BY_ONE_MAX
    forgotten = sum(isinstance(effect, ForgetKnown) for effect in search.done)
    assert forgotten == 30
    tries = 0
    under_way = list(search.dials)
    while under_way and tries < 1_000:
        tries += 1
        dial = under_way.pop(0)
        effects = search.fail(dial)
        before = len(search.dials)
        search.wait(lambda before=before: len(search.dials) > before, longest_ms=5_000)
        under_way += [*dials(effects), *search.dials[before:]]
        assert len({dial.expected for dial in under_way}) <= TOLD_DIALLED_BY_ONE_MAX
    assert 0 < tries <= 3 * TOLD_BY_ONE_MAX + 3 * TOLD_DIALLED_BY_ONE_MAX


def test_a_peer_is_read_and_answered_only_so_much_in_a_minute() -> None:
    """Beyond that records cost nothing, and questions a refusal."""
    search = Searcher((followed(LIAR),))
    search.meet(LIAR)
    replayed = signer("sybil").told(NEW)
    for _ in range(ADDRESS_RECORDS_READ_MAX):
        search.told(replayed, by=LIAR)
    search.told(SHOP.told(NEW), by=LIAR)
    assert not [one for one in search.machine.sightings(0) if one.known.community == SHOP.community]
    answers = [search.asked(by=LIAR) for _ in range(ADDRESS_QUESTIONS_MAX + 1)]
    assert isinstance(answers[-2], Addresses)
    assert answers[-1] == Refused(4, "requests_too_many", "")
    search.now_ms += 60_001
    search.told(SHOP.told(NEW), by=LIAR)
    assert [one for one in search.machine.sightings(0) if one.known.community == SHOP.community]


def test_those_who_come_by_themselves_are_bounded() -> None:
    """Anybody can found a thousand communities and dial us with each."""
    search = Searcher((followed(SHOP),))
    genesis = SHOP.genesis
    for number in range(COMERS_MAX + 50):
        search.tell(PeerMet(number.to_bytes(32, "big"), genesis, "found"))
    assert len(search.machine.sightings(0)) == COMERS_MAX + 1
    assert search.dials == []


def test_what_is_found_holds_no_more_bytes_than_may_be() -> None:
    """Large genesis records push out the oldest of their own crowd, and nobody whom somebody here has chosen."""
    search = Searcher((followed(SHOP),))
    search.meet(MILL, "found")
    genesis = bytes(RECORD_BYTES_MAX)
    for number in range(1, COMERS_MAX):
        effects = search.tell(PeerMet(number.to_bytes(32, "big"), genesis, "found"))
    known = [one.known for one in search.machine.sightings(0)]
    assert len(known) == FOUND_BYTES_MAX // (RECORD_BYTES_MAX + FOUND_BYTES) + 1
    assert known[0].community == SHOP.community
    assert [each for each in effects if isinstance(each, ForgetKnown)]


def test_only_who_is_followed_or_met_is_told_on_and_nobody_who_is_blocked() -> None:
    """What a peer told is not repeated, so that a lie goes no further."""
    search = Searcher((followed(SHOP), followed(MILL)))
    search.meet(MILL)
    search.told(SHOP.told(NEW))
    rumour, guest, foe = signer("rumour"), signer("guest"), signer("foe")
    search.told(rumour.told(NEW))
    for each in (guest, foe):
        search.meet(each, "found")
        search.told(each.told(NEW), by=each)
    search.tell(TrustChanged(foe.community, "blocked"))
    answer = search.asked(rumour.community, foe.community, guest.community)
    assert isinstance(answer, Addresses)
    named = [parse_address_record(told.record).community for told in answer.addresses]
    assert sorted(named) == sorted([guest.community, SHOP.community])
    assert named[0] == guest.community, "who was asked for comes first"


def test_a_blocked_community_is_dropped_and_never_dialled() -> None:
    """Its record goes, its address goes, and what is told of it later is not taken."""
    search = Searcher((followed(SHOP, OLD), followed(MILL)))
    search.meet(MILL)
    search.told(SHOP.told(NEW))
    search.tell(TrustChanged(SHOP.community, "blocked"))
    count = len(search.dials)
    search.told(SHOP.told(OLD, time_ms=TIME_MS + 5))
    search.tell(AddressNamed(parse_address(NEW), "nearby", SHOP.community))
    search.fail(search.dials[-1])
    search.wait(lambda: len(search.dials) > count, longest_ms=1_000_000)
    assert len(search.dials) == count
    (sight,) = [one for one in search.machine.sightings(0) if one.known.community == SHOP.community]
    assert (sight.record, sight.addresses) == (None, ())


def test_news_of_a_move_is_passed_on_once_and_not_back() -> None:
    """Its followers' neighbours hear where it is now; a renewal is not worth a word."""
    search = Searcher((followed(SHOP), followed(MILL), followed(LIAR)))
    for peer in (MILL, LIAR, SHOP):
        search.meet(peer)
    moved = search.told(SHOP.told(OLD), by=SHOP)
    assert [len(sent_to(moved, peer)) for peer in (MILL, LIAR, SHOP)] == [1, 1, 0]
    search.now_ms += 100_000
    renewed = search.told(SHOP.told(OLD, time_ms=TIME_MS + 9), by=MILL)
    assert [len(sent_to(renewed, peer)) for peer in (MILL, LIAR, SHOP)] == [0, 0, 0]
    flood = [search.told(SHOP.told(f"192.0.2.{n}:1", time_ms=TIME_MS + 10 + n), by=SHOP) for n in range(9)]
    assert sum(len(sent_to(effects, MILL)) for effects in flood) == 1


def test_the_own_record_is_signed_told_kept_and_renewed() -> None:
    """At a session's start, when the place changes, and every day; later than any that was signed before."""
    before = OWN.told(OLD, time_ms=TIME_MS + 500)
    search = Searcher((followed(MILL),), own_record=before.record)
    place = OwnPlaceChanged((parse_address(NEW),), "CN-33", ("food",))
    kept = [effect.known for effect in search.tell(place) if isinstance(effect, KeepKnown)]
    record = parse_address_record(kept[0].record)
    assert (kept[0].community, record.time_ms) == (OWN.community, TIME_MS + 501)
    assert (record.addresses[0].text, record.region, record.sectors) == (NEW, "CN-33", ("food",))
    (told,) = [frame for frame in sent_to(search.meet(MILL), MILL) if isinstance(frame, AddressTold)]
    assert told.address == SignedAddress(kept[0].record, OWN.genesis)
    assert search.tell(place) == [WakeAt(search.wake_ms or 0)], "nothing has changed"
    search.wait(
        lambda: sum(isinstance(effect, KeepKnown) for effect in search.done) > 2,
        longest_ms=2 * ADDRESS_RECORD_RENEWED_MS,
    )
    assert search.now_ms == ADDRESS_RECORD_RENEWED_MS


def test_a_node_that_knows_nobody_asks_its_bootstrap_list_once() -> None:
    """Who answers there is left after its answer and not trusted; a node that knows somebody asks nobody."""
    bootstrap = AddressNamed(parse_address(OLD), "bootstrap")
    search = Searcher()
    (dial,) = dials(search.tell(bootstrap))
    assert (dial.address.text, dial.expected, dial.is_wanted) == (OLD, None, False)
    asks = [effect for effect in search.meet(MILL, "found", dial.dial) if isinstance(effect, AskPeer)]
    assert isinstance(asks[-1].request, AddressesGet)
    effects = search.answered(SHOP.told(NEW))
    assert Drop(MILL.community, "session_finished") in effects
    search.tell(PeerClosed(MILL.community))
    search.tell(DialEnded(dial.dial, "session_finished", 50))
    search.wait(lambda: len(search.dials) > 2, longest_ms=1_000_000)
    assert [each.expected for each in search.dials[1:]] == [SHOP.community], "who was found is looked at"
    sights = {one.known.community: one.known for one in search.machine.sightings(search.now_ms)}
    assert (sights[MILL.community].found, sights[MILL.community].trust) == ("bootstrap", "found")
    assert (sights[SHOP.community].told_by, sights[SHOP.community].trust) == (MILL.community, "found")
    knows = Searcher((followed(SHOP, NEW),))
    assert dials(knows.tell(bootstrap)) == []


def test_the_own_address_is_noticed_and_given_up() -> None:
    """Whoever is named by mistake and answers with our own voice is dialled no more."""
    search = Searcher()
    (dial,) = dials(search.tell(AddressNamed(parse_address(OLD), "added", is_wanted=True)))
    search.fail(dial, "session_self")
    search.wait(lambda: len(search.dials) > 1, longest_ms=1_000_000)
    assert len(search.dials) == 1


def test_a_steward_who_stops_following_is_not_overruled_by_the_next_dial() -> None:
    """The settings name an address; once its community is known, dialling it again is no new wish."""
    search = Searcher()
    (dial,) = dials(search.tell(AddressNamed(parse_address(OLD), "added", is_wanted=True)))
    assert dial.is_wanted
    search.meet(SHOP, dial=dial.dial)
    search.tell(TrustChanged(SHOP.community, "found"))
    search.tell(PeerClosed(SHOP.community))
    search.tell(DialEnded(dial.dial, "session_lost", 10))
    search.wait(lambda: len(search.dials) > 1)
    assert (search.dials[1].expected, search.dials[1].is_wanted) == (SHOP.community, False)


@pytest.mark.parametrize("first", ["it comes", "it is wanted"])
def test_who_is_wanted_and_comes_by_itself_is_followed(first: str) -> None:
    """A neighbour that dials us before we dial it: no dial of ours would follow it, for it is connected."""
    search = Searcher()
    wish = AddressNamed(parse_address(OLD), "nearby", SHOP.community, is_wanted=True)
    effects = search.meet(SHOP, "found") if first == "it comes" else []
    effects += search.tell(wish)
    effects += search.meet(SHOP, "found") if first == "it is wanted" else []
    assert follows(effects) == [SHOP.community]
    search.tell(TrustChanged(SHOP.community, "followed"))
    search.tell(TrustChanged(SHOP.community, "found"))
    assert follows(search.meet(SHOP, "found")) == [], "a wish is granted once"


def follows(effects: list[Any]) -> list[bytes]:
    return [effect.peer for effect in effects if isinstance(effect, FollowKnown)]


def test_rules_follow_whom_they_name_once_and_up_to_a_bound() -> None:
    """By what the newest record says; hearsay is enough, for a genesis proves itself; the bound holds for all rules."""
    search = Searcher((followed(MILL),))
    search.meet(MILL)
    food = SHOP.told(NEW, sectors=("food",), region="CN-33")
    assert follows(search.told(food)) == []
    rules = (FollowRule(1, "follow", sector="food", region="DE"), FollowRule(2, "follow", region="CN"))
    assert follows(search.tell(RulesChanged(rules[:1]))) == []
    assert follows(search.tell(RulesChanged(rules))) == [SHOP.community]
    assert follows(search.tell(RulesChanged(rules))) == [], "once"
    search.tell(TrustChanged(SHOP.community, "followed"))
    search.tell(TrustChanged(SHOP.community, "found"))
    assert follows(search.tell(RulesChanged(rules))) == [], "a steward's word stands above a rule"
    before = tuple(
        Known(number.to_bytes(32, "big"), "told", 0, trust="followed", rule=2)
        for number in range(FOLLOWED_BY_RULES_MAX)
    )
    full = Searcher((*before, followed(MILL)))
    full.meet(MILL)
    full.tell(RulesChanged(rules))
    assert follows(full.told(food)) == []


def test_targets_and_hearsay_are_bounded_in_all() -> None:
    """However many peers tell however much: whoever told the most makes room."""
    tellers = [bytes([number]) * 32 for number in range(TOLD_MAX // TOLD_BY_ONE_MAX)]
    hearsay = [
        Known(bytes([number]) * 30 + each.to_bytes(2, "big"), "told", 0, told_by=teller)
        for number, teller in enumerate(tellers)
        for each in range(TOLD_BY_ONE_MAX)
    ]
    search = Searcher((*hearsay, followed(MILL)))
    search.meet(MILL)
    search.answered(*(sybil.told(NEW) for sybil in crowd(3)))
    told = [one for one in search.machine.sightings(search.now_ms) if one.known.found == "told"]
    assert len(told) == TOLD_MAX
    assert sum(one.known.told_by == MILL.community for one in told) == 3
    for number in range(DIAL_TARGETS_MAX + 10):
        search.tell(AddressNamed(Address("direct", f"h{number}", 1), "nearby", number.to_bytes(32, "big")))
    assert len(search.machine._dialling.keys) == DIAL_TARGETS_MAX


def test_of_many_communities_a_few_are_dialled_and_others_visited() -> None:
    """Among two hundred a node keeps its links few, leaves whom it visited, and dials on when all have failed."""
    many = [
        followed(each, f"192.0.2.{number % 250 + 1}:{8_000 + number}")
        for number, each in enumerate(crowd(200))
    ]
    searcher = Searcher(tuple(many))
    assert LINKS_WANTED <= len(searcher.dials) <= LINKS_WANTED + 1
    for dial in searcher.dials:
        assert dial.expected is not None
        searcher.tell(PeerMet(dial.expected, b"genesis", "followed", dial.dial))
        searcher.tell(PeerOpened(dial.expected, 32))
    (left,) = [dial.expected for dial in searcher.dials[LINKS_WANTED:]] or [None]
    searcher.wait(lambda: Drop(left, "session_finished") in searcher.done if left else True)
    for dial in searcher.dials:
        searcher.tell(PeerClosed(dial.expected or b""))
        searcher.fail(dial)
    searcher.done.clear()
    searcher.wait(lambda: len(searcher.dials) >= LINKS_WANTED)
    assert len({dial.expected for dial in searcher.dials}) >= LINKS_WANTED


def test_a_silent_link_counts_no_more_until_it_speaks() -> None:
    """Who does not answer is replaced while its session stands, and counts again when it has spoken."""
    many = [followed(each, f"192.0.2.1:{8_000 + number}") for number, each in enumerate(crowd(200))]
    searcher = Searcher(tuple(many))
    for dial in searcher.dials:
        searcher.tell(PeerMet(dial.expected or b"", b"genesis", "followed", dial.dial))
        searcher.tell(PeerOpened(dial.expected or b"", 32))
    searcher.wait(lambda: any(isinstance(effect, Drop) for effect in searcher.done))
    (visited,) = [effect.peer for effect in searcher.done if isinstance(effect, Drop)]
    searcher.tell(PeerClosed(visited))
    first, second, third, *_ = [dial.expected or b"" for dial in searcher.dials if dial.expected != visited]
    before = len(searcher.dials)
    searcher.tell(PeerSilent(first))
    assert len(searcher.dials) == before + 1
    searcher.tell(PeerAnswered(first, "heads", None, "request_unanswered"))
    searcher.tell(PeerSilent(second))
    assert len(searcher.dials) == before + 2
    searcher.tell(PeerAnswered(first, "heads", Heads(1, bytes(16), 0, False, ())))
    searcher.tell(PeerSilent(third))
    assert len(searcher.dials) == before + 2, "the one that speaks again has taken the place"
