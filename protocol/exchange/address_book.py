"""What a node knows of where communities are, and how much of it came from whom (PROTOCOL.md section 26.2).

book.meet(peer, genesis, "found", found="came", time_ms=now)
news = book.take(SignedAddress(record, genesis), told_by=peer, time_ms=now)    # None: nothing new
book.sample(chance, 16, for_peer=peer, time_ms=now)
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from protocol.errors import ProtocolError, SessionError
from protocol.exchange.addresses import (
    Address,
    AddressRecord,
    parse_address_record,
    verify_address_record,
)
from protocol.exchange.chance import Chance
from protocol.exchange.discovery_events import Found, Known, Trust
from protocol.exchange.frames import SignedAddress
from protocol.exchange.identify import identify
from protocol.limits import (
    ADDRESS_RECORD_AHEAD_MS_MAX,
    COMERS_MAX,
    FOUND_BYTES,
    FOUND_BYTES_MAX,
    GENESIS_TOLD_BYTES_MAX,
    HINTS_MAX,
    TOLD_BY_ONE_MAX,
    TOLD_MAX,
)

_UNCHOSEN = ("came", "told", "bootstrap")
STOPPED = -1  # a steward has stopped following it
_COMERS = b""  # no community's id


@dataclass(frozen=True, slots=True)
class News:
    """Something new about a community: who that is now, whether it moved, and whom it pushed out."""

    known: Known
    is_moved: bool
    forgotten: tuple[bytes, ...] = ()


class AddressBook:
    """All communities that a node knows.

    Those that nobody here has chosen stand in crowds, which are bounded: one of those who proved themselves
    without being asked for, and one for each peer of those that it told of.
    """

    def __init__(self, own: bytes, known: Iterable[Known] = (), *, bytes_max: int = FOUND_BYTES_MAX) -> None:
        """Take the own community, which is in no book, and what is known from before."""
        self._bytes_max = bytes_max
        self._own = own
        self._known: dict[bytes, Known] = {}
        self._records: dict[bytes, AddressRecord] = {}
        self._keys: dict[bytes, bytes] = {}
        self._crowds: dict[bytes, list[bytes]] = {}
        self._ruled: set[bytes] = set()
        for each in known:
            self._load(each)

    @property
    def known(self) -> tuple[Known, ...]:
        """Everybody."""
        return tuple(self._known.values())

    @property
    def by_rules(self) -> int:
        """How many are followed by rules, or about to be."""
        return len(self._ruled)

    def get(self, community: bytes) -> Known | None:
        """Return what is known of one."""
        return self._known.get(community)

    def record(self, community: bytes, time_ms: int) -> AddressRecord | None:
        """Return the newest record of one, where it still holds."""
        record = self._records.get(community)
        return record if record is not None and record.expires_ms > time_ms else None

    def told_by(self, source: bytes) -> tuple[bytes, ...]:
        """Return who is known by the word of this peer alone, in the order in which it told them."""
        return tuple(self._crowds.get(source, ()))

    def addresses(self, community: bytes, time_ms: int) -> tuple[Address, ...]:
        """Return where to look for one: where it says that it is, else where it was seen or said to be."""
        known, record = self._known.get(community), self.record(community, time_ms)
        if known is None:
            return ()
        return record.addresses if record is not None else known.hints

    def meet(self, community: bytes, genesis: bytes, trust: Trust, time_ms: int) -> News:
        """Note that a community has proven itself; one that nobody has chosen joins the crowd of those."""
        known = self._known.get(community) or Known(community, "came", time_ms)
        forgotten: tuple[bytes, ...] = ()
        if trust == "found" and known.found in _UNCHOSEN:
            self._leave_crowd(community)
            forgotten = self._join_crowd(_COMERS, community)
        kept = self._put(replace(known, genesis=genesis, trust=trust, met_ms=time_ms))
        return News(kept, is_moved=False, forgotten=(*forgotten, *self._make_room(community)))

    def hint(self, community: bytes, address: Address, *, found: Found, time_ms: int) -> Known:
        """Note an address that somebody named; the newest stands first."""
        known = self._known.get(community) or Known(community, found, time_ms)
        if known.found in _UNCHOSEN and found not in _UNCHOSEN:
            known = replace(known, found=found, told_by=None)
            self._leave_crowd(community)
        hints = dict.fromkeys((address, *known.hints))
        return self._put(replace(known, hints=tuple(hints)[:HINTS_MAX]))

    def set_trust(self, community: bytes, trust: Trust, time_ms: int) -> Known:
        """Note how we stand with a community; of a blocked one no address is kept."""
        known = self._known.get(community) or Known(community, "added", time_ms)
        if trust != "found":
            self._leave_crowd(community)
        if trust == "blocked":
            self._records.pop(community, None)
            known = replace(known, record=b"", hints=())
        rule = known.rule
        if trust == "found" and known.trust != "found":
            rule = STOPPED
        elif trust != "found" and rule == STOPPED:
            rule = 0
        return self._put(replace(known, trust=trust, rule=rule))

    def note_rule(self, community: bytes, rule: int) -> Known:
        """Note by which rule a community is to be followed."""
        return self._put(replace(self._known[community], rule=rule))

    def take(self, told: SignedAddress, *, told_by: bytes, time_ms: int) -> News | None:
        """Take a record where it is newer than what is held, and None where it is no news.

        Raises `SessionError` where whoever told it must have known better: malformed, or not signed by the
        community. One that has expired, or is dated ahead of our clock, is nobody's fault.
        """
        record = parse_address_record(told.record)
        held, known = self._records.get(record.community), self._known.get(record.community)
        is_blocked = known is not None and known.trust == "blocked"
        is_older = held is not None and record.time_ms <= held.time_ms
        is_timely = record.time_ms - ADDRESS_RECORD_AHEAD_MS_MAX <= time_ms < record.expires_ms
        if record.community == self._own or is_blocked or is_older or not is_timely:
            return None
        key = self._transport_key(record.community, told.genesis)
        verify_address_record(told.record, record, key)
        forgotten: tuple[bytes, ...] = ()
        if known is None:
            forgotten = self._join_crowd(told_by, record.community)
            known = Known(record.community, "told", time_ms, told_by=told_by)
        genesis = known.genesis or told.genesis
        self._records[record.community], self._keys[record.community] = record, key
        kept = self._put(replace(known, record=told.record, genesis=genesis))
        is_moved = held is None or held.addresses != record.addresses
        return News(kept, is_moved, (*forgotten, *self._make_room(record.community)))

    def find(self, communities: Iterable[bytes], time_ms: int) -> list[SignedAddress]:
        """Return the records of these that may be told on."""
        return [self._signed(name) for name in dict.fromkeys(communities) if self._is_told_on(name, time_ms)]

    def sample(
        self, chance: Chance, count: int, *, without: Collection[bytes], time_ms: int
    ) -> list[SignedAddress]:
        """Return some others, drawn by chance: those that we follow or have met, never mere hearsay."""
        names = [name for name in self._known if name not in without and self._is_told_on(name, time_ms)]
        return [self._signed(name) for name in chance.sample(names, min(count, len(names)))]

    def _is_told_on(self, name: bytes, time_ms: int) -> bool:
        known = self._known.get(name)
        if known is None or known.trust == "blocked" or not 0 < len(known.genesis) <= GENESIS_TOLD_BYTES_MAX:
            return False
        is_vouched = known.trust == "followed" or known.met_ms is not None
        return is_vouched and self.record(name, time_ms) is not None

    def _signed(self, name: bytes) -> SignedAddress:
        return SignedAddress(self._known[name].record, self._known[name].genesis)

    def _transport_key(self, community: bytes, genesis: bytes) -> bytes:
        """The key that a community's genesis names; a genesis is verified once."""
        if community not in self._keys:
            known = self._known.get(community)
            try:
                identity = identify(known.genesis if known and known.genesis else genesis)
            except ProtocolError as error:
                raise SessionError("address_record_forged", str(error)) from error
            if identity.community != community:
                raise SessionError("address_record_forged", "the genesis is another community's")
            return identity.transport_key
        return self._keys[community]

    def _join_crowd(self, source: bytes, community: bytes) -> tuple[bytes, ...]:
        """Whoever brings many pushes out what it brought first; in all, whoever told the most."""
        crowd = self._crowds.setdefault(source, [])
        full: list[bytes] | None = None
        if len(crowd) >= (COMERS_MAX if source == _COMERS else TOLD_BY_ONE_MAX):
            full = crowd
        elif sum(len(told) for name, told in self._crowds.items() if name != _COMERS) >= TOLD_MAX:
            full = max((told for name, told in self._crowds.items() if name != _COMERS), key=len)
        crowd.append(community)
        if full is None:
            return ()
        self._forget(full[0])
        return (full.pop(0),)

    def _make_room(self, newest: bytes) -> list[bytes]:
        """While the crowds hold too many bytes, the one with the most loses its oldest, but nobody the newest."""
        forgotten: list[bytes] = []
        sizes = {source: sum(map(self._size, crowd)) for source, crowd in self._crowds.items()}
        while sum(sizes.values()) > self._bytes_max:
            source = max(sizes, key=lambda name: sizes[name])
            oldest = next((name for name in self._crowds[source] if name != newest), None)
            if oldest is None:
                del sizes[source]
                continue
            sizes[source] -= self._size(oldest)
            self._crowds[source].remove(oldest)
            self._forget(oldest)
            forgotten.append(oldest)
        return forgotten

    def _size(self, name: bytes) -> int:
        known = self._known.get(name)
        return FOUND_BYTES + len(known.genesis) + 2 * len(known.record) if known is not None else FOUND_BYTES

    def _forget(self, name: bytes) -> None:
        self._ruled.discard(name)
        for table in (self._known, self._records, self._keys):
            table.pop(name, None)

    def _leave_crowd(self, community: bytes) -> None:
        for source, crowd in list(self._crowds.items()):
            if community in crowd:
                crowd.remove(community)
            if not crowd:
                del self._crowds[source]

    def _put(self, known: Known) -> Known:
        self._known[known.community] = known
        self._ruled.add(known.community) if known.rule > 0 else self._ruled.discard(known.community)
        return known

    def _load(self, known: Known) -> None:
        """Take what was kept before; a record that this version cannot read is as good as none."""
        self._put(known)
        is_unchosen = known.found in _UNCHOSEN or (known.found == "nearby" and known.met_ms is None)
        if known.trust == "found" and is_unchosen:
            source = known.told_by if known.told_by is not None and known.met_ms is None else _COMERS
            self._crowds.setdefault(source, []).append(known.community)
        if known.record:
            try:
                self._records[known.community] = parse_address_record(known.record)
            except SessionError:
                self._put(replace(known, record=b""))
