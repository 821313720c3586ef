"""What the federation asks of the node's store, and nothing else (PROTOCOL.md sections 17 and 18).

Every call is one question or one durable act, made off the event loop. A store that cannot just now raises
`StorageError` or `NodeError`; a question that is refused is an answer like any other (`Refused`).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from protocol.exchange.backups import BackupLoaded, LoadBackup
from protocol.exchange.discovery_events import ForgetKnown, KeepKnown, Known, Trust
from protocol.exchange.follow_rules import FollowRule
from protocol.exchange.following import OwnLaneSeen, ReportDamage
from protocol.exchange.frames import Answer, CosignGet, Request, SealedObject
from protocol.exchange.holding import HeldLane, ReportFork, SignedHead, StoreStep
from protocol.exchange.listing import HeadsItemized, HeadsSummedUp, Place, SumUpHeads
from protocol.exchange.relay_events import RelayEvent, RelayWork
from protocol.exchange.replication_events import LaneAdvanced, StepOutcome
from protocol.exchange.resuming import HeadsOfLoaded, OwnHeadsLoaded
from protocol.exchange.standing import KeepShown
from protocol.exchange.statements import StatementJudged, StatementsLoaded
from protocol.exchange.trust_events import InvitesLoaded, Settle, Settled
from protocol.exchange.witnessing import GrowthProven, LoadWitnesses, ProveGrowth, WitnessesKnown
from protocol.log.origin import Origin

Question = SumUpHeads | ProveGrowth | LoadWitnesses
LookedUp = HeadsSummedUp | HeadsItemized | GrowthProven | WitnessesKnown
Finding = ReportFork | ReportDamage | OwnLaneSeen


class FederationStore(Protocol):
    """The narrow door between the federation and what the node keeps."""

    async def known(self) -> tuple[tuple[Known, ...], bytes]:
        """Return who is known from before, and the own address record of before (empty: none)."""

    async def take_changes(self, changes: Sequence[KeepKnown | ForgetKnown]) -> None:
        """Keep and forget what the search for others found, in the order given."""

    async def invites(self) -> InvitesLoaded:
        """Return what is known of invites: the keys of our own, and those of others that were accepted."""

    async def settle(self, effect: Settle) -> Settled:
        """Follow and vouch, use an invite up or settle an accepted one, and return what came of it, synced.

        Raises `ProtocolError` too, where the charter refuses the word.
        """

    async def rules(self) -> tuple[FollowRule, ...]:
        """Return the rules for whom to follow and which lanes to keep."""

    async def own_sectors(self) -> tuple[str, ...]:
        """Return the sectors in which the own community sells."""

    async def places(self) -> Mapping[bytes, Place]:
        """Return how far the lists of peers were taken in before this start."""

    async def keep_places(self, places: Mapping[bytes, Place]) -> None:
        """Keep how far the lists of known peers are taken in."""

    async def look_up(self, question: Question) -> LookedUp:
        """Return the event that answers a machine's question to the store."""

    async def cosign(self, request: CosignGet) -> Answer:
        """Cosign a head, or refuse; what is answered is synced."""

    async def met(
        self, community: bytes, genesis_record: bytes, *, address: str | None, is_wanted: bool
    ) -> Trust:
        """Keep that a community has proven itself with this genesis, and return how we stand with it.

        `address` is where it was dialled, None where it dialled us. `is_wanted` says that a steward named
        the address: then the community is followed from now on, unless it is blocked.
        """

    async def trust_of(self, community: bytes) -> Trust:
        """Return how we stand with a community; `found` where it is not known."""

    async def hold_lanes(
        self, origins: Collection[Origin]
    ) -> tuple[tuple[HeldLane, ...], tuple[Origin, ...]]:
        """Return what is held of the lanes that are to be followed, and which of `origins` are not."""

    async def take_steps(
        self, steps: Sequence[StoreStep], *, peers: Collection[bytes]
    ) -> Sequence[StepOutcome]:
        """Take steps in order, in one transaction, and return what came of them once it is synced.

        Entries fit only behind those that are there and into the lane's quota, a head only on its entries.
        `readers` of a `LaneAdvanced` are those of `peers` that may see the lane, None where anybody may.
        """

    async def own_advances(
        self, lanes: Collection[str] | None, *, shown: Mapping[Origin, int], peers: Collection[bytes]
    ) -> Sequence[LaneAdvanced]:
        """Return the newest heads of these own lanes (None: all), with the entries past `shown` if few."""

    async def answer(self, reader: bytes, request: Request) -> Answer:
        """Answer what a proven community asks, as far as it may know; anything but `SealedPut`."""

    async def keep_sealed(self, sender: bytes, objects: Sequence[SealedObject]) -> tuple[bytes, ...]:
        """Keep sealed objects for their readers; return the commitments that are held now, synced."""

    async def load_backup(self, asked: LoadBackup) -> BackupLoaded:
        """Note what a peer has acknowledged of ours, and return what it is to be given next."""

    async def compare_head(self, origin: Origin, head: SignedHead) -> None:
        """Hold a signed head of a lane against what is stored of it, and keep the proof if they contradict."""

    async def own_heads(self) -> OwnHeadsLoaded:
        """Return the own heads of the open epoch, its log key, and who has ever acknowledged one."""

    async def heads_of(self, peer: bytes) -> HeadsOfLoaded:
        """Return the notes of all heads that are held of a peer's own lanes."""

    async def keep_shown(self, shown: Sequence[KeepShown]) -> None:
        """Write down up to where peers have shown to hold our lanes."""

    async def note_acknowledged(self, peer: bytes) -> None:
        """Remember that a peer has shown a head of ours."""

    def hold_signing(self) -> None:
        """Say and sign nothing until it is allowed again or stopped; what is to be said waits."""

    def allow_signing(self) -> None:
        """Say and sign from now on, if the guard agrees."""

    def stop_signing(self, code: str) -> None:
        """Say and sign nothing from now on; `code` says why."""

    async def load_statements(self, after: int | None) -> StatementsLoaded:
        """Return the digests of all statements held, or the texts that were kept after a number."""

    async def judge_statement(self, peer: bytes, text: bytes) -> StatementJudged:
        """Judge a statement that `peer` brought with what is known here, and keep it, synced, if it holds."""

    async def do_relay_work(self, work: RelayWork) -> RelayEvent | None:
        """Do what the machine of the relays wants done, and return what it is to hear of it."""

    async def report(self, finding: Finding) -> None:
        """Keep the evidence of a fork, a damaged copy, or an own lane that we do not know, and act on it."""

    def note_peer_clocks(self, offset_ms: int) -> None:
        """Hear the median of the followed peers' clocks minus ours; 0 where none is connected."""
