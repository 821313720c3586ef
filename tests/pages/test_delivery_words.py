"""The buyer's order page says what became of the sealed part: waiting here or at a relay, delivered, expired."""

from dataclasses import replace
from pathlib import Path

from node.core import Node
from protocol.exchange.delivery import Part
from protocol.identity.keys import from_base32
from storage.peers import Peer, save_peer
from storage.sent_parts import parts_of_order, save_part
from tests.pages.desk_site import Visitor, community, publish

RELAY = b"R" * 32
SAID = {
    "en": ("waits here until", "has reached the shop", "was not fetched in time"),
    "zh-Hans": ("在这里等店铺", "已经送到店铺", "没有按时取走"),
}
AT_RELAY = {"en": "waits at Spring until", "zh-Hans": "在 春草 等店铺"}


async def test_the_page_of_an_order_says_where_its_sealed_part_is(tmp_path: Path) -> None:
    """In both languages, and nothing of it where there is nothing on its way."""
    async with community(tmp_path / "spring") as spring:
        shown = await publish(await spring.person("Keeper"))
        listing = shown.path.rsplit("/", 1)[1]
        own = spring.node.vault.community_text
        visitor = Visitor(spring.client, None)
        page = await visitor.get(f"/listings/{own}/pets/{listing}")
        action = next(action for action in page.forms if action.endswith("/order"))
        ordered = await visitor.send(
            page, action, name="Ann", contact="ann", consent="yes", quantity="1", fulfilment="pickup"
        )
        assert ordered.path.startswith("/o/")
        order_id = from_base32(ordered.path.split("/")[2].split(".")[0], 16)
        for language, words in SAID.items():
            visitor.language = language
            assert not [said for said in words if said in (await visitor.get(ordered.path)).text]
            part = Part(b"c" * 32, b"s" * 32, order_id)
            held = replace(part, state="held", relay=RELAY, until_ms=2**40, puts=1)
            for state, said in zip(("queued", "delivered", "expired"), words, strict=True):
                await keep(spring.node, replace(part, state=state))  # type: ignore[arg-type]  # one of the four
                assert said in (await visitor.get(ordered.path)).text
            await keep(spring.node, held)
            assert AT_RELAY[language] in (await visitor.get(ordered.path)).text
            await spring.node.write(lambda job: job.connection.exec_driver_sql("DELETE FROM sent_parts"))
            assert await spring.node.read(lambda read: parts_of_order(read.connection, order_id)) == []


async def keep(node: Node, part: Part) -> None:
    """Keep a part as it is, and the relay under the name that this community has itself."""
    known = Peer(RELAY, "", (), "found", genesis=node.vault.genesis_record)
    await node.write(lambda job: save_part(job.connection, part))
    await node.write(lambda job: save_peer(job.connection, known))
