"""How far a recovery came: a file in the node's folder, there from the first step to the last.

While it stands, no node runs on the folder: the lanes are not whole yet, and the lost machine's epoch is open. The
recovery words are in no file; whoever goes on after a kill types them again.
"""

from pathlib import Path

import msgspec

from node.errors import NodeError
from node.files import sync_folder, write_private

MARKER_FILE = "recovering.json"


class Marker(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whose community is being brought back, and from which peers.

    `closes_epoch` is set once the note that closes it is being made.
    """

    community: str
    addresses: tuple[str, ...] = ()
    closes_epoch: int | None = None


def read_marker(folder: Path) -> Marker | None:
    """Return the marker, None where no recovery is under way."""
    try:
        return msgspec.json.decode((folder / MARKER_FILE).read_bytes(), type=Marker)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise NodeError("vault_damaged", str(folder / MARKER_FILE)) from error


def write_marker(folder: Path, marker: Marker) -> None:
    """Note how far the recovery came, synced."""
    write_private(folder / MARKER_FILE, msgspec.json.encode(marker) + b"\n")


def remove_marker(folder: Path) -> None:
    """The recovery is done."""
    (folder / MARKER_FILE).unlink(missing_ok=True)
    sync_folder(folder)
