"""All record kinds and state tables of format 1, as explicit tuples (PROTOCOL.md sections 10 to 14)."""

from collections.abc import Mapping

from protocol.lanes.charter import identity, members, peers, policies, relays, witnesses, writers
from protocol.lanes.kind import RecordKind, Tables
from protocol.lanes.ledger import postings
from protocol.lanes.market import listings, shops
from protocol.lanes.trade import orders, sequencing
from protocol.log.record import BodyType

KINDS: Mapping[str, RecordKind] = {
    kind.name: kind
    for family in (
        identity,
        members,
        peers,
        policies,
        relays,
        witnesses,
        writers,
        shops,
        listings,
        sequencing,
        postings,
    )
    for kind in family.KINDS
}

BODY_TYPES: Mapping[str, BodyType] = {name: BodyType(kind.body) for name, kind in KINDS.items()}

STATE_TABLES: Tables = {
    **identity.TABLES,
    **members.TABLES,
    **peers.TABLES,
    **policies.TABLES,
    **relays.TABLES,
    **witnesses.TABLES,
    **writers.TABLES,
    **shops.TABLES,
    **listings.TABLES,
    **orders.TABLES,
    **postings.TABLES,
}
