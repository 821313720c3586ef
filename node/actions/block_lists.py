"""Lists of blocked communities as CSV, to take from others and to hand on.

The first line names the columns: `community` (the id, 52 characters) is needed, `note` (a line for people) is kept,
other columns are passed over. Text is UTF-8, with commas or semicolons. A list with an error blocks nobody.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated

from msgspec import Meta

from node.actions.shapes import Answer, Request, hash_of, is_hash
from node.core import Node
from node.errors import NodeError
from node.locale import marked as _
from node.writer.transaction import Transaction
from protocol.identity.keys import to_base32
from storage.peers import Peer, all_peers, peer_of, save_peer
from storage.views.reading import StateReader

LIST_CHARACTERS_MAX = 1_000_000
LINES_MAX = 10_000
NOTE_CHARACTERS_MAX = 200
ERRORS_LISTED_MAX = 50
_OWN = _("This community is our own.")
_NO_ID = _("The community is not an id of 52 characters.")
_NO_NOTE = _("The note is not one line of at most 200 characters.")
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_BOM = "\ufeff"


class BlockListText(Request, frozen=True, kw_only=True):
    """A CSV text; with `dry_run` it is only said what it would do."""

    text: Annotated[str, Meta(max_length=LIST_CHARACTERS_MAX)]
    dry_run: bool = False


class BlockListQuery(Request, frozen=True, kw_only=True):
    """Nothing to say: everybody who is blocked."""


class BlockListError(Answer, frozen=True, kw_only=True):
    """What is wrong with one line, counted from 1."""

    line: int
    reason: str


class BlockListTaken(Answer, frozen=True, kw_only=True):
    """How many were blocked, or would be, how many were already, and what is wrong, at most 50 lines of it."""

    blocked: int
    already: int
    errors: list[BlockListError]
    is_dry_run: bool


class BlockedAnswer(Answer, frozen=True, kw_only=True):
    """One blocked community."""

    community: str
    note: str


class BlockListAnswer(Answer, frozen=True, kw_only=True):
    """Everybody who is blocked, and the same as CSV."""

    blocked: list[BlockedAnswer]
    csv: str


@dataclass(frozen=True, slots=True)
class _Line:
    """One line that was read: a community with its note, or what is wrong with it."""

    number: int
    community: bytes = b""
    note: str = ""
    reason: str = ""


async def import_block_list(node: Node, request: BlockListText) -> BlockListTaken:
    """Block everybody on a list; where a line is wrong, nobody."""
    lines = list(_read(request.text))
    errors = [BlockListError(line=line.number, reason=line.reason) for line in lines if line.reason]
    errors += [
        BlockListError(line=line.number, reason=_OWN) for line in lines if line.community == node.community
    ]
    wanted = {line.community: line.note for line in lines if not line.reason}

    def already(read: StateReader) -> set[bytes]:
        return {peer.community for peer in all_peers(read.connection) if peer.trust == "blocked"}

    known = await node.look(already)
    new = {community: note for community, note in wanted.items() if community not in known}
    if not errors and not request.dry_run and new:
        await node.write(lambda transaction: _block(transaction, new))
        for community in new:
            await node.federation_service.trust_changed(community)
    return BlockListTaken(
        blocked=0 if errors else len(new),
        already=len(wanted) - len(new),
        errors=errors[:ERRORS_LISTED_MAX],
        is_dry_run=request.dry_run,
    )


async def export_block_list(node: Node, request: BlockListQuery) -> BlockListAnswer:
    """List everybody who is blocked, and write it as CSV."""

    def question(read: StateReader) -> list[Peer]:
        return [peer for peer in all_peers(read.connection) if peer.trust == "blocked"]

    blocked = await node.look(question)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("community", "note"))
    writer.writerows((to_base32(peer.community), _harmless(peer.label)) for peer in blocked)
    return BlockListAnswer(
        blocked=[BlockedAnswer(community=to_base32(peer.community), note=peer.label) for peer in blocked],
        csv=out.getvalue(),
    )


def _read(text: str) -> Iterator[_Line]:
    """The lines of a list; raises `NodeError` where it cannot be read as one at all."""
    text = text.removeprefix(_BOM)
    head = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text), delimiter=";" if ";" in head and "," not in head else ",")
    try:
        columns = [name.strip().lower() for name in next(reader, [])]
        if "community" not in columns:
            raise NodeError("block_list_malformed", "the first line names the columns, community among them")
        for count, fields in enumerate(reader):
            if count >= LINES_MAX:
                raise NodeError("block_list_malformed", f"at most {LINES_MAX} lines")
            if any(field.strip() for field in fields):
                yield _line(reader.line_num, dict(zip(columns, fields, strict=False)))
    except csv.Error as error:
        raise NodeError("block_list_malformed", f"{reader.line_num}: {error}") from error


def _line(number: int, fields: dict[str, str]) -> _Line:
    community, note = fields.get("community", "").strip(), fields.get("note", "").strip()
    if not is_hash(community):
        return _Line(number, reason=_NO_ID)
    if len(note) > NOTE_CHARACTERS_MAX or not note.isprintable():
        return _Line(number, reason=_NO_NOTE)
    return _Line(number, hash_of(community), note)


def _block(transaction: Transaction, notes: dict[bytes, str]) -> None:
    for community, note in notes.items():
        known = peer_of(transaction.connection, community)
        peer = known or Peer(community=community, label="", addresses=(), trust="blocked")
        save_peer(transaction.connection, replace(peer, trust="blocked", label=note or peer.label))


def _harmless(note: str) -> str:
    """A note that a spreadsheet does not take for a formula."""
    return f"'{note}" if note.startswith(_FORMULA_STARTS) else note
