"""Ctrl-C, SIGTERM or a closed terminal end the work of a task in order: it is cancelled, once.

with cancelled_by_signals() as interruption:
    ...                                # raises CancelledError where a signal comes
interruption.came
"""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class Interruption:
    """Whether a signal has come."""

    came: bool = False


@contextmanager
def cancelled_by_signals() -> Iterator[Interruption]:
    """Cancel the current task at the first signal; later ones change nothing, for the end is under way."""
    loop, task, interruption = asyncio.get_running_loop(), asyncio.current_task(), Interruption()
    assert task is not None, "used within a task"

    def interrupt() -> None:
        if not interruption.came:
            interruption.came = True
            task.cancel()

    for number in _SIGNALS:
        loop.add_signal_handler(number, interrupt)
    try:
        yield interruption
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
