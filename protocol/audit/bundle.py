r"""The layout of a bundle: the same paths in a directory, in a tar and over HTTP (PROTOCOL.md section 21).

A bundle holds lanes with their checkpoints, tiles and entry bundles, the successor notes of their communities
and the statements about them, and one index of it all. Nothing here reads or writes: the audit is handed a
`Source`.

    checkpoint_path(origin) == "lanes/<community>/0/trade/checkpoint"
    parse_index(b"<community>/0/trade 7\n") == {origin: 7}
"""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from protocol.errors import AuditError, IdentityError, LogError
from protocol.identity.keys import HASH_BYTES, to_base32
from protocol.limits import (
    BUNDLE_BYTES_MAX,
    EPOCH_MAX,
    INDEX_BYTES_MAX,
    INDEX_LANES_MAX,
    NOTE_BYTES_MAX,
    STATEMENT_BYTES_MAX,
    STATEMENTS_SHOWN_MAX,
    TILE_WIDTH,
    TREE_SIZE_MAX,
)
from protocol.log.lines import parse_decimal
from protocol.log.origin import Origin, parse_origin
from protocol.log.tiles import parse_tile_path

INDEX_PATH = "lanes/index"

STATEMENTS_INDEX_BYTES_MAX = (2 * HASH_BYTES + 1) * STATEMENTS_SHOWN_MAX

_ORIGIN_START = "wildgrass/v1/"
_CHECKPOINT = re.compile(r"lanes/([^.]+)/checkpoint")
_SUCCESSOR = re.compile(r"lanes/[a-z2-7]{52}/successor/(0|[1-9][0-9]{0,9})")
_STATEMENTS_INDEX = re.compile(r"lanes/[a-z2-7]{52}/statements/index")
_STATEMENT = re.compile(r"lanes/[a-z2-7]{52}/statements/[0-9a-f]{64}")
_TILE = re.compile(r"lanes/([^.]+?)/(tile/.+)")


class Source(Protocol):
    """Where a copy of lanes is read: a directory, an archive, a node over HTTP, or a node's own store.

    `name` is what findings call it. `is_live` says that lanes may grow while they are read.
    """

    name: str
    is_live: bool

    def read(self, path: str, bytes_max: int) -> bytes | None:
        """Return the bytes at `path`, or None where there are none.

        Raises `AuditError` where they cannot be had or are more than `bytes_max`.
        """

    def checkpoint_paths(self) -> Collection[str] | None:
        """Return the paths of all checkpoints that stand here, or None where that cannot be listed."""


def lane_folder(origin: Origin) -> str:
    """Return the folder of one lane of one epoch, without a slash at its end."""
    return "lanes/" + origin.text.removeprefix(_ORIGIN_START)


def checkpoint_path(origin: Origin) -> str:
    """Return where the newest checkpoint of a lane stands."""
    return lane_folder(origin) + "/checkpoint"


def successor_path(community: bytes, epoch: int) -> str:
    """Return where the note stands that closes `epoch`."""
    return f"lanes/{to_base32(community)}/successor/{epoch}"


def statements_index_path(community: bytes) -> str:
    """Return where the digests of the statements about a community stand."""
    return f"lanes/{to_base32(community)}/statements/index"


def statement_path(community: bytes, digest: bytes) -> str:
    """Return where the statement about a community with this SHA-256 stands."""
    return f"lanes/{to_base32(community)}/statements/{digest.hex()}"


def format_statements_index(digests: Iterable[bytes]) -> bytes:
    """Return the bytes of a `statements/index`: one digest a line, in rising order."""
    return "".join(f"{digest.hex()}\n" for digest in sorted(digests)).encode()


def parse_statements_index(raw: bytes) -> list[bytes]:
    """Return the digests of an index, or raise `AuditError`; each index has one spelling."""
    lines = raw.split(b"\n")[:-1]
    if len(lines) > STATEMENTS_SHOWN_MAX:
        raise AuditError("index_malformed", f"{len(lines)} statements, at most {STATEMENTS_SHOWN_MAX}")
    try:
        digests = [bytes.fromhex(line.decode("ascii")) for line in lines]
    except ValueError as error:  # UnicodeDecodeError is one
        raise AuditError("index_malformed", str(error)) from error
    is_spelled = all(len(digest) == HASH_BYTES for digest in digests)
    if not is_spelled or format_statements_index(set(digests)) != raw:
        raise AuditError("index_malformed", "digests unsorted, repeated or misspelt")
    return digests


def format_index(lanes: Mapping[Origin, int]) -> bytes:
    """Return the bytes of `lanes/index`: one line a lane, sorted by their bytes, empty lanes left out."""
    lines = (f"{origin.text.removeprefix(_ORIGIN_START)} {size}\n" for origin, size in lanes.items() if size)
    return "".join(sorted(lines)).encode()


def parse_index(raw: bytes) -> dict[Origin, int]:
    """Return the size of every lane of an index, or raise `AuditError`; each index has one spelling."""
    try:
        lines = raw.decode("ascii").splitlines()
        if len(lines) > INDEX_LANES_MAX:
            raise AuditError("index_malformed", f"{len(lines)} lanes, at most {INDEX_LANES_MAX}")
        lanes = dict(_parse_index_line(line) for line in lines)
    except (UnicodeDecodeError, LogError, IdentityError) as error:
        raise AuditError("index_malformed", str(error)) from error
    if format_index(lanes) != raw:
        raise AuditError("index_malformed", "lanes unsorted, repeated or empty, or a line misspelt")
    return lanes


def parse_lane_folder(folder: str) -> Origin:
    """Return the origin of a lane's folder, or raise `LogError` or `IdentityError`."""
    return parse_origin(_ORIGIN_START + folder.removeprefix("lanes/"))


def parse_checkpoint_path(path: str) -> Origin:
    """Return the lane whose checkpoint stands at a path, or raise `LogError` or `IdentityError`."""
    return parse_lane_folder(path.removesuffix("/checkpoint"))


def bytes_max_at(path: str) -> int:
    """Return how many bytes may stand at a path of a bundle, or raise `AuditError` where it is none.

    Whoever unpacks a bundle of a stranger asks this first, so nothing is written under another name.
    """
    if path == INDEX_PATH:
        return INDEX_BYTES_MAX
    successor = _SUCCESSOR.fullmatch(path)
    if successor is not None and int(successor[1]) < EPOCH_MAX:
        return NOTE_BYTES_MAX
    if _STATEMENTS_INDEX.fullmatch(path):
        return STATEMENTS_INDEX_BYTES_MAX
    if _STATEMENT.fullmatch(path):
        return STATEMENT_BYTES_MAX
    checkpoint, tile = _CHECKPOINT.fullmatch(path), _TILE.fullmatch(path)
    try:
        if checkpoint is not None:
            parse_lane_folder(checkpoint[1])
            return NOTE_BYTES_MAX
        if tile is not None:
            parse_lane_folder(tile[1])
            is_entries = parse_tile_path(tile[2]).level is None
            return BUNDLE_BYTES_MAX if is_entries else TILE_WIDTH * HASH_BYTES
    except (LogError, IdentityError) as error:
        raise AuditError("path_refused", path[:200]) from error
    raise AuditError("path_refused", path[:200])


def _parse_index_line(line: str) -> tuple[Origin, int]:
    folder, _, size = line.partition(" ")
    return parse_lane_folder(folder), parse_decimal(size, maximum=TREE_SIZE_MAX)
