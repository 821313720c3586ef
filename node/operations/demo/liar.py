"""A community that lies in its books, for the audit to find: it exists only here, in the demo's own harness.

Everything it says is well formed and signed: keys, charter, an order to its own member, checkpoints over all
of it. Only the posting gives the shop what the policy gives to the commons. No product code knows how to lie;
this is built on `protocol/` as any stranger could do it.

    write_lying_community(folder, now_ms=...)    # a bundle directory for the audit; returns the community's id
"""

import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from protocol.amounts.entries import SHARE_PREFIX, AccountEntry, account_entries
from protocol.amounts.split import SELLER_ROLE, Policy, Share, TaxTotal, policy_id, split
from protocol.audit.bundle import INDEX_PATH, checkpoint_path, format_index, lane_folder
from protocol.identity.genesis import make_genesis
from protocol.identity.keys import SEED_BYTES, SigningKey, log_key_hash, to_base32
from protocol.lanes import KINDS
from protocol.lanes.kind import CHARTER, LEDGER, TRADE, Reference
from protocol.lanes.trade.orders import OrderKey
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.merkle import CompactRange, leaf_hash, leaf_hashes
from protocol.log.origin import Origin
from protocol.log.record import encode_record
from protocol.log.tiles import entry_bundle_path, pack_entries, pack_tile, tile_path

NAME = {"zh-Hans": "狐狸拐角", "en": "Fox Corner"}
CURRENCY = "CNY"
TAKEN_MINOR = 40  # of the 50 that the commons should get
ROBBED_ROLE = "commons"
LIE_INDEX = 1  # in the ledger, after its opening
POLICY = Policy(
    base="net",
    shares=(
        Share(role="seller_community", beneficiary="seller_community", share_bp=300),
        Share(role=ROBBED_ROLE, beneficiary="seller_community", share_bp=50),
    ),
    same_community="to_seller_community",
    tax_remitter="seller",
)
TOTALS = [TaxTotal(tax_class="standard", rate_bp=1300, gross_minor=11_300)]

_DAY_MS = 86_400_000


def write_lying_community(folder: Path, *, now_ms: int) -> str:
    """Write the lanes of a new lying community as a bundle directory, and return its id in text."""
    liar = _Liar(now_ms - 60_000)
    liar.sell_and_lie()
    liar.write(folder)
    return to_base32(liar.community)


class _Liar:
    """Says records into lanes of its own, a millisecond after each other, up to 256 in a lane."""

    def __init__(self, start_ms: int) -> None:
        keys = {role: SigningKey(secrets.token_bytes(SEED_BYTES)) for role in ("log", "witness", "transport")}
        genesis = make_genesis(
            name=NAME,
            currency=CURRENCY,
            log=keys["log"],
            witness=keys["witness"],
            transport=keys["transport"],
            sealing_key=X25519PrivateKey.generate().public_key().public_bytes_raw(),
            next_log_key_hash=log_key_hash(SigningKey(secrets.token_bytes(SEED_BYTES)).public),
            recovery=[SigningKey(secrets.token_bytes(SEED_BYTES))],
            recovery_threshold=1,
        )
        founded = encode_record("community.founded", genesis, time_ms=start_ms)
        self._log_key, self._now_ms = keys["log"], start_ms
        self._entries: dict[str, list[bytes]] = {CHARTER: [founded]}
        self.community = leaf_hash(founded)

    def sell_and_lie(self) -> None:
        """One honest sale to a member of its own, and one dishonest posting."""
        for lane in (TRADE, LEDGER):
            self._say(CHARTER, "lane.declared", lane=lane, visibility="peers")
            self._say(lane, "lane.opened", lane=lane)
        self._say(CHARTER, "policy.adopted", policy=POLICY, adopted_by="founder")
        order = OrderKey(self.community, secrets.token_bytes(16))
        placed = self._place(order)
        self._say(TRADE, "order.accepted", order=order, takes=[placed])
        self._say(TRADE, "order.fulfilled", order=order, takes=[])
        received = self._say(TRADE, "order.received", order_id=order.order_id)
        completed = self._say(TRADE, "order.completed", order=order, takes=[received])
        self._say(
            LEDGER, "posting.made", order=order, move=completed, currency=CURRENCY, entries=_false_entries()
        )

    def write(self, folder: Path) -> None:
        """Sign every lane as it stands, and write it with its tiles."""
        sizes = {}
        for lane, entries in self._entries.items():
            origin = Origin(self.community, lane, 0)
            sizes[origin] = len(entries)
            for path, content in _lane_files(origin, entries, self._log_key).items():
                _write(folder / path, content)
        _write(folder / INDEX_PATH, format_index(sizes))

    def _place(self, order: OrderKey) -> Reference:
        return self._say(
            TRADE,
            "order.placed",
            order_id=order.order_id,
            seller=self.community,
            currency=CURRENCY,
            totals=TOTALS,
            policy=policy_id(POLICY),
            lines=[sha256(order.order_id + b"line").digest()],
            details=sha256(order.order_id + b"details").digest(),
            collector="seller",
            respond_by_ms=self._now_ms + _DAY_MS,
            witnesses=[],
            threshold=0,
            mediators=[],
        )

    def _say(self, lane: str, kind: str, /, **fields: Any) -> Reference:
        self._now_ms += 1
        charter_size = 0 if lane == CHARTER else len(self._entries[CHARTER])
        raw = encode_record(kind, KINDS[kind].body(**fields), time_ms=self._now_ms, charter_size=charter_size)
        entries = self._entries.setdefault(lane, [])
        entries.append(raw)
        return Reference(self.community, lane, 0, len(entries) - 1, leaf_hash(raw))


def _false_entries() -> list[AccountEntry]:
    """The lines of the right posting, with `TAKEN_MINOR` moved from the commons to the shop: still balanced."""
    allocations = split(POLICY, TOTALS, CURRENCY, same_community=True, collector="seller")
    right = account_entries(allocations, sides=frozenset({"seller", "buyer"}), collector="seller")
    moved = {SHARE_PREFIX + ROBBED_ROLE: TAKEN_MINOR, SHARE_PREFIX + SELLER_ROLE: -TAKEN_MINOR}
    return [AccountEntry(line.account, line.amount_minor + moved.get(line.account, 0)) for line in right]


def _lane_files(origin: Origin, entries: Sequence[bytes], log_key: SigningKey) -> Mapping[str, bytes]:
    leaves = leaf_hashes(entries)
    tree = CompactRange()
    tree.extend(leaves)
    checkpoint = Checkpoint(origin.text, len(entries), tree.root())
    below = lane_folder(origin)
    return {
        checkpoint_path(origin): make_checkpoint_note(checkpoint, log_key),
        f"{below}/{tile_path(0, 0, len(entries))}": pack_tile(leaves),
        f"{below}/{entry_bundle_path(0, len(entries))}": pack_entries(entries),
    }


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
