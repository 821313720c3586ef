"""What comes and what goes is bounded for all links together, and nobody who is slow keeps the others out."""

import asyncio
from typing import cast

import pytest

from node.federation import intake as intake_module
from node.federation.budget import Budget
from node.federation.intake import FREE_BYTES_MAX, MESSAGE_BYTES_MAX, READ_BYTES_MAX, Intake


class Wire(asyncio.Transport):
    """Remembers whether it may read."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol: asyncio.BaseProtocol = asyncio.Protocol()
        self.is_read = True
        self.buffers: list[int | None] = []

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.buffers.append(high)


def made(places: Budget | None, *, is_stranger: bool = False) -> tuple[Wire, Intake, asyncio.Queue[str]]:
    wire, told = Wire(), asyncio.Queue[str]()
    intake = Intake(wire, is_masked=True)
    intake.on_early = lambda: told.put_nowait("early")
    if places is not None:
        intake.admit(places, is_stranger=is_stranger, on_slow=lambda: told.put_nowait("slow"))
    return wire, intake, told


def bring(wire: Wire, size: int) -> None:
    """As much as comes in one read at a time, until reading stops."""
    while size > 0 and wire.is_read:
        cast("asyncio.Protocol", wire.protocol).data_received(bytes(min(size, READ_BYTES_MAX)))
        size -= READ_BYTES_MAX


async def test_a_little_is_free_and_what_is_taken_is_free_again() -> None:
    """Small messages need no place; each is counted with the header that it came with."""
    places = Budget(MESSAGE_BYTES_MAX)
    wire, intake, _ = made(places)
    for size, header in ((10, 6), (200, 8), (70_000, 14)):
        for _ in range(1_000):
            cast("asyncio.Protocol", wire.protocol).data_received(bytes(size + header))
            intake.taken(size)
        assert (intake.waiting_bytes, wire.is_read, places.taken_bytes) == (0, True, 0)
    assert wire.buffers == [READ_BYTES_MAX]


async def test_a_large_message_waits_for_a_place_and_gives_it_back() -> None:
    """Whoever comes second is read no further until the first is through; then it goes on by itself."""
    places = Budget(MESSAGE_BYTES_MAX)
    (first, one, _), (second, other, _) = made(places), made(places)
    bring(first, MESSAGE_BYTES_MAX)
    bring(second, MESSAGE_BYTES_MAX)
    assert (first.is_read, second.is_read) == (True, False)
    assert FREE_BYTES_MAX < other.waiting_bytes <= FREE_BYTES_MAX + READ_BYTES_MAX
    one.taken(one.waiting_bytes - 14)
    await asyncio.sleep(0)
    assert second.is_read
    bring(second, 9 * MESSAGE_BYTES_MAX)
    assert other.waiting_bytes <= FREE_BYTES_MAX + MESSAGE_BYTES_MAX + READ_BYTES_MAX
    cast("asyncio.Protocol", second.protocol).connection_lost(None)
    assert places.taken_bytes == 0


async def test_strangers_never_take_all_places() -> None:
    """However many bring large messages, whom we follow finds a place."""
    places = Budget(4 * MESSAGE_BYTES_MAX)
    strangers = [made(places, is_stranger=True) for _ in range(8)]
    for wire, _, _ in strangers:
        bring(wire, MESSAGE_BYTES_MAX)
    assert sum(wire.is_read for wire, _, _ in strangers) == 2
    wire, _, _ = made(places)
    bring(wire, MESSAGE_BYTES_MAX)
    assert wire.is_read


async def test_who_keeps_others_waiting_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that does not become whole loses its place where somebody wants it, and only there."""
    monkeypatch.setattr(intake_module, "REQUEST_MS", 10)
    places = Budget(MESSAGE_BYTES_MAX)
    wire, intake, told = made(places)
    bring(wire, FREE_BYTES_MAX + 1)
    later = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.05, later.set_result, None)
    await later
    assert told.empty()
    bring(made(places)[0], FREE_BYTES_MAX + 1)
    assert await told.get() == "slow"
    intake.close()


async def test_nothing_large_is_said_before_a_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read no further, and its link told so once what could be taken of it was."""
    monkeypatch.setattr(intake_module, "EARLY_SECONDS", 0.01)
    wire, intake, told = made(None)
    bring(wire, MESSAGE_BYTES_MAX)
    assert not wire.is_read
    assert await told.get() == "early"
    intake.admit(Budget(MESSAGE_BYTES_MAX), is_stranger=True, on_slow=lambda: None)
    assert wire.is_read


async def test_a_budget_is_handed_out_in_turn() -> None:
    """Those whom we follow and strangers by turns, each kind in order; who wants none any more is passed over."""
    budget = Budget(100)
    assert budget.try_take(80, is_stranger=False)
    assert not budget.try_take(30, is_stranger=False)
    first, second = (budget.ask(size, is_stranger=False) for size in (50, 50))
    stranger = budget.ask(10, is_stranger=True)
    assert (first.done(), stranger.done(), budget.has_waiters) == (False, False, True)
    first.cancel()
    budget.give_back(80, is_stranger=False)
    assert second.done()
    assert (budget.taken_bytes, budget.has_waiters) == (60, False)
    waiting = asyncio.ensure_future(budget.take(90, is_stranger=False))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert budget.taken_bytes == 60


async def test_who_wants_much_is_not_overtaken() -> None:
    """However many strangers want a little again and again, whom we follow has its turn, and they have theirs."""
    budget = Budget(100)
    assert budget.try_take(40, is_stranger=True)
    large = budget.ask(90, is_stranger=False)
    assert not budget.try_take(5, is_stranger=True)
    small = [budget.ask(5, is_stranger=True) for _ in range(2)]
    assert not any(each.done() for each in (large, *small))
    budget.give_back(40, is_stranger=True)
    assert [each.done() for each in (large, *small)] == [True, True, True]
    later = budget.ask(90, is_stranger=False)
    stranger = budget.ask(5, is_stranger=True)
    budget.give_back(90, is_stranger=False)
    assert (later.done(), stranger.done()) == (True, False)
    budget.give_back(10, is_stranger=True)
    assert (later.done(), stranger.done()) == (True, True)


async def test_one_is_always_let_in() -> None:
    """What is larger than all of it is taken alone, by strangers too."""
    budget = Budget(10)
    assert budget.try_take(50, is_stranger=True)
    assert not budget.try_take(1, is_stranger=False)
    budget.give_back(50, is_stranger=True)
    assert budget.try_take(50, is_stranger=False)
