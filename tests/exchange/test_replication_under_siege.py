"""Everything at once: restarts, partitions, losses and a node that garbles what it says. Nothing false is kept."""

from collections.abc import Callable
from random import Random

import pytest

from protocol.errors import SessionError
from protocol.exchange.frames import Frame, decode_frame, encode_frame
from protocol.exchange.holding import ReportFork
from tests.exchange.simnet import SimNet
from tests.exchange.villages import A, B, C, D, entries, held, lane_of, make_net

NAMES = (A, B, C, D)


def garble(chance: Random) -> Callable[[Frame], list[Frame]]:
    """Now and then one byte of a frame is another one, it is said twice, or not at all."""

    def lie(frame: Frame) -> list[Frame]:
        if chance.random() < 0.7:
            return [frame]
        raw = bytearray(encode_frame(frame))
        raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        try:
            changed = decode_frame(bytes(raw))
        except SessionError:
            return []  # a session would end here; for the machine it is a lost frame
        return [changed] * chance.randint(1, 2)

    return lie


def truth(net: SimNet, name: bytes) -> list[bytes]:
    return held(net, name, lane_of(name)).entries


def check_nothing_false(net: SimNet, seed: int) -> None:
    """What anybody holds of a lane is a beginning of it, and what is adopted is signed by its owner."""
    for owner in NAMES:
        told = truth(net, owner)
        for reader in NAMES:
            lane = held(net, reader, lane_of(owner))
            assert lane.entries == told[: len(lane.entries)], f"seed {seed}"
            assert lane.adopted is None or lane.adopted.size <= len(told), f"seed {seed}"


def step(net: SimNet) -> None:
    """Something happens to somebody."""
    chance = net.random
    name = chance.choice(NAMES)
    match chance.randrange(6):
        case 0:
            net.restart(name)
        case 1:
            net.disconnect(name)
        case 2 | 3:
            net.append(name, lane_of(name), entries(chance.randint(1, 700), len(truth(net, name))))
        case 4:
            net.nodes[name].store.is_full = not net.nodes[name].store.is_full
        case _:
            other = chance.choice([one for one in NAMES if one != name])
            net.connect(name, other)
    net.run(chance.randint(50, 20_000))


@pytest.mark.parametrize("seed", range(8))
def test_nothing_false_is_kept_and_peace_brings_everybody_home(seed: int) -> None:
    """D garbles a third of what it says; after the siege D is honest, and all four hold all lanes."""
    net = make_net(*NAMES, seed=seed, loss=0.05, doubles=0.05, delay_ms=(1, 300))
    net.nodes[D].lie = garble(net.random)
    for name in NAMES:
        net.append(name, lane_of(name), entries(net.random.randint(1, 900)))
    net.connect(*NAMES)
    for _ in range(25):
        step(net)
        check_nothing_false(net, seed)
    net.loss, net.nodes[D].lie = 0.0, lambda frame: [frame]
    for node in net.nodes.values():
        node.store.is_full = False
    for name in NAMES:
        net.disconnect(name)
    net.connect(*NAMES)
    wanted = {name: truth(net, name) for name in NAMES}

    def is_home() -> bool:
        return all(
            held(net, reader, lane_of(name)).entries == told
            for reader in NAMES
            for name, told in wanted.items()
        )

    net.run(900_000, until=is_home)
    assert is_home(), f"seed {seed}"
    assert not any(isinstance(report, ReportFork) for node in net.nodes.values() for report in node.reports)
