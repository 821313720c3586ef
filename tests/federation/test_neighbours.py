"""Neighbours on the local network: what is announced, what is believed, and a network without multicast."""

import asyncio
from hashlib import sha256

import pytest
from zeroconf.asyncio import AsyncServiceInfo

from node.federation.mdns import SERVICE_TYPE, Neighbourhood, read_neighbour
from node.federation.neighbour import Neighbour
from protocol.identity.keys import to_base32
from tests.federation.loopback import free_port

A = Neighbour(b"A" * 32, "127.0.0.1", 8471, 8470)
GOOD = {"v": b"1", "id": to_base32(A.community).encode(), "http": b"8470"}


def announcement(
    texts: dict[str, bytes], *, port: int = 8471, addresses: tuple[str, ...] = ("192.168.1.7",)
) -> AsyncServiceInfo:
    return AsyncServiceInfo(
        SERVICE_TYPE, f"x.{SERVICE_TYPE}", port=port, parsed_addresses=list(addresses), properties=dict(texts)
    )


def test_an_announcement_says_who_and_where() -> None:
    """Id, both ports and the address of the network come out as they were announced."""
    found = read_neighbour(announcement(GOOD, addresses=("127.0.0.1", "192.168.1.7")))
    assert found == Neighbour(A.community, "192.168.1.7", 8471, 8470)


@pytest.mark.parametrize(
    "service",
    [
        announcement({}),
        announcement({**GOOD, "v": b"2"}),
        announcement({**GOOD, "id": b"short"}),
        announcement({**GOOD, "id": b"\xff" * 52}),
        announcement({**GOOD, "id": GOOD["id"].upper()}),
        announcement({**GOOD, "http": b"99999"}),
        announcement({**GOOD, "http": b"-1"}),
        announcement({**GOOD, "http": "٣".encode()}),
        announcement({**GOOD, "http": b"9" * 200}),
        announcement(GOOD, port=0),
        announcement(GOOD, addresses=("8.8.8.8",)),
        announcement(GOOD, addresses=()),
    ],
)
def test_what_is_not_one_of_ours_is_passed_over(service: AsyncServiceInfo) -> None:
    """Anybody on the network may announce anything; it must not send us out into the internet either."""
    assert read_neighbour(service) is None


async def test_a_machine_that_cannot_multicast_says_so_and_goes_on() -> None:
    """An address that is not this machine's cannot be used: the reason is a value, not an exception."""
    lonely = Neighbourhood(A, lambda _found: None, interfaces=["203.0.113.77"])
    assert await lonely.start() != ""
    assert lonely.neighbours == ()
    await lonely.stop()


async def test_two_nodes_on_one_network_find_each_other() -> None:
    """Each hears of the other with its id and ports; nobody hears of itself. Skipped without multicast."""
    ports = free_port(), free_port()
    names = [sha256(b"%d" % port).digest() for port in ports]  # others may run this on the same network
    found = {name: asyncio.get_running_loop().create_future() for name in names}

    def hear(neighbour: Neighbour) -> None:
        if neighbour.community in found and not found[neighbour.community].done():
            found[neighbour.community].set_result(neighbour)

    ours = [Neighbour(name, "127.0.0.1", port, 8470) for name, port in zip(names, ports, strict=True)]
    around = [Neighbourhood(one, hear, interfaces=["127.0.0.1"]) for one in ours]
    failures = [await one.start() for one in around]
    try:
        if any(failures):
            pytest.skip(f"this machine has no multicast: {failures}")
        _, missing = await asyncio.wait(found.values(), timeout=8)
        if missing:
            pytest.skip("announcements do not come back on the loopback of this machine")
        assert [found[name].result() for name in names] == ours
        for one, other, own in ((around[0], ours[1], ours[0]), (around[1], ours[0], ours[1])):
            assert other in one.neighbours
            assert own not in one.neighbours
    finally:
        for one in around:
            await one.stop()
