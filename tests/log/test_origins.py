"""An origin has one text, and a text names one origin or none."""

import pytest

from protocol.errors import ProtocolError
from protocol.identity.keys import to_base32
from protocol.log.origin import Origin, parse_origin

COMMUNITY = to_base32(bytes(range(32)))


@pytest.mark.parametrize(("lane", "epoch"), [("charter", 0), ("market/food", 1), ("ledger", 2**31)])
def test_an_origin_comes_back_from_its_text(lane: str, epoch: int) -> None:
    """Reading the text gives the origin again."""
    origin = Origin(bytes(range(32)), lane, epoch)
    assert parse_origin(origin.text) == origin
    assert origin.text == f"wildgrass/v1/{COMMUNITY}/{epoch}/{lane}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "coop.example/greenmarket",
        f"wildgrass/v2/{COMMUNITY}/0/charter",
        f"wildgrass/v1/{COMMUNITY}/00/charter",
        f"wildgrass/v1/{COMMUNITY}/-1/charter",
        f"wildgrass/v1/{COMMUNITY}/2147483649/charter",
        f"wildgrass/v1/{COMMUNITY}/99999999999/charter",
        f"wildgrass/v1/{COMMUNITY}/0/",
        f"wildgrass/v1/{COMMUNITY}/0/Charter",
        f"wildgrass/v1/{COMMUNITY}/0/market/food/rice",
        f"wildgrass/v1/{COMMUNITY}/0/market/",
        f"wildgrass/v1/{COMMUNITY}/0/../charter",
        f"wildgrass/v1/{COMMUNITY}/0/charter\n",
        f"wildgrass/v1/{COMMUNITY.upper()}/0/charter",
        f"wildgrass/v1/{COMMUNITY[:-1]}b/0/charter",
        f"wildgrass/v1/{COMMUNITY}/0/{'a' * 32}",
        f"wildgrass/v1/{COMMUNITY}/٣/charter",
    ],
)
def test_a_text_that_is_not_the_one_spelling_is_refused(text: str) -> None:
    """Other spellings, other versions and other shapes have a code."""
    with pytest.raises(ProtocolError) as refusal:
        parse_origin(text)
    assert refusal.value.code in {"origin_malformed", "id_malformed"}
