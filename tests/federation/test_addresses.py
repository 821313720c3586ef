"""Addresses have one spelling, and a node that does not answer is left in peace longer and longer."""

from random import Random

import pytest

from node.federation.dialer import url_of
from protocol.exchange.addresses import Address, parse_address
from protocol.exchange.dialling import BACK_OFF_MS_MAX, back_off_ms


@pytest.mark.parametrize(
    ("text", "address", "url"),
    [
        ("192.0.2.7:8471", Address("direct", "192.0.2.7", 8471), "wss://192.0.2.7:8471/federation/v1"),
        ("Box.local:8471", Address("direct", "box.local", 8471), "wss://box.local:8471/federation/v1"),
        (
            "[2001:DB8::1]:8471",
            Address("direct", "2001:db8::1", 8471),
            "wss://[2001:db8::1]:8471/federation/v1",
        ),
        (
            "wss://Shop.example",
            Address("proxied", "shop.example", 443),
            "wss://shop.example:443/federation/v1",
        ),
        (
            " wss://shop.example:8443/ ",
            Address("proxied", "shop.example", 8443),
            "wss://shop.example:8443/federation/v1",
        ),
    ],
)
def test_an_address_says_where_and_by_which_way(text: str, address: Address, url: str) -> None:
    """The scheme alone tells a proxied address from a direct one, and the text form reads back."""
    assert parse_address(text) == address
    assert parse_address(address.text) == address
    assert url_of(address) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "box.local",
        "box.local:0",
        "box.local:65536",
        "http://box.local:1",
        "a b:1",
        ":8471",
        "x:8471/path",
    ],
)
def test_other_texts_are_no_address(text: str) -> None:
    """What would have to be guessed is refused."""
    with pytest.raises(ValueError, match="port"):
        parse_address(text)


def test_waiting_doubles_up_to_five_minutes_and_is_never_in_step() -> None:
    """Nodes that lost the same peer at the same time do not come back at the same time."""
    chance = Random(1)
    waits = [back_off_ms(failures, chance) for failures in range(40)]
    assert 300 < waits[0] <= 500
    assert all(wait <= BACK_OFF_MS_MAX for wait in waits)
    assert waits[39] >= BACK_OFF_MS_MAX * 2 / 3
    assert back_off_ms(5, Random(1)) != back_off_ms(5, Random(2))
