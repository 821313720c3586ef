"""The lanes of a store as a source of the audit: no further than the signed heads of one moment (section 21.1).

with open_store(where, writer=False) as store:
    audit_sources([StoreSource(store, communities)])
"""

from collections.abc import Collection

from node.epochs import shown_successors
from node.statements import shown_statements
from protocol.audit.bundle import (
    INDEX_PATH,
    Source,
    checkpoint_path,
    format_index,
    format_statements_index,
    parse_index,
    parse_lane_folder,
    statement_path,
    statements_index_path,
    successor_path,
)
from protocol.errors import AuditError, IdentityError, LogError
from protocol.log.origin import Origin
from protocol.log.tiles import TileAddress, parse_tile_path, tile_width
from storage.engine import Store
from storage.heads import Head, HeadStore
from storage.lanes import LaneStore
from storage.views.reading import StateReader

STORE = "store"  # what findings call it
PARTNERS_MAX = 1_024


class StoreSource:
    """Reads lanes of some communities out of a store; heads that move on meanwhile are left for the next audit."""

    is_live = False

    def __init__(self, store: Store, communities: Collection[bytes]) -> None:
        """Take an open store; its heads are read now."""
        self.name = STORE
        self._store = store
        with store.read() as connection:
            found = [head for head in HeadStore(connection).heads() if head.community in communities]
            read = StateReader(connection)
            self._notes = {
                successor_path(community, epoch): note
                for community in communities
                for epoch, note in shown_successors(read, community).items()
            }
            for community in communities:
                statements = shown_statements(read, community)
                self._notes[statements_index_path(community)] = format_statements_index(statements)
                self._notes |= {
                    statement_path(community, digest): text for digest, text in statements.items()
                }
        self._heads = {Origin(head.community, head.lane, head.epoch): head for head in found}
        self._notes |= {checkpoint_path(origin): head.note for origin, head in self._heads.items()}

    def read(self, path: str, bytes_max: int) -> bytes | None:
        """Return the bytes that a bundle would have at `path`, or None."""
        raw = self._find(path)
        if raw is not None and len(raw) > bytes_max:
            raise AuditError("file_too_large", f"{path}: {len(raw)} bytes, at most {bytes_max}")
        return raw

    def checkpoint_paths(self) -> Collection[str]:
        """Return the paths of all checkpoints."""
        return [checkpoint_path(origin) for origin in self._heads]

    def _find(self, path: str) -> bytes | None:
        if path == INDEX_PATH:
            return format_index({origin: head.size for origin, head in self._heads.items()})
        if path in self._notes:
            return self._notes[path]
        folder, _, tile = path.partition("/tile/")
        try:
            head, address = self._heads.get(parse_lane_folder(folder)), parse_tile_path(f"tile/{tile}")
        except (LogError, IdentityError):
            return None
        return None if head is None else self._tile(head, address)

    def _tile(self, head: Head, address: TileAddress) -> bytes | None:
        level = address.level or 0
        if address.width > tile_width(head.size, level, address.index):
            return None
        with self._store.read() as connection:
            lanes = LaneStore(connection)
            if address.level is None:
                return lanes.entry_bundle(head.lane_key, address.index, address.width)
            return lanes.tile(head.lane_key, level, address.index, address.width)


class NarrowedSource:
    """A source as if it held the lanes of some communities only."""

    def __init__(self, source: Source, communities: Collection[bytes]) -> None:
        """Take the source to look into."""
        self.name, self.is_live = source.name, source.is_live
        self._source = source
        self._communities = communities

    def read(self, path: str, bytes_max: int) -> bytes | None:
        """Return the bytes at `path`; lanes of others are not in the index."""
        raw = self._source.read(path, bytes_max)
        if path != INDEX_PATH or raw is None:
            return raw
        lanes = parse_index(raw)
        return format_index(
            {origin: size for origin, size in lanes.items() if origin.community in self._communities}
        )

    def checkpoint_paths(self) -> Collection[str] | None:
        """Say that it cannot be listed: what stands in the index is enough."""
        return None


def communities_to_audit(read: StateReader, community: bytes) -> frozenset[bytes]:
    """Return whose lanes an audit of `community` needs: its own, and of those it trades with what is here.

    Orders and dues stand in the lanes of both sides. Empty where nothing of `community` itself is here.
    """
    held = {head.community for head in HeadStore(read.connection).heads()}
    if community not in held:
        return frozenset()
    peers = read.scan("peer", (community,), length=2, limit=PARTNERS_MAX)
    partners = {key[1] for key, peer in peers if peer.is_vouched}
    return frozenset(other for other in held if other == community or other in partners)
