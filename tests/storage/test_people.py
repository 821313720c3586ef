"""The people who log in: one name each, links that work once, sessions that end, orders by who placed them."""

import pytest
import sqlalchemy as sa

from storage.engine import Store
from storage.people import (
    LoginLink,
    OrderOfPerson,
    Person,
    WebSession,
    add_login_link,
    admit_person,
    all_people,
    dismiss_person,
    end_expired_sessions,
    end_session,
    end_sessions_of,
    forget_login_links,
    login_link_of,
    name_key,
    note_order,
    note_session_seen,
    open_session,
    orders_of,
    people_with_role,
    person_in_session,
    person_named,
    person_of,
    person_of_order,
    sessions_of,
    set_password_hash,
    set_role,
    use_login_link,
)

LIN = Person(person_id=b"l" * 16, name="Lin 小红", role="steward", created_ms=1)
BO = Person(person_id=b"b" * 16, name="Bo", role="member", created_ms=2)


def session(number: int, person: Person = LIN, seen_ms: int = 10, expires_ms: int = 100) -> WebSession:
    return WebSession(
        token_hash=bytes([number]) * 32,
        person_id=person.person_id,
        user_agent="手机 Firefox",
        opened_ms=5,
        seen_ms=seen_ms,
        expires_ms=expires_ms,
    )


@pytest.fixture
def peopled(store: Store) -> Store:
    """A store with a steward and a member."""
    with store.write() as connection:
        admit_person(connection, LIN)
        admit_person(connection, BO)
    return store


def test_a_person_is_found_by_id_and_by_name_in_any_writing(peopled: Store) -> None:
    """Case, width and spacing make no other name; roles and passwords change."""
    with peopled.write() as connection:
        assert person_of(connection, LIN.person_id) == LIN
        assert person_of(connection, b"?" * 16) is None
        assert person_named(connection, "  lIN  小红 ") == LIN
        assert person_named(connection, "ＬＩＮ 小红") == LIN
        assert person_named(connection, "Lin") is None
        assert all_people(connection) == [LIN, BO]
        set_role(connection, BO.person_id, "steward")
        assert [person.name for person in people_with_role(connection, "steward")] == ["Lin 小红", "Bo"]
        set_password_hash(connection, BO.person_id, "$argon2id$")
        changed = person_named(connection, "bo")
        assert changed is not None
        assert (changed.role, changed.password_hash) == ("steward", "$argon2id$")
    assert name_key("Straße ÄÖ") == name_key("STRASSE äö")


def test_a_name_belongs_to_one_person_until_they_are_dismissed(peopled: Store) -> None:
    """The database itself refuses the second one; afterwards the name is free, again and again."""
    other = Person(person_id=b"o" * 16, name="bO", role="member", created_ms=3)
    with pytest.raises(sa.exc.IntegrityError), peopled.write() as connection:
        admit_person(connection, other)
    with peopled.write() as connection:
        dismiss_person(connection, BO.person_id, 9)
        admit_person(connection, other)
        dismiss_person(connection, other.person_id, 10)
        assert person_named(connection, "bo") is None
        assert [person.dismissed_ms for person in all_people(connection)] == [None, 9, 10]
        assert people_with_role(connection, "member") == []


def test_a_link_is_used_once_and_forgotten_later(peopled: Store) -> None:
    """Of two uses one hears yes; a link that expired long ago is not known any more."""
    link = LoginLink(token_hash=b"t" * 32, person_id=LIN.person_id, expires_ms=50)
    with peopled.write() as connection:
        add_login_link(connection, link)
        assert login_link_of(connection, b"t" * 32) == link
        assert login_link_of(connection, b"?" * 32) is None
        assert use_login_link(connection, b"t" * 32, 20)
        assert not use_login_link(connection, b"t" * 32, 21)
        assert not use_login_link(connection, b"?" * 32, 21)
        used = login_link_of(connection, b"t" * 32)
        assert used is not None
        assert used.used_ms == 20
        assert forget_login_links(connection, 50) == 0
        assert forget_login_links(connection, 51) == 1
        assert login_link_of(connection, b"t" * 32) is None


def test_a_session_is_its_person_until_it_expires_or_ends(peopled: Store) -> None:
    """One question finds both; use moves the end, and what has ended is not revived."""
    first, second = session(1), session(2, seen_ms=20)
    with peopled.write() as connection:
        for opened in (first, second, session(3, BO, expires_ms=40)):
            open_session(connection, opened)
        assert person_in_session(connection, first.token_hash, 99) == (LIN, first)
        assert person_in_session(connection, first.token_hash, 100) is None
        assert person_in_session(connection, b"?" * 32, 0) is None
        assert sessions_of(connection, LIN.person_id, 99) == [second, first]
        assert sessions_of(connection, LIN.person_id, 100) == []
        note_session_seen(connection, first.token_hash, seen_ms=30, expires_ms=130)
        note_session_seen(connection, first.token_hash, seen_ms=25, expires_ms=125)  # it came late
        note_session_seen(connection, b"?" * 32, seen_ms=30, expires_ms=130)
        assert [one.expires_ms for one in sessions_of(connection, LIN.person_id, 0)] == [130, 100]
        assert end_expired_sessions(connection, 40) == 1
        assert end_session(connection, second.token_hash)
        assert not end_session(connection, second.token_hash)
        assert person_in_session(connection, second.token_hash, 0) is None
        open_session(connection, second)
        assert end_sessions_of(connection, LIN.person_id, but=second.token_hash) == 1
        assert sessions_of(connection, LIN.person_id, 0) == [second]


def test_a_dismissal_ends_every_way_in_and_keeps_the_orders(peopled: Store) -> None:
    """Sessions, links and password go, for this person alone; whose orders they were stays known."""
    with peopled.write() as connection:
        open_session(connection, session(1, BO))
        open_session(connection, session(2))
        add_login_link(connection, LoginLink(token_hash=b"t" * 32, person_id=BO.person_id, expires_ms=50))
        set_password_hash(connection, BO.person_id, "$argon2id$")
        note_order(connection, b"o" * 16, BO.person_id, 3)
        dismiss_person(connection, BO.person_id, 9)
        assert person_in_session(connection, session(1).token_hash, 0) is None
        assert person_in_session(connection, session(2).token_hash, 0) is not None
        assert login_link_of(connection, b"t" * 32) is None
        dismissed = person_of(connection, BO.person_id)
        assert dismissed is not None
        assert (dismissed.password_hash, dismissed.dismissed_ms) == (None, 9)
        assert person_of_order(connection, b"o" * 16) == BO.person_id


def test_orders_are_listed_by_person_newest_first(peopled: Store) -> None:
    """Pages begin before a time; an order has one person."""
    with peopled.write() as connection:
        for number in range(5):
            note_order(connection, bytes([number]) * 16, LIN.person_id, 100 + number)
        note_order(connection, b"x" * 16, BO.person_id, 102)
        assert person_of_order(connection, b"x" * 16) == BO.person_id
        assert person_of_order(connection, b"?" * 16) is None
        page = orders_of(connection, LIN.person_id, before_ms=None, limit=2)
        assert page == [OrderOfPerson(b"\4" * 16, 104), OrderOfPerson(b"\3" * 16, 103)]
        rest = orders_of(connection, LIN.person_id, before_ms=page[-1].noted_ms, limit=9)
        assert [noted_ms for _, noted_ms in rest] == [102, 101, 100]
