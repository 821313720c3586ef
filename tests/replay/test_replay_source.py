"""The files of a replay are read exactly, hostile ones included: a fault is counted, or named with its line."""

import gzip
import shutil
from pathlib import Path

import pytest

from node.errors import NodeError
from node.operations.replay.source import DATES, Source, SourceItem, read_source
from tests.replay.oracle import rows

MARKET = Path(__file__).parent / "data" / "market"
ORDER = dict.fromkeys(DATES, "2017-05-01 10:00:00") | {
    "order_id": "new",
    "customer_id": "somebody",
    "order_status": "delivered",
}
ITEM = {
    "order_id": "new",
    "order_item_id": "1",
    "product_id": "thing",
    "seller_id": "shop",
    "price": "1.00",
    "freight_value": "0.50",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the invented market, to be spoiled."""
    return Path(shutil.copytree(MARKET, tmp_path / "market"))


def append(folder: Path, name: str, row: dict[str, str]) -> None:
    """Write one more row, as its columns stand in the file."""
    path = folder / f"{name}.csv"
    header = path.read_text("utf-8-sig").splitlines()[0].replace('"', "").split(",")
    with path.open("a", encoding="utf-8") as file:
        file.write(",".join(row[column] for column in header) + "\n")


def refused(folder: Path) -> tuple[str, str]:
    """The code and the particulars with which a folder is refused."""
    with pytest.raises(NodeError) as error:
        read_source(folder)
    return error.value.code, error.value.detail


def test_marks_quotes_and_line_ends_change_nothing() -> None:
    """A byte order mark, CRLF, quoted commas and line breaks inside cells are read as `csv` reads them."""
    source = read_source(MARKET)
    assert source.seller_states == {row["seller_id"]: row["seller_state"] for row in rows(MARKET, "sellers")}
    assert source.customer_states == {
        row["customer_id"]: row["customer_state"] for row in rows(MARKET, "customers")
    }
    assert [order.order_id for order in source.orders] == [row["order_id"] for row in rows(MARKET, "orders")]
    assert sum(map(len, source.items.values())) == len(rows(MARKET, "items"))
    assert (source.not_read, source.faulty_items) == ({}, frozenset())


def test_packed_files_are_the_same_source(folder: Path) -> None:
    """Each file may be packed with gzip; of two of one name the plain one is read."""
    expected = read_source(folder)
    for path in list(folder.iterdir()):
        (folder / (path.name + ".gz")).write_bytes(gzip.compress(path.read_bytes()))
        if path.name != "orders.csv":
            path.unlink()
    (folder / "orders.csv.gz").write_bytes(b"not looked at")
    assert read_source(folder) == expected


def test_amounts_are_exact_and_days_are_days(folder: Path) -> None:
    """`59`, `1200.5` and `8.90` are amounts to the cent; of a moment the day is left."""
    append(folder, "orders", ORDER | {"order_approved_at": ""})
    for price, freight in (("59", "0.1"), ("1200.5", "8.90")):
        append(folder, "items", ITEM | {"price": price, "freight_value": freight})
    source = read_source(folder)
    assert source.items["new"] == [
        SourceItem("thing", "shop", 5900, 10),
        SourceItem("thing", "shop", 120050, 890),
    ]
    days = source.orders[-1].days
    assert set(days.values()) == {"2017-05-01"}
    assert "source_approved" not in days
    assert source.orders[-1].is_delivered


@pytest.mark.parametrize("price", ["1,50", "-1.00", "1.005", "1e2", "", "NaN", "１.00", " 1.00", "R$ 1.00"])
def test_an_amount_that_is_none_spoils_its_order_alone(folder: Path, price: str) -> None:
    """What is not plain decimal money is never guessed at."""
    before = read_source(folder)
    append(folder, "orders", ORDER)
    append(folder, "items", ITEM | {"price": f'"{price}"'})
    after = read_source(folder)
    assert after.faulty_items == {"new"}
    assert (after.items, after.not_read) == (before.items, before.not_read)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (ORDER | {"order_purchase_timestamp": ""}, "order_malformed"),
        (ORDER | {"order_purchase_timestamp": "yesterday"}, "order_malformed"),
        (ORDER | {"order_purchase_timestamp": "2017-05-01 10:00:00+00:00"}, "order_malformed"),
        (ORDER | {"order_delivered_customer_date": "2017-02-30 10:00:00"}, "order_malformed"),
        (ORDER | {"order_id": ""}, "order_malformed"),
        (ORDER | {"order_status": "delivered,delivered"}, "order_malformed"),
        (ORDER | {"order_id": rows(MARKET, "orders")[0]["order_id"]}, "order_repeated"),
    ],
)
def test_a_row_that_gives_no_order_is_counted(folder: Path, row: dict[str, str], reason: str) -> None:
    """Nothing is dropped in silence, and the other orders are read all the same."""
    append(folder, "orders", row)
    source = read_source(folder)
    assert source.not_read == {reason: 1}
    assert source.orders == read_source(MARKET).orders


def test_items_without_their_order_are_counted_once(folder: Path) -> None:
    """One order of which only items are known is one order that is missing, unless its row was malformed."""
    for _ in range(2):
        append(folder, "items", ITEM)
    append(folder, "items", ITEM | {"order_id": "other", "price": "?"})
    append(folder, "items", ITEM | {"order_id": "spoiled"})
    append(folder, "orders", ORDER | {"order_id": "spoiled", "order_purchase_timestamp": "?"})
    assert read_source(folder).not_read == {"order_missing": 2, "order_malformed": 1}


@pytest.mark.parametrize("name", ["sellers", "customers", "products", "orders", "items"])
def test_each_file_has_to_be_there(folder: Path, name: str) -> None:
    """A missing one is named."""
    (folder / f"{name}.csv").unlink()
    code, detail = refused(folder)
    assert code == "file_missing"
    assert f"{name}.csv or {name}.csv.gz" in detail


@pytest.mark.parametrize("name", ["sellers", "customers", "products", "orders", "items"])
@pytest.mark.parametrize(
    "content",
    [b"", b"a,b\n1,2\n", b"\xff\xfe\x00", b"\x1f\x8b\x08 not plain"],
    ids=["empty", "other", "utf16", "gz"],
)
def test_a_file_that_is_something_else_is_named(folder: Path, name: str, content: bytes) -> None:
    """Another table, another encoding, or nothing at all."""
    (folder / f"{name}.csv").write_bytes(content)
    code, detail = refused(folder)
    assert code == "replay_malformed"
    assert detail.startswith(f"{name}.csv: ")


def test_a_damaged_archive_is_named(folder: Path) -> None:
    """One that is cut off, one with a flipped byte, and one that is none."""
    packed = gzip.compress((folder / "items.csv").read_bytes())
    (folder / "items.csv").unlink()
    flipped = bytes([*packed[:300], packed[300] ^ 1, *packed[301:]])
    for content in (packed[:-20], flipped, b"plain text"):
        (folder / "items.csv.gz").write_bytes(content)
        code, detail = refused(folder)
        assert code == "replay_malformed"
        assert detail.startswith("items.csv.gz: ")


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("sellers", "lonely\n", "line 10"),
        ("sellers", ",1,x,AA\n", "line 10"),
        ("sellers", "new,1,x,Atlantis?\n", "line 10"),
        ("products", "new,food,1,2\n", "line 9"),
        ("products", "new,food,1\nnew,drinks,1\n", "line 10"),
        ("items", "no order\n,1,p,s,1.00,1.00\n", "line 31"),
        ("items", '"never closed\n', "line 30"),
    ],
)
def test_a_row_that_everything_hangs_on_is_named_with_its_line(
    folder: Path, name: str, line: str, said: str
) -> None:
    """Who lives where is not guessed at, and a quote that never closes would swallow the rest."""
    with (folder / f"{name}.csv").open("a", encoding="utf-8") as file:
        file.write(line)
    code, detail = refused(folder)
    assert code == "replay_malformed"
    assert said in detail


def test_rows_that_repeat_each_other_say_it_once(folder: Path) -> None:
    """Sources are unions of copies; equal words about one id do no harm."""
    append(
        folder, "products", {"product_id": "p", "product_category_name": "flores", "product_name_lenght": "1"}
    )
    append(
        folder, "products", {"product_id": "p", "product_category_name": "flores", "product_name_lenght": "2"}
    )
    source: Source = read_source(folder)
    assert source.categories["p"] == "flores"
