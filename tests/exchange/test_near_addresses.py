"""What a stranger tells does not make a node knock at doors of its own network (section 26.3)."""

import pytest

from node.federation.dialer import FarResolver
from protocol.exchange.addresses import parse_address
from protocol.exchange.discovery_events import AddressNamed, Dial, Found
from protocol.exchange.near import near_range
from protocol.exchange.replication_events import PeerOpened
from tests.exchange.test_discovery import MILL, SHOP, Searcher, dials, followed, signer

ROUTER, FAR = "192.168.1.1:443", "192.0.2.7:8471"
STRANGER = signer("stranger")


@pytest.mark.parametrize(
    ("host", "near"),
    [
        ("192.168.1.1", "192.168.1.0/24"),
        ("::ffff:192.168.1.1", "192.168.1.0/24"),
        ("64:ff9b::c0a8:101", "192.168.1.0/24"),
        ("2002:c0a8:101::1", "192.168.1.0/24"),
        ("127.0.0.1", "127.0.0.0/24"),
        ("0.0.0.0", "0.0.0.0/24"),
        ("169.254.169.254", "169.254.169.0/24"),
        ("100.64.3.1", "100.64.3.0/24"),
        ("::1", "::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("fd00:1:2::3", "fd00:1:2::/48"),
        ("ff02::1", "ff02::/48"),
        ("255.255.255.255", "255.255.255.0/24"),
        ("192.0.2.7", None),
        ("2001:db8::7", None),
        ("shop.example", None),
        ("192.168.1", None),
    ],
)
def test_what_is_near(host: str, near: str | None) -> None:
    """Networks of one's own, in whichever way an address of theirs is written."""
    assert near_range(host) == near


def told_by(remote: str, *addresses: str) -> tuple[Searcher, list[Dial]]:
    """The dials to a followed community after a stranger, met at `remote`, has told its record."""
    search = Searcher((followed(SHOP),))
    search.meet(MILL)
    search.tell(PeerOpened(MILL.community, 32, remote))
    return search, dials(search.told(SHOP.told(*addresses)))


@pytest.mark.parametrize("remote", ["203.0.113.9", "192.168.2.9", "10.0.0.1", "fd00::1", ""])
def test_who_is_elsewhere_names_no_address_here(remote: str) -> None:
    """Neither a followed community's own record nor the hearsay of others is dialled there; what is far is."""
    assert told_by(remote, ROUTER)[1] == []
    assert [dial.address.text for dial in told_by(remote, ROUTER, FAR)[1]] == [FAR]
    search, _ = told_by(remote, FAR)
    assert dials(search.told(STRANGER.told(ROUTER))) == []


def test_who_is_here_names_addresses_here() -> None:
    """A peer that was met in a network tells where others of that network are."""
    search, dialled = told_by("192.168.1.77", "192.168.1.5:8471")
    assert [dial.address.text for dial in dialled] == ["192.168.1.5:8471"]
    (hearsay,) = dials(search.told(STRANGER.told("192.168.1.6:8471")))
    assert hearsay.expected == STRANGER.community


@pytest.mark.parametrize("found", ["added", "nearby", "invited"])
def test_whom_somebody_here_has_named_may_move_within_that_network(found: Found) -> None:
    """A node whose router has given it another address is found, whoever tells; other networks stay closed."""
    search = Searcher((followed(SHOP),))
    search.meet(MILL)
    search.tell(PeerOpened(MILL.community, 32, "203.0.113.9"))
    search.fail(dials(search.tell(AddressNamed(parse_address("192.168.1.5:8471"), found, SHOP.community)))[0])
    (dial,) = dials(search.told(SHOP.told("192.168.1.6:8471")))
    assert (dial.address.text, dial.may_be_near) == ("192.168.1.6:8471", True)
    search.fail(dial)
    moved = dials(search.told(SHOP.told("192.168.2.6:8471", time_ms=1_760_000_000_001)))
    assert [each.address.host for each in moved] == ["192.168.1.5"]


def test_a_name_that_was_told_means_nothing_here() -> None:
    """What a name stands for is known when it is dialled: one that somebody here has named may be near."""
    _, (told,) = told_by("203.0.113.9", "wss://printer.example")
    assert not told.may_be_near
    search = Searcher((followed(SHOP, "wss://shop.example"),))
    (named,) = search.dials
    assert named.may_be_near


async def test_a_name_of_our_own_network_is_not_resolved_for_strangers() -> None:
    """It is as if it had no address; so neither is a name that means this machine."""
    with pytest.raises(OSError, match="nobody here has named it"):
        await FarResolver().resolve("localhost", 443)
