"""The dull part: what the exchange machines want done is done, and what came of it is told (section 18).

No decision is made here. Frames go to links, steps to the store in the order in which they were given and as
many at a time as wait, questions of the rest of the node to a peer and back.

    driver = Driver(store, links)
    driver.start(task_group)
    driver.tell(PeerOpened(community, requests_max))
    answer = await driver.ask(community, BlobGet(0, digest, 0, 1024))
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from random import SystemRandom
from typing import Any, Protocol

from node.errors import NodeError
from node.federation.memory import Memory
from node.federation.pile import Pile
from node.federation.store import FederationStore, Finding, Question
from node.writer.clock import system_clock
from protocol.errors import ProtocolError, SessionError
from protocol.exchange.backups import BackupGrown, BackupLoaded, Backups, LoadBackup
from protocol.exchange.discovery import Discovery
from protocol.exchange.discovery_events import ClockRead, Dial, ForgetKnown, KeepKnown, ReadClock
from protocol.exchange.exchange import Exchange
from protocol.exchange.following import OwnLaneSeen, ReportDamage
from protocol.exchange.frames import Answer, CosignGet, Frame, Refused, Request, SealedAck, SealedPut
from protocol.exchange.holding import (
    AdoptHead,
    Blame,
    CompareHead,
    HeldLane,
    KeepCosignatures,
    RememberHead,
    ReportFork,
    StoreEntries,
    StoreStep,
    step_bytes,
)
from protocol.exchange.http_witnesses import AskWitness
from protocol.exchange.invites import Invites
from protocol.exchange.listing import SumUpHeads
from protocol.exchange.pairing import Pairing
from protocol.exchange.places import KeepPlace
from protocol.exchange.relay import Relays
from protocol.exchange.relay_events import (
    LoadParts,
    LoadRelays,
    NoteListed,
    NotePut,
    NoteTerms,
    RelayWork,
    WorkFailed,
)
from protocol.exchange.replication import Replication
from protocol.exchange.replication_events import (
    Drop,
    HeadCompared,
    LoadLanes,
    PlacesLoaded,
    Reply,
    RequestAsked,
    Send,
    Serve,
    StepOutcome,
    StepsFailed,
    WakeAt,
    Woken,
    lanes_loaded,
)
from protocol.exchange.resuming import (
    AllowSigning,
    AloneAsked,
    HoldSigning,
    LoadHeadsOf,
    LoadOwnHeads,
    NoteAcknowledged,
    Resuming,
    Started,
    StopSigning,
)
from protocol.exchange.standing import KeepShown, PeerStanding
from protocol.exchange.statements import (
    JudgeStatement,
    LoadStatements,
    StatementJudged,
    Statements,
    StatementsGrown,
    StatementsLoaded,
    StatementUnjudged,
    digest_of,
)
from protocol.exchange.trust_events import (
    EndRedemption,
    FollowKnown,
    Settle,
    SettlingFailed,
    TakeInvite,
    TrustPeer,
)
from protocol.exchange.witnessing import LoadWitnesses, ProveGrowth, Witnessing
from protocol.lanes.kind import CHARTER
from protocol.log.origin import Origin
from storage.errors import StorageError

log = logging.getLogger("wildgrass.federation")


class Links(Protocol):
    """The open sessions, by community."""

    def send(self, peer: bytes, frame: Frame) -> None:
        """Queue a frame for a peer."""

    def serve(self, peer: bytes, request: Request) -> None:
        """Queue a peer's request for its answer."""

    def drop(self, peer: bytes, code: str) -> None:
        """End the session with a peer."""

    def dial(self, dial: Dial) -> None:
        """Connect to an address; `DialEnded` is told when that is over."""

    def ask_witness(self, ask: AskWitness) -> None:
        """Ask a witness over HTTP; `WitnessAnswered` is told when that is over."""


class Driver:
    """The machines of a node and the tasks that perform for them."""

    def __init__(
        self, store: FederationStore, links: Links, discovery: Discovery, own: bytes, memory: Memory
    ) -> None:
        """Take the store, the links, the search for others, who we are, and what may be held; `start` begins."""
        self.blames: Counter[str] = Counter()
        self.discovery = discovery
        self.pairing = Pairing(own)
        self._store = store
        self._links = links
        self._resuming = Resuming()
        self._exchange = Exchange(
            discovery,
            Invites(own),
            self.pairing,
            self._resuming,
            Statements(memory.bounds),
            Relays(),
            Backups(),
            Witnessing(SystemRandom()),
            replication=Replication(bounds=memory.bounds),
        )
        self._loads: Pile[Origin] = Pile(subject=lambda origin: origin)
        self._steps: Pile[StoreStep] = Pile(weight=step_bytes, weight_max=memory.steps_bytes)
        self._questions: Pile[Question] = Pile()
        self._places: Pile[KeepPlace] = Pile(subject=lambda kept: kept.peer)
        self._shown_by: Pile[KeepShown] = Pile(subject=lambda kept: kept.peer)
        self._findings: Pile[Finding] = Pile()
        self._changes: Pile[KeepKnown | ForgetKnown] = Pile(subject=_community_of)
        self._settling: Pile[Settle] = Pile()
        self._compared: Pile[CompareHead] = Pile()
        self._signed: Pile[str] = Pile()
        self._statements: Pile[LoadStatements | JudgeStatement] = Pile()
        self._relay_work: Pile[RelayWork] = Pile()
        self._backups: Pile[LoadBackup] = Pile()
        self._own_questions: Pile[LoadOwnHeads | LoadHeadsOf | NoteAcknowledged] = Pile(
            subject=lambda question: question
        )
        self._shown: dict[Origin, int] = {}
        self._replies: dict[int, asyncio.Future[Reply]] = {}
        self._last_token = 0
        self._alarm: asyncio.TimerHandle | None = None

    async def load(self) -> None:
        """Bring back what the machines knew before this start; nobody is connected yet."""
        self.tell(PlacesLoaded(await self._store.places()))
        self.note_signed((CHARTER,))  # what was signed in a life before this one counts as well

    def start(self, tasks: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
        """Begin to perform, and return the tasks, which run until they are cancelled."""
        loops = (
            self._keep_changes,
            self._settle,
            self._load_lanes,
            self._look_up,
            self._take_steps,
            self._keep_places,
            self._keep_shown,
            self._compare,
            self._report,
            self._tell_signed,
            self._mind_statements,
            self._mind_relays,
            self._load_backups,
            self._ask_of_own,
        )
        self.tell(Started())
        return [tasks.create_task(loop()) for loop in loops]

    def stop(self) -> None:
        """Set no alarm any more, and let nobody wait for an answer."""
        if self._alarm is not None:
            self._alarm.cancel()
        for token in list(self._replies):
            self._perform_reply(Reply(token, None, "session_stopping"))

    def tell(self, event: Any) -> None:
        """Tell the machines what happened and do what they want."""
        now_ms = int(asyncio.get_running_loop().time() * 1000)
        for effect in self._exchange.handle(event, now_ms):
            self._perform(effect)

    def standing(self, peer: bytes) -> PeerStanding:
        """Return who is behind, an open peer or we."""
        now_ms = int(asyncio.get_running_loop().time() * 1000)
        return self._exchange.replication.standing.of(peer, now_ms)

    def shown_by(self, peer: bytes) -> Mapping[Origin, int]:
        """Return up to where an open peer has shown to hold each of our lanes."""
        return self._exchange.replication.standing.shown_by(peer)

    @property
    def paused_lanes(self) -> Mapping[Origin, int]:
        """The largest size on offer of each lane that is at its quota."""
        return self._exchange.replication.paused_lanes

    async def until_room(self) -> None:
        """Wait until no more waits to be stored than may."""
        await self._steps.until_room()

    def note_signed(self, lanes: Collection[str]) -> None:
        """Hear that own lanes have new signed heads."""
        self._signed.put(*lanes)

    def note_backup(self) -> None:
        """Hear that there may be something new for peers to keep."""
        self.tell(BackupGrown())

    def go_on_alone(self) -> None:
        """Sign without the answers that are waited for: a steward has decided so."""
        self.tell(AloneAsked())

    @property
    def start_answers(self) -> tuple[int, int]:
        """How many of the peers that are asked before the first signature have answered, and how many there are."""
        return self._resuming.answers

    def note_evidence(self) -> None:
        """Hear that the store has kept something that may travel."""
        self.tell(StatementsGrown())

    def reconsider(self, community: bytes) -> None:
        """Ask the store again which lanes of a community are wanted."""
        self._loads.put(
            *(origin for origin in self._exchange.replication.lane_states if origin.community == community)
        )

    def reconsider_all(self) -> None:
        """Ask the store again which lanes are wanted, of everybody."""
        self._loads.put(*self._exchange.replication.lane_states)

    async def ask(self, peer: bytes, request: Request) -> Answer:
        """Ask an open peer, and return its answer; raises `SessionError`, also where the peer refuses."""
        self._last_token += 1
        token = self._last_token
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._replies[token] = future
        try:
            self.tell(RequestAsked(peer, token, request))
            reply = await future
        finally:
            del self._replies[token]
        if reply.answer is None:
            raise SessionError(reply.code)
        if isinstance(reply.answer, Refused):
            raise SessionError("request_refused", reply.answer.code)
        return reply.answer

    async def answer(self, reader: bytes, request: Request) -> Answer:
        """Answer a peer's request from the store."""
        try:
            if isinstance(request, CosignGet):
                return await self._store.cosign(request)
            if not isinstance(request, SealedPut):
                return await self._store.answer(reader, request)
            kept = await self._store.keep_sealed(reader, request.objects)
        except (StorageError, NodeError) as error:
            log.warning("a peer was not answered: %s", error.code)
            return Refused(request.number, "store_unavailable", "")
        return SealedAck(request.number, kept) if kept else Refused(request.number, "sealed_not_admitted", "")

    def _perform(self, effect: Any) -> None:
        match effect:
            case Send():
                self._links.send(effect.peer, effect.frame)
            case Serve():
                self._links.serve(effect.peer, effect.request)
            case RememberHead() | StoreEntries() | AdoptHead() | KeepCosignatures():
                self._steps.put(effect)
            case LoadLanes():
                self._loads.put(*effect.origins)
            case SumUpHeads() | ProveGrowth() | LoadWitnesses():
                self._questions.put(effect)
            case KeepPlace():
                self._places.put(effect)
            case KeepShown():
                self._shown_by.put(effect)
            case Reply():
                self._perform_reply(effect)
            case WakeAt():
                self._set_alarm(effect.at_ms)
            case Dial():
                self._links.dial(effect)
            case AskWitness():
                self._links.ask_witness(effect)
            case KeepKnown() | ForgetKnown():
                self._changes.put(effect)
            case TakeInvite() | EndRedemption() | TrustPeer() | FollowKnown():
                self._settling.put(effect)
            case ReadClock():
                self.tell(ClockRead(system_clock()))
            case Drop():
                self._links.drop(effect.peer, effect.code)
            case Blame():
                self.blames[effect.code] += 1
                log.info("a peer is blamed: %s %s", effect.code, effect.detail)
            case LoadStatements() | JudgeStatement():
                self._statements.put(effect)
            case LoadRelays() | LoadParts() | NoteTerms() | NotePut() | NoteListed():
                self._relay_work.put(effect)
            case LoadBackup():
                self._backups.put(effect)
            case LoadOwnHeads() | LoadHeadsOf() | NoteAcknowledged():
                self._own_questions.put(effect)
            case HoldSigning():
                self._store.hold_signing()
            case AllowSigning():
                self._store.allow_signing()
            case StopSigning():
                self._store.stop_signing(effect.code)
            case CompareHead():
                self._compared.put(effect)
            case ReportFork() | ReportDamage() | OwnLaneSeen():
                self._findings.put(effect)

    def _perform_reply(self, reply: Reply) -> None:
        future = self._replies.get(reply.token)
        if future is not None and not future.done():
            future.set_result(reply)

    def _set_alarm(self, at_ms: int) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = asyncio.get_running_loop().call_at(at_ms / 1000 + 0.001, self.tell, Woken())

    async def _keep_changes(self) -> None:
        """What cannot be kept now is found again."""
        while True:
            changes = await self._changes.take_all()
            try:
                await self._store.take_changes(changes)
            except (StorageError, NodeError) as error:
                log.warning("what was found was not kept: %s", error.code)

    async def _settle(self) -> None:
        """What cannot be written now ends with a code, and is asked for again."""
        while True:
            for effect in await self._settling.take_all():
                try:
                    self.tell(await self._store.settle(effect))
                except (StorageError, NodeError, ProtocolError) as error:
                    log.warning("trust was not settled: %s", error.code)
                    self.tell(SettlingFailed(effect))

    async def _load_lanes(self) -> None:
        while True:
            origins = tuple(dict.fromkeys(await self._loads.take_all()))
            try:
                held, unwanted = await self._store.hold_lanes(origins)
            except (StorageError, NodeError) as error:
                log.warning("lanes were not looked up: %s", error.code)  # the machine asks again
            else:
                await self._tell_lanes(held, unwanted)

    async def _tell_lanes(self, held: Sequence[HeldLane], unwanted: Sequence[Origin]) -> None:
        """A few lanes in each round of the loop: every one may have signatures verified."""
        for told in lanes_loaded(held, unwanted):
            self.tell(told)
            await asyncio.sleep(0)

    async def _look_up(self) -> None:
        while True:
            for question in await self._questions.take_all():
                try:
                    found = await self._store.look_up(question)
                except (StorageError, NodeError) as error:
                    log.warning("the store did not answer: %s", error.code)  # the machine asks again
                else:
                    self.tell(found)

    async def _keep_places(self) -> None:
        while True:
            places = {kept.peer: kept.place for kept in await self._places.take_all()}
            try:
                await self._store.keep_places(places)
            except (StorageError, NodeError) as error:
                log.warning("places were not kept: %s", error.code)  # the list is told again

    async def _keep_shown(self) -> None:
        while True:
            shown = await self._shown_by.take_all()
            try:
                await self._store.keep_shown(shown)
            except (StorageError, NodeError) as error:
                log.warning("what peers have shown was not kept: %s", error.code)  # they show it again

    async def _take_steps(self) -> None:
        while True:
            for event in await self._taken(await self._steps.take_all()):
                self.tell(event)

    async def _taken(self, steps: Sequence[StoreStep]) -> Sequence[StepOutcome]:
        """What came of the steps; where a transaction fails, each lane is tried alone."""
        try:
            return await self._store.take_steps(steps, peers=self._exchange.replication.open_peers)
        except (StorageError, NodeError) as error:
            origins = dict.fromkeys(step.origin for step in steps)
            if len(origins) == 1:
                log.warning("%s was not stored: %s", steps[0].origin.text, error.code)
                return [StepsFailed(steps[0].origin)]
        alone = [[step for step in steps if step.origin == origin] for origin in origins]
        return [event for some in alone for event in await self._taken(some)]

    async def _compare(self) -> None:
        while True:
            for wanted in await self._compared.take_all():
                try:
                    await self._store.compare_head(wanted.origin, wanted.head)
                except (StorageError, NodeError) as error:
                    log.warning("%s was not compared: %s", wanted.origin.text, error.code)
                    self.tell(StepsFailed(wanted.origin))  # its heads are asked for again
                else:
                    self.tell(HeadCompared(wanted.origin))

    async def _report(self) -> None:
        while True:
            for finding in await self._findings.take_all():
                log.warning("%s: %s", type(finding).__name__, finding.origin.text)
                try:
                    await self._store.report(finding)
                except (StorageError, NodeError) as error:
                    log.warning("the finding was not kept: %s", error.code)

    async def _ask_of_own(self) -> None:
        while True:
            for effect in await self._own_questions.take_all():
                try:
                    await self._ask_one(effect)
                except (StorageError, NodeError) as error:
                    log.warning("the own heads are not at hand: %s", error.code)  # the machine asks again

    async def _ask_one(self, effect: LoadOwnHeads | LoadHeadsOf | NoteAcknowledged) -> None:
        match effect:
            case LoadOwnHeads():
                self.tell(await self._store.own_heads())
            case LoadHeadsOf():
                self.tell(await self._store.heads_of(effect.peer))
            case NoteAcknowledged():
                await self._store.note_acknowledged(effect.peer)

    async def _mind_statements(self) -> None:
        while True:
            for effect in await self._statements.take_all():
                try:
                    self.tell(await self._minded(effect))
                except (StorageError, NodeError) as error:
                    log.warning("statements are not at hand: %s", error.code)  # the machine asks again
                    if isinstance(effect, JudgeStatement):
                        self.tell(StatementUnjudged(digest_of(effect.text)))

    async def _minded(self, effect: LoadStatements | JudgeStatement) -> StatementsLoaded | StatementJudged:
        if isinstance(effect, JudgeStatement):
            return await self._store.judge_statement(effect.peer, effect.text)
        return await self._store.load_statements(effect.after)

    async def _mind_relays(self) -> None:
        while True:
            for work in await self._relay_work.take_all():
                try:
                    event = await self._store.do_relay_work(work)
                except (StorageError, NodeError) as error:
                    log.warning("the relays' affairs are put off: %s", error.code)
                    event = WorkFailed(work)
                if event is not None:
                    self.tell(event)

    async def _load_backups(self) -> None:
        while True:
            for effect in await self._backups.take_all():
                try:
                    self.tell(await self._store.load_backup(effect))
                except (StorageError, NodeError) as error:
                    log.warning("what peers keep for us was not looked up: %s", error.code)
                    self.tell(BackupLoaded(effect.peer, is_keeper=False))

    async def _tell_signed(self) -> None:
        """Push own heads. After a word in the charter those of all lanes: it may have let somebody in."""
        while True:
            lanes = set(await self._signed.take_all())
            try:
                advances = await self._store.own_advances(
                    None if CHARTER in lanes else lanes,
                    shown=self._shown,
                    peers=self._exchange.replication.open_peers,
                )
            except (StorageError, NodeError) as error:
                log.warning("new heads were not pushed: %s", error.code)  # peers ask for them
                continue
            for advance in advances:
                self._shown[advance.origin] = advance.head.size
                self.tell(advance)


def _community_of(change: KeepKnown | ForgetKnown) -> bytes:
    return change.known.community if isinstance(change, KeepKnown) else change.community
