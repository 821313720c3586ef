"""All golden vectors as files: what `scripts/vectors` writes and `tests/vectors` holds.

golden_files()["encoding/valid.json"]
"""

from tests.golden.amount_vectors import amount_vectors
from tests.golden.bundle_vectors import bundle_files
from tests.golden.encoding_vectors import encoding_vectors
from tests.golden.fold_vectors import fold_vectors
from tests.golden.fork_vectors import fork_vectors
from tests.golden.identity_vectors import identity_vectors
from tests.golden.log_vectors import log_vectors
from tests.golden.plain import file_text
from tests.golden.record_vectors import record_vectors
from tests.golden.session_vectors import session_vectors
from tests.golden.trust_vectors import trust_vectors

README = "README.md"
GROUPS = (
    encoding_vectors,
    record_vectors,
    identity_vectors,
    log_vectors,
    amount_vectors,
    fold_vectors,
    session_vectors,
    trust_vectors,
    fork_vectors,
)


def golden_files() -> dict[str, bytes]:
    """Every generated file by its path below tests/vectors; the README is written by hand."""
    vectors = {path: vector for group in GROUPS for path, vector in group().items()}
    return {path: file_text(vector).encode() for path, vector in vectors.items()} | bundle_files()
