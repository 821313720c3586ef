"""Audit, bundle, receipt and verify from the command line, over HTTP and from files."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from node.api_token import read_token
from node.operations.lifecycle import running_node
from node.vault import open_vault
from protocol.audit.bundle import lane_folder
from protocol.log.origin import Origin
from protocol.log.tiles import unpack_entries
from tests.bundles import write_lane

ROOT = Path(__file__).resolve().parents[2]
AUDITOR_LIBRARIES = {"click", "cryptography", "msgpack", "msgspec"}


@pytest.fixture
def market(run, served) -> Path:
    """A running node with a shop, signed up to its last record."""
    for name in ("Corner", "Mill"):
        ran = run("shop", "publish", "--sector", "food", "--name-en", name, "--folder", served)
        assert ran.code == 0, ran.err
    wait_for_head(run, served, "market/food", 3)
    return served


def wait_for_head(run, folder: Path, lane: str, size: int) -> None:
    """Ask for the status until a signed head covers the records: it comes about a second after them."""
    for _ in range(2_000):
        lanes = run("status", "--folder", folder, "--json").answer["node"]["lanes"]
        if any(known["lane"] == lane and known["size"] >= size for known in lanes):
            return
    raise AssertionError(f"no head of {lane} at {size}")


def address(folder: Path) -> str:
    running = running_node(folder)
    assert running is not None
    return f"http://{running.http}"


def test_the_own_node_is_audited_without_naming_it(run, market):
    """One word, and the report says that all holds."""
    ran = run("audit", "--folder", market, "--json")
    assert ran.code == 0, ran.err
    assert ran.answer["verdict"] == "clean"
    assert "Green Market" in run("audit", "--folder", market).out


def test_a_bundle_is_written_audited_and_damaged(run, market, tmp_path):
    """Exit code 0 where all holds, 1 with a finding that names the file, 2 where nothing can be read."""
    bundle = tmp_path / "copy"
    wrote = run("bundle", bundle, "--folder", market, "--json")
    assert wrote.code == 0, wrote.err
    assert wrote.answer["records"] >= 5
    again = run("bundle", bundle, "--folder", market, "--json")
    assert (again.code, again.answer["error"]["code"]) == (2, "destination_not_empty")
    assert run("audit", bundle, "--json").answer["verdict"] == "clean"
    entries = next(bundle.rglob("market/food/tile/entries/*/*"))
    raw = bytearray(entries.read_bytes())
    raw[-1] ^= 1
    entries.write_bytes(raw)
    damaged = run("audit", bundle, "--json")
    assert damaged.code == 1
    assert any("entries" in (finding.get("path") or "") for finding in damaged.answer["findings"])
    nothing = run("audit", tmp_path / "none.tar", "--json")
    assert nothing.code == 2
    assert nothing.answer.get("verdict") == "unreadable" or nothing.answer["error"]["code"]


def test_an_archive_holds_the_same_as_the_node(run, market, tmp_path):
    """A packed bundle is audited beside the node that it came from."""
    archive = tmp_path / "copy.tar.gz"
    assert run("bundle", archive, "--folder", market).code == 0
    ran = run("audit", archive, address(market), "--json")
    assert (ran.code, len(ran.answer["sources"])) == (0, 2)


def test_a_receipt_proves_one_record_to_whoever_has_the_charter(run, market, tmp_path):
    """Made from the node, checked against a bundle, and refused when a byte of it changes."""
    bundle, path = tmp_path / "copy", tmp_path / "shop.tlog-proof"
    assert run("bundle", bundle, "--folder", market).code == 0
    made = run("receipt", "market/food", 1, "--out", path, "--folder", market, "--json")
    assert made.code == 0, made.err
    held = run("verify", path, "--from", bundle, "--json")
    assert held.code == 0, held.err
    assert (held.answer["verdict"], held.answer["record_kind"]) == ("holds", "shop.published")
    assert "It holds." in run("verify", path, "--from", bundle).out
    assert run("receipt", "market/food", 1, "--out", path, "--folder", market).code == 4
    for wrong in (["market/food", 99], ["market/beauty", 0]):
        refused = run("receipt", *wrong, "--out", tmp_path / "x", "--folder", market, "--json")
        assert refused.code == 1, refused
        assert not (tmp_path / "x").exists()
    raw = path.read_bytes()
    path.write_bytes(raw.replace(b"extra ", b"extra A", 1))
    assert run("verify", path, "--from", bundle).code in (1, 2)


def test_a_checkpoint_is_judged_by_a_key_or_not_at_all(run, market, tmp_path):
    """Without the charter nothing is proven, and exit code 2 says so."""
    bundle, empty = tmp_path / "copy", tmp_path / "empty"
    assert run("bundle", bundle, "--folder", market).code == 0
    (empty / "lanes").mkdir(parents=True)
    (empty / "lanes" / "index").write_bytes(b"")
    checkpoint = next(bundle.rglob("market/food/checkpoint"))
    assert run("verify", checkpoint, "--from", bundle, "--json").answer["verdict"] == "holds"
    unjudged = run("verify", checkpoint, "--from", empty, "--json")
    assert (unjudged.code, unjudged.answer["verdict"]) == (2, "not_opened")


def test_an_auditor_brings_the_token_in_a_file(run, market, tmp_path):
    """One token for all, or one a line for each address; a wrong one is refused by the node."""
    token = run("auditor", "admit", "Office", "--folder", market, "--json").answer["token"]
    node = address(market)
    for content in (f"{token}\n", f"{node} {token}\n# other\n"):
        path = tmp_path / "tokens"
        path.write_text(content, "ascii")
        assert run("audit", node, "--token-file", path, "--json").code == 0
    assert run("audit", node, "--token", read_token(market), "--json").code == 0
    path.write_bytes(b"\xff\xff")
    assert run("audit", node, "--token-file", path, "--json").code == 2


def test_a_bundle_is_audited_with_four_libraries(run, market, tmp_path):
    """Click, msgspec, msgpack and cryptography: nothing of the server is imported, nor could it be."""
    bundle = tmp_path / "copy"
    assert run("bundle", bundle, "--folder", market).code == 0
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = [re.split(r"[^A-Za-z_-]", text)[0].lower().replace("-", "_") for text in project["dependencies"]]
    assert set(names) > AUDITOR_LIBRARIES
    absent = dict.fromkeys(set(names) - AUDITOR_LIBRARIES)
    script = (
        f"import sys; sys.modules.update({absent});"
        "from node.cli import main; sys.exit(main(['audit', sys.argv[1], '--json']))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(bundle)], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.splitlines()[-1])["verdict"] == "clean"


def test_two_histories_are_written_as_a_proof_that_verify_accepts(run, market, tmp_path):
    """The node shows one history, a bundle another: the audit says where the proof is, and it holds offline."""
    vault = open_vault(market)
    bundle, forged, proofs = tmp_path / "copy", tmp_path / "forged", tmp_path / "proofs"
    assert run("bundle", bundle, "--folder", market).code == 0
    shutil.copytree(bundle, forged)
    origin = Origin(vault.community, "market/food", 0)
    for path in (forged / lane_folder(origin)).glob("tile/entries/000.p/*"):
        entries = unpack_entries(path.read_bytes(), int(path.name))
        write_lane(forged, origin, [*entries[:-1], b"another history"], vault.log_keys[0])
    ran = run("audit", address(market), forged, "--proofs", proofs, "--json")
    assert ran.code == 1
    assert ran.answer["by_code"]["lane_forked"] == 1
    (path,) = ran.answer["proof_files"]
    assert Path(path).parent == proofs
    held = run("verify", path, "--from", bundle, "--json")
    assert (held.code, held.answer["kind"], held.answer["verdict"]) == (0, "fork", "holds")
    assert path in run("audit", forged, address(market), "--proofs", proofs).out
    assert [str(each) for each in proofs.iterdir()].count(path) == 1
    blocked = run("audit", forged, address(market), "--proofs", forged / "lanes" / "index" / "x", "--json")
    assert (blocked.code, blocked.answer["proof_files"], len(blocked.answer["forks"])) == (1, [], 1)
    assert "--json" in blocked.err


def test_no_sources_and_no_node_is_a_sentence(run, folder):
    """The command says what to start, or what to name."""
    ran = run("audit", "--folder", folder, "--json")
    assert (ran.code, ran.answer["error"]["code"]) == (3, "node_not_running")
