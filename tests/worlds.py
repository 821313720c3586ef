"""Random worlds: three communities that trade, err, cheat and rotate their keys, all from one seed.

    world = make_world(seed=7, steps=60, epochs=True)
    fold_villages(world.villages, Random(1))

While it is made, a world folds itself, so that its people mostly do what makes sense: without that, almost
every record would be void. Tests judge what *other* folds of it come to.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Any

from protocol.amounts.entries import AccountEntry
from protocol.amounts.split import Policy, Share, TaxTotal, policy_id
from protocol.dict_state import DictState
from protocol.encoding import encode
from protocol.errors import ProtocolError
from protocol.fold import Fold
from protocol.lanes import BODY_TYPES, KINDS
from protocol.lanes.kind import CHARTER, LEDGER, TRADE, Reference
from protocol.lanes.ledger.postings import posting_for
from protocol.lanes.market.listings import FixedPrice, Tax
from protocol.lanes.trade.orders import LEGAL_MOVES, TAKEABLE, OrderKey
from protocol.log.record import decode_record, encode_record
from tests.feeding import feed_up_to
from tests.village import MARKET, POLICY, Village, VillageEntries, Villager, object_id, seed

FIXED_POLICY = Policy(
    base="gross",
    shares=(
        Share(role="commons", beneficiary="seller_community", fixed_minor={"EUR": 30}),
        Share(role="relay", beneficiary="buyer_community", share_bp=125),
        Share(role="hub", beneficiary="buyer_community", share_bp=333),
    ),
    same_community="keep",
    tax_remitter="collector",
)
ODD_POLICY = Policy(
    base="net",
    shares=(Share(role="buyer_community", beneficiary="buyer_community", share_bp=3_333),),
    same_community="to_seller",
    tax_remitter="collector",
)
POLICIES = (POLICY, FIXED_POLICY, ODD_POLICY)
SELLER_KINDS = tuple(TAKEABLE)
EAGERNESS = {"order.accepted": 8, "order.fulfilled": 8, "order.completed": 12, "order.refunded": 3}
ORDERS_MAX = 8  # so that some of them get to their end
BUYER_KINDS = ("cancellation.requested", "order.received")


@dataclass
class Order:
    """One order as its two sides remember it."""

    buyer: Village
    seller: Village
    key: OrderKey
    said: list[tuple[str, Reference]] = field(default_factory=list)

    @property
    def name(self) -> tuple[bytes, bytes]:
        return self.key.buyer, self.key.order_id


class World:
    """Three communities and what has been said in them so far."""

    def __init__(self, seed_number: int, *, epochs: bool) -> None:
        self.random = Random(seed_number)
        self.epochs = epochs
        self.villages = [Village(name) for name in ("ann", "bob", "cod")]
        self.members = [Villager("dee"), Villager("eve")]
        self.orders: list[Order] = []
        self.stalled: set[tuple[Village, str]] = set()
        for village in self.villages:
            for policy in POLICIES:
                village.adopt(policy)
            village.admit(self.members[0])
            village.say(MARKET, "shop.published", shop_id=object_id("shop"), name={"en": village.name})
        self._refold()

    def step(self) -> None:
        """Let somebody do something."""
        actions = (
            *[self.place] * 4,
            *[self.answer] * 12,
            *[self.speak_as_buyer] * 5,
            *[self.post] * 9,
            *[self.garbage] * 3,
            self.steal,
            self.change_charter,
            self.publish,
            self.look_ahead,
            *([self.rotate] * 2 if self.epochs else []),
        )
        self.random.choice(actions)()

    # What people do

    def place(self) -> None:
        if len(self.orders) == ORDERS_MAX:
            self.answer()
            return
        buyer, seller = self.random.choices(self.villages, k=2)
        number = self.random.choice([*[len(self.orders)] * 8, 0])
        rates = {"books": 0, "food": self.random.choice([700, 700, 1_900])}
        totals = [
            TaxTotal(
                tax_class=tax_class, rate_bp=rates[tax_class], gross_minor=self.random.randint(0, 20_000)
            )
            for tax_class in sorted(self.random.sample(sorted(rates), self.random.choice([1, 1, 2])))
        ]
        placed = self._say(
            buyer,
            TRADE,
            "order.placed",
            order_id=object_id(f"order {number}"),
            seller=seller.community,
            currency=self.random.choice(["EUR", "EUR", "JPY"]),
            totals=totals,
            policy=policy_id(self.random.choice(POLICIES)),
            lines=[seed("line")],
            details=seed("details"),
            collector=self.random.choice(["seller", "seller", "buyer"]),
            respond_by_ms=0,
            witnesses=[],
            threshold=0,
            mediators=[],
        )
        key = OrderKey(buyer.community, object_id(f"order {number}"))
        known = next((order for order in self.orders if order.key == key), None)
        if known is None:
            self.orders.append(Order(buyer, seller, key, [("order.placed", placed)]))
        else:
            known.said.append(("order.placed", placed))

    def speak_as_buyer(self) -> None:
        if self.orders:
            order = self.random.choice(self.orders)
            self._buyer_says(order, self.random.choice(BUYER_KINDS))

    def answer(self) -> None:
        """The seller moves on, mostly as the table allows and taking what it may take."""
        if not self.orders:
            return
        order = self.random.choice(self.orders)
        deal = self.state.get("deal", (order.seller.community, *order.name))
        kinds = [kind for status, kind in LEGAL_MOVES if status == (deal.status if deal else "placed")]
        if self.random.random() < 0.1:
            kinds = list(SELLER_KINDS)
        (kind,) = self.random.choices(kinds, [EAGERNESS.get(kind, 1) for kind in kinds])
        if kind == "order.completed" and deal and not deal.is_received:
            self._buyer_says(order, "order.received")
        takes = [
            reference
            for said, reference in order.said
            if said in TAKEABLE[kind] and self._is_untaken(order, reference)
        ]
        if self.random.random() < 0.12:
            takes = [self._some_reference() for _ in range(self.random.randint(0, 2))]
        elif len(takes) > 1 and self.random.random() < 0.5:
            takes = takes[:1]
        move = self._seller_says(order.seller, order.key, kind, takes, deal)
        order.said.append((kind, move))

    def steal(self) -> None:
        """Somebody who is not the seller answers an order."""
        if self.orders:
            order = self.random.choice(self.orders)
            kind = self.random.choice(SELLER_KINDS)
            takes = [reference for said, reference in order.said if said in TAKEABLE[kind]][:2]
            self._seller_says(self.random.choice(self.villages), order.key, kind, takes, None)

    def post(self) -> None:
        """One side posts a move; now and then the wrong one, twice, or with false entries."""
        done = [order for order in self.orders if any(said == "order.completed" for said, _ in order.said)]
        order = self.random.choice(done or self.orders) if self.orders else None
        posted = ("order.completed", "order.refunded") if self.random.random() < 0.9 else SELLER_KINDS
        moves = [move for said, move in order.said if said in posted] if order else []
        if order is None or not moves:
            return
        reference = self.random.choice(moves[-3:])
        village = self.random.choice([order.buyer, order.seller, order.buyer, self.villages[0]])
        move = self.state.get("move", reference.position)
        placement = self.state.get("placement", order.name)
        posting = posting_for(move, placement, village.community, reference) if move and placement else None
        fields: dict[str, Any] = {
            "order": order.key,
            "move": reference,
            "currency": "EUR",
            "entries": [AccountEntry("collected", 5), AccountEntry("due", -5)],
            "counterparty": order.seller.community,
        }
        if posting is not None:
            fields = {name: getattr(posting, name) for name in posting.__struct_fields__}
            if self.random.random() < 0.1:
                fields["entries"] = [*posting.entries[:-1], AccountEntry("share/zzz", 1)]
        self._say(village, LEDGER, "posting.made", **fields)

    def change_charter(self) -> None:
        village = self.random.choice(self.villages)
        policy = self.random.choice(POLICIES)
        match self.random.randrange(7):
            case 0:
                self._say(village, CHARTER, "policy.retired", policy_id=policy_id(policy))
            case 1 | 2:
                self._say(village, CHARTER, "policy.adopted", policy=policy, adopted_by="founder")
            case 3:
                replaced = policy_id(self.random.choice(POLICIES))
                self._say(
                    village, CHARTER, "policy.adopted", policy=policy, adopted_by="founder", replaces=replaced
                )
            case 4:
                member = self.random.choice(self.members)
                self._say(
                    village,
                    CHARTER,
                    "member.admitted",
                    member_id=member.member_id,
                    roles=["shopkeeper"],
                    key=self.random.choice(self.members).key.public,
                )
            case 5:
                self._say(
                    village, CHARTER, "member.left", member_id=self.random.choice(self.members).member_id
                )
            case _:
                kind = self.random.choice(["peer.vouched", "peer.dismissed"])
                self._say(village, CHARTER, kind, community=self.random.choice(self.villages).community)

    def publish(self) -> None:
        village, member = self.random.choice(self.villages), self.random.choice(self.members)
        number = self.random.randrange(3)
        fields: dict[str, Any] = {
            "listing_id": object_id(f"listing {number}"),
            "shop_id": object_id("shop"),
            "title": {"en": f"Apples {number}"},
            "price": FixedPrice(currency="EUR", amount_minor=300),
            "unit_code": "KGM",
            "quantity_scale": 3,
            "tax": Tax(tax_class="food", rate_bp=700),
            "availability": "in_stock",
            "fulfilment": ["delivery"],
        }
        kind = self.random.choice(["listing.published", "listing.published", "listing.withdrawn"])
        if kind == "listing.withdrawn":
            fields = {"listing_id": fields["listing_id"]}
        if self.random.random() < 0.5:
            self._say(village, MARKET, kind, **fields)
            return
        self._tick(village)
        self._append(village, MARKET, member.record(village, MARKET, kind, **fields))

    def look_ahead(self) -> None:
        """A lane stands under a charter that is still to come, and waits for it."""
        village = self.random.choice(self.villages)
        if CHARTER not in village.entries:
            return
        self._tick(village)
        ahead = self.charter_size(village, TRADE) + self.random.randint(1, 2)
        unknown: Any = {}
        raw = encode_record("moon.risen", unknown, time_ms=village.now_ms, charter_size=ahead)
        self._append(village, self.random.choice([TRADE, LEDGER]), raw)

    def garbage(self) -> None:
        village = self.random.choice(self.villages)
        lane = self.random.choice([CHARTER, MARKET, TRADE, LEDGER, TRADE])
        entries = village.entries.get(lane)
        if not entries:
            return
        raw = self.random.choice(entries)
        now, size = village.now_ms, self.charter_size(village, lane)
        unknown: Any = {}
        choices = [
            b"",
            self.random.randbytes(20),
            raw,
            entries[-1],
            raw[:-1],
            raw + b"\xc0",
            raw[:-1] + b"\xc2",
            encode([2, "moon.risen", now, size, None, {}, None]),
            encode_record("moon.risen", unknown, time_ms=now, charter_size=size),
            encode_record("moon.risen", unknown, time_ms=now - 5, charter_size=size),
            encode_record("moon.risen", unknown, time_ms=now, charter_size=max(size - 1, 0)),
            encode_record("order.taken", unknown, time_ms=now, charter_size=size),
        ]
        self._append(village, lane, self.random.choice(choices))

    def rotate(self) -> None:
        """A village takes its next log key; some of its newest entries stand beyond the seal."""
        village = self.random.choice(self.villages)
        if self.random.random() < 0.6 or village.epoch == 3 or self.stalled_lanes(village):
            return
        beyond = {lane: self.random.choice([0, 0, 1, 2]) for lane in village.entries if lane != CHARTER}
        village.close_epoch(
            {lane: min(count, len(village.entries[lane]) - 1) for lane, count in beyond.items()}
        )
        if self.random.random() < 0.2:
            village.close_epoch()
        for lane in (CHARTER, *self.random.sample([MARKET, TRADE, LEDGER], 3)):
            village.continue_lane(lane)
        self._refold()

    # How it is written down

    def stalled_lanes(self, village: Village) -> set[str]:
        return {lane for other, lane in self.stalled if other is village}

    def charter_size(self, village: Village, lane: str) -> int:
        """The size under which the next record of `lane` has to stand: never below the one before."""
        clock = self._ahead.get((village, lane, village.epoch), 0)
        return max(village.charter_size(lane), clock)

    def _tick(self, village: Village) -> None:
        village.now_ms += self.random.choice([0, 1, 1, 1])

    def _say(self, village: Village, lane: str, kind: str, /, **fields: Any) -> Reference:
        self._tick(village)
        raw = encode_record(
            kind,
            KINDS[kind].body(**fields),
            time_ms=village.now_ms,
            charter_size=self.charter_size(village, lane),
        )
        return self._append(village, lane, raw)

    def _buyer_says(self, order: Order, kind: str) -> None:
        speaker = order.buyer if self.random.random() < 0.95 else self.random.choice(self.villages)
        reference = self._say(speaker, TRADE, kind, order_id=order.key.order_id)
        order.said.append((kind, reference))

    def _seller_says(
        self, seller: Village, key: OrderKey, kind: str, takes: list[Reference], deal: Any
    ) -> Reference:
        fields: dict[str, Any] = {"order": key, "takes": takes[:8]}
        if kind in ("order.rejected", "order.cancelled", "cancellation.refused", "order.refunded"):
            fields["code"] = "out_of_stock"
        if kind == "order.refunded":
            fields["totals"] = self._refunded(deal)
        return self._say(seller, TRADE, kind, **fields)

    def _refunded(self, deal: Any) -> list[TaxTotal]:
        if deal is None:
            return [TaxTotal(tax_class="food", rate_bp=700, gross_minor=5)]
        keep = self.random.choice([0, 0, 50, 90, 100, 110])
        return [
            TaxTotal(
                tax_class=total.tax_class, rate_bp=total.rate_bp, gross_minor=total.gross_minor * keep // 100
            )
            for total in deal.totals
        ]

    def _is_untaken(self, order: Order, reference: Reference) -> bool:
        move = self.state.get("move", reference.position)
        return move is None or not move.is_taken

    def _some_reference(self) -> Reference:
        """A reference that is right, wrong in one part, or beyond everything."""
        said = [reference for order in self.orders for _, reference in order.said]
        one = self.random.choice(said)
        community, lane, epoch, index = one.position
        match self.random.randrange(6):
            case 0:
                return Reference(community, lane, epoch, index, seed("wrong id"))
            case 1:
                return Reference(community, lane, epoch, index + self.random.randint(1, 30), one.record_id)
            case 2:
                return Reference(community, lane, epoch + 1, index, one.record_id)
            case 3:
                return Reference(community, MARKET, epoch, index, one.record_id)
            case 4:
                return Reference(
                    self.random.choice(self.villages).community, lane, epoch, index, one.record_id
                )
            case _:
                return one

    def _append(self, village: Village, lane: str, raw: bytes) -> Reference:
        if lane not in village.entries:
            return Reference(village.community, lane, village.epoch, 0, seed("unopened"))
        reference = village.append(lane, raw)
        self._note_charter_size(village, lane, raw)
        self._catch_up(village)
        return reference

    def _note_charter_size(self, village: Village, lane: str, raw: bytes) -> None:
        try:
            size = decode_record(raw, BODY_TYPES).charter_size
        except ProtocolError:
            return
        place = (village, lane, village.epoch)
        self._ahead[place] = max(self._ahead.get(place, 0), size if lane != CHARTER else 0)

    def _refold(self) -> None:
        self.state = DictState()
        self._fold = Fold(self.state, VillageEntries(self.villages))
        self._ahead: dict[tuple[Village, str, int], int] = {}
        for village in self.villages:
            for epoch, seals in enumerate(village.seals):
                self._fold.seal(village.community, epoch, seals)
        for village in self.villages:
            self._catch_up(village)

    def _catch_up(self, village: Village) -> None:
        for lane in (CHARTER, MARKET, TRADE, LEDGER):
            is_stalled = False
            for epoch in range(village.epoch + 1):
                is_stalled = feed_up_to(self._fold, village, lane, epoch) or is_stalled
            (self.stalled.add if is_stalled else self.stalled.discard)((village, lane))


def make_world(seed_number: int, *, steps: int, epochs: bool = False) -> World:
    """Return the world of a seed after `steps` things were done."""
    world = World(seed_number, epochs=epochs)
    for _ in range(steps):
        world.step()
    return world
