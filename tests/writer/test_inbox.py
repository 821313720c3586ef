"""The inbox between the event loop and the writer's thread."""

import asyncio
from threading import Thread

import pytest

from node.errors import NodeError
from node.writer.inbox import GROUP_JOBS_MAX, Answered, Asked, Inbox, answer
from node.writer.transaction import Transaction

WAIT_SECONDS = 10.0


def job(_transaction: Transaction) -> None:
    """Nothing is said."""


async def test_jobs_of_one_turn_of_the_loop_are_taken_together_and_in_order() -> None:
    """The thread is woken when the turn is over, so that all who asked in it share one transaction."""
    inbox, groups = Inbox(), []
    thread = Thread(target=lambda: groups.append(inbox.take(WAIT_SECONDS)))
    thread.start()
    futures = [inbox.put(job) for _ in range(50)]
    await asyncio.to_thread(thread.join)
    assert [future for _, future in groups[0]] == futures


async def test_no_more_than_a_group_is_taken_at_once_and_the_rest_is_not_forgotten() -> None:
    """A thread that comes again finds the rest without being woken anew."""
    inbox = Inbox()
    for _ in range(2 * GROUP_JOBS_MAX + 1):
        inbox.put(job)
    taken = [len(await asyncio.to_thread(inbox.take, WAIT_SECONDS)) for _ in range(3)]
    assert taken == [GROUP_JOBS_MAX, GROUP_JOBS_MAX, 1]
    assert inbox.take(0.0) == []


async def test_a_full_inbox_refuses_and_a_closed_one_hands_out_what_it_has() -> None:
    """Both say so with a code; nobody waits for an answer that will not come."""
    inbox = Inbox(jobs_max=2)
    inbox.put(job)
    inbox.put(job)
    with pytest.raises(NodeError) as full:
        inbox.put(job)
    inbox.close()
    with pytest.raises(NodeError) as closed:
        inbox.put(job)
    assert (full.value.code, closed.value.code) == ("inbox_full", "node_stopping")
    assert not inbox.is_drained
    assert len(inbox.take(None)) == 2
    assert inbox.is_drained
    assert inbox.take(None) == []


async def test_every_job_of_many_clients_is_answered_once() -> None:
    """Whatever the turns of loop and thread: no job is lost, doubled, or answered out of its place."""
    inbox = Inbox()

    def work() -> None:
        number = 0
        while not inbox.is_drained:
            group: list[Asked] = inbox.take(None)
            answers: list[Answered] = []
            for _, future in group:
                answers.append((future, number, None))
                number += 1
            answer(answers)

    async def client() -> list[int]:
        return [await inbox.put(job) for _ in range(40)]

    thread = Thread(target=work)
    thread.start()
    heard = await asyncio.gather(*(client() for _ in range(25)))
    inbox.close()
    thread.join()
    assert sorted(number for numbers in heard for number in numbers) == list(range(1_000))
    assert all(numbers == sorted(numbers) for numbers in heard)
