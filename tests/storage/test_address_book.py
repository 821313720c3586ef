"""What was found is kept: how, by whom, and the newest record."""

from dataclasses import replace

from storage.address_book import Finding, all_findings, forget_finding, keep_finding
from storage.engine import Store

A = Finding(b"a" * 32, "told", 5, told_by=b"b" * 32, genesis=b"genesis", record=b"record")


def test_a_finding_is_kept_once_changed_and_forgotten(store: Store) -> None:
    """The newest word about it stands."""
    other = Finding(b"c" * 32, "nearby", 3)
    with store.write() as connection:
        keep_finding(connection, A)
        keep_finding(connection, other)
        keep_finding(connection, replace(A, rule_number=7))
        keep_finding(connection, replace(A, record=b"newer", rule_number=7))
        assert all_findings(connection) == [other, replace(A, record=b"newer", rule_number=7)]
        forget_finding(connection, other.community)
        assert [found.community for found in all_findings(connection)] == [A.community]
