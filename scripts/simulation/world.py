"""A world: nodes, network, people and time, from one seed; first harm, then healing, then the verdict.

run = simulate(SCENARIOS["crashes"], nodes=8, seed=7)
run.violations, run.digest, run.counts
"""

import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from protocol.errors import ProtocolError
from protocol.limits import POLL_MS
from simulation.agenda import Agenda
from simulation.agreement import contested_communities, disagreement, fold_anew
from simulation.communities import Community
from simulation.latencies import Latency, latencies
from simulation.network import Conditions, Network
from simulation.node import Node
from simulation.oracle import Oracle, check_balances
from simulation.people import do_something, finish, publish_many, settle_in
from simulation.settling import check_orders
from simulation.sharing import shared_answers
from storage.errors import StorageError

TOO_LITTLE = "too little happened"
HOUR_MS = 3_600_000
# What a machine raises where it has a bug of its own.
BUGS = (
    AssertionError,
    ArithmeticError,
    AttributeError,
    LookupError,
    ProtocolError,
    RecursionError,
    StorageError,
    TypeError,
    ValueError,
)
PEERS_MODE_NODES_MAX = 10  # up to here trade and ledger are for vouched peers, beyond it public
TARGETS = 3  # whom each node dials
ACTS_A_NODE = 2  # what people do at each node in one burst
_SETTLING_MS = 5_000
_BURST_MS = 20_000
_SETTLE_MS = 2 * POLL_MS
_ROUND_MS = 1_000
_PROGRESS_STEPS = 500


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What goes wrong in a run, and how much of it there has to be for the run to count.

    `arrange` plans the harm within the first `hours`. `needs` are the least counts of a run with the
    scenario's own number of nodes; in runs with fewer nodes or hours the first of each is enough.
    """

    name: str
    says: str
    arrange: Callable[["World"], None]
    needs: Mapping[str, int]
    nodes: int = 8
    hours: float = 2.0
    heal_seconds_max: int = 900
    bursts_an_hour: float = 4.0
    bulk: float = 0.01  # how often somebody publishes hundreds of listings instead of doing one thing
    is_line: bool = False  # everybody dials the one before, and nobody else
    delivery_ms_max: int | None = None
    proof_seconds_max: float | None = None


@dataclass(kw_only=True)
class Run:
    """What came of one run."""

    scenario: str
    nodes: int
    seed: int
    hours: float
    digest: str
    violations: list[str]
    counts: Counter[str]
    steps: int
    node_hours: float
    stepped_node_hours: float
    healed_seconds: float | None
    bytes_sent: int
    entries: int = 0
    delivery_ms: tuple[int, ...] = ()
    spread_ms: tuple[int, ...] = ()
    proof_bytes_max: int = 0

    @property
    def has_broken(self) -> bool:
        """Whether something did not hold, other than that too little happened."""
        return any(TOO_LITTLE not in violation for violation in self.violations)

    @property
    def command(self) -> str:
        """The command that repeats it."""
        hours = f" --hours {self.hours:g}"
        return f"scripts/simulate --nodes {self.nodes} --seed {self.seed} --scenario {self.scenario}{hours}"


@dataclass
class World:
    """Everything of one run."""

    scenario: Scenario
    nodes_count: int
    seed: int
    hours: float
    topology: Path | None = None
    latency_ms: Latency | None = None
    on_progress: Callable[[float, str], None] = lambda _part, _words: None
    counts: Counter[str] = field(default_factory=Counter)
    nodes: list[Node] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Found the communities and connect them; nobody has power yet."""
        self.random = Random(f"{self.scenario.name} {self.nodes_count} {self.seed}")
        self.agenda = Agenda()
        way_ms = self.latency_ms or latencies(2 * self.nodes_count, self._stream("latency"), self.topology)
        self.network = Network(self.agenda, self._stream("network"), way_ms, self.counts)
        self.oracle = Oracle(self.agenda, self.counts)
        self.oracle.delivery_ms_max = self.scenario.delivery_ms_max
        self.up_ms = self.idle_ms = 0
        self._people = self._stream("people")
        for place in range(self.nodes_count):
            self.add_node(Community(f"community {place}"))
        for node in self.nodes:
            node.follows = {other.community.id: other.community.first for other in self.nodes}
            node.targets = self._choose_targets(node)
            node.visibility = "peers" if self.nodes_count <= PEERS_MODE_NODES_MAX else "public"
            node.started.append(self._settle_in)

    @property
    def harm_ms(self) -> int:
        """When harming ends."""
        return int(self.hours * HOUR_MS)

    @property
    def honest(self) -> list[Node]:
        """The nodes that do as they should."""
        return [node for node in self.nodes if node.is_honest]

    def add_node(self, community: Community) -> Node:
        """Make one more node, without power."""
        place = len(self.nodes)
        node = Node(
            place,
            community,
            agenda=self.agenda,
            network=self.network,
            random=self._stream(f"node {place}"),
            counts=self.counts,
            oracle=self.oracle,
        )
        self.nodes.append(node)
        return node

    def at_the_end(self, times: int, act: Callable[[], None]) -> None:
        """Plan something at so many moments while the last burst goes on, right before the healing."""
        for _ in range(times):
            self.agenda.plan(self.harm_ms - self.random.randint(1, 2 * _BURST_MS), act)

    def at_random(self, times: float, act: Callable[[], None]) -> None:
        """Plan something at so many random moments of the harming hours (a fraction is a chance)."""
        count = int(times) + (self.random.random() < times % 1)
        for _ in range(count):
            self.agenda.plan(self.random.randint(1, self.harm_ms), act)

    # The two phases.

    def run(self) -> Run:
        """Live through all of it and return what came of it."""
        healed = None
        try:
            healed = self._live()
        except BUGS as error:
            self.oracle.fail(f"a machine broke: {type(error).__name__} {error} in {_place_of(error)}")
        return Run(
            scenario=self.scenario.name,
            nodes=self.nodes_count,
            seed=self.seed,
            hours=self.hours,
            digest=self.agenda.digest,
            violations=self.oracle.violations,
            counts=self.counts,
            steps=self.agenda.steps,
            node_hours=self.up_ms / HOUR_MS,
            stepped_node_hours=(self.up_ms - self.idle_ms) / HOUR_MS,
            healed_seconds=healed,
            bytes_sent=self.network.bytes_sent,
            delivery_ms=tuple(self.oracle.delivery_ms),
            spread_ms=tuple(self.oracle.spread_ms),
            proof_bytes_max=self.oracle.proof_bytes_max,
            entries=sum(
                len(node.disk.image.lane(o).leaves) for node in self.nodes for o in node.disk.image.lanes
            ),
        )

    def _live(self) -> float | None:
        for node in self.nodes:
            node.start()
        self._plan_people()
        self.scenario.arrange(self)
        self._live_until(self.harm_ms)
        self.oracle.check_again(self.honest)
        self._heal()
        healed = self._settle()
        if not self.oracle.violations:
            self._judge(healed)
        return healed

    def _plan_people(self) -> None:
        """People come in bursts: many at once, and then nobody for a while."""
        starts_ms = [
            self._people.randint(1, self.harm_ms)
            for _ in range(int(self.scenario.bursts_an_hour * self.hours))
        ]
        for start_ms in (*starts_ms, self.harm_ms - 2 * _BURST_MS):  # the last one right before the healing
            for _ in range(ACTS_A_NODE * self.nodes_count):
                at_ms = start_ms + int(self._people.expovariate(1) * _BURST_MS)
                if at_ms < self.harm_ms:
                    self.agenda.plan(at_ms, self._act_quickly)

    def _act_quickly(self) -> None:
        """Several things in quick succession at one node, so that news overtakes what it follows."""
        node = self._people.choice(self.nodes)
        for number in range(self._people.choice((1, 1, 2, 3))):
            at_ms = self.agenda.now_ms + number * self._people.randint(20, 400)
            self.agenda.plan(at_ms, lambda: self.act(node))

    def act(self, actor: Node) -> None:
        """Let somebody do something at a node."""
        if actor.is_up:
            is_bulk = self._people.random() < self.scenario.bulk
            act = publish_many if is_bulk else do_something
            actor.run(lambda: act(actor, self._people))

    def _live_until(self, end_ms: int) -> None:
        agenda = self.agenda
        while not self.oracle.violations:
            before = agenda.now_ms
            planned = agenda.next_planned_ms
            next_ms = end_ms if planned is None else min(planned, end_ms)
            if self._stands_still(next_ms):
                agenda.skip_to(next_ms)
                self.idle_ms += (next_ms - before) * sum(node.is_up for node in self.nodes)
                self.counts["idle milliseconds skipped"] += next_ms - before
            went_on = agenda.step(end_ms)
            if agenda.steps % _PROGRESS_STEPS == 0:
                self._tell_progress()
                self._check_silence()
            self.up_ms += (agenda.now_ms - before) * sum(node.is_up for node in self.nodes)
            if not went_on:
                return

    def _tell_progress(self) -> None:
        words = f"{self.agenda.now_ms / HOUR_MS:.1f} h, {self.agenda.steps} steps, {self.counts['heads signed']} heads"
        self.on_progress(min(1.0, self.agenda.now_ms / self.harm_ms), words)

    def _check_silence(self) -> None:
        for node in self.nodes:
            if node.is_up:
                node.links.check_silence()

    def _stands_still(self, next_ms: int) -> bool:
        """Whether nothing but idle rounds has happened for long enough that every peer was asked once."""
        agenda = self.agenda
        still_ms = agenda.now_ms - agenda.material_ms
        if still_ms < _SETTLE_MS or next_ms - agenda.now_ms < _SETTLE_MS or not self.network.is_calm:
            return False
        peers = max(
            (len(node.exchange.replication.open_peers) for node in self.nodes if node.is_up), default=0
        )
        return still_ms >= (peers + 1) * POLL_MS

    def _heal(self) -> None:
        """The network is whole, everybody has power, and nobody touches anything."""
        self.agenda.drop_plans()
        self.network.conditions = Conditions()
        self.network.cut.clear()
        for node in self.nodes:
            node.fuse, node.is_disk_full = None, False
            if not node.is_up:
                node.start()
        self.healing_ms = self.agenda.now_ms

    def _settle(self) -> float | None:
        """Let people finish what they began, until all honest nodes agree; return after how many seconds."""
        end_ms = self.agenda.now_ms + self.scenario.heal_seconds_max * 1000
        while self.agenda.now_ms < end_ms and not self.oracle.violations:
            self._live_until(self.agenda.now_ms + _ROUND_MS)
            if disagreement(self.honest, self.oracle):
                continue
            busy = [node for node in self.honest if not node.writer.refusal and self._finishes(node)]
            if not busy:
                return (self.agenda.now_ms - self.healing_ms) / 1000
        return None

    def _finishes(self, node: Node) -> bool:
        left: list[bool] = []
        node.run(lambda: left.append(finish(node)))
        return any(left)

    # The verdict.

    def _judge(self, healed: float | None) -> None:
        oracle = self.oracle
        oracle.recovering.clear()
        oracle.check_again(self.honest)
        if healed is None:
            why = disagreement(self.honest, oracle) or "people have not finished"
            oracle.fail(f"not healed within {self.scenario.heal_seconds_max} s: {why}")
            return
        cuts = {node.views.cut for node in self.honest}
        digests = {node.views.state.digest for node in self.honest}
        if self.scenario.needs and len(cuts) == 1 and digests != {fold_anew(self.honest[0])}:
            oracle.fail("folded anew, the lanes give another state")
        honest = {node.community.id for node in self.honest} - contested_communities(self.honest)
        oracle.check_proofs(self.honest, self.scenario.proof_seconds_max)
        for node in self.honest:
            check_balances(node, oracle, honest)
            check_orders(node, oracle, honest)
            # Where the seller signed two histories, a posting cites the branch that its maker holds.
            if any(honest.issuperset(key[:2]) for key in node.views.state.keys["awaited"]):
                oracle.fail(f"{node.name} awaits postings after all are made")
        for what, least in self.scenario.needs.items():
            is_full = self.nodes_count >= self.scenario.nodes and self.hours >= self.scenario.hours
            if self.counts[what] < (least if is_full else min(least, 1)):
                oracle.fail(f"{TOO_LITTLE}: {self.counts[what]} {what}, {least} needed")

    # How it is set up.

    def _stream(self, what: str) -> Random:
        """A source of chance of its own, so that one part of a world does not move the others."""
        return Random(f"{self.scenario.name} {self.nodes_count} {self.seed} {what}")

    def _choose_targets(self, node: Node) -> list[Node]:
        """A ring, so that all are connected, and some others."""
        if self.scenario.is_line:
            return self.nodes[node.place - 1 : node.place] if node.place else []
        others = [other for other in self.nodes if other is not node]
        if not others:
            return []
        chosen = [self.nodes[(node.place + 1) % len(self.nodes)]]
        chosen += self.random.sample(others, min(TARGETS - 1, len(others)))
        return list(dict.fromkeys(chosen))

    def _settle_in(self, node: Node) -> None:
        is_peers = node.visibility == "peers"
        vouched = [other.community.id for other in self.nodes if other is not node] if is_peers else []
        self._try_settling_in(node, vouched)

    def _try_settling_in(self, node: Node, vouched: list[bytes]) -> None:
        """Again and again: a node that waits for its neighbours says nothing."""

        def settle() -> None:
            if not settle_in(node, vouched):
                node.later(_SETTLING_MS, settle)

        node.later(50, settle)


def _place_of(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def simulate(
    scenario: Scenario,
    *,
    nodes: int | None = None,
    seed: int,
    hours: float | None = None,
    topology: Path | None = None,
    on_progress: Callable[[float, str], None] = lambda _part, _words: None,
) -> Run:
    """Run one scenario from one seed and return what came of it."""
    world = World(
        scenario, nodes or scenario.nodes, seed, hours or scenario.hours, topology, on_progress=on_progress
    )
    with shared_answers():
        return world.run()
