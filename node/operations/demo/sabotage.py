"""Two wrongs for the audit to find: a byte that changed in one node's copy, and a community that lies.

The byte changes in the database file of a stopped node, as by a failing disk; the liar is `liar`. Nothing of
the product takes part in either.
"""

import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from gettext import gettext as _
from pathlib import Path

from node.errors import NodeError
from node.operations.demo.display import Display
from node.operations.demo.liar import LIE_INDEX, write_lying_community
from node.operations.demo.village import Village
from protocol.audit.findings import Finding, Report
from protocol.identity.keys import HASH_BYTES, from_base32
from protocol.lanes.kind import LEDGER, TRADE

DATABASE_FILE = "wildgrass.db"
FLIPPED_INDEX = 3


class Sabotage:
    """Commits both, and checks afterwards that the audit has named both."""

    def __init__(self, village: Village, folder: Path, display: Display) -> None:
        """Take a village whose story is told; the last community's copy of the first one's trade suffers."""
        self._village = village
        self._display = display
        self._victim, self._owner = village.communities[-1], village.communities[0]
        self._liar_folder = folder / "fox-corner"
        self._liar = ""

    @property
    def sources(self) -> list[str]:
        """What the audit is to read besides the nodes."""
        return [str(self._liar_folder)]

    async def commit(self) -> None:
        """Stop one node, change one byte of it, start it again; write the liar's lanes."""
        with self._display.chapter(
            "sabotage", _("A byte is flipped in one copy, and a liar joins")
        ) as chapter:
            await self._victim.stop()
            owner = from_base32(self._owner.id, HASH_BYTES)
            flipped = flip_one_byte(
                self._victim.folder / DATABASE_FILE, owner, lane=TRADE, index=FLIPPED_INDEX
            )
            await self._victim.start(self._village.others(self._victim))
            self._liar = write_lying_community(self._liar_folder, now_ms=time.time_ns() // 1_000_000)
            chapter.note(
                _("{victim}: byte {offset} of record {index} in its copy of {lane} of {owner}").format(
                    victim=self._victim.key,
                    offset=flipped.offset,
                    index=flipped.index,
                    lane=flipped.lane,
                    owner=self._owner.key,
                )
            )

    def check(self, reports: Iterable[Report]) -> None:
        """Raise `demo_sabotage_missed` unless each names the tile, its record, the split rule, and nothing else."""
        damaged, lied = (self._owner.id, TRADE, FLIPPED_INDEX), (self._liar, LEDGER, LIE_INDEX)
        wanted = {("tile_damaged", *damaged), ("entries_damaged", *damaged), ("posting_mismatch", *lied)}
        for report in reports:
            named = {(finding.code, *_place(finding)) for finding in report.findings}
            if named != wanted:
                raise NodeError("demo_sabotage_missed", ", ".join(sorted(report.by_code)))


@dataclass(frozen=True, slots=True)
class FlippedByte:
    """Which byte: of the stored entry `index` of a lane in epoch 0, `offset` from 0."""

    lane: str
    index: int
    offset: int


def flip_one_byte(database: Path, community: bytes, *, lane: str, index: int) -> FlippedByte:
    """Change one bit of one entry that lies in the lane's open tail; the entry keeps its length."""
    with closing(sqlite3.connect(database)) as connection, connection:
        lane_key = connection.execute(_LANE, (community, lane)).fetchone()[0]
        entry = bytearray(connection.execute(_ENTRY, (lane_key, index)).fetchone()[0])
        offset = len(entry) // 2
        entry[offset] ^= 1
        connection.execute(_CHANGE, (bytes(entry), lane_key, index))
    return FlippedByte(lane, index, offset)


def _place(finding: Finding) -> tuple[str | None, str | None, int | None]:
    return finding.place.community, finding.place.lane, finding.place.index


_LANE = "SELECT lane_key FROM lanes WHERE community = ? AND lane = ? AND epoch = 0"
_ENTRY = "SELECT entry FROM tail WHERE lane_key = ? AND entry_index = ?"
_CHANGE = "UPDATE tail SET entry = ? WHERE lane_key = ? AND entry_index = ?"
