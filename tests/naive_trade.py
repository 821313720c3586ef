"""Orders and postings a second time: a plain replay of all lanes at once, written from PROTOCOL.md.

It knows every lane from the start, looks at every undecided record over and over until nothing changes, and
asks a charter by replaying it from its genesis. Slow, without queues, keys or changes as values. Epoch 0 only;
it is told which bytes are records (section 8.2), and does all that follows itself.

    naive = NaiveTrade({(community, "trade"): [b"...", ...], ...})
    naive.fates[community, "trade", 5] == "taken_already"
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgpack

from protocol.errors import ProtocolError
from protocol.lanes import BODY_TYPES
from protocol.log.record import decode_record
from tests.naive_split import naive_split, policy_id_of

Place = tuple[bytes, str]
Spot = tuple[bytes, str, int]
EFFECT, UNKNOWN = "in effect", "unknown"

MOVES = {  # section 13.3
    "placed": {
        "order.accepted": "accepted",
        "order.rejected": "rejected",
        "order.cancelled": "cancelled",
        "order.taken": "placed",
    },
    "accepted": {
        "order.fulfilled": "fulfilled",
        "order.cancelled": "cancelled",
        "order.refunded": "accepted",
        "order.taken": "accepted",
        "cancellation.refused": "accepted",
    },
    "fulfilled": {
        "order.completed": "completed",
        "order.refunded": "fulfilled",
        "order.taken": "fulfilled",
        "cancellation.refused": "fulfilled",
    },
    "completed": {
        "order.refunded": "completed",
        "order.taken": "completed",
        "cancellation.refused": "completed",
    },
    "rejected": {"order.taken": "rejected"},
    "cancelled": {"order.taken": "cancelled"},
}
MAY_TAKE = {
    "order.accepted": ["order.placed"],
    "order.rejected": ["order.placed", "cancellation.requested"],
    "order.taken": ["order.placed", "cancellation.requested", "order.received"],
    "order.cancelled": ["order.placed", "cancellation.requested"],
    "cancellation.refused": ["cancellation.requested"],
    "order.fulfilled": [],
    "order.completed": ["order.received"],
    "order.refunded": [],
}
TRADE_KINDS = {"order.placed", "cancellation.requested", "order.received", *MAY_TAKE}


class VoidError(Exception):
    """The record has no effect; the argument is its code."""


class NotYetError(Exception):
    """Something that the record cites is not decided."""


@dataclass
class Entry:
    """An admitted record."""

    spot: Spot
    record_id: bytes
    kind: str
    time_ms: int
    charter_size: int
    author: bytes | None
    body: Any
    is_known: bool


@dataclass
class Deal:
    """What a seller's lane says of an order."""

    totals: list[dict[str, Any]]
    status: str = "placed"
    cancellation: str = "none"
    is_received: bool = False
    code: str | None = None


@dataclass
class Move:
    """A trade record in effect."""

    entry: Entry
    order: tuple[bytes, bytes]
    seller: bytes
    is_taken: bool = False
    shares: list[tuple[str, str, int]] = field(default_factory=list)


class NaiveTrade:
    """All of it, replayed."""

    def __init__(self, lanes: Mapping[Place, Sequence[bytes]]) -> None:
        self._lanes = lanes
        self.fates: dict[Spot, str] = {}
        self.moves: dict[Spot, Move] = {}
        self.deals: dict[tuple[bytes, bytes, bytes], Deal] = {}
        self.placed: dict[tuple[bytes, bytes], Entry] = {}
        self.posted: dict[tuple[bytes, Spot], Entry] = {}
        self.awaited: set[tuple[bytes, Spot]] = set()
        self.balances: dict[tuple[bytes, str, str, bytes], int] = defaultdict(int)
        self.admitted: dict[Place, list[Entry]] = {}
        self.sizes: dict[Place, int] = {}
        for place in sorted(lanes, key=lambda place: place[1] != "charter"):
            self._admit(place, lanes[place])
        undecided = [
            entry for (_, lane), said in self.admitted.items() if lane != "charter" for entry in said
        ]
        while undecided:
            left = [entry for entry in undecided if not self._decide(entry)]
            if len(left) == len(undecided):
                break
            undecided = left
        self.pending = {entry.spot for entry in undecided}

    # Section 16.2

    def _admit(self, place: Place, entries: Sequence[bytes]) -> None:
        said = self.admitted[place] = []
        self.sizes[place] = 0
        clock = (0, 0)
        newest: list[bytes] = []
        for index, raw in enumerate(entries):
            spot = (*place, index)
            try:
                record = decode_record(raw, BODY_TYPES)
            except ProtocolError as error:
                self.fates[spot] = error.code
                self.sizes[place] += 1
                continue
            _, kind, time_ms, charter_size, author, body, _ = msgpack.unpackb(raw)
            code = None
            same_time = newest if time_ms == clock[0] else []
            if time_ms < clock[0]:
                code = "time_decreased"
            elif charter_size < clock[1]:
                code = "charter_size_decreased"
            elif place[1] == "charter" and charter_size:
                code = "charter_size_refused"
            elif place[1] != "charter" and charter_size > self.sizes.get((place[0], "charter"), 0):
                return  # the lane stalls
            elif record.record_id in same_time:
                code = "record_repeated"
            elif len(same_time) == 256:
                code = "instant_full"
            self.sizes[place] += 1
            if code:
                self.fates[spot] = code
                continue
            clock, newest = (time_ms, charter_size), [*same_time, record.record_id]
            said.append(
                Entry(spot, record.record_id, kind, time_ms, charter_size, author, body, record.is_known)
            )

    # Section 16.3

    def _decide(self, entry: Entry) -> bool:
        try:
            self._check_standing(entry)
            if entry.is_known:
                self._step(entry)
            self.fates[entry.spot] = EFFECT if entry.is_known else UNKNOWN
        except VoidError as void:
            self.fates[entry.spot] = str(void)
        except NotYetError:
            return False
        return True

    def _check_standing(self, entry: Entry) -> None:
        community, lane, _ = entry.spot
        if not entry.is_known:
            return
        homes = {"trade": TRADE_KINDS, "ledger": {"posting.made"}}
        if entry.kind not in ("lane.opened", "lane.continued"):
            if lane in homes and entry.kind not in homes[lane]:
                raise VoidError("kind_not_of_lane")
            if self.fates.get((community, lane, 0)) != EFFECT and entry.kind != "community.founded":
                raise VoidError("lane_not_opened")
        if entry.author is not None:
            raise VoidError("author_not_permitted")

    def _step(self, entry: Entry) -> None:
        if entry.kind in ("lane.opened", "lane.continued"):
            self._open(entry)
        elif entry.kind == "order.placed":
            self._place(entry)
        elif entry.kind in MAY_TAKE:
            self._answer(entry)
        elif entry.kind == "posting.made":
            self._post(entry)
        else:
            self._say(entry)

    def _open(self, entry: Entry) -> None:
        community, lane, index = entry.spot
        if entry.kind == "lane.continued" or index or entry.body["lane"] != lane:
            raise VoidError("lane_opening_misplaced")
        said = self.admitted[community, "charter"]
        if not any(
            e.kind == "lane.declared" and e.body["lane"] == lane and e.spot[2] < entry.charter_size
            for e in said
        ):
            raise VoidError("lane_not_declared")

    # The charter, replayed each time that it is asked

    def _stands_by(self, community: bytes, policy: bytes, size: int) -> bool:
        in_force = set()
        for entry in self.admitted[community, "charter"]:
            if entry.spot[2] >= size or entry.author is not None:
                continue
            if entry.kind == "policy.retired":
                in_force.discard(entry.body["policy_id"])
            if entry.kind == "policy.adopted":
                adopted, replaced = policy_id_of(entry.body["policy"]), entry.body.get("replaces")
                if adopted not in in_force and (replaced is None or replaced in in_force):
                    in_force = (in_force - {replaced}) | {adopted}
        return policy in in_force

    def _policy(self, policy: bytes) -> Any:
        for (_, lane), said in self.admitted.items():
            for entry in said if lane == "charter" else []:
                if entry.kind == "policy.adopted" and policy_id_of(entry.body["policy"]) == policy:
                    return entry.body["policy"]
        raise AssertionError("an order in effect pins a policy that somebody adopted")

    # Section 13

    def _place(self, entry: Entry) -> None:
        key = (entry.spot[0], entry.body["order_id"])
        if key in self.placed:
            raise VoidError("order_placed_already")
        if not self._stands_by(entry.spot[0], entry.body["policy"], entry.charter_size):
            raise VoidError("policy_not_adopted")
        self.placed[key] = entry
        self.moves[entry.spot] = Move(entry, key, entry.body["seller"])

    def _say(self, entry: Entry) -> None:
        key = (entry.spot[0], entry.body["order_id"])
        if key not in self.placed:
            raise VoidError("order_unknown")
        self.moves[entry.spot] = Move(entry, key, self.placed[key].body["seller"])

    def _answer(self, entry: Entry) -> None:
        seller, lane, index = entry.spot
        order = tuple(entry.body["order"])
        for earlier in self.admitted[seller, lane]:
            same = earlier.is_known and earlier.kind in MAY_TAKE and tuple(earlier.body["order"]) == order
            if same and earlier.spot[2] < index and earlier.spot not in self.fates:
                raise NotYetError
        taken = [self._resolve(entry, reference) for reference in entry.body["takes"]]
        self._check_takes(entry, order, taken)
        deal = self.deals.get((seller, *order))
        if deal is None:
            if not any(move.entry.kind == "order.placed" for move in taken):
                raise VoidError("order_not_taken")
            deal = Deal(self.placed[order].body["totals"])
        placed = self.placed[order].body
        if entry.kind == "order.accepted" and not self._stands_by(
            seller, placed["policy"], entry.charter_size
        ):
            raise VoidError("policy_not_adopted")
        after = self._deal_after(entry, deal, {move.entry.kind for move in taken})
        move = Move(entry, order, seller)
        self._note_shares(move, placed, deal, after)
        for one in taken:
            one.is_taken = True
        self.deals[seller, *order], self.moves[entry.spot] = after, move
        for community in {seller, order[0]}:
            if self._entries_of(move, community):
                self.awaited.add((community, entry.spot))

    def _check_takes(self, entry: Entry, order: tuple[bytes, ...], taken: list[Move]) -> None:
        for move in taken:
            if move.entry.kind not in MAY_TAKE[entry.kind]:
                raise VoidError("takes_refused")
        for move in taken:
            if move.order != order:
                raise VoidError("takes_refused")
        for move in taken:
            if move.seller != entry.spot[0]:
                raise VoidError("order_not_seller")
        ids = [move.entry.record_id for move in taken]
        if any(move.is_taken for move in taken) or len(set(ids)) < len(ids):
            raise VoidError("taken_already")

    def _deal_after(self, entry: Entry, deal: Deal, kinds: set[str]) -> Deal:
        if entry.kind not in MOVES[deal.status]:
            raise VoidError("move_not_legal")
        after = Deal(
            deal.totals, MOVES[deal.status][entry.kind], deal.cancellation, deal.is_received, deal.code
        )
        if "cancellation.requested" in kinds:
            after.cancellation = "requested"
        if "order.received" in kinds:
            after.is_received = True
        if entry.kind == "order.completed" and not after.is_received:
            raise VoidError("receipt_missing")
        if entry.kind == "cancellation.refused":
            if after.cancellation != "requested":
                raise VoidError("cancellation_not_requested")
            after.cancellation = "refused"
        if entry.kind == "order.refunded":
            old = {(t["tax_class"], t["rate_bp"]): t["gross_minor"] for t in deal.totals}
            new = {(t["tax_class"], t["rate_bp"]): t["gross_minor"] for t in entry.body["totals"]}
            if list(old) != list(new) or old == new or any(new[key] > old[key] for key in old):
                raise VoidError("refund_refused")
            after.totals = entry.body["totals"]
        after.code = entry.body.get("code", deal.code)
        return after

    def _note_shares(self, move: Move, placed: Any, before: Deal, after: Deal) -> None:
        """Section 13.5."""
        if move.entry.kind not in ("order.completed", "order.refunded") or after.status != "completed":
            return
        split = self._split(move, placed, after.totals)
        if move.entry.kind == "order.refunded":
            old = {role: amount for role, _, amount in self._split(move, placed, before.totals)}
            split = [(role, side, amount - old[role]) for role, side, amount in split]
        move.shares = [share for share in split if share[2]]

    def _split(self, move: Move, placed: Any, totals: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
        return naive_split(
            self._policy(placed["policy"]),
            totals,
            placed["currency"],
            same_community=move.order[0] == move.seller,
            collector=placed["collector"],
        )

    # Section 14

    def _entries_of(self, move: Move, community: bytes) -> list[list[Any]]:
        sides = {"seller"} if community == move.seller else set()
        sides |= {"buyer"} if community == move.order[0] else set()
        own = sum(amount for _, side, amount in move.shares if side in sides)
        other = sum(amount for _, side, amount in move.shares if side not in sides)
        entries = {f"share/{role}": -amount for role, side, amount in move.shares if side in sides}
        if self.placed[move.order].body["collector"] in sides:
            entries |= {"collected": own + other, "due": -other}
        else:
            entries["due"] = own
        return [[account, amount] for account, amount in sorted(entries.items()) if amount]

    def _post(self, entry: Entry) -> None:
        community, body = entry.spot[0], entry.body
        move = self._resolve(entry, body["move"])
        if move.order != tuple(body["order"]) or not move.shares:
            raise VoidError("posting_move_refused")
        if community not in (move.seller, move.order[0]):
            raise VoidError("posting_not_party")
        if (community, move.entry.spot) in self.posted:
            raise VoidError("posting_made_already")
        if sum(amount for _, amount in body["entries"]):
            raise VoidError("posting_unbalanced")
        expected = self._entries_of(move, community)
        if not expected:
            raise VoidError("posting_move_refused")
        others = {move.seller, move.order[0]} - {community}
        counterparty = others.pop() if others else None
        said = (body["currency"], body.get("counterparty"), body["entries"])
        if said != (self.placed[move.order].body["currency"], counterparty, expected):
            raise VoidError("posting_mismatch")
        self.posted[community, move.entry.spot] = entry
        self.awaited.discard((community, move.entry.spot))
        for account, amount in expected:
            other = counterparty if account == "due" and counterparty else b""
            self.balances[community, body["currency"], account, other] += amount

    # Section 16.4

    def _resolve(self, entry: Entry, reference: list[Any]) -> Move:
        community, lane, epoch, index, record_id = reference
        spot = (community, lane, index)
        if lane != "trade" or (epoch == 0 and spot == entry.spot):
            raise VoidError("reference_unknown")
        if epoch or spot not in self.fates:
            raise NotYetError
        move = self.moves.get(spot)
        if move and move.entry.record_id != record_id:
            raise VoidError("reference_mismatch")
        if move is None:
            is_void = self.fates[spot] not in (EFFECT, UNKNOWN)
            is_other = sha256(b"\0" + self._lanes[spot[:2]][index]).digest() != record_id
            raise VoidError("reference_mismatch" if is_void and is_other else "reference_unknown")
        return move
