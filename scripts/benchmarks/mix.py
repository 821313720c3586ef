"""The published mix of records that the figures are measured on, defined here and nowhere else.

One community, which buys and sells, in the proportions of the modelled year: 10 listings for each order, one of
them withdrawn again. A round is 17 records: 10 listing.published, listing.withdrawn, order.placed,
order.accepted, order.fulfilled, order.received, order.completed, posting.made. Titles and texts are words of
the project's own sample catalogs, English and Chinese. Listings are padded to `LISTING_BYTES`, so that the mean
record has about 500 bytes. Where a figure wants records of exactly 500 bytes, all of them are listings.

    mix = Mix(vault)
    entries = [*mix.opening(), *mix.records(100_000)]     # pairs of lane and leaf bytes
"""

import random
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import islice

from node.operations.samples import SampleText, load_samples
from node.vault import Vault
from protocol.amounts.split import Policy, Share, TaxTotal, policy_id, split
from protocol.lanes import BODY_TYPES, KINDS
from protocol.lanes.charter.identity import LaneDeclared, LaneOpened
from protocol.lanes.charter.policies import PolicyAdopted
from protocol.lanes.kind import CHARTER, LEDGER, TRADE, Reference
from protocol.lanes.ledger.postings import posting_for
from protocol.lanes.market.listings import FixedPrice, ListingPublished, ListingWithdrawn, Tax
from protocol.lanes.market.shops import ShopPublished
from protocol.lanes.trade.orders import (
    Move,
    OrderAccepted,
    OrderCompleted,
    OrderFulfilled,
    OrderKey,
    OrderPlaced,
    OrderReceived,
    Placement,
)
from protocol.log.merkle import leaf_hash
from protocol.log.record import Body, decode_record, encode_record

MARKET = "market/food"
LANES = (MARKET, TRADE, LEDGER)
LISTING_BYTES = 730
EXACT_BYTES = 500
LISTINGS_A_ROUND = 10
MIX = "17 records a round: 10 listings, 1 withdrawal, 1 order from placing to posting (6 records)"

POLICY = Policy(
    base="net",
    shares=(
        Share(role="seller_community", beneficiary="seller_community", share_bp=300),
        Share(role="buyer_community", beneficiary="buyer_community", share_bp=250),
        Share(role="commons", beneficiary="seller_community", share_bp=50),
    ),
    same_community="to_seller_community",
    tax_remitter="seller",
)

Made = tuple[str, bytes]  # lane and leaf bytes

_KIND_OF = {kind.body: name for name, kind in KINDS.items()}
_MS_A_RECORD = 10
_TITLE_CHARACTERS = 24
_TEXT_CHARACTERS = 20
_FILLER_GUESS = 120


class Mix:
    """Makes the records of one community, one after the other; the same seed draws the same words."""

    def __init__(self, vault: Vault, *, listing_bytes: int = LISTING_BYTES) -> None:
        """Take the keys of the community, whose genesis is the first record."""
        self._community = vault.community
        self._genesis = vault.genesis_record
        self._listing_bytes = listing_bytes
        self._time_ms = decode_record(vault.genesis_record, BODY_TYPES).time_ms
        self._sizes: dict[str, int] = defaultdict(int)
        self._random = random.Random(17)
        self._shop_id = self._random.randbytes(16)
        self._newest_listing = b""

    def opening(self) -> Iterator[Made]:
        """Yield what comes first: the charter, the first leaf of three lanes, a policy and a shop."""
        self._sizes[CHARTER] = 1
        yield CHARTER, self._genesis
        for lane in LANES:
            yield self._say(CHARTER, LaneDeclared(lane=lane, visibility="public"))[0]
        yield self._say(CHARTER, PolicyAdopted(policy=POLICY, adopted_by="founder"))[0]
        for lane in LANES:
            yield self._say(lane, LaneOpened(lane=lane))[0]
        yield self._say(MARKET, ShopPublished(shop_id=self._shop_id, name={"en": "By the ferry"}))[0]

    def records(self, count: int) -> Iterator[Made]:
        """Yield `count` records of the mix."""
        return islice(self._rounds(), count)

    def listings(self, count: int) -> Iterator[Made]:
        """Yield `count` listings and nothing else."""
        return (self._listing() for _ in range(count))

    def _rounds(self) -> Iterator[Made]:
        while True:
            for _ in range(LISTINGS_A_ROUND):
                yield self._listing()
            yield self._say(MARKET, ListingWithdrawn(listing_id=self._newest_listing))[0]
            yield from self._order()

    def _listing(self) -> Made:
        self._newest_listing = self._new_id()
        titles, texts = self._random.choice(_words()), self._random.choice(_words())
        filler = f"{texts.en} " * (self._listing_bytes // len(texts.en) + 1)
        price = 300 + self._random.randrange(10_000)
        length = _FILLER_GUESS
        while True:
            body = ListingPublished(
                listing_id=self._newest_listing,
                shop_id=self._shop_id,
                title={"en": titles.en[:_TITLE_CHARACTERS], "zh-Hans": titles.zh_hans[:_TITLE_CHARACTERS]},
                price=FixedPrice(currency="EUR", amount_minor=price),
                unit_code="KGM",
                quantity_scale=3,
                tax=Tax(tax_class="food", rate_bp=700),
                availability="in_stock",
                fulfilment=["delivery", "pickup"],
                text={"en": filler[:length], "zh-Hans": texts.zh_hans[:_TEXT_CHARACTERS]},
            )
            missing = self._listing_bytes - len(self._encode(MARKET, body))
            if not missing:
                return self._say(MARKET, body)[0]
            length += missing

    def _order(self) -> Iterator[Made]:
        """One order of the community with itself, from placing to posting."""
        key = OrderKey(self._community, self._new_id())
        totals = [TaxTotal(tax_class="food", rate_bp=700, gross_minor=500 + self._random.randrange(20_000))]
        order = self._placed(key, totals)
        made, placed = self._say(TRADE, order)
        yield made
        yield self._say(TRADE, OrderAccepted(order=key, takes=[placed]))[0]
        yield self._say(TRADE, OrderFulfilled(order=key, takes=[]))[0]
        made, received = self._say(TRADE, OrderReceived(order_id=key.order_id))
        yield made
        made, completed = self._say(TRADE, OrderCompleted(order=key, takes=[received]))
        yield made
        shares = split(POLICY, totals, "EUR", same_community=True, collector="seller")
        move = Move(
            completed.record_id,
            "order.completed",
            key,
            self._community,
            allocations=tuple(share for share in shares if share.amount_minor),
        )
        posting = posting_for(move, Placement(placed, self._time_ms, order), self._community, completed)
        assert posting is not None, "a completed order has something to post"
        yield self._say(LEDGER, posting)[0]

    def _placed(self, key: OrderKey, totals: list[TaxTotal]) -> OrderPlaced:
        return OrderPlaced(
            order_id=key.order_id,
            seller=self._community,
            currency="EUR",
            totals=totals,
            policy=policy_id(POLICY),
            lines=[self._random.randbytes(32)],
            details=self._random.randbytes(32),
            collector="seller",
            respond_by_ms=self._time_ms + 86_400_000,
            witnesses=[],
            threshold=0,
            mediators=[],
        )

    def _new_id(self) -> bytes:
        """An id as a node draws it: the time first (node/actions/shapes.py)."""
        return self._time_ms.to_bytes(6, "big") + self._random.randbytes(10)

    def _say(self, lane: str, body: Body) -> tuple[Made, Reference]:
        raw = self._encode(lane, body)
        reference = Reference(self._community, lane, 0, self._sizes[lane], leaf_hash(raw))
        self._sizes[lane] += 1
        self._time_ms += _MS_A_RECORD
        return (lane, raw), reference

    def _encode(self, lane: str, body: Body) -> bytes:
        charter_size = 0 if lane == CHARTER else self._sizes[CHARTER]
        return encode_record(_KIND_OF[type(body)], body, time_ms=self._time_ms, charter_size=charter_size)


@cache
def _words() -> tuple[SampleText, ...]:
    """Titles and texts of the sample catalogs."""
    return tuple(
        text
        for community in load_samples()
        for listing in community.listings
        for text in (listing.title, listing.text)
    )
