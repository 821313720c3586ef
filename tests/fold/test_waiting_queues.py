"""The queues of those that wait: against plain lists, with nothing left behind when they are empty."""

from collections import defaultdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.dict_state import DictState
from protocol.lanes.kind import Key, Lane, Position
from protocol.waiting import awaiting_queue, dequeue, enqueue, first_of, subject_queue

HERE = Lane(bytes(32), "trade")
QUEUES = [
    awaiting_queue(Position(*HERE, 0, 5)),
    awaiting_queue(Position(*HERE, 1, 5)),
    subject_queue(HERE, (bytes(32), b"5")),
    subject_queue(HERE, (bytes(32), b"6")),
]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(QUEUES), st.booleans()), max_size=40))
def test_queues_are_first_in_first_out_and_apart(moves: list[tuple[Key, bool]]) -> None:
    """Any mix of comings and goings on several queues; one position may stand in two of them."""
    state = DictState()
    lists: dict[Key, list[Position]] = defaultdict(list)
    for index, (queue, is_coming) in enumerate(moves):
        if is_coming:
            position = Position(*HERE, 0, index // 2)
            if position in lists[queue]:
                continue
            enqueue(state, queue, position)
            lists[queue].append(position)
        else:
            assert dequeue(state, queue) == (lists[queue].pop(0) if lists[queue] else None)
        assert {q: first_of(state, q) for q in QUEUES} == {q: head(lists[q]) for q in QUEUES}
    rows: dict[str, int] = defaultdict(int)
    for table, _ in state.rows:
        rows[table] += 1
    assert rows["queue"] == sum(bool(waiting) for waiting in lists.values())
    assert rows["queue_link"] == sum(max(len(waiting) - 1, 0) for waiting in lists.values())


def head(waiting: list[Any]) -> Any:
    return waiting[0] if waiting else None


def test_arrival_order_is_no_part_of_the_dump() -> None:
    """Two positions that wait for one may have come in either order."""
    dumps = []
    for first, second in ((1, 2), (2, 1)):
        state = DictState()
        for index in (first, second):
            enqueue(state, QUEUES[0], Position(*HERE, 0, index))
        dumps.append(list(state.dump()))
    assert dumps[0] == dumps[1] == []
