"""What the pages remember between two looks is never older than the store: sessions, opened orders, cards."""

import pytest
from sqlalchemy.exc import SQLAlchemyError

from node.actions.order_book import show_order
from node.actions.people import PeopleQuery, PersonName, RoleDraft, change_role, dismiss_person, list_people
from node.actions.selling import OrderName
from node.opened_orders import OpenedOrders
from node.session_memory import SessionMemory
from storage.engine import open_store
from storage.people import Person, WebSession
from storage.sealed import erase_sealed
from tests.pages.desk_site import Community, community, publish

SPRING_MS = 1_790_000_000_000


@pytest.fixture
async def spring(tmp_path):
    async with community(tmp_path / "spring") as spring:
        yield spring


def found(token_hash: bytes, expires_ms: int = SPRING_MS) -> tuple[Person, WebSession]:
    person = Person(person_id=b"p" * 16, name="Mei", role="member", created_ms=0)
    session = WebSession(
        token_hash=token_hash,
        person_id=person.person_id,
        user_agent="",
        opened_ms=0,
        seen_ms=0,
        expires_ms=expires_ms,
    )
    return person, session


async def id_of_person(spring: Community, name: str) -> str:
    people = (await list_people(spring.node, PeopleQuery())).people
    return next(person.person_id for person in people if person.name == name)


async def test_a_session_that_has_ended_is_out_at_once(spring: Community) -> None:
    """Pages that were seen a moment ago are closed by the log-out, by a dismissal, and by another role."""
    mei, bo, cy = [await spring.person(name) for name in ("Mei", "Bo", "Cy")]
    for keeper in (mei, bo, cy, mei):
        assert (await keeper.get("/desk")).status == 200
    page = await mei.get("/account")
    await mei.send(page, "/logout")
    assert (await mei.get("/desk")).path == "/login"
    assert (await bo.get("/desk")).status == 200
    await dismiss_person(spring.node, PersonName(person_id=await id_of_person(spring, "Bo")))
    assert (await bo.get("/desk")).path == "/login"
    assert (await cy.get("/desk")).status == 200
    await change_role(spring.node, RoleDraft(person_id=await id_of_person(spring, "Cy"), role="member"))
    assert (await cy.get("/desk")).status == 403


async def test_each_sees_their_own_name(spring: Community) -> None:
    """Two who look at the same pages in turns, with nothing written in between, are never mixed up."""
    mei, bo = await spring.person("Mei"), await spring.person("Bo")
    for _ in range(3):
        for keeper, name, other in ((mei, "Mei", "Bo"), (bo, "Bo", "Mei")):
            shown = (await keeper.get("/desk")).text
            assert f">{name}</a>" in shown
            assert f">{other}</a>" not in shown


def test_a_session_is_remembered_until_anything_is_written(tmp_path) -> None:
    """A write ends what is remembered, also one that fails; an answer from before a write is not kept."""
    with open_store(tmp_path) as store:
        memory = SessionMemory(store)
        memory.keep(found(b"a"), store.writes)
        memory.keep(found(b"b"), store.writes)
        assert memory.find(b"a", SPRING_MS - 1) == found(b"a")
        assert memory.find(b"a", SPRING_MS) is None
        assert memory.find(b"c", 0) is None
        before = store.writes
        with store.write():
            assert memory.find(b"b", 0) is not None
        assert memory.find(b"b", 0) is None
        memory.keep(found(b"b"), before)
        assert memory.find(b"b", 0) is None
        memory.keep(found(b"a"), store.writes)
        assert memory.find(b"b", 0) is None
        with pytest.raises(SQLAlchemyError), store.write() as connection:
            connection.exec_driver_sql("no SQL")
        assert memory.find(b"a", 0) is None


async def test_an_erased_part_of_an_order_is_not_shown_from_memory(spring: Community) -> None:
    """The desk shows the buyer's words, opened and remembered; when they are erased, they are gone at once."""
    keeper = await spring.person("Mei")
    address = await spring.order((await publish(keeper)).path)
    for _ in range(2):
        assert "周六来取" in (await keeper.get(address)).text
        assert "李雷" in (await keeper.get("/desk")).text
    buyer, order_id = address.split("/")[-2:]
    name = OrderName(buyer=buyer, order_id=order_id)
    order = await show_order(spring.node, name)
    assert order.details is not None
    details = await spring.node.read(
        lambda read: [row[1].placed.details for row in read.scan("placement", (), length=2, limit=2)]
    )
    await spring.node.write(lambda transaction: erase_sealed(transaction.connection, details[0]))
    order = await show_order(spring.node, name)
    assert (order.opened, order.details) == ("not_here", None)
    assert "周六来取" not in (await keeper.get(address)).text
    assert "李雷" not in (await keeper.get("/desk")).text


async def test_few_opened_orders_are_remembered(spring: Community) -> None:
    """Past its bound the oldest is opened again, and says the same."""
    keeper = await spring.person("Mei")
    listing = (await publish(keeper)).path
    for _ in range(3):
        await spring.order(listing, steps=1)
    opened = OpenedOrders(spring.node.vault.sealing, orders_max=2)

    def question(read):
        placements = [row[1] for row in read.scan("placement", (), length=2, limit=9)]
        return [opened.open(read.connection, placement) for placement in placements * 3]

    answers = await spring.node.read(question)
    assert answers[:3] == answers[3:6] == answers[6:]
    assert all(answer.lines and answer.details for answer in answers)
