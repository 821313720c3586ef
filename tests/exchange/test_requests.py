"""The numbered requests of one peer."""

import pytest

from protocol.errors import SessionError
from protocol.exchange.frames import BlobGet, Refused, SealedAck, SealedGet
from protocol.exchange.requests import Deadlines, Requests
from protocol.limits import REQUEST_MS, REQUESTS_MAX


def test_requests_are_numbered_and_bounded_by_what_the_peer_allows() -> None:
    """Only so many wait for answers; each answer makes room for the next."""
    requests: Requests[str] = Requests(2, Deadlines())
    ask = [requests.ask(f"owner {index}", BlobGet(0, b"h" * 32, index, 1), 0) for index in range(4)]
    assert [[frame.number for frame in frames] for frames in ask] == [[1], [2], [], []]
    assert requests.take(Refused(2, "blob_not_held", "")) == "owner 1"
    assert [frame.number for frame in requests.send_on(5)] == [3]
    assert requests.owners == ["owner 0", "owner 2", "owner 3"]
    assert Requests(10**6, Deadlines())._in_flight_max == REQUESTS_MAX


def test_a_request_without_an_answer_runs_out_of_time() -> None:
    """The oldest first; an answer that comes after that is nobody's."""
    deadlines = Deadlines()
    requests: Requests[str] = Requests(8, deadlines)
    requests.ask("early", BlobGet(0, b"h" * 32, 0, 1), 0)
    requests.ask("late", BlobGet(0, b"h" * 32, 0, 1), 7)
    assert deadlines.earliest_ms == REQUEST_MS
    assert requests.expire(REQUEST_MS - 1) == []
    assert requests.expire(REQUEST_MS) == ["early"]
    assert requests.take(Refused(1, "blob_not_held", "")) is None
    assert deadlines.earliest_ms == REQUEST_MS + 7
    assert requests.expire(REQUEST_MS + 7) == ["late"]
    assert deadlines.earliest_ms is None


def test_an_answer_of_another_type_is_refused_and_still_owed() -> None:
    """The peer broke the rules; whose request it was is still known when the session ends."""
    requests: Requests[str] = Requests(8, Deadlines())
    requests.ask("owner", SealedGet(0, (b"h" * 32,)), 0)
    with pytest.raises(SessionError) as refusal:
        requests.take(SealedAck(1, ()))
    assert refusal.value.code == "answer_mismatch"
    assert requests.owners == ["owner"]


def test_the_first_deadline_of_all_peers_is_known() -> None:
    """What is answered, or was owed by a peer that is gone, is waited for no more."""
    deadlines = Deadlines()
    one: Requests[str] = Requests(8, deadlines)
    other: Requests[str] = Requests(1, deadlines)
    one.ask("one's", BlobGet(0, b"h" * 32, 0, 1), 0)
    other.ask("other's", BlobGet(0, b"h" * 32, 0, 1), 3)
    other.ask("in the queue", BlobGet(0, b"h" * 32, 0, 1), 3)
    assert deadlines.earliest_ms == REQUEST_MS
    one.take(Refused(1, "blob_not_held", ""))
    assert deadlines.earliest_ms == REQUEST_MS + 3
    assert other.close() == ["other's", "in the queue"]
    assert deadlines.earliest_ms is None
    assert other.send_on(9) == []
