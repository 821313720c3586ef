"""The writer: the one node that says and signs for the community (PROTOCOL.md section 10.7)."""

from typing import Annotated

from msgspec import Meta

from protocol.lanes.kind import CHARTER, Change, Entry, Reader, RecordKind, Tables
from protocol.limits import INTEGER_MAX
from protocol.log.record import Body

Peers = Annotated[int, Meta(ge=0, le=INTEGER_MAX)]


class WriterResumed(Body, frozen=True, kw_only=True):
    """`writer.resumed`: after a start a steward went on without the answers of all who were to be asked.

    Of `asked` peers that had acknowledged a head of this community, `answered` had answered by then.
    """

    asked: Peers
    answered: Peers


TABLES: Tables = {}


def step_resumed(_read: Reader, _entry: Entry) -> list[Change]:
    """It is for whoever asks later how a second history could begin, and changes nothing."""
    return []


KINDS = (RecordKind("writer.resumed", CHARTER, WriterResumed, step_resumed),)
