"""What a card says of a community besides its trust: how it was found, whether it answers, where it is, who vouches.

Where it is, where it sells and how many records it has, it says itself; who vouches for it, charters say that are
stored here.
"""

from collections.abc import Iterable

from node.actions.shapes import Answer
from protocol.exchange.discovery import Sighting
from protocol.fields import Title
from protocol.identity.genesis import Genesis
from protocol.identity.keys import to_base32
from protocol.lanes import BODY_TYPES
from protocol.log.record import decode_record
from storage.views.reading import StateReader

VOUCHERS_MAX = 8


class Voucher(Answer, frozen=True, kw_only=True):
    """A community that we follow and whose charter vouches for the one on the card."""

    community: str
    name: Title | None = None


class SightAnswer(Answer, frozen=True, kw_only=True):
    """How a community was found, since when, and what it says of itself.

    `found` is `added` (by a steward), `bootstrap`, `came` (it dialled us), `invited`, `nearby` or `told` (by
    `told_by`). `reach` is `connected`, `dials_out` (it only dials itself), `unreached` or `untried`. `says_records` is
    how many records its node says to have. `by_rule` names the rule that follows it.
    """

    found: str
    found_ms: int
    reach: str
    region: str = ""
    sectors: list[str] = []
    says_records: int | None = None
    told_by: str | None = None
    told_by_name: Title | None = None
    by_rule: str | None = None
    vouched_by: list[Voucher] = []


def sight_of(read: StateReader, sighting: Sighting, followed: Iterable[bytes]) -> SightAnswer:
    """Return what a card shows; `followed` are the communities whose charters are asked who vouches."""
    known, record = sighting.known, sighting.record
    vouching = [other for other in followed if _vouches(read, other, known.community)][:VOUCHERS_MAX]
    return SightAnswer(
        found=known.found,
        found_ms=known.found_ms,
        reach=sighting.reach,
        region=record.region if record else "",
        sectors=list(record.sectors) if record else [],
        says_records=sighting.records,
        told_by=to_base32(known.told_by) if known.told_by else None,
        told_by_name=_folded_name(read, known.told_by) if known.told_by else None,
        by_rule=str(known.rule) if known.rule > 0 else None,
        vouched_by=[Voucher(community=to_base32(each), name=_folded_name(read, each)) for each in vouching],
    )


def name_in_genesis(record: bytes) -> Title:
    """Return the name in a genesis record that has been verified."""
    body = decode_record(record, BODY_TYPES).body
    assert isinstance(body, Genesis), "only a genesis is kept with a community"
    return dict(body.name)


def _vouches(read: StateReader, other: bytes, community: bytes) -> bool:
    vouched = read.get("peer", (other, community)) if other != community else None
    return vouched is not None and vouched.is_vouched


def _folded_name(read: StateReader, community: bytes) -> Title | None:
    folded = read.get("community", (community,))
    return dict(folded.genesis.name) if folded is not None else None
