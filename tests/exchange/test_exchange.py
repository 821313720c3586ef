"""The machines of a node behind one door: who hears what, who is woken, who gets an answer."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from protocol.exchange.exchange import Exchange
from protocol.exchange.frames import Heads, HeadsSince, News, Ping
from protocol.exchange.machine import AskPeer, PeerAnswered, Tell
from protocol.exchange.replication_events import (
    FrameReceived,
    PeerClosed,
    PeerOpened,
    RequestAsked,
    Send,
    WakeAt,
    Woken,
)
from protocol.limits import POLL_MS
from tests.exchange.villages import A

OPENED = PeerOpened(A, 32)


@dataclass(frozen=True)
class Rang:
    """An event of the tests' own."""


@dataclass
class Listener:
    """Notes what it hears, and answers as it is told to."""

    HEARS: ClassVar[frozenset[type]] = frozenset({PeerOpened, Rang})
    FRAMES: ClassVar[frozenset[type]] = frozenset({News})
    says: dict[type, list[Any]] = field(default_factory=dict)
    heard: list[Any] = field(default_factory=list)

    def handle(self, event: Any, now_ms: int) -> list[Any]:
        self.heard.append(event)
        return self.says.get(type(event), [])


def wakes(effects: list[Any]) -> list[int]:
    return [effect.at_ms for effect in effects if isinstance(effect, WakeAt)]


def test_a_machine_hears_its_events_and_frames_and_nothing_else() -> None:
    """What a machine does not name is not its affair, and a frame is told to one machine alone."""
    listener = Listener()
    exchange = Exchange(listener)
    news = FrameReceived(A, News(b"note", 0, b"\0\0"))
    for event in (OPENED, news, FrameReceived(A, Ping(1)), PeerClosed(A), Rang()):
        exchange.handle(event, 0)
    assert listener.heard == [OPENED, news, Rang()]


def test_an_answer_comes_back_to_the_machine_that_asked() -> None:
    """Machines share the numbered requests of a session; tokens of the rest of the node are left alone."""
    question = HeadsSince(0, bytes(16), 7)
    listener = Listener({Rang: [AskPeer(A, question, "mine")]})
    exchange = Exchange(listener)
    exchange.handle(OPENED, 0)
    sent = [effect for effect in exchange.handle(Rang(), 0) if isinstance(effect, Send)]
    assert [effect.frame.after for effect in sent] == [7]
    page = Heads(sent[0].frame.number, bytes(16), 9, False, ())
    assert not [
        effect for effect in exchange.handle(FrameReceived(A, page), 0) if not isinstance(effect, WakeAt)
    ]
    assert listener.heard[-1] == PeerAnswered(A, "mine", page)
    exchange.handle(RequestAsked(A, 1, question), 0)
    assert listener.heard[-1] == PeerAnswered(A, "mine", page)


def test_a_question_to_a_peer_that_is_gone_ends_with_a_code() -> None:
    """Whoever asks hears of the end, however it comes."""
    listener = Listener({Rang: [AskPeer(A, HeadsSince(0, bytes(16), 0), "mine")]})
    exchange = Exchange(listener)
    exchange.handle(Rang(), 0)
    assert listener.heard[-1] == PeerAnswered(A, "mine", None, "session_lost")
    exchange.handle(OPENED, 0)
    exchange.handle(Rang(), 0)
    exchange.handle(PeerClosed(A), 0)
    assert listener.heard[-1] == PeerAnswered(A, "mine", None, "session_lost")


def test_one_machine_tells_another() -> None:
    """What one machine finds out, others hear as an event."""
    first, second = Listener({PeerOpened: [Tell(Rang())]}), Listener()
    Exchange(first, second).handle(OPENED, 0)
    assert Rang() in first.heard
    assert Rang() in second.heard


def test_each_machine_is_woken_at_its_own_time() -> None:
    """One alarm serves all machines: the earliest wish is armed, and only who is due is told."""
    early, late = Listener({PeerOpened: [WakeAt(100)]}), Listener({PeerOpened: [WakeAt(200)]})
    exchange = Exchange(early, late)
    assert wakes(exchange.handle(OPENED, 0)) == [100]
    assert wakes(exchange.handle(Rang(), 50)) == []
    assert wakes(exchange.handle(Woken(), 99)) == [100], "an alarm that came early is set again"
    assert Woken() not in early.heard
    assert wakes(exchange.handle(Woken(), 100)) == [200]
    assert (early.heard[-1], late.heard[-1]) == (Woken(), Rang())
    assert wakes(exchange.handle(Woken(), 200)) == [POLL_MS], "then replication is due"
    assert late.heard[-1] == Woken()
    assert wakes(exchange.handle(Woken(), POLL_MS))
