"""From a folder with keys to a node that reads and writes, and back: the part without sockets.

async with opened_node(settings, vault, on_advance=...) as node:
await publish_shop(node, ShopDraft(...))
"""

import secrets
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager

from node.auditing.audits import Audits
from node.config import Settings
from node.core import Node
from node.errors import NodeError
from node.opened_orders import OpenedOrders
from node.passwords import Passwords
from node.session_memory import SessionMemory
from node.vault import Vault
from node.writer.clock import ClockGuard, system_clock
from node.writer.lane_writer import Advance, LaneWriter
from node.writer.own_lanes import Signer
from protocol.identity.succession import KnownNote, make_chain
from protocol.identity.successor import EpochKeys
from protocol.lanes.kind import CHARTER
from storage.engine import Store, open_store
from storage.guard import open_guard
from storage.lanes import LaneStore
from storage.successors import successor_notes

READERS = 2
LEASE_BYTES = 16


@asynccontextmanager
async def opened_node(
    settings: Settings,
    vault: Vault,
    *,
    on_advance: Callable[[Advance], None],
    clock: Callable[[], int] = system_clock,
    refusal: NodeError | None = None,
) -> AsyncIterator[Node]:
    """Open store and guard, found the charter where it is empty, and run the writer until the block ends.

    `on_advance` is called on the writer's thread; with a `refusal` nothing own is said or signed. Raises
    `StorageError`; then nothing is left running.
    """
    async with AsyncExitStack() as stack:
        where = settings.database_url or settings.folder
        store = stack.enter_context(open_store(where))
        guard = stack.enter_context(open_guard(settings.guard_url or where))
        _found_charter(store, vault)
        guarded_clock = ClockGuard(clock)
        writer = LaneWriter(
            store,
            guard,
            _signer(store, vault),
            lease=secrets.token_bytes(LEASE_BYTES),
            clock=guarded_clock,
            on_advance=on_advance,
            refusal=refusal,
        )
        writer.start()
        stack.callback(writer.stop)
        readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        stack.callback(readers.shutdown, cancel_futures=True)
        passwords = Passwords()
        stack.callback(passwords.close)
        audits = Audits(where)
        stack.push_async_callback(audits.stop)
        yield Node(
            community=vault.community,
            genesis=vault.genesis,
            vault=vault,
            store=store,
            guard=guard,
            clock=guarded_clock,
            writer=writer,
            readers=readers,
            passwords=passwords,
            audits=audits,
            opened_orders=OpenedOrders(vault.sealing),
            sessions=SessionMemory(store),
        )


def _signer(store: Store, vault: Vault) -> Signer:
    """The epoch that is open, as far as is known here, and its key where it is on this machine."""
    with store.read() as connection:
        notes = successor_notes(connection, vault.community)
    chain = make_chain(
        EpochKeys.of_genesis(vault.community, vault.genesis),
        {epoch: [KnownNote(raw) for raw in some] for epoch, some in notes.items()},
    )
    return Signer(vault.community, chain.epoch, vault.signer_key(chain.newest))


def _found_charter(store: Store, vault: Vault) -> None:
    """The genesis is leaf 0 of the charter; it was made with the keys, before there was a store."""
    with store.write() as connection:
        lanes = LaneStore(connection)
        charter = lanes.open_lane(vault.community, CHARTER, 0)
        if not lanes.size(charter):
            lanes.append(charter, 0, [vault.genesis_record])
