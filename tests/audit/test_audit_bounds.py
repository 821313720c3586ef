"""What the audit stands on: its libraries, and its rules in PROTOCOL.md."""

import re
import subprocess
import sys
from pathlib import Path

from protocol.audit.rules import RULES, rule_of
from protocol.error_codes import SENTENCES
from tests.bundles import write_villages
from tests.market_day import market_day

ROOT = Path(__file__).resolve().parent.parent.parent

# Families of codes that an audit can never meet: those of sessions, of sealing, of tools for single files, of what
# nodes ask of each other as witnesses, relays, keepers of copies and neighbours.
_ELSEWHERE = re.compile(
    r"session_|frame_|request|heads_|fetch_|sealed_|key_box_|wrapped_|payload_|lines_mismatch|commitment_|answer_|blob_"
    r"|range_|store_|proof_(too|malformed)|bundle_|tile_(path|address|length|edge)|tree_(index|hash_count)"
    r"|entropy_|cosignatures_too_few|destination_|file_unknown|lane_not_served"
    r"|add_checkpoint_|witness_(size|proof|log|refused)|rate_|relay_(not|full|list)|receipt_refused"
    r"|statements?_(not|unsorted)|backup_|recovery_refused|address_|invite_|pairing"
)


_AUDIT_ALONE = """
import sys
class Bare:
    def find_spec(self, name, path=None, target=None):
        root = name.partition(".")[0]
        allowed = {"cryptography", "msgpack", "msgspec", "protocol", "node", "_cffi_backend"}
        if root not in allowed and root not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"{name} is not on this bare machine", name=name)
sys.meta_path.insert(0, Bare())
from node.audit import audit_sources, open_source, render_report
with open_source(sys.argv[1]) as source:
    print(audit_sources([source]).verdict)
ours = {".".join(name.split(".")[:2]) for name in sys.modules if name.startswith(("node.", "storage"))}
print(*sorted(ours))
print("http.client" in sys.modules, "ssl" in sys.modules)
"""


def test_an_audit_runs_on_a_bare_machine(tmp_path: Path) -> None:
    """Three libraries and the standard one: no store, no web framework, no settings of the node, no HTTP."""
    bundle = write_villages(tmp_path, *market_day())
    found = subprocess.run(
        [sys.executable, "-c", _AUDIT_ALONE, str(bundle)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout.splitlines() == ["clean", "node.audit node.locale", "False False"], found.stderr


def test_the_machine_needs_no_more_than_three_libraries() -> None:
    """`protocol.audit` imports nothing of the node, and none of what `protocol` may not use."""
    script = (
        "import sys, protocol.audit.run, protocol.audit.receipt\n"
        "print(*(name for name in ('node', 'storage', 'sqlite3', 'asyncio', 'http', 'tarfile') if name in sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == []


def test_every_rule_is_a_section_of_the_protocol() -> None:
    """A finding sends its reader to a heading that exists."""
    headings = re.findall(r"^#{2,3} ([0-9.]+?)\.? ", (ROOT / "PROTOCOL.md").read_text(), re.MULTILINE)
    assert set(RULES.values()) <= set(headings)
    assert set(RULES) <= set(SENTENCES)


def test_every_code_that_an_audit_can_meet_has_its_rule() -> None:
    """A new code of a record or a lane is given its section, or named here as one of elsewhere."""
    missing = [code for code in SENTENCES if code not in RULES and not _ELSEWHERE.match(code)]
    assert missing == []
    assert rule_of("frame_malformed") == "20"
