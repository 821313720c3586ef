"""Communities with fixed keys for the tests of replication, and shorthands to build and compare them."""

from protocol.identity.keys import SigningKey
from protocol.log.origin import Origin
from tests.exchange.memory_store import MemoryLane, MemoryStore
from tests.exchange.sim_node import SimNode
from tests.exchange.simnet import SimNet

NAMES = tuple(bytes([letter]) * 32 for letter in b"ABCDEFG")
A, B, C, D = NAMES[:4]
KEYS = {name: SigningKey(name) for name in NAMES}
LOG_PUBLICS = {name: key.public for name, key in KEYS.items()}


def lane_of(name: bytes, lane: str = "market/food") -> Origin:
    return Origin(name, lane, 0)


def entries(count: int, first: int = 0, size: int = 40) -> list[bytes]:
    return [f"entry {index} ".encode().ljust(size, b".") for index in range(first, first + count)]


def make_net(*names: bytes, seed: int = 1, **faults: object) -> SimNet:
    net = SimNet(seed, **faults)  # type: ignore[arg-type]  # the faults are named once, in SimNet
    for name in names:
        net.nodes[name] = SimNode(MemoryStore(name, KEYS[name], LOG_PUBLICS))
    return net


def held(net: SimNet, name: bytes, origin: Origin) -> MemoryLane:
    return net.nodes[name].store.lanes.get(origin, MemoryLane())


def adopted_size(net: SimNet, name: bytes, origin: Origin) -> int:
    adopted = held(net, name, origin).adopted
    return adopted.size if adopted else 0


def blames(net: SimNet, name: bytes) -> set[tuple[bytes, str]]:
    return {(report.peer, report.code) for report in net.nodes[name].reports if hasattr(report, "code")}
