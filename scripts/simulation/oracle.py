"""What must hold in every run, watched from outside by one who sees all disks (issue 4, item 1).

Whatever anybody holds is a beginning of a history that its owner signed, and an honest owner signs one history.
What was acknowledged, told to a machine or shown to others is there after every power cut. Equal cuts fold to
equal states, two communities' postings mirror each other, and nobody is accused of what he did not do.

A node is checked after each of its steps, and only where it changed: an untouched one was checked before.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from protocol.amounts.entries import DUE
from protocol.exchange.holding import Blame, SignedHead
from protocol.exchange.replication_events import LaneAdvanced, LaneStored
from protocol.identity.successor import parse_successor
from protocol.lanes.kind import Key, Reference
from protocol.lanes.ledger.postings import Posting
from protocol.limits import SILENCE_MS
from protocol.log.merkle import CompactRange
from protocol.log.note import parse_note
from protocol.log.origin import Origin
from simulation.agenda import Agenda
from simulation.store import StoredLane

if TYPE_CHECKING:
    from simulation.node import Node

# What may be said of an honest peer: that it, or the way to it, was slow, away or short of what it had.
SETTLED_MS = 180_000  # until then nodes meet, vouch for each other and fetch what was said before
PROOF_BYTES_MAX = 2_048
HARMLESS_CODES = frozenset({"request_unanswered", "request_refused"})


@dataclass
class History:
    """One line of entries that an owner has signed; two notes that contradict each other open one epoch twice."""

    log_public: bytes
    leaves: list[bytes] = field(default_factory=list)
    roots: dict[int, bytes] = field(default_factory=dict)
    signed_ms: dict[int, int] = field(default_factory=dict)
    tree: CompactRange = field(default_factory=CompactRange)

    def root_at(self, size: int) -> bytes:
        """Return the root over its first `size` entries."""
        if size not in self.roots:
            older = CompactRange()
            older.extend(self.leaves[:size])
            self.roots[size] = older.root()
        return self.roots[size]

    def cut_to(self, size: int) -> None:
        """Forget what stood beyond `size`: nobody has it any more."""
        del self.leaves[size:]
        self.roots = {known: root for known, root in self.roots.items() if known <= size}
        self.tree = CompactRange()
        self.tree.extend(self.leaves)


class Oracle:
    """The judge of one run."""

    def __init__(self, agenda: Agenda, counts: Counter[str]) -> None:
        """Begin with nothing signed."""
        self.violations: list[str] = []
        self.histories: dict[Origin, list[History]] = {}
        self.dishonest: set[bytes] = set()
        self.liars: set[bytes] = set()
        self.ways: dict[bytes, str] = {}  # how a community cheats, for the figures
        self.robbed: set[bytes] = set()  # a thief speaks in their name
        self.acknowledged: dict[Origin, dict[int, bytes]] = defaultdict(dict)
        self.recovering: set[int] = set()
        self.proven_ms: dict[Origin, dict[int, int]] = {}
        self.spread_ms: list[int] = []
        self.proof_bytes_max = 0
        self.delivery_ms: list[int] = []
        self.delivery_ms_max: int | None = None
        self._agenda = agenda
        self._counts = counts
        self._checked: dict[tuple[int, Origin], tuple[History, int]] = {}
        self._branch_ms: dict[Origin, dict[int, int]] = {}
        self._shown_by: dict[tuple[int, Origin], int] = {}
        self._promised: dict[tuple[int, Origin], int] = {}
        self._head_shown: dict[tuple[int, Origin], int] = {}
        self._digests: dict[int, tuple[int, str]] = {}
        self._cuts: dict[int, int] = {}

    def fail(self, what: str) -> None:
        """Note that something did not hold."""
        self.violations.append(f"at {self._agenda.now_ms} ms: {what}")

    # What nodes do.

    def signed(self, node: "Node", origin: Origin, head: SignedHead, log_public: bytes) -> None:
        """A signature has been made: it continues the one history of its lane."""
        leaves = node.disk.image.lane(origin).leaves[: head.size]
        lines = self.histories.setdefault(origin, [])
        self._counts["heads signed"] += 1
        of_this_key = [line for line in lines if line.log_public == log_public]
        for line in of_this_key:
            common = min(len(line.leaves), head.size)
            if line.leaves[:common] == leaves[:common]:
                self._extend(line, leaves, head)
                return
        if of_this_key and origin.community not in self.dishonest:
            self.fail(f"{node.name} signs a second history of {origin.text} at size {head.size}")
        lines.append(History(log_public))
        self._extend(lines[-1], leaves, head)

    def sealed(self, node: "Node", note: bytes) -> None:
        """A community has closed its epoch: what stands beyond the seal is void, and counted."""
        successor = parse_successor(parse_note(note).text)
        self._counts["epochs closed"] += 1
        for origin, kept in self.acknowledged.items():
            if (origin.community, origin.epoch) == (node.community.id, successor.epoch):
                seal = successor.lanes.get(origin.lane)
                for index in [index for index in kept if index >= (seal.size if seal else 0)]:
                    del kept[index]
                    self._counts["acknowledged records sealed away"] += 1

    def succeeded(self, node: "Node", note: bytes) -> None:
        """A node has kept a successor note."""
        self._agenda.note(node.place, note)
        self._counts["successor notes kept"] += 1

    def dropped(self, node: "Node", origin: Origin) -> None:
        """A copy is dropped because a note has sealed another branch: nobody asks for it any more."""
        for promises in (self._promised, self._head_shown):
            promises.pop((node.place, origin), None)
        self._checked.pop((node.place, origin), None)
        self._counts["copies dropped"] += 1

    def acknowledge(self, reference: Reference) -> None:
        """Somebody was told that a record is kept."""
        origin = Origin(reference.community, reference.lane, reference.epoch)
        self.acknowledged[origin][reference.index] = reference.record_id
        self._counts["records acknowledged"] += 1

    def told(self, node: "Node", event: Any) -> None:
        """A machine was told that so much of a lane is on disk."""
        if isinstance(event, LaneStored | LaneAdvanced):
            size = event.size if isinstance(event, LaneStored) else event.head.size
            key = (node.place, event.origin)
            self._promised[key] = max(size, self._promised.get(key, 0))
            if isinstance(event, LaneAdvanced):
                self.shown(node, event.origin, event.head.size)

    def shown(self, node: "Node", origin: Origin, size: int) -> None:
        """A head may leave the node from here on."""
        key = (node.place, origin)
        self._head_shown[key] = max(size, self._head_shown.get(key, 0))

    def blamed(self, node: "Node", blame: Blame) -> None:
        """A peer is blamed: an honest one for nothing that only a liar does."""
        self._counts[f"blame: {blame.code}"] += 1
        if blame.code not in HARMLESS_CODES and blame.peer not in self.liars | self.dishonest | self.robbed:
            self.fail(f"{node.name} blames an honest peer for {blame.code} {blame.detail}")

    def given_up(self, node: "Node", silent_ms: int) -> None:
        """A session ends because nothing was heard: nothing was."""
        self._counts["silent peers given up"] += 1
        if silent_ms < SILENCE_MS:
            self.fail(f"{node.name} gives up a peer as silent that spoke {silent_ms} ms ago")

    def accused(self, node: "Node", origin: Origin) -> None:
        """A fork is reported: there was one."""
        self._counts["forks reported"] += 1
        if origin.community not in self.dishonest:
            self.fail(f"{node.name} accuses {origin.text} of two histories without one")

    def proven(self, node: "Node", origin: Origin, text: bytes) -> None:
        """A node has kept the proof of a fork."""
        self._counts["proofs kept"] += 1
        self.proof_bytes_max = max(self.proof_bytes_max, len(text))
        if origin.community not in self.dishonest or len(text) > PROOF_BYTES_MAX:
            self.fail(f"{node.name} keeps a proof of {len(text)} bytes against {origin.text}")
        self.proven_ms.setdefault(origin, {}).setdefault(node.place, self._agenda.now_ms)

    def check_proofs(self, nodes: Sequence["Node"], seconds_max: float | None) -> None:
        """Every fork whose two branches reached honest nodes is proven at all of them, in time."""
        for origin, found in self.histories.items():
            keys = [line.log_public for line in found]
            lines = [line for line in found if keys.count(line.log_public) > 1]
            seen = self._branch_ms.get(origin, {})
            if len(lines) < 2 or (len(seen) < 2 and origin not in self.proven_ms):
                continue
            kept = self.proven_ms.get(origin, {})
            missing = [node.name for node in nodes if node.place not in kept]
            if missing:
                self.fail(
                    f"the fork of {origin.text} is not proven at {missing[0]} and {len(missing) - 1} others"
                )
                return
            met_ms = sorted(seen.values())[1] if len(seen) > 1 else min(kept.values())
            spread_ms = max(kept[node.place] for node in nodes) - min(met_ms, *kept.values())
            self.spread_ms.append(spread_ms)
            self._counts["equivocations proven"] += 1
            self._counts[f"proven: {self.ways.get(origin.community, 'unplanned')}"] += 1
            if seconds_max is not None and spread_ms > seconds_max * 1000:
                self.fail(f"the fork of {origin.text} took {spread_ms} ms to be proven everywhere")

    def power_cut(self, node: "Node") -> None:
        """Look at everything again: what is on the disks now is what counts."""
        for origin in node.disk.image.lanes:
            self._checked.pop((node.place, origin), None)
            self._check_kept(node, origin)

    def restored(self, node: "Node", others: Sequence["Node"]) -> None:
        """The disk is an older one: of the newer one counts what somebody else has of it.

        What was signed and reached nobody is gone, and nobody can tell; it is counted and asked for no more.
        """
        for promises in (self._promised, self._head_shown):
            for key in [key for key in promises if key[0] == node.place]:
                del promises[key]
        for key in [key for key in self._checked if key[0] == node.place]:
            del self._checked[key]
        said = {*self.histories, *self.acknowledged}
        for origin in sorted(origin for origin in said if origin.community == node.community.id):
            known = max(_known_size(one.disk.image.lane(origin)) for one in (node, *others))
            for line in self.histories.get(origin, ()):
                if known < len(line.leaves):
                    line.cut_to(known)
                    self._counts["heads lost with a disk before anybody had them"] += 1
            for index in [index for index in self.acknowledged[origin] if index >= known]:
                del self.acknowledged[origin][index]

    # What must hold.

    def touched(self, node: "Node") -> None:
        """Check what changed at a node."""
        if node.touched:
            for origin in sorted(node.touched):
                self._check_lane(node, origin)
            node.touched.clear()
        if node.is_up and node.disk.is_synced and self._cuts.get(node.place) != node.views.cut:
            self._cuts[node.place] = node.views.cut
            self._check_fold(node)

    def check_again(self, nodes: Sequence["Node"]) -> None:
        """Check every node from its first entry on."""
        self._checked.clear()
        for node in nodes:
            for origin in node.disk.image.lanes:
                self._check_lane(node, origin)
                self._check_kept(node, origin)

    def _extend(self, line: History, leaves: Sequence[bytes], head: SignedHead) -> None:
        new = leaves[len(line.leaves) :]
        line.leaves += new
        line.tree.extend(new)
        if new:
            line.roots[head.size] = line.tree.root()
        root = line.root_at(head.size)
        line.signed_ms.setdefault(head.size, self._agenda.now_ms)
        if root != head.root:
            self.fail(f"a signed head of {head.checkpoint.origin} states another root than its entries have")

    def _check_lane(self, node: "Node", origin: Origin) -> None:
        """Prefix consistency: all entries are those of one signed history, and the head is one of its heads."""
        lane = node.disk.image.lane(origin)
        if node.community.id in self.dishonest and origin.community == node.community.id:
            return
        line = self._line_of(node, origin, lane)
        is_own = origin.community == node.community.id
        if line is None or (not is_own and len(lane.leaves) > len(line.leaves)):
            self.fail(f"{node.name} holds {len(lane.leaves)} entries of {origin.text} that nobody signed")
            return
        if line.leaves:
            self._checked[node.place, origin] = (line, min(len(line.leaves), len(lane.leaves)))
        if lane.head and not is_own and self._shown_by.get((node.place, origin)) != lane.head.size:
            self._shown_by[node.place, origin] = lane.head.size
            self._note_branch(node, origin, line, lane.head.size)
            self._note_delivery(node, origin, self._agenda.now_ms - line.signed_ms.get(lane.head.size, 0))
        if lane.head and (
            lane.head.size > len(lane.leaves) or line.root_at(lane.head.size) != lane.head.root
        ):
            self.fail(
                f"{node.name} shows a head of {origin.text} at {lane.head.size} that is not its entries'"
            )

    def _note_branch(self, node: "Node", origin: Origin, line: History, size: int) -> None:
        """When the first honest node shows a branch of a fork, beyond what both have in common."""
        lines = [known for known in self.histories[origin] if known.log_public == line.log_public]
        if len(lines) < 2 or not node.is_honest:
            return
        common = next(
            (
                index
                for index, (one, other) in enumerate(zip(lines[0].leaves, lines[1].leaves, strict=False))
                if one != other
            ),
            min(len(lines[0].leaves), len(lines[1].leaves)),
        )
        if size > common:
            branch = next(number for number, known in enumerate(lines) if known is line)
            self._branch_ms.setdefault(origin, {}).setdefault(branch, self._agenda.now_ms)

    def _note_delivery(self, node: "Node", origin: Origin, delay_ms: int) -> None:
        """How long it took from the signature until a follower shows a head, once all have met."""
        if self._agenda.now_ms < SETTLED_MS:
            return
        self.delivery_ms.append(delay_ms)
        if self.delivery_ms_max is not None and delay_ms > self.delivery_ms_max:
            self.fail(f"{node.name} shows a head of {origin.text} only {delay_ms} ms after its signature")

    def _line_of(self, node: "Node", origin: Origin, lane: StoredLane) -> History | None:
        """The line that a copy is a beginning of; an own lane may be longer than what was signed of it."""
        is_own = origin.community == node.community.id
        checked, start = self._checked.get((node.place, origin), (None, 0))
        lines = self.histories.get(origin, [])
        candidates = [(checked, min(start, len(lane.leaves)))] if checked is not None else []
        for line, known in [*candidates, *((line, 0) for line in lines)]:
            end = min(len(line.leaves), len(lane.leaves))
            is_covered = is_own or len(lane.leaves) <= len(line.leaves)
            if is_covered and lane.leaves[known:end] == line.leaves[known:end]:
                return line
        return None if lines else History(b"")

    def _check_kept(self, node: "Node", origin: Origin) -> None:
        """Nothing acknowledged, told or shown is lost."""
        lane, key = node.disk.image.lane(origin), (node.place, origin)
        if len(lane.leaves) < self._promised.get(key, 0):
            self.fail(f"{node.name} has lost entries of {origin.text} that it had stored")
        if (lane.head.size if lane.head else 0) < self._head_shown.get(key, 0):
            self.fail(f"{node.name} has lost a head of {origin.text} that it had shown")
        if origin.community == node.community.id and node.place not in self.recovering:
            for index, record_id in self.acknowledged[origin].items():
                if index >= len(lane.leaves) or lane.leaves[index] != record_id:
                    self.fail(f"{node.name} has lost acknowledged record {index} of {origin.text}")
                    return

    def _check_fold(self, node: "Node") -> None:
        """Equal cuts, equal states; and postings that mirror each other."""
        state, cut = node.views.state, node.views.cut
        known = self._digests.setdefault(cut, (state.digest, node.name))
        if known[1] != node.name:
            self._counts["equal cuts compared"] += 1
        if known[0] != state.digest:
            self.fail(f"{node.name} and {known[1]} fold one cut to two states")
        for key in state.new_postings:
            self._check_mirror(node, key)
        state.new_postings.clear()

    def _check_mirror(self, node: "Node", key: Key) -> None:
        state = node.views.state
        posting: Posting = state.get("posting", key)
        party, seller = key[0], key[1]
        other = posting.order.buyer if party == seller else seller
        mirror: Posting | None = state.get("posting", (other, *key[1:])) if other != party else None
        if sum(line.amount_minor for line in posting.entries):
            self.fail(f"{node.name} counts a posting that does not sum to zero")
        if mirror is not None and _due(posting) + _due(mirror):
            self.fail(f"{node.name} counts two postings of one move that do not mirror each other")
        if mirror is not None:
            self._counts["mirrored postings checked"] += 1


def check_balances(node: "Node", oracle: Oracle, communities: set[bytes]) -> None:
    """What one of these owes another is what that one claims, where nothing is awaited any more."""
    state = node.views.state
    dues: dict[tuple[Any, ...], int] = defaultdict(int)
    for (table, key), value in state.rows.items():
        if table == "account" and key[2] == DUE and communities.issuperset((key[0], key[3])):
            pair = sorted((key[0], key[3]), key=str)
            dues[key[1], *pair] += value.balance_minor
    if any(dues.values()):
        oracle.fail(f"{node.name} has dues that do not mirror each other")


def _known_size(lane: StoredLane) -> int:
    return max((head.size for head in (lane.head, lane.remembered) if head), default=0)


def _due(posting: Posting) -> int:
    return sum(line.amount_minor for line in posting.entries if line.account == DUE)
