"""A budget of memory that many peers fill: whoever holds most gives way, and nobody else loses anything."""

from protocol.exchange.shares import Shares


def test_what_is_held_is_counted_by_peer_and_name() -> None:
    """A name that is held again is counted once, and what is let go of is not counted."""
    shares: Shares[str] = Shares(10)
    shares.hold(b"a", "one", 4)
    shares.hold(b"a", "one", 6)
    shares.hold(b"b", "one", 2)
    assert shares.held_bytes == 8
    shares.release(b"a", "one")
    shares.release(b"a", "one")
    shares.release(b"c", "one")
    assert shares.held_bytes == 2
    assert shares.too_much() is None


def test_whoever_holds_most_gives_way_newest_first() -> None:
    """However much one peer brings, those who hold no more than an equal share keep all of it."""
    shares: Shares[int] = Shares(100)
    for number in range(9):
        shares.hold(b"greedy", number, 10)
    shares.hold(b"modest", 0, 40)
    gone = []
    while (place := shares.too_much()) is not None:
        gone.append(place)
        shares.release(*place)
    assert gone == [(b"greedy", 8), (b"greedy", 7), (b"greedy", 6)]
    assert shares.held_bytes == 100


def test_all_who_hold_something_under_one_name_are_noted_at_once() -> None:
    """Who is not among them any more holds nothing there, and what is held elsewhere stays."""
    shares: Shares[str] = Shares(100)
    shares.hold(b"a", "elsewhere", 1)
    shares.hold_all("lane", {b"a": 10, b"b": 20})
    shares.hold_all("lane", {b"b": 5})
    assert shares.held_bytes == 6
    shares.hold_all("lane", {})
    assert shares.held_bytes == 1


def test_who_is_alone_may_have_all_of_it() -> None:
    """Nothing is kept free for peers that are not there."""
    shares: Shares[int] = Shares(100)
    shares.hold(b"a", 0, 100)
    assert shares.too_much() is None
