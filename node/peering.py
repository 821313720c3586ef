"""The node as its federation sees it: the `FederationStore` over writer, readers and clock.

Steps of other communities' lanes go to the writer's thread like everything that is written; questions go to
the readers. A step that does not fit fails alone, and what was offered is asked for again.
"""

import logging
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile

from node.backups import RecoveryDesk, keep_backup, load_backup
from node.core import Node
from node.epochs import drop_unsealed
from node.errors import NodeError
from node.federation.store import Finding, LookedUp, Question
from node.forks import fork_against_store, fork_of_report
from node.found_communities import known_communities, own_sectors, rules, take_changes
from node.lane_exchange import (
    answer_request,
    heads_of,
    hold_lanes,
    may_keep_sealed,
    notes_for,
    own_advance,
    own_heads,
    readers_of,
    runs_of,
    take_run,
)
from node.quotas import Quotas
from node.relay_shelf import (
    forget,
    hand_out,
    is_admitted,
    is_to_forget,
    listing,
    may_put,
    put,
    register,
    take,
    waits_for,
)
from node.relaying import do_relay_work, note_receipts
from node.settling_trust import invites_at_start, settle
from node.statements import keep_statement, load_statements
from node.vault.vault import read_key_box
from node.witnessing import ContradictedError, cosign, own_witnesses, prove_growth
from node.writer.transaction import Transaction
from protocol.errors import ProtocolError
from protocol.exchange.backups import BackupLoaded, LoadBackup
from protocol.exchange.discovery_events import ForgetKnown, KeepKnown, Known, Trust
from protocol.exchange.follow_rules import FollowRule
from protocol.exchange.following import OwnLaneSeen
from protocol.exchange.frames import (
    NONCE_BYTES,
    SUMMARY_KEY_BYTES,
    Answer,
    BackupGive,
    Cosigned,
    CosignGet,
    Entries,
    RecoveryAsk,
    RecoveryProve,
    Refused,
    RelayDropped,
    RelayGet,
    RelayKept,
    RelayList,
    RelayPut,
    RelayRegister,
    RelayRequest,
    RelayTaken,
    Request,
    SealedObject,
)
from protocol.exchange.heads import read_offer
from protocol.exchange.holding import (
    HeldLane,
    ReportFork,
    SignedHead,
    StoreEntries,
    StoreStep,
    kept_bytes,
)
from protocol.exchange.listing import Place, SumUpHeads, sum_up
from protocol.exchange.relay_events import RelayEvent, RelayWork
from protocol.exchange.replication_events import LaneAdvanced, LaneFull, StepOutcome, StepsFailed
from protocol.exchange.resuming import HeadsOfLoaded, OwnHeadsLoaded
from protocol.exchange.standing import KeepShown
from protocol.exchange.statements import StatementJudged, StatementsLoaded, digest_of
from protocol.exchange.trust_events import InvitesLoaded, Settle, Settled
from protocol.exchange.witnessing import GrowthProven, LoadWitnesses, ProveGrowth
from protocol.lanes.kind import LANE_NAMES
from protocol.limits import CODE_CHARACTERS_MAX
from protocol.log.origin import Origin
from storage.acknowledgements import keep_shown, note_acknowledgement
from storage.errors import StorageError
from storage.lanes import LaneStore
from storage.peers import Peer, all_peers, keep_place, peer_of, save_peer
from storage.sealed import KeyWrap, put_key_wrap, put_sealed
from storage.views.reading import StateReader

STEP_CODES = frozenset({"lane_gap", "lane_forked", "head_backwards", "head_ahead"})
log = logging.getLogger("wildgrass.peering")


class NodePeering:
    """What the federation asks of one node. `entries_given` counts what peers have fetched since the start."""

    def __init__(self, node: Node, *, is_recovering: bool = False) -> None:
        """Take the node; while it `is_recovering`, its own lanes are fetched like another's."""
        self._node = node
        self._is_recovering = is_recovering
        self._recovery = RecoveryDesk(node.community)
        self.entries_given = 0

    async def known(self) -> tuple[tuple[Known, ...], bytes]:
        """Return who is known from before, and the own address record of before."""
        return await self._node.read(lambda read: known_communities(read.connection, self._node.community))

    async def take_changes(self, changes: Sequence[KeepKnown | ForgetKnown]) -> None:
        """Keep and forget what the search for others found."""
        await self._node.write(lambda transaction: take_changes(transaction, changes))

    async def invites(self) -> InvitesLoaded:
        """Return what is known of invites."""
        return await self._node.read(invites_at_start)

    async def settle(self, effect: Settle) -> Settled:
        """Follow and vouch, use an invite up or settle an accepted one."""
        return await self._node.write(lambda transaction: settle(transaction, effect))

    async def rules(self) -> tuple[FollowRule, ...]:
        """Return the rules for whom to follow and which lanes to keep."""
        return await self._node.read(lambda read: rules(read.connection))

    async def own_sectors(self) -> tuple[str, ...]:
        """Return the sectors in which the own community sells."""
        return await self._node.read(lambda read: own_sectors(read, self._node.community))

    async def places(self) -> Mapping[bytes, Place]:
        """Return how far the lists of peers were taken in before."""

        def question(read: StateReader) -> dict[bytes, Place]:
            known = all_peers(read.connection)
            return {
                peer.community: Place(peer.instance, peer.change_number) for peer in known if peer.instance
            }

        return await self._node.read(question)

    async def keep_places(self, places: Mapping[bytes, Place]) -> None:
        """Keep how far the lists of peers are taken in now."""
        now_ms = self._node.clock.now()

        def job(transaction: Transaction) -> None:
            for peer, place in places.items():
                keep_place(
                    transaction.connection,
                    peer,
                    instance=place.instance,
                    change_number=place.number,
                    seen_ms=now_ms,
                )

        await self._node.write(job)

    async def look_up(self, question: Question) -> LookedUp:
        """Return what a machine wants to know: heads for a comparison, a proof, the witnesses."""
        fresh_key = secrets.token_bytes(SUMMARY_KEY_BYTES)

        def look(read: StateReader) -> LookedUp:
            match question:
                case SumUpHeads():
                    return sum_up(question, notes_for(read, question.peer), fresh_key=fresh_key)
                case ProveGrowth(origin, witness, old_size, size):
                    return GrowthProven(origin, witness, old_size, size, prove_growth(read, question))
                case LoadWitnesses():
                    return own_witnesses(read, self._node.community)

        return await self._node.read(look)

    async def cosign(self, request: CosignGet) -> Cosigned | Refused:
        """Cosign a head that only grew, or say why not; two that contradict each other are evidence."""
        node = self._node
        try:
            asked = read_offer(request.head)
            line = await node.write(
                lambda transaction: cosign(
                    transaction,
                    node.guard,
                    node.vault,
                    asked,
                    old_size=request.old_size,
                    proof=request.proof,
                    now_seconds=node.clock.now() // 1000,
                )
            )
        except ProtocolError as error:
            if isinstance(error, ContradictedError):
                await self.report(ReportFork(error.origin, error.older, error.newer))
            return Refused(request.number, error.code, error.detail[:CODE_CHARACTERS_MAX])
        return Cosigned(request.number, line.key_id + line.signature)

    async def met(
        self, community: bytes, genesis_record: bytes, *, address: str | None, is_wanted: bool
    ) -> Trust:
        """Keep that a community has proven itself, and return how we stand with it."""
        now_ms = self._node.clock.now()

        def job(transaction: Transaction) -> Trust:
            known = peer_of(transaction.connection, community)
            peer = known or Peer(community=community, label="", addresses=(), trust="found")
            trust: Trust = "followed" if is_wanted and peer.trust == "found" else peer.trust  # type: ignore[assignment]  # one of the three words
            others = tuple(other for other in peer.addresses if other != address)
            addresses = (address, *others)[:_ADDRESSES_KEPT] if address else peer.addresses
            met = replace(peer, genesis=genesis_record, trust=trust, addresses=addresses, last_seen_ms=now_ms)
            save_peer(transaction.connection, met)
            return trust

        return await self._node.write(job)

    async def trust_of(self, community: bytes) -> Trust:
        """Return how we stand with a community; one that was never met is only found."""

        def question(read: StateReader) -> Trust:
            peer = peer_of(read.connection, community)
            return peer.trust if peer else "found"  # type: ignore[return-value]  # one of the three words

        return await self._node.read(question)

    async def hold_lanes(
        self, origins: Collection[Origin]
    ) -> tuple[tuple[HeldLane, ...], tuple[Origin, ...]]:
        """Return what is held of the lanes that are to be followed, and which of `origins` are not."""
        own, is_recovering = self._node.community, self._is_recovering

        def question(read: StateReader) -> tuple[tuple[HeldLane, ...], tuple[Origin, ...]]:
            held, unwanted = hold_lanes(read, own, origins, is_recovering=is_recovering)
            return tuple(_with_room(read, self._node.quotas, lane) for lane in held), unwanted

        return await self._node.read(question)

    async def take_steps(
        self, steps: Sequence[StoreStep], *, peers: Collection[bytes]
    ) -> Sequence[StepOutcome]:
        """Take steps in order, in one transaction, and return what came of them once it is synced."""

        def job(transaction: Transaction) -> list[StepOutcome]:
            outcomes: list[StepOutcome] = []
            for run in runs_of(steps):
                if LaneFull(run[0].origin) not in outcomes:  # what comes behind entries that do not fit
                    outcomes += _take(transaction, run, self._node.quotas)
            return outcomes

        try:
            taken = await self._node.write(job)
        except (StorageError, NodeError):
            self._node.quotas.forget()
            raise
        if any(isinstance(done, LaneAdvanced) for done in taken):
            return await self._node.read(lambda read: [_with_readers(read, done, peers) for done in taken])
        return taken

    async def own_advances(
        self, lanes: Collection[str] | None, *, shown: Mapping[Origin, int], peers: Collection[bytes]
    ) -> Sequence[LaneAdvanced]:
        """Return the newest heads of own lanes, with the entries past `shown` if they are few."""
        node = self._node
        names = LANE_NAMES if lanes is None else lanes
        epochs = range(
            max(0, node.epoch - 1), node.epoch + 1
        )  # the last heads of one that was just closed, too
        origins = [Origin(node.community, name, epoch) for epoch in epochs for name in names]

        def question(read: StateReader) -> list[LaneAdvanced]:
            found = (own_advance(read, origin, shown.get(origin, 0), peers) for origin in origins)
            return [advance for advance in found if advance is not None]

        return await node.read(question)

    async def answer(self, reader: bytes, request: Request) -> Answer:
        """Answer what a proven community asks, as far as it may know."""
        node = self._node
        if isinstance(request, RelayRequest):
            return await self._answer_relay(reader, request)
        if isinstance(request, BackupGive):
            return await node.write(lambda transaction: keep_backup(transaction, reader, request))
        if isinstance(request, RecoveryAsk):
            return self._recovery.challenge(reader, request, secrets.token_bytes(NONCE_BYTES))
        if isinstance(request, RecoveryProve):
            return await node.read(lambda read: self._recovery.answer(read, reader, request))
        answer = await node.read(lambda read: answer_request(read, reader, request))
        if isinstance(answer, Entries):
            self.entries_given += answer.count
        return answer

    async def load_backup(self, asked: LoadBackup) -> BackupLoaded:
        """Note what a peer has acknowledged, and return what of ours it is to be given next."""
        key_box = read_key_box(self._node.vault.folder)
        return await self._node.write(lambda transaction: load_backup(transaction, asked, key_box))

    async def _answer_relay(self, asker: bytes, request: RelayRequest) -> Answer:
        """Answer as a relay, and tell whom it concerns; only what changes something is the writer's affair."""
        node, rule, now_ms = self._node, self._node.relay_rule, self._node.clock.now()
        match request:
            case RelayRegister():
                if not await node.read(lambda read: is_admitted(read.connection, rule, asker)):
                    return Refused(request.number, "relay_not_admitted", "")
                return await node.write(lambda job: register(job, asker, request, rule, now_ms))
            case RelayPut():
                may = await node.read(lambda read: may_put(read, asker, request.recipient, rule, now_ms))
                if not may:
                    return Refused(request.number, "relay_not_admitted", "")
                answer = await node.write(lambda job: put(job, asker, request, rule, now_ms))
                if isinstance(answer, RelayKept):
                    node.federation_service.tell_shelf_changed(request.recipient)
                return answer
            case RelayList():
                if await node.read(lambda read: is_to_forget(read, asker, request)):
                    await node.write(lambda job: forget(job, asker, request))
                return await node.read(lambda read: listing(read, asker, request))
            case RelayGet():
                return await node.read(lambda read: hand_out(read, asker, request))
            case RelayTaken():
                return await self._answer_taken(asker, request, now_ms)

    async def _answer_taken(self, asker: bytes, request: RelayTaken, now_ms: int) -> Answer:
        """What was ours was fetched from here; what was somebody else's waited here."""
        node = self._node
        if request.sender == node.community:
            await note_receipts(node, asker, request.receipts)
            return RelayDropped(request.number)
        if await node.read(lambda read: waits_for(read, asker, request)):
            await node.write(lambda job: take(job, asker, request, now_ms))
            node.federation_service.tell_shelf_changed(request.sender)
        return RelayDropped(request.number)

    async def do_relay_work(self, work: RelayWork) -> RelayEvent | None:
        """Do what the machine of the relays wants done."""
        return await do_relay_work(self._node, work)

    async def keep_sealed(self, sender: bytes, objects: Sequence[SealedObject]) -> tuple[bytes, ...]:
        """Keep the parts of orders that `sender` has placed with us; others are nobody's here."""
        node = self._node

        def job(transaction: Transaction) -> tuple[bytes, ...]:
            wanted = may_keep_sealed(transaction, sender, [found.commitment for found in objects])
            for found in objects:
                if found.commitment in wanted and found.ciphertext:
                    put_sealed(transaction.connection, found.commitment, found.ciphertext)
                    for key in found.keys:
                        wrap = KeyWrap(key.reader, key.wrapped)
                        put_key_wrap(transaction.connection, found.commitment, wrap)
            return tuple(sorted(wanted))

        return await node.write(job)

    async def compare_head(self, origin: Origin, head: SignedHead) -> None:
        """Hold a signed head of a lane against what is stored of it, and keep the proof if they contradict."""
        proof = await self._node.read(lambda read: fork_against_store(read, origin, head))
        if proof is not None:
            log.error("%s has two histories", origin.text)
            await self._node.write(lambda transaction: keep_statement(transaction, proof))

    async def own_heads(self) -> OwnHeadsLoaded:
        """Return the own heads of the open epoch, its log key, and who has ever acknowledged one."""
        return await self._node.read(lambda read: own_heads(read, self._node.community, self._node.epoch))

    async def heads_of(self, peer: bytes) -> HeadsOfLoaded:
        """Return the notes of all heads that are held of a peer's own lanes."""
        return await self._node.read(lambda read: heads_of(read, peer))

    async def note_acknowledged(self, peer: bytes) -> None:
        """Remember that a peer has shown a head of ours."""
        now_ms = self._node.clock.now()
        await self._node.write(lambda transaction: note_acknowledgement(transaction.connection, peer, now_ms))

    async def keep_shown(self, shown: Sequence[KeepShown]) -> None:
        """Write down up to where peers have shown to hold our lanes."""
        now_ms = self._node.clock.now()

        def job(transaction: Transaction) -> None:
            for kept in shown:
                keep_shown(transaction.connection, kept.peer, dict(kept.sizes), now_ms)

        await self._node.write(job)

    def hold_signing(self) -> None:
        """Say and sign nothing until it is allowed again or stopped."""
        self._node.writer.hold_signing()

    def allow_signing(self) -> None:
        """Say and sign from now on, if the guard agrees."""
        self._node.writer.allow_signing()

    def stop_signing(self, code: str) -> None:
        """Say and sign nothing from now on; `code` says why."""
        self._node.writer.stop_signing(NodeError(code))

    async def load_statements(self, after: int | None) -> StatementsLoaded:
        """Return the digests of all statements held, or the texts that were kept after a number."""
        return await self._node.read(lambda read: load_statements(read, after))

    async def judge_statement(self, peer: bytes, text: bytes) -> StatementJudged:
        """Judge a statement that `peer` brought with what is known here, and keep it, synced, if it holds."""
        verdict = await self._node.write(lambda transaction: keep_statement(transaction, text))
        return StatementJudged(peer, digest_of(text), verdict.code, verdict.is_blamed)

    async def report(self, finding: Finding) -> None:
        """Keep the proof of a fork; an own head that we do not know stops our signing."""
        if isinstance(finding, ReportFork):
            origin, newer = finding.origin, finding.newer
            log.error("%s has two histories", origin.text)

            def job(transaction: Transaction) -> None:
                proof = fork_of_report(transaction, finding)
                if proof is not None:
                    keep_statement(transaction, proof)
                if drop_unsealed(transaction, origin, newer.size):
                    transaction.note_dropped(origin.community)
                    self._node.quotas.forget()

            await self._node.write(job)
        elif isinstance(finding, OwnLaneSeen):
            log.error("a peer holds %s entries of %s", finding.head.size, finding.origin.text)
        else:
            log.error("the copy of %s is damaged", finding.origin.text)

    def note_peer_clocks(self, offset_ms: int) -> None:
        """Hear the median of the followed peers' clocks minus ours."""
        self._node.clock.peers_offset_ms = offset_ms


_ADDRESSES_KEPT = 8


def _take(transaction: Transaction, run: Sequence[StoreStep], quotas: Quotas) -> list[StepOutcome]:
    origin, fitting = run[0].origin, _within_quota(transaction, run, quotas)
    full = [LaneFull(origin)] if len(fitting) < len(run) else []
    if full:
        log.warning("%s is at its quota", origin.text)
    try:
        return [*([take_run(transaction, fitting)] if fitting else []), *full]
    except StorageError as error:
        if error.code not in STEP_CODES:
            raise
        quotas.forget()
        log.warning("a step of %s does not fit: %s", origin.text, error.code)
        return [StepsFailed(origin)]


def _within_quota(transaction: Transaction, run: Sequence[StoreStep], quotas: Quotas) -> Sequence[StoreStep]:
    """As many of the steps, from the first on, as the quotas leave room for."""
    origin, connection = run[0].origin, transaction.connection
    if not isinstance(run[0], StoreEntries) or origin.community == quotas.own:
        return run
    key = LaneStore(connection).open_lane(origin.community, origin.lane, origin.epoch)
    parts = [step for step in run if isinstance(step, StoreEntries)]
    return list(
        takewhile(
            lambda part: quotas.take(
                connection, origin.community, key, kept_bytes(part.count, len(part.packed))
            ),
            parts,
        )
    )


def _with_room(read: StateReader, quotas: Quotas, lane: HeldLane) -> HeldLane:
    origin = lane.origin
    key = LaneStore(read.connection).lane_key(origin.community, origin.lane, origin.epoch)
    return replace(lane, room_bytes=quotas.room(read.connection, origin.community, key))


def _with_readers(read: StateReader, done: StepOutcome, peers: Collection[bytes]) -> StepOutcome:
    if not isinstance(done, LaneAdvanced):
        return done
    return replace(done, readers=readers_of(read, done.origin, peers))
