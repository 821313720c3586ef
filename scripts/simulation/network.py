"""The seeded network: messages between two ends of a connection are delayed, lost, doubled and overtaken.

A connection knows nothing of sessions; what arrives is handed to the end that it was sent to, if that end still
listens. Who is cut off from whom is said for each direction alone. A node without power answers nobody, and one
that has come back resets what it does not know: until then the other end is half open.

    network = Network(agenda, random, latencies)
    network.conditions = Conditions(loss=0.02, doubles=0.02, disorder=0.1)
    network.cut.add((one, other))               # from one to the other nothing arrives
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from simulation.agenda import Agenda

CONNECT_MS = 10_000  # then a dialler gives up
_DISORDER_MS = 400


class End(Protocol):
    """One end of a connection, at one node."""

    place: int
    is_dialler: bool

    def connected(self) -> None:
        """The connection stands."""

    def arrived(self, raw: bytes) -> None:
        """A message has come."""

    def lost(self) -> None:
        """The connection is gone."""


class Host(Protocol):
    """Where connections end: a node, with power or without."""

    place: int
    is_up: bool
    is_outbound_only: bool

    def accept(self, dialled: "Connection") -> End | None:
        """Make the listening end of a connection, or refuse it."""


@dataclass
class Conditions:
    """What the network does to messages, as probabilities each."""

    loss: float = 0.0
    doubles: float = 0.0
    disorder: float = 0.0

    @property
    def is_calm(self) -> bool:
        """Whether every message arrives once and in order."""
        return not (self.loss or self.doubles or self.disorder)


@dataclass(eq=False)
class Connection:
    """Two ends and when the last message to each of them arrives, which none overtakes in good order."""

    dialler_place: int
    listener_place: int
    dialler: End | None = None
    listener: End | None = None
    is_settled: bool = False
    last_ms: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})

    def other(self, end: End) -> End | None:
        """Return the far end, if it still listens."""
        return self.listener if end.is_dialler else self.dialler

    def leave(self, end: End) -> None:
        """Take one end away."""
        if end.is_dialler:
            self.dialler = None
        else:
            self.listener = None


class Network:
    """All connections of a world."""

    def __init__(
        self, agenda: Agenda, random: Random, latency_ms: Callable[[int, int], int], counts: Counter[str]
    ) -> None:
        """Take the time, the chance, how long the way from one place to another is, and where to count."""
        self.conditions = Conditions()
        self.cut: set[tuple[int, int]] = set()
        self.hosts: dict[int, Host] = {}
        self.bytes_sent = 0
        self._agenda = agenda
        self._random = random
        self._latency_ms = latency_ms
        self._counts = counts

    @property
    def is_calm(self) -> bool:
        """Whether nothing happens to messages."""
        return self.conditions.is_calm and not self.cut

    def dial(
        self, caller: int, callee: int, end: Callable[[Connection], End | None], failed: Callable[[], None]
    ) -> None:
        """Open a connection; `end` makes the caller's end of it, None where its power went."""
        way_ms = self._way_ms(caller, callee) + self._way_ms(callee, caller)
        host = self.hosts[callee]
        if host.is_outbound_only or not host.is_up or self._is_cut(caller, callee):
            refused = host.is_up or self._random.random() < 0.5
            self._agenda.after(way_ms if refused else CONNECT_MS, failed)
            return
        self._agenda.after(way_ms, lambda: self._meet(caller, callee, end, failed))

    def send(self, connection: Connection, sender: End, raw: bytes) -> None:
        """Send one message to the other end; it is lost without a sign where the way is cut."""
        receiver = connection.other(sender)
        if receiver is None:
            return
        self.bytes_sent += len(raw)
        if (sender.place, receiver.place) in self.cut:
            self._counts["messages cut off"] += 1
            return
        chance = self.conditions
        copies = 1
        if not chance.is_calm:
            copies = self._copies(connection)
        for _ in range(copies):
            self._agenda.after(
                self._delay_ms(connection, sender, receiver), _Arrival(self, connection, sender, raw)
            )

    def close(self, connection: Connection, closer: End) -> None:
        """One end has closed; the other hears of it, if it can."""
        other = connection.other(closer)
        connection.leave(closer)
        if other is None or (closer.place, other.place) in self.cut:
            return
        way_ms = self._delay_ms(connection, closer, other)
        self._agenda.after(way_ms, lambda: self._hear_end(connection, other))

    def forget(self, connection: Connection, end: End) -> None:
        """The node at this end is without power: nobody is told."""
        connection.leave(end)
        self._counts["half-open links"] += 1

    def arrive(self, connection: Connection, sender: End, raw: bytes) -> None:
        """Hand over a message, or reset a connection that its receiver does not know any more."""
        receiver = connection.other(sender)
        if receiver is not None:
            receiver.arrived(raw)
            return
        place = connection.listener_place if sender.is_dialler else connection.dialler_place
        if self.hosts[place].is_up and (place, sender.place) not in self.cut:
            way_ms = self._way_ms(place, sender.place)
            self._agenda.after(way_ms, lambda: self._hear_end(connection, sender))

    def _meet(
        self, caller: int, callee: int, end: Callable[[Connection], End | None], failed: Callable[[], None]
    ) -> None:
        if not self.hosts[callee].is_up or self._is_cut(caller, callee):
            failed()
            return
        connection = Connection(caller, callee)
        connection.listener = self.hosts[callee].accept(connection)
        if connection.listener is None:
            failed()
            return
        connection.dialler = end(connection)
        connection.listener.connected()
        if connection.dialler is not None:
            connection.dialler.connected()

    def _hear_end(self, connection: Connection, end: End) -> None:
        if end in (connection.dialler, connection.listener):
            end.lost()

    def _copies(self, connection: Connection) -> int:
        chance = self.conditions
        if self._random.random() < chance.loss:
            self._counts["messages lost"] += 1
            return 0
        if connection.is_settled and self._random.random() < chance.doubles:
            self._counts["messages doubled"] += 1
            return 2
        return 1

    def _delay_ms(self, connection: Connection, sender: End, receiver: End) -> int:
        way_ms = self._way_ms(sender.place, receiver.place)
        at_ms = self._agenda.machine_ms + way_ms
        side = sender.is_dialler
        if (
            connection.is_settled
            and self.conditions.disorder
            and self._random.random() < self.conditions.disorder
        ):
            self._counts["messages overtaken"] += 1
            return way_ms + self._random.randint(0, _DISORDER_MS)
        connection.last_ms[side] = max(at_ms, connection.last_ms[side])
        return connection.last_ms[side] - self._agenda.machine_ms

    def _way_ms(self, one: int, other: int) -> int:
        base = self._latency_ms(one, other)
        return base + int(base * 0.2 * self._random.random())

    def _is_cut(self, one: int, other: int) -> bool:
        return (one, other) in self.cut or (other, one) in self.cut


class _Arrival:
    """One message on its way: a plain object costs less than a closure over four names."""

    __slots__ = ("_connection", "_network", "_raw", "_sender")

    def __init__(self, network: Network, connection: Connection, sender: End, raw: bytes) -> None:
        self._network, self._connection, self._sender, self._raw = network, connection, sender, raw

    def __call__(self) -> None:
        self._network.arrive(self._connection, self._sender, self._raw)
