"""The requests that one peer owes answers to: numbered, bounded, timed (PROTOCOL.md section 17.5).

numbered = requests.ask(owner, EntriesGet(0, origin, 3, 0, 256), now_ms)   # frames to send now
owner = requests.take(answer)                                             # None: came too late
"""

from collections import deque
from collections.abc import Collection
from typing import Generic, TypeVar

from msgspec.structs import replace

from protocol.errors import SessionError
from protocol.exchange.frames import ANSWERS, Answer, Refused, Request
from protocol.limits import REQUEST_MS, REQUESTS_MAX, REQUESTS_QUEUED_MAX

Owner = TypeVar("Owner")


class Deadlines:
    """When the requests of all peers run out of time: the first asked is the first due, since all have as long."""

    def __init__(self) -> None:
        """Start with none."""
        self._due: deque[tuple[int, Collection[int], int]] = deque()

    @property
    def earliest_ms(self) -> int | None:
        """When the first request that is still open is due, None where none is; answered ones are let go."""
        while self._due and self._due[0][2] not in self._due[0][1]:
            self._due.popleft()
        return self._due[0][0] if self._due else None

    def add(self, deadline_ms: int, still_open: Collection[int], number: int) -> None:
        """Note one more; `number` is among `still_open` until it is answered."""
        self._due.append((deadline_ms, still_open, number))


class Requests(Generic[Owner]):
    """One peer's open requests, oldest first, and those that wait for a place."""

    def __init__(self, in_flight_max: int, deadlines: Deadlines) -> None:
        """Take how many requests the peer allows to wait for answers at a time, and where deadlines are noted."""
        self._in_flight_max = min(in_flight_max, REQUESTS_MAX)
        self._deadlines = deadlines
        self._open: dict[int, tuple[Owner, type[Request], int]] = {}
        self._queue: deque[tuple[Owner, Request]] = deque()
        self._last_number = 0

    @property
    def is_full(self) -> bool:
        """Whether so many wait that nobody should add one who can do without."""
        return len(self._queue) >= REQUESTS_QUEUED_MAX

    @property
    def owners(self) -> list[Owner]:
        """Whose requests are open or wait."""
        return [owner for owner, _, _ in self._open.values()] + [owner for owner, _ in self._queue]

    def ask(self, owner: Owner, request: Request, now_ms: int) -> list[Request]:
        """Take a request and return what is to be sent now."""
        self._queue.append((owner, request))
        return self.send_on(now_ms)

    def take(self, answer: Answer) -> Owner | None:
        """Return whose request this answers, None if it came too late; raise `SessionError` on a mismatch."""
        if answer.number not in self._open:
            return None
        owner, request, _ = self._open[answer.number]
        if not isinstance(answer, Refused | ANSWERS[request]):
            raise SessionError("answer_mismatch", str(answer.__struct_config__.tag))
        del self._open[answer.number]
        return owner

    def close(self) -> list[Owner]:
        """Give up what is open or waits, because the peer is gone, and return whose it was."""
        owners = self.owners
        self._open.clear()
        self._queue.clear()
        return owners

    def expire(self, now_ms: int) -> list[Owner]:
        """Return whose requests ran out of time; a late answer is not theirs any more."""
        late = [number for number, (_, _, deadline) in self._open.items() if deadline <= now_ms]
        return [self._open.pop(number)[0] for number in late]

    def send_on(self, now_ms: int) -> list[Request]:
        """Return the waiting requests, numbered, for which there is a place now; time runs from here."""
        sent = []
        while self._queue and len(self._open) < self._in_flight_max:
            owner, request = self._queue.popleft()
            self._last_number += 1
            self._open[self._last_number] = (owner, type(request), now_ms + REQUEST_MS)
            self._deadlines.add(now_ms + REQUEST_MS, self._open, self._last_number)
            sent.append(replace(request, number=self._last_number))
        return sent
