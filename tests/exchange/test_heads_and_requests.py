"""The list of changed heads, page by page, and the numbered requests of one peer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import ProtocolError, SessionError
from protocol.exchange.frames import BlobGet, Heads, HeadsSince, Refused, SealedAck, SealedGet
from protocol.exchange.heads import HeadChange, HeadsCursor, make_heads_page, read_offer
from protocol.exchange.requests import Requests
from protocol.limits import HEADS_PAGE_BYTES_MAX, HEADS_PAGE_MAX, REQUEST_MS, REQUESTS_MAX
from protocol.log.origin import Origin
from tests.exchange.villages import KEYS, A, entries, lane_of, make_net

ONE, TWO = b"1" * 16, b"2" * 16


def lane(number: int) -> Origin:
    return Origin(number.to_bytes(32, "big"), "charter", 0)


def changes(*numbers: int, note_bytes: int = 8) -> list[HeadChange]:
    return [HeadChange(number, lane(number), b"%d" % number + bytes(note_bytes)) for number in numbers]


def listen(
    cursor: HeadsCursor, all_changes: list[HeadChange], readable: set[Origin], instance: bytes
) -> list[bytes]:
    """What a peer hears until nothing more is said."""
    heard: list[bytes] = []
    while True:
        question = cursor.question()
        newest = max((change.number for change in all_changes), default=0)
        after = question.after if question.instance == instance and question.after <= newest else 0
        later = [change for change in all_changes if change.number > after]
        page = make_heads_page(question, later, readable=readable, instance=instance, newest=newest)
        assert len(page.notes) <= HEADS_PAGE_MAX
        assert sum(map(len, page.notes)) <= HEADS_PAGE_BYTES_MAX
        heard += page.notes
        if not cursor.take(page):
            return heard


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(1, 3000), max_size=900), st.sets(st.integers(1, 3000), max_size=900))
def test_every_visible_change_is_heard_once_and_no_other(numbers: set[int], hidden: set[int]) -> None:
    """Whatever the pages, the asker hears exactly what it may see, in order, and nothing twice."""
    told = changes(*sorted(numbers))
    readable = {change.origin for change in told if change.number not in hidden}
    cursor = HeadsCursor()
    heard = listen(cursor, told, readable, ONE)
    assert heard == [change.note for change in told if change.number not in hidden]
    assert listen(cursor, told, readable, ONE) == []


def test_large_notes_make_short_pages() -> None:
    """The bytes of a page are bounded too, and one note always fits."""
    told = changes(*range(1, 30), note_bytes=60_000)
    readable = {change.origin for change in told}
    assert len(listen(HeadsCursor(), told, readable, ONE)) == 29


def test_another_instance_is_listened_to_from_its_beginning() -> None:
    """A store that was restored has another instance id, and its numbers say nothing about ours."""
    told = changes(1, 2, 3)
    readable = {change.origin for change in told}
    cursor = HeadsCursor()
    assert len(listen(cursor, told, readable, ONE)) == 3
    assert len(listen(cursor, told, readable, TWO)) == 3
    assert len(listen(cursor, told[:2], readable, TWO)) == 2  # a number from the future means: start over


def test_a_list_that_was_not_followed_up_is_heard_again() -> None:
    """Forgetting waits for the end of the list, so that a fault on one page does not hide the next."""
    cursor = HeadsCursor()
    assert cursor.take(Heads(1, ONE, 5, True, ()))
    cursor.forget()
    assert cursor.question() == HeadsSince(0, ONE, 5)
    assert not cursor.take(Heads(2, ONE, 9, False, ()))
    assert cursor.question() == HeadsSince(0, ONE, 0)


def test_a_list_that_does_not_move_on_is_refused() -> None:
    """A peer that says "more" and stands still would hold us forever."""
    cursor = HeadsCursor()
    cursor.take(Heads(1, ONE, 5, True, ()))
    with pytest.raises(SessionError) as refusal:
        cursor.take(Heads(2, ONE, 5, True, ()))
    assert refusal.value.code == "heads_page_stuck"


def test_an_offer_is_a_checkpoint_of_a_lane() -> None:
    """Notes of other logs and other texts are refused."""
    net = make_net(A)
    head = net.nodes[A].store.append(lane_of(A), entries(3)).head
    offer = read_offer(head.note)
    assert (offer.origin, offer.checkpoint.size) == (lane_of(A), 3)
    for note in (b"", b"hello", head.note.replace(b"wildgrass/v1", b"wildgrass/v9"), head.note[:-5]):
        with pytest.raises(ProtocolError):
            read_offer(note)


def test_requests_are_numbered_and_bounded_by_what_the_peer_allows() -> None:
    """Only so many wait for answers; each answer makes room for the next."""
    requests: Requests[str] = Requests(2)
    ask = [requests.ask(f"owner {index}", BlobGet(0, b"h" * 32, index, 1), 0) for index in range(4)]
    assert [[frame.number for frame in frames] for frames in ask] == [[1], [2], [], []]
    assert requests.take(Refused(2, "blob_not_held", "")) == "owner 1"
    assert [frame.number for frame in requests.send_on(5)] == [3]
    assert requests.owners == ["owner 0", "owner 2", "owner 3"]
    assert Requests(10**6)._in_flight_max == REQUESTS_MAX


def test_a_request_without_an_answer_runs_out_of_time() -> None:
    """The oldest first; an answer that comes after that is nobody's."""
    requests: Requests[str] = Requests(8)
    requests.ask("early", BlobGet(0, b"h" * 32, 0, 1), 0)
    requests.ask("late", BlobGet(0, b"h" * 32, 0, 1), 7)
    assert requests.deadline_ms == REQUEST_MS
    assert requests.expire(REQUEST_MS - 1) == []
    assert requests.expire(REQUEST_MS) == ["early"]
    assert requests.take(Refused(1, "blob_not_held", "")) is None
    assert requests.deadline_ms == REQUEST_MS + 7
    assert requests.expire(REQUEST_MS + 7) == ["late"]
    assert requests.deadline_ms is None


def test_an_answer_of_another_type_is_refused_and_still_owed() -> None:
    """The peer broke the rules; whose request it was is still known when the session ends."""
    requests: Requests[str] = Requests(8)
    requests.ask("owner", SealedGet(0, (b"h" * 32,)), 0)
    with pytest.raises(SessionError) as refusal:
        requests.take(SealedAck(1, ()))
    assert refusal.value.code == "answer_mismatch"
    assert requests.owners == ["owner"]


def test_keys_of_the_test_villages_differ() -> None:
    """Each community signs with a key of its own."""
    assert len({key.public for key in KEYS.values()}) == len(KEYS)
