"""PROTOCOL.md names every kind, field, code and move of the code, and its worked examples come out."""

import ast
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from protocol.amounts.entries import account_entries
from protocol.amounts.split import Allocation, Side, TaxTotal, difference, split
from protocol.encoding import decode
from protocol.fold import TABLES
from protocol.identity.keys import SigningKey
from protocol.lanes import BODY_TYPES, KINDS
from protocol.lanes.kind import SECTORS
from protocol.lanes.trade.lines import BuyerDetails, OrderLine
from protocol.lanes.trade.orders import LEGAL_MOVES, TAKEABLE
from protocol.log.merkle import leaf_hash
from protocol.log.record import decode_record, encode_record, member_message
from protocol.waiting import ARRIVAL_ORDER_TABLES
from tests.house.tree import place, python_files, syntax
from tests.village import POLICY
from tests.worked_examples import PROTOCOL_TEXT, worked_example, worked_lines

SECTIONS = dict(re.findall(r"^## (\d+)\. .*\n((?:(?!^## ).*\n)*)", PROTOCOL_TEXT, re.MULTILINE))
FAMILIES = {"charter": "10", "market": "11", "trade": "13", "ledger": "14"}
BUYER_MOVES = ("order.placed", "cancellation.requested", "order.received")
FORMAT_FAMILIES = {
    *("Encoding", "Log", "Amount", "Identity", "Sealing"),
    *("Record", "Charter", "Market", "Trade", "Ledger"),
}
WITHIN_FIELDS = {"span", "roles", "key", "role", "beneficiary", "seller", "buyer", "amount_minor", "due"}
SPLIT_TOTAL = 10_700
SIDES: dict[str, frozenset[Side]] = {
    "seller": frozenset({"seller"}),
    "buyer": frozenset({"buyer"}),
    "both": frozenset({"seller", "buyer"}),
}


def section_of(kind: str) -> str:
    if kind == "community.founded":
        return "4"
    return FAMILIES[KINDS[kind].step.__module__.split(".")[2]]


def table_rows(text: str, first: str) -> list[list[str]]:
    """The rows of the table whose heading begins with `first`, cells without their spaces."""
    table = text.split(f"| {first} |", 1)[1].split("\n\n", 1)[0]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in table.splitlines()[2:]]
    return [[cell.strip() for cell in row] for row in rows]


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def field_names(struct: Any) -> Iterator[str]:
    """The fields of a struct and of the maps within it; arrays have no names in bytes."""
    pending = [inspect.type_info(struct)]
    while pending:
        part: Any = pending.pop()
        if isinstance(part, inspect.StructType) and not part.cls.__struct_config__.array_like:
            yield from (field.encode_name for field in part.fields)
            pending += [field.type for field in part.fields]
        elif isinstance(part, inspect.UnionType):
            pending += part.types
        elif isinstance(part, inspect.ListType | inspect.VarTupleType):
            pending.append(part.item_type)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_and_field_is_in_its_section(kind: str) -> None:
    """The kind by name, and each field of its body in a table of that section or of section 12."""
    section = SECTIONS[section_of(kind)]
    assert f"`{kind}`" in section
    tables = "\n".join(re.findall(r"^\|.*\|$", section + SECTIONS["12"], re.MULTILINE))
    words = set(re.findall(r"`([a-z_0-9]+)`", tables)) | set(re.findall(r"`([a-z_0-9]+)`", SECTIONS["12"]))
    missing = set(field_names(KINDS[kind].body)) - words
    if kind in TAKEABLE:
        missing -= {"code", "totals"} if "`code` (code)" in section and "`totals` as in" in section else set()
    assert not missing


@pytest.mark.parametrize("payload", [OrderLine, BuyerDetails])
def test_every_field_of_a_sealed_payload_is_in_section_13(payload: type[msgspec.Struct]) -> None:
    """Sealed payloads have field tables too."""
    text = SECTIONS["13"].split("### 13.6")[1]
    assert set(payload.__struct_fields__) <= set(re.findall(r"`([a-z_]+)`", text))


def test_every_code_of_the_format_is_explained_where_it_is_checked() -> None:
    """Section 20 lists all codes by family; what a record, note or sealed part can meet has its rule besides."""
    rules = "".join(text for number, text in SECTIONS.items() if number not in ("3", "20"))
    unexplained, family = [], ""
    for heading, code in re.findall(r"^\| (?:\*\*(.+)\*\*|`([a-z0-9_]+)`) \|", SECTIONS["20"], re.MULTILINE):
        family = heading or family
        if code and family in FORMAT_FAMILIES and f"`{code}`" not in rules:
            unexplained.append(code)
    assert not unexplained


def test_every_state_table_and_its_fields_are_in_section_16() -> None:
    """Whoever wants the same digest has to keep the same rows."""
    rows = {named(row[0])[0]: row[2] for row in table_rows(SECTIONS["16"], "table")}
    assert set(rows) == set(TABLES) - ARRIVAL_ORDER_TABLES
    for table, cell in rows.items():
        if table != "policy":
            fields = set(TABLES[table].__struct_fields__)
            assert fields <= set(named(cell)) <= fields | WITHIN_FIELDS, table


def test_the_lanes_are_named() -> None:
    """All nine sectors stand in section 9.1."""
    assert {f"`{sector}`" for sector in SECTORS} <= set(re.findall(r"`[a-z]+`", SECTIONS["9"]))


def test_the_table_of_moves_is_the_one_in_the_code() -> None:
    """Section 13.3: every legal pair of status and move, and no other."""
    printed = {
        (named(row[0])[0], move): status
        for row in table_rows(SECTIONS["13"].split("### 13.3")[1], "status")
        for move, status in re.findall(r"`([a-z.]+)`: ([a-z]+)", row[1])
    }
    assert printed == dict(LEGAL_MOVES)


def test_the_table_of_takes_is_the_one_in_the_code() -> None:
    """Section 13.3: what each of the seller's moves may take."""
    rows = table_rows(SECTIONS["13"].split("### 13.3")[1], "kind")
    assert {named(row[0])[0]: frozenset(named(row[2])) for row in rows} == dict(TAKEABLE)


def test_what_may_be_taken_in_which_status_follows_from_both_tables() -> None:
    """Section 13.4: legal in the status, and allowed to take the record."""
    for row in table_rows(SECTIONS["13"].split("### 13.4")[1], "status"):
        for status, (column, said) in product(named(row[0]), enumerate(BUYER_MOVES[1:], start=1)):
            wanted = {move for at, move in LEGAL_MOVES if at == status and said in TAKEABLE[move]}
            assert set(named(row[column])) == wanted, (status, said)


def test_every_pair_of_concurrent_moves_has_its_result() -> None:
    """Section 13.4: all pairs once; the status is the one to which the seller's move leads."""
    rows = table_rows(SECTIONS["13"], "the buyer says")
    pairs = [(*named(row[0]), *named(row[1])) for row in rows]
    assert sorted(pairs) == sorted(product(BUYER_MOVES, TAKEABLE))
    for (said, move), row in zip(pairs, rows, strict=True):
        if said == "order.placed":
            assert row[2] == "void `order_not_taken`"
        else:
            assert row[2].split(",")[0] == result_of(move)
            assert row[2].endswith("refused") == (move == "cancellation.refused")


def result_of(move: str) -> str:
    leads = {(before, after) for (before, legal), after in LEGAL_MOVES.items() if legal == move}
    afters = {after for _, after in leads}
    return afters.pop() if len(afters) == 1 and move != "order.taken" else "unchanged"


def test_no_kind_is_named_outside_its_own_family() -> None:
    """A new kind touches its own package under protocol/lanes, and no other code of protocol/."""
    found = [
        f"{place(path, line)} names {kind}"
        for path in python_files("protocol")
        for kind, line in texts_in(path)
        if kind in KINDS and not place(path).startswith(home_of(kind))
    ]
    assert found == []


def texts_in(path: Path) -> Iterator[tuple[str, int]]:
    for part in ast.walk(syntax(path)):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value, part.lineno


def home_of(kind: str) -> str:
    return "/".join(KINDS[kind].step.__module__.split(".")[:3]) + "/"


def test_the_canonical_example_comes_out() -> None:
    """Section 2.2, both ways."""
    ((_, raw),) = worked_example("canonical").items()
    value = {"a": {"草": b"\x01"}, "aa": "x", "b": [1, -1, None, True], "m": -33, "n": 2**53 - 1}
    assert decode(bytes.fromhex(raw.removeprefix("=").strip()), bytes_max=100) == value


def test_the_record_example_comes_out() -> None:
    """Section 8.1."""
    example = worked_example("record")
    body = KINDS[example["kind"]].body(lane=example["body lane"])
    raw = encode_record(
        example["kind"],
        body,
        time_ms=int(example["time_ms"]),
        charter_size=int(example["charter_size"]),
    )
    assert (raw.hex(), leaf_hash(raw).hex()) == (example["record"], example["record id"])


def test_the_member_record_example_comes_out() -> None:
    """Section 8.7: message, signature, record."""
    example = worked_example("member-record")
    key = SigningKey(bytes.fromhex(example["seed of the member's key"]))
    record = decode_record(bytes.fromhex(example["record"]), BODY_TYPES)
    message = member_message(
        bytes.fromhex(example["community"]),
        example["lane"],
        int(example["epoch"]),
        int(example["charter_size"]),
        example["kind"],
        int(example["time_ms"]),
        bytes.fromhex(example["author"]),
        record.body,
    )
    assert key.public.hex() == example["member's key"]
    assert message.hex() == example["message"]
    assert record.signature == key.sign(message) == bytes.fromhex(example["signature"])
    assert record.record_id.hex() == example["record id"]


def test_the_posting_examples_come_out() -> None:
    """Section 14.3: the order of 107.00 EUR, completed and then refunded to 53.50."""
    for move, who_collects, who, entries in worked_lines("postings"):
        collector: Side = "buyer" if who_collects == "buyer" else "seller"
        shares = shares_of(SPLIT_TOTAL, collector, is_same=who == "both")
        if move == "refunded":
            shares = difference(shares_of(SPLIT_TOTAL // 2, collector, is_same=who == "both"), shares)
        made = account_entries(shares, sides=SIDES[who], collector=collector)
        assert ", ".join(f"{line.account} {line.amount_minor}" for line in made) == entries


def shares_of(gross_minor: int, collector: Side, *, is_same: bool) -> tuple[Allocation, ...]:
    totals = [TaxTotal(tax_class="food", rate_bp=700, gross_minor=gross_minor)]
    return split(POLICY, totals, "EUR", same_community=is_same, collector=collector)
