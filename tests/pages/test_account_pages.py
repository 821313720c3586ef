"""Logging in by link and by password, the own account, and the people of a node, as a browser meets them."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.pages.browsing import Browser, Seen, up

PASSWORD = "green rice and rain"


@dataclass
class Place:
    """A running node, its address, and a browser in which the steward is logged in."""

    folder: Path
    home: str
    steward: Browser

    def admit(self, name: str, role: str = "member") -> str:
        """The link that lets somebody new in."""
        page = self.steward.get(self.home + "/people")
        return link_in(self.steward.send(page.form("/people"), name=name, role=role))

    def enter(self, name: str, role: str = "member") -> Browser:
        """A browser in which somebody new is logged in."""
        browser = Browser()
        follow(browser, self.admit(name, role))
        return browser

    def change(self, statement: str) -> None:
        with closing(sqlite3.connect(self.folder / "wildgrass.db", timeout=20)) as store, store:
            store.execute(statement)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One node for all tests here; each uses names of its own."""
    folder = tmp_path_factory.mktemp("accounts") / "node"
    with up(folder, "--json", "--name-en", "Green Market") as process:
        said = process.answer()
        steward = Browser()
        follow(steward, said["login_link"])
        yield Place(folder, said["url"].rstrip("/"), steward)


def follow(browser: Browser, link: str) -> Seen:
    """Open a login link and press its button."""
    return browser.send(browser.get(link).form())


def link_in(page: Seen) -> str:
    """The link that a page shows once."""
    assert page.status == 200, page.text
    return re.search(r"<code>(http[^<]+/login/[a-z2-7]{52})</code>", page.text)[1]


def log_in(browser: Browser, home: str, name: str, password: str, **more: str) -> Seen:
    page = browser.get(home + "/login")
    return browser.send(page.form("/login"), name=name, password=password, **more)


def test_a_link_is_looked_at_without_harm_and_works_once(place):
    """What previews links opens them too; only the button uses one up, and the second one hears why not."""
    link = place.admit("Ada")
    for _ in range(3):
        preview = Browser().get(link)
        assert (preview.status, "Log in as Ada?" in preview.text) == (200, True)
    late = Browser()
    waiting = late.get(link).form()
    ada = Browser()
    assert follow(ada, link).path == "/account"
    assert "Ada" in ada.get(place.home + "/account").text
    refused = late.send(waiting)
    assert (refused.status, "was used already" in refused.text) == (410, True)
    assert "wildgrass_session" not in late.cookies
    assert late.get(link).status == 410


@pytest.mark.parametrize("token", ["a" * 52, "x", "A" * 52, "%ff", "../../account"])
def test_a_link_that_is_none_of_ours_is_refused_in_words(place, token):
    """A typing slip, another node's link, nonsense: a sentence and what to do, no session."""
    browser = Browser()
    seen = browser.get(f"{place.home}/login/{token}")
    assert seen.status == 404
    assert "<h1>" in seen.text
    assert "wildgrass_session" not in browser.cookies


def test_an_expired_link_says_so(place):
    """Until a month later it is known that the link was once good."""
    link = place.admit("Bea")
    place.change("UPDATE login_links SET expires_ms = 1000000000000 WHERE used_ms IS NULL")
    seen = Browser().get(link)
    assert (seen.status, "has expired" in seen.text, "Ask a steward" in seen.text) == (410, True, True)


def test_a_password_lets_in_and_leads_back(place):
    """Set under the account; then name and password open the page that was asked for, and no foreign one."""
    cleo = place.enter("Cleo", "shopkeeper")
    account = cleo.get(place.home + "/account")
    done = cleo.send(account.form("/account/password"), password=PASSWORD, again=PASSWORD)
    assert "The password is set" in done.text
    browser = Browser()
    asked = browser.get(place.home + "/account")
    assert asked.path == "/login"
    seen = browser.send(asked.form("/login"), name="  cleo ", password=PASSWORD)
    assert (seen.path, "Cleo" in seen.text) == ("/account", True)
    assert browser.get(place.home + "/login?back=/account").path == "/account"
    for elsewhere in ("//evil.example/", "https://evil.example/", "/\\evil.example"):
        other = Browser()
        form = other.get(place.home + "/login").form("/login")
        fields = {**form.fields, "back": elsewhere, "name": "Cleo", "password": PASSWORD}
        answer = other.once("POST", place.home + "/login", fields, {})
        assert (answer.status, answer.headers["location"]) == (303, "/")


def test_whoever_logs_in_on_the_way_comes_to_the_page_that_was_asked_for(place):
    """With its whole query, in Chinese too; a form that found the session over leads back to its page."""
    kim = place.enter("Kim", "shopkeeper")
    account = kim.get(place.home + "/account")
    kim.send(account.form("/account/password"), password=PASSWORD, again=PASSWORD)
    wanted = f"{place.home}/desk/listings?sector=pets&words={quote('幼猫粮 & 猫砂')}&page=2"
    browser = Browser()
    login = browser.get(wanted)
    assert (login.path, login.form("/login").fields["back"]) == ("/login", wanted.removeprefix(place.home))
    assert browser.send(login.form("/login"), name="Kim", password=PASSWORD).url == wanted
    posted = Browser().once("POST", place.home + "/account/password", {}, {})
    assert posted.headers["location"] == "/login?back=%2Faccount%2Fpassword"
    late = Browser().once(
        "POST", place.home + "/account/password", {}, {"Referer": place.home + "/account?done=no"}
    )
    assert late.headers["location"] == "/login?back=%2Faccount"
    foreign = {"Referer": "http://evil.example/desk"}
    posted = Browser().once("POST", place.home + "/people/role", {}, foreign)
    assert posted.headers["location"] == "/login?back=%2Fpeople%2Frole"
    asked = Browser().once("GET", f"{place.home}//evil.example/../account", None, {})
    assert "location" not in asked.headers


def test_a_password_that_cannot_be_used_is_said_at_its_field(place):
    """Too short, or not typed twice the same: nothing is set, nobody is logged out."""
    dora = place.enter("Dora")
    account = dora.get(place.home + "/account")
    short = dora.send(account.form("/account/password"), password="short", again="short")
    assert (short.status, "fault-password" in short.text) == (422, True)
    other = dora.send(short.form("/account/password"), password=PASSWORD, again=PASSWORD + "!")
    assert (other.status, "fault-again" in other.text) == (422, True)
    assert PASSWORD not in other.text
    assert "Set a password" in dora.get(place.home + "/account").text


def test_changing_a_password_asks_for_the_old_one(place):
    """Who finds a browser open guesses in vain and is paused; a fresh link needs no old password, an old one does."""
    lou = place.enter("Lou")
    account = lou.get(place.home + "/account")
    assert "old" not in account.form("/account/password").fields
    lou.send(account.form("/account/password"), password=PASSWORD, again=PASSWORD)
    laptop = Browser()
    log_in(laptop, place.home, "Lou", PASSWORD)
    page, new = laptop.get(place.home + "/account"), "sour plums in brine"
    assert "old" in page.form("/account/password").fields
    for old in ("", "green rice and hail"):
        wrong = laptop.send(page.form("/account/password"), old=old, password=new, again=new)
        assert (wrong.status, 'id="fault-old"' in wrong.text) == (422, True)
        assert new not in wrong.text
    changed = laptop.send(wrong.form("/account/password"), old=PASSWORD, password=new, again=new)
    assert "The password is set" in changed.text
    assert lou.get(place.home + "/account").path == "/login"
    for _ in range(5):
        laptop.send(page.form("/account/password"), old="guess upon guess", password=PASSWORD, again=PASSWORD)
    paused = laptop.send(page.form("/account/password"), old=new, password=PASSWORD, again=PASSWORD)
    assert (paused.status, "Too many attempts" in paused.text) == (422, True)
    people = place.steward.get(place.home + "/people")
    ask = next(f for f in people.forms if f.action == "/people/link" and form_is_of(people, f, "Lou"))
    link = link_in(place.steward.send(ask))
    follow(lou, link)
    forgotten = lou.get(place.home + "/account").form("/account/password")
    assert "old" not in forgotten.fields
    assert "The password is set" in lou.send(forgotten, password=PASSWORD, again=PASSWORD).text
    place.change("UPDATE web_sessions SET opened_ms = opened_ms - 3600001")
    place.change("UPDATE login_links SET used_ms = used_ms - 3600001 WHERE used_ms IS NOT NULL")
    assert "old" in lou.get(place.home + "/account").form("/account/password").fields


def test_wrong_passwords_are_one_answer_and_then_a_pause(place):
    """Nobody learns who exists; after five failures the name waits, the right password too."""
    emil = place.enter("Emil")
    account = emil.get(place.home + "/account")
    emil.send(account.form("/account/password"), password=PASSWORD, again=PASSWORD)
    browser = Browser()
    for _ in range(5):
        wrong = log_in(browser, place.home, "Emil", "not the password")
        assert (wrong.status, "Name or password is wrong" in wrong.text) == (401, True)
        assert 'value="Emil"' in wrong.text
    paused = log_in(browser, place.home, "Emil", PASSWORD)
    assert (paused.status, "Too many attempts" in paused.text) == (429, True)
    assert "wildgrass_session" not in browser.cookies
    assert emil.get(place.home + "/account").path == "/account"


def test_a_session_that_was_ended_elsewhere_is_over(place):
    """From the list of the account, on another device; its next page asks to log in."""
    phone, laptop = place.enter("Finn"), Browser()
    people = place.steward.get(place.home + "/people")
    card = next(
        form for form in people.forms if form.action == "/people/link" and form_is_of(people, form, "Finn")
    )
    follow(laptop, link_in(place.steward.send(card)))
    account = laptop.get(place.home + "/account")
    assert account.text.count("End this one") == 2
    assert "Firefox · Linux" in account.text
    ended = [form for form in account.forms if form.action == "/account/sessions"]
    here = account.text.index("this one</span>")
    first_ends = account.text.index('action="/account/sessions"')
    laptop.send(ended[1] if here < first_ends else ended[0])
    assert phone.get(place.home + "/account").path == "/login"
    assert laptop.get(place.home + "/account").path == "/account"
    out = laptop.send(laptop.get(place.home + "/account").form("/logout"))
    assert (out.path, "wildgrass_session" in laptop.cookies) == ("/", False)


def form_is_of(page: Seen, form: object, name: str) -> bool:
    """Whether a form of the people stands on the card of that name."""
    card = page.text[page.text.index(f"<h2>{name}</h2>") :]
    return form.fields["person_id"] == re.search(r'name="person_id" value="([a-z2-7]{26})"', card)[1]


def test_forms_from_elsewhere_are_refused(place):
    """Another site's form, one of another browser, one without its key: nothing is done."""
    page = place.steward.get(place.home + "/people").form("/people")
    fields = {**page.fields, "name": "Gus"}
    refused = place.steward.post(place.home + "/people", fields, Origin="http://evil.example")
    assert refused.status == 403
    assert place.steward.post(place.home + "/people", {**fields, "form_key": ""}).status == 403
    stolen = Browser().get(place.home + "/login").form("/login").fields["form_key"]
    assert place.steward.post(place.home + "/people", {**fields, "form_key": stolen}).status == 403
    assert "Gus" not in place.steward.get(place.home + "/people").text


def test_people_are_for_stewards_and_a_role_holds_at_once(place):
    """A member is told so, a visitor is asked to log in; made a steward, the same session may."""
    hana = place.enter("Hana")
    assert hana.get(place.home + "/people").status == 403
    assert Browser().get(place.home + "/people").path == "/login"
    people = place.steward.get(place.home + "/people")
    role = next(f for f in people.forms if f.action == "/people/role" and form_is_of(people, f, "Hana"))
    place.steward.send(role, role="steward")
    assert hana.get(place.home + "/people").status == 200
    assert place.steward.post(place.home + "/people/role", {**role.fields, "role": "king"}).status == 422
    people = place.steward.get(place.home + "/people")
    leave = next(f for f in people.forms if f.action == "/people/dismissal" and form_is_of(people, f, "Hana"))
    place.steward.send(leave)
    assert hana.get(place.home + "/account").path == "/login"
    assert place.steward.send(leave).status == 404
    own = next(
        f for f in people.forms if f.action == "/people/dismissal" and form_is_of(people, f, "Steward")
    )
    assert place.steward.send(own).status == 409


def test_a_name_is_given_once_and_the_link_comes_with_a_qr_code(place):
    """A second click on the form finds the name taken; the picture has no style of its own, as the page wants it."""
    page = place.steward.get(place.home + "/people")
    form = page.form("/people")
    made = place.steward.send(form, name="Iris", role="shopkeeper")
    assert "<svg" in made.text
    assert "style=" not in made.text
    assert made.headers["cache-control"] == "no-store"
    place.steward.last = page
    again = place.steward.send(form, name=" IRIS ", role="shopkeeper")
    assert (again.status, "fault-name" in again.text, "has that name already" in again.text) == (
        422,
        True,
        True,
    )
    empty = place.steward.send(form, name=" ", role="king")
    assert (empty.status, "fault-role" in empty.text) == (422, True)


def test_accounts_speak_chinese(place):
    """The same pages, and the same refusals, for who reads Chinese."""
    browser = Browser("zh-CN")
    assert "登录" in browser.get(place.home + "/login").text
    assert "名字或密码不对" in log_in(browser, place.home, "谁", "错的密码错的密码").text
    assert "这里没有这个登录链接" in browser.get(f"{place.home}/login/{'a' * 52}").text
