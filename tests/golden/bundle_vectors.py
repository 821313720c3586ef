"""The vector of section 21: one whole order as a bundle, a plain directory with two communities' lanes."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from protocol.log.origin import Origin
from tests.bundles import write_index, write_lane
from tests.golden.cuts import fold_cut, state_digest
from tests.golden.order_vectors import completed
from tests.village import Village

FOLDER = "bundle"


def bundle_files() -> dict[str, bytes]:
    """Every file of the bundle, and bundle.json that says what it comes to."""
    cut = completed()
    keys = {village.community: village.log for village in (Village("shop"), Village("home"))}
    files: dict[str, bytes] = {}
    with TemporaryDirectory() as folder:
        root = Path(folder)
        lanes = [
            write_lane(
                root, Origin(part.community, part.lane, part.epoch), part.entries, keys[part.community]
            )
            for part in cut.lanes
        ]
        write_index(root, lanes)
        for path in root.rglob("*"):
            if path.is_file():
                files[f"{FOLDER}/{path.relative_to(root).as_posix()}"] = path.read_bytes()
    vector = {
        "must_hold": "The directory `bundle` is a whole audit bundle; an audit finds nothing, and its state is this.",
        "question": "bundle",
        "sizes": {lane.origin.text: lane.size for lane in lanes},
        "state_digest": state_digest(fold_cut(cut)).hex(),
    }
    files["bundle.json"] = (json.dumps(vector, indent=1) + "\n").encode()
    return files
