"""Communities in memory, for tests: keys from a word, a clock that is told, lanes as lists of entries.

shop, home = Village("shop"), Village("home")
shop.adopt(POLICY); placed = home.place(shop); shop.say("trade", "order.accepted", ...)
fold_all(shop, home)
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from protocol.amounts.split import Policy, Share, TaxTotal, policy_id
from protocol.dict_state import DictState
from protocol.fold import Fold, Folded
from protocol.identity.genesis import make_genesis
from protocol.identity.keys import SigningKey, log_key_hash
from protocol.lanes import BODY_TYPES, KINDS
from protocol.lanes.kind import CHARTER, LANE_NAMES, LEDGER, TRADE, Lane, Position, Reference
from protocol.lanes.ledger.postings import posting_for
from protocol.lanes.trade.orders import OrderKey
from protocol.log.merkle import leaf_hash, leaf_hashes, subtree_root
from protocol.log.record import decode_record, encode_record, member_message

START_MS = 1_760_000_000_000
MARKET = "market/food"
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


def seed(word: str) -> bytes:
    return sha256(word.encode()).digest()


def object_id(word: str) -> bytes:
    return seed(word)[:16]


class Village:
    """One community: says records into its own lanes."""

    def __init__(self, name: str, lanes: Sequence[str] = (MARKET, TRADE, LEDGER)) -> None:
        self.name = name
        self.now_ms = START_MS
        self.log = SigningKey(seed(name + " log"))
        self.witness = SigningKey(seed(name + " witness"))
        self.transport = SigningKey(seed(name + " transport"))
        self.recovery = SigningKey(seed(name + " recovery"))
        self.next_log = SigningKey(seed(name + " next"))
        self.epoch = 0
        self.entries: dict[str, list[bytes]] = {}
        self.closed: list[dict[str, list[bytes]]] = []
        self.seals: list[dict[str, tuple[int, bytes]]] = []
        sealing = X25519PrivateKey.from_private_bytes(seed(name + " sealing")).public_key()
        genesis = make_genesis(
            name={"en": name},
            currency="EUR",
            log=self.log,
            witness=self.witness,
            transport=self.transport,
            sealing_key=sealing.public_bytes_raw(),
            next_log_key_hash=log_key_hash(self.next_log.public),
            recovery=[self.recovery],
            recovery_threshold=1,
        )
        self.community = leaf_hash(encode_record("community.founded", genesis, time_ms=START_MS))
        self.append(CHARTER, encode_record("community.founded", genesis, time_ms=START_MS))
        for lane in lanes:
            self.say(CHARTER, "lane.declared", lane=lane, visibility="public")
            self.say(lane, "lane.opened", lane=lane)

    def append(self, lane: str, raw: bytes) -> Reference:
        entries = self.entries.setdefault(lane, [])
        entries.append(raw)
        return Reference(self.community, lane, self.epoch, len(entries) - 1, leaf_hash(raw))

    def say(self, lane: str, kind: str, /, **fields: Any) -> Reference:
        """Append one record of the community itself, a millisecond after the one before."""
        self.now_ms += 1
        return self.append(lane, self.record(lane, kind, **fields))

    def record(self, lane: str, kind: str, /, **fields: Any) -> bytes:
        """Return the record that `say` would append now."""
        body = KINDS[kind].body(**fields)
        return encode_record(kind, body, time_ms=self.now_ms, charter_size=self.charter_size(lane))

    def charter_size(self, lane: str) -> int:
        """The charter size under which a record of `lane` stands now."""
        return 0 if lane == CHARTER else len(self.entries.get(CHARTER, ()))

    def say_as(self, member: "Villager", lane: str, kind: str, /, **fields: Any) -> Reference:
        """Append one record that a member signs."""
        self.now_ms += 1
        return self.append(lane, member.record(self, lane, kind, **fields))

    def admit(self, member: "Villager", roles: Sequence[str] = ("shopkeeper",)) -> Reference:
        return self.say(
            CHARTER, "member.admitted", member_id=member.member_id, roles=list(roles), key=member.key.public
        )

    def close_epoch(self, beyond: Mapping[str, int] | None = None) -> None:
        """Seal all lanes as they are, but for the last entries that `beyond` counts; begin the next epoch."""
        sealed = {
            lane: entries[: len(entries) - (beyond or {}).get(lane, 0)]
            for lane, entries in self.entries.items()
        }
        self.seals.append(
            {
                lane: (len(entries), subtree_root(leaf_hashes(entries)))
                for lane, entries in sealed.items()
                if entries
            }
        )
        self.closed.append(self.entries)
        self.entries = {}
        self.epoch += 1

    def continue_lane(self, lane: str) -> Reference:
        """Leaf 0 of a lane in this epoch, after the newest epoch that sealed some of it."""
        epoch = max(epoch for epoch, seals in enumerate(self.seals) if lane in seals)
        size, root = self.seals[epoch][lane]
        return self.say(lane, "lane.continued", lane=lane, epoch=epoch, size=size, root=root)

    def entries_in(self, epoch: int) -> dict[str, list[bytes]]:
        """Return the lanes of one epoch."""
        return self.closed[epoch] if epoch < self.epoch else self.entries

    def adopt(self, policy: Policy = POLICY) -> None:
        self.say(CHARTER, "policy.adopted", policy=policy, adopted_by="founder")

    def place(self, seller: "Village", order: str = "order", **fields: Any) -> Reference:
        """Place an order of 107.00 EUR with 7 % tax inside, under `POLICY`."""
        placed: dict[str, Any] = {
            "order_id": object_id(order),
            "seller": seller.community,
            "currency": "EUR",
            "totals": [TaxTotal(tax_class="food", rate_bp=700, gross_minor=10_700)],
            "policy": policy_id(POLICY),
            "lines": [seed(order + " line")],
            "details": seed(order + " details"),
            "collector": "seller",
            "respond_by_ms": self.now_ms + 86_400_000,
            "witnesses": [],
            "threshold": 0,
            "mediators": [],
        }
        return self.say(TRADE, "order.placed", **{**placed, **fields})

    def key(self, order: str = "order") -> OrderKey:
        return OrderKey(self.community, object_id(order))

    def post(self, move: Reference, *others: "Village", **changed: Any) -> Reference:
        """Post what this community owes for `move`, with fields changed on demand."""
        state, _ = fold_all(self, *others)
        found = state.get("move", move.position)
        placement = state.get("placement", (found.order.buyer, found.order.order_id))
        posting = posting_for(found, placement, self.community, move)
        fields = {name: getattr(posting, name) for name in posting.__struct_fields__}
        return self.say(LEDGER, "posting.made", **{**fields, **changed})


class Villager:
    """A member: a pseudonym and a key."""

    def __init__(self, name: str) -> None:
        self.member_id = object_id(name)
        self.key = SigningKey(seed(name + " member"))

    def record(
        self,
        village: Village,
        lane: str,
        kind: str,
        /,
        signed: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> bytes:
        """Return a record with this member's signature; `signed` has it sign something else."""
        body = KINDS[kind].body(**fields)
        what: dict[str, Any] = {
            "community": village.community,
            "lane": lane,
            "epoch": village.epoch,
            "charter_size": village.charter_size(lane),
            "kind": kind,
            "time_ms": village.now_ms,
            "author": self.member_id,
            "body": body,
        }
        return encode_record(
            kind,
            body,
            time_ms=village.now_ms,
            charter_size=village.charter_size(lane),
            author=self.member_id,
            signature=self.key.sign(member_message(**{**what, **(signed or {})})),
        )


class VillageEntries:
    """Reads entries again, as the fold asks for them."""

    def __init__(self, villages: Iterable[Village]) -> None:
        self._villages = {village.community: village for village in villages}

    def entry(self, position: Position) -> bytes:
        return self._villages[position.community].entries_in(position.epoch)[position.lane][position.index]


def fold_all(*villages: Village, lanes: Sequence[tuple[Village, str]] = ()) -> tuple[DictState, list[Folded]]:
    """Fold all lanes, or those named in that order, to the end; return the state and what each feed did."""
    state = DictState()
    fold = Fold(state, VillageEntries(villages))
    for village in villages:
        for epoch, seals in enumerate(village.seals):
            fold.seal(village.community, epoch, seals)
    order = lanes or [(village, lane) for village in villages for lane in LANE_NAMES]
    return state, [part for village, lane in order for part in fold_lane(fold, village, lane)]


def fold_lane(fold: Fold, village: Village, lane: str) -> list[Folded]:
    """Fold one lane through all epochs."""
    place = Lane(village.community, lane)
    epochs = ((epoch, village.entries_in(epoch).get(lane)) for epoch in range(village.epoch + 1))
    return [fold.feed(place, epoch=epoch, start=0, entries=entries) for epoch, entries in epochs if entries]


def codes(folded: Iterable[Folded]) -> list[str | None]:
    """Return the codes of all void records, in the order in which they were met."""
    return [outcome.code for part in folded for outcome in part.outcomes if outcome.status == "void"]


def kind_of(raw: bytes) -> str:
    return decode_record(raw, BODY_TYPES).kind
