"""The golden vectors hold for this code, are what `scripts/vectors` writes, and leave no code out."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from protocol.audit.bundle import INDEX_PATH, checkpoint_path, lane_folder, parse_index
from protocol.encoding import encode
from protocol.error_codes import SENTENCES
from protocol.errors import ProtocolError
from protocol.lanes import KINDS
from protocol.lanes.kind import CHARTER
from protocol.lanes.trade.orders import LEGAL_MOVES
from protocol.log.checkpoint import open_checkpoint
from protocol.log.merkle import leaf_hashes, subtree_root
from protocol.log.tiles import entry_bundle_path, tile_path, unpack_entries, unpack_tile
from tests.golden.cuts import Cut, CutLane, fold_cut, state_digest
from tests.golden.fold_vectors import not_in_effect, read_cut, state_rows
from tests.golden.plain import from_json
from tests.golden.questions import QUESTIONS, ask
from tests.house.tree import ROOT, python_files, syntax
from tests.village import Village

FOLDER = ROOT / "tests" / "vectors"
BYTES_MAX = 3_000_000
PATHS = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.json"))
PREFIXES = {"shape": "record_shape", "format": "format_unknown", "body": "body_refused"}


def vector_at(path: str) -> dict[str, Any]:
    vector: dict[str, Any] = json.loads((FOLDER / path).read_text(encoding="utf-8"))
    return vector


def paths_of(question: str) -> list[str]:
    return [path for path in PATHS if vector_at(path)["question"] == question]


ASKED = [path for path in PATHS if vector_at(path)["question"] in QUESTIONS]
FOLDED = paths_of("fold")
CROSSING = [path for path in FOLDED if path.startswith("fold/crossing/")]


@pytest.mark.parametrize("path", ASKED)
def test_each_question_has_its_answer(path: str) -> None:
    """Every case has the stated answer, or is refused with the stated code."""
    vector = vector_at(path)
    for case in vector.get("cases", [vector]):
        if "code" in case:
            with pytest.raises(ProtocolError) as refused:
                ask(vector["question"], case)
            assert refused.value.code == case["code"]
        else:
            assert ask(vector["question"], case) == case["answer"], case


def test_the_values_of_the_encoding_encode_to_their_bytes() -> None:
    """Both ways: what decodes to a value is what the value encodes to."""
    for case in vector_at("encoding/valid.json")["cases"]:
        assert encode(from_json(case["answer"])).hex() == case["hex"], case["name"]


@pytest.mark.parametrize("path", FOLDED)
def test_each_cut_folds_to_its_state_in_every_order(path: str) -> None:
    """Forwards, backwards, entry by entry: the same entries without effect, and the same digest."""
    vector = vector_at(path)
    cut = read_cut(vector)
    backwards = list(reversed(range(len(cut.lanes))))
    for state in (
        fold_cut(cut),
        fold_cut(cut, backwards),
        fold_cut(cut, portion=1),
        fold_cut(cut, backwards, portion=1),
    ):
        assert not_in_effect(cut, state) == vector["not_in_effect"]
        assert state_digest(state).hex() == vector["state_digest"]
        assert set(state_rows(vector)) <= set(state.dump()) if "state" in vector else True


@pytest.mark.parametrize("path", [path for path in FOLDED if path.startswith("fold/void/")])
def test_each_void_vector_shows_its_code(path: str) -> None:
    """The code in the file's name is met in it."""
    vector = vector_at(path)
    assert re.sub(r"_[0-9]$", "", Path(path).stem) == vector["code"]
    assert vector["code"] in [found.get("code") for found in vector["not_in_effect"]]


@pytest.mark.parametrize("path", [path for path in PATHS if path.startswith("record/refused/")])
def test_a_refused_record_has_the_code_of_its_name(path: str) -> None:
    """Shape, format and body each have one code; the first of them in this order counts."""
    assert vector_at(path)["code"] == PREFIXES.get(Path(path).stem.split("-")[0], "encoding_trailing_bytes")


def test_every_code_that_the_fold_can_produce_has_a_file() -> None:
    """Whatever the lanes, the record, the encoding and the genesis can refuse a record with."""
    shown = {vector_at(path)["code"] for path in FOLDED if path.startswith("fold/void/")}
    assert shown == set(codes_of_the_fold())


def codes_of_the_fold() -> Iterator[str]:
    files = ["protocol/fold.py", "protocol/fields.py", "protocol/encoding.py", "protocol/encoding_faults.py"]
    files += ["protocol/log/record.py", "protocol/identity/genesis.py", *lane_files()]
    for file in files:
        for part in ast.walk(syntax(ROOT / file)):
            if isinstance(part, ast.Constant) and part.value in SENTENCES:
                yield str(part.value)
    yield from ("currency_unknown", "key_refused")  # of the genesis, refused by the modules that it asks


def lane_files() -> list[str]:
    files = [path.relative_to(ROOT).as_posix() for path in python_files("protocol")]
    return [file for file in files if file.startswith("protocol/lanes/") and not file.endswith("/lines.py")]


def test_every_kind_has_a_valid_record() -> None:
    """One file a kind, named after it."""
    assert {path[7:-5] for path in PATHS if path.startswith("record/") and path.count("/") == 1} == set(KINDS)


@pytest.mark.parametrize("path", CROSSING)
def test_moves_that_cross_end_where_the_table_of_moves_leads(path: str) -> None:
    """The seller's move takes effect; the buyer's word stays untaken and changes nothing."""
    vector = vector_at(path)
    deals = [row["value"] for row in vector["state"] if row["table"] == "deal"]
    untaken = [row for row in vector["state"] if row["table"] == "untaken"]
    assert len(untaken) == 1
    if vector["buyer_says"] == "order.placed":
        assert [found["code"] for found in vector["not_in_effect"]] == ["order_not_taken"]
        assert deals == []
    else:
        assert vector["not_in_effect"] == []
        (deal,) = deals
        assert deal["status"] in {
            after for (_, move), after in LEGAL_MOVES.items() if move == vector["seller_says"]
        }


def test_the_bundle_is_whole() -> None:
    """Index, checkpoints, tiles and entry bundles fit together, and fold to the stated digest."""
    vector, lanes = vector_at("bundle.json"), []
    for origin, size in parse_index(bundle_bytes(INDEX_PATH)).items():
        key = next(village.log.public for village in VILLAGES if village.community == origin.community)
        checkpoint = open_checkpoint(bundle_bytes(checkpoint_path(origin)), origin.text, key)
        folder = lane_folder(origin)
        entries = unpack_entries(bundle_bytes(f"{folder}/{entry_bundle_path(0, size)}"), size)
        assert unpack_tile(bundle_bytes(f"{folder}/{tile_path(0, 0, size)}"), size) == leaf_hashes(entries)
        assert (checkpoint.size, checkpoint.root) == (size, subtree_root(leaf_hashes(entries)))
        assert vector["sizes"][origin.text] == size
        lanes.append(CutLane(origin.community, origin.lane, origin.epoch, entries))
    lanes.sort(key=lambda lane: lane.lane != CHARTER)
    assert state_digest(fold_cut(Cut(tuple(lanes)))).hex() == vector["state_digest"]


VILLAGES = (Village("shop", lanes=()), Village("home", lanes=()))


def bundle_bytes(path: str) -> bytes:
    return (FOLDER / "bundle" / path).read_bytes()


def test_the_files_are_those_that_the_script_writes() -> None:
    """`scripts/vectors --check` finds no difference, and all of it stays small."""
    command = [sys.executable, "scripts/vectors", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < BYTES_MAX


def test_the_readme_explains_every_question() -> None:
    """A stranger finds each question of a file in the README."""
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    asked = {vector_at(path)["question"] for path in PATHS}
    assert asked <= {*QUESTIONS, "fold", "bundle"}
    assert [question for question in sorted(asked) if f"`{question}`" not in readme] == []
