"""The one place where a machine of `protocol/exchange` is plugged into the simulated node.

`make_exchange` says which machines stand behind the door; `PERFORMERS` says what a node does for each effect
that a machine leaves to its driver. What is not named here fails loudly when it first comes up.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from protocol.exchange.exchange import Exchange
from protocol.exchange.following import OwnLaneSeen, ReportDamage
from protocol.exchange.frames import Heads, HeadsSince, StatementDigests, StatementsSince
from protocol.exchange.holding import (
    AdoptHead,
    Blame,
    CompareHead,
    RememberHead,
    ReportFork,
    StoreEntries,
    StoreStep,
)
from protocol.exchange.listing import SumUpHeads
from protocol.exchange.places import KeepPlace
from protocol.exchange.replication_events import Drop, LoadLanes, Reply, Send, Serve, WakeAt
from protocol.exchange.resuming import (
    AllowSigning,
    HoldSigning,
    LoadHeadsOf,
    LoadOwnHeads,
    NoteAcknowledged,
    Resuming,
    StopSigning,
)
from protocol.exchange.standing import KeepShown
from protocol.exchange.statements import JudgeStatement, LoadStatements, Statements
from simulation.proving import compare_head, judge_statement, report_fork

if TYPE_CHECKING:
    from simulation.node import Node

Perform = Callable[["Node", Any], None]


def make_exchange(node: "Node") -> Exchange:
    """Return the machines of one life of a node."""
    return Exchange(Resuming(), Statements())


def is_idle(effect: Any) -> bool:
    """Whether an effect belongs to the round that goes on for ever while nothing is new."""
    if isinstance(effect, Send):
        frame = effect.frame
        is_empty = (isinstance(frame, Heads) and not frame.heads and not frame.has_more) or (
            isinstance(frame, StatementDigests) and not frame.digests
        )
        return is_empty or isinstance(frame, HeadsSince | StatementsSince)
    if isinstance(effect, Serve):
        return isinstance(effect.request, HeadsSince | StatementsSince)
    return isinstance(effect, WakeAt | KeepPlace | KeepShown)


def _send(node: "Node", effect: Send) -> None:
    node.send(effect.peer, effect.frame)


def _serve(node: "Node", effect: Serve) -> None:
    node.serve(effect.peer, effect.request)


def _load(node: "Node", effect: LoadLanes) -> None:
    node.load_lanes(effect.origins)


def _sum_up(node: "Node", effect: SumUpHeads) -> None:
    node.sum_up(effect)


def _keep(node: "Node", effect: KeepPlace) -> None:
    node.keep_place(effect)


def _keep_shown(_node: "Node", _effect: KeepShown) -> None:
    """Nobody here asks who was behind while it was away."""


def _store(node: "Node", effect: StoreStep) -> None:
    node.take_step(effect)


def _wake(node: "Node", effect: WakeAt) -> None:
    node.set_alarm(effect.at_ms)


def _drop(node: "Node", effect: Drop) -> None:
    node.links.drop(effect.peer, effect.code)


def _blame(node: "Node", effect: Blame) -> None:
    node.oracle.blamed(node, effect)


def _fork(node: "Node", effect: ReportFork) -> None:
    node.oracle.accused(node, effect.origin)
    report_fork(node, effect)


def _compare(node: "Node", effect: CompareHead) -> None:
    node.later(1, lambda: compare_head(node, effect))


def _damage(node: "Node", effect: ReportDamage) -> None:
    node.oracle.fail(f"{node.name} finds its copy of {effect.origin.text} damaged")


def _own_lane(node: "Node", _effect: OwnLaneSeen) -> None:
    node.count("own heads met that the store does not have")


def _load_own(node: "Node", _effect: LoadOwnHeads) -> None:
    node.load_own_heads()


def _load_of(node: "Node", effect: LoadHeadsOf) -> None:
    node.load_heads_of(effect.peer)


def _acknowledged(node: "Node", effect: NoteAcknowledged) -> None:
    node.note_acknowledged(effect.peer)


def _hold(node: "Node", _effect: HoldSigning) -> None:
    node.writer.hold_signing()


def _allow(node: "Node", _effect: AllowSigning) -> None:
    node.writer.allow_signing()


def _stop(node: "Node", effect: StopSigning) -> None:
    node.count(f"signing stopped: {effect.code}")
    node.writer.stop_signing(effect.code)


def _load_statements(node: "Node", effect: LoadStatements) -> None:
    node.load_statements(effect.after)


def _reply(node: "Node", effect: Reply) -> None:
    node.replied(effect)


PERFORMERS: Mapping[type, Perform] = {
    Send: _send,
    Serve: _serve,
    LoadLanes: _load,
    SumUpHeads: _sum_up,
    KeepPlace: _keep,
    KeepShown: _keep_shown,
    LoadStatements: _load_statements,
    JudgeStatement: judge_statement,
    LoadOwnHeads: _load_own,
    LoadHeadsOf: _load_of,
    NoteAcknowledged: _acknowledged,
    HoldSigning: _hold,
    AllowSigning: _allow,
    StopSigning: _stop,
    RememberHead: _store,
    StoreEntries: _store,
    AdoptHead: _store,
    WakeAt: _wake,
    Drop: _drop,
    Blame: _blame,
    ReportFork: _fork,
    CompareHead: _compare,
    ReportDamage: _damage,
    OwnLaneSeen: _own_lane,
    Reply: _reply,
}
