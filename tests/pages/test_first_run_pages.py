"""The first run as a shop owner lives it: one command, one link, a browser without JavaScript."""

import os
import re
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from html import escape
from pathlib import Path

import pytest

from node.actions.shapes import is_id
from node.files import KIT_FILE
from node.operations.lifecycle import running_node
from node.pages.founding import BEGUN_FILE
from node.vault import has_vault, open_vault
from tests.pages.browsing import ROOT, Browser, Seen, UpProcess, up


@contextmanager
def waiting_node(folder: Path, *arguments: str) -> Iterator[tuple[UpProcess, str]]:
    """A node without a community, and the link that it printed."""
    with up(folder, *arguments) as process:
        yield process, process.line_with("/welcome/")


def found(browser: Browser, link: str, language: str = "en", **name: str) -> Seen:
    """Go through language, name and currency."""
    browser.get(link)
    seen = browser.get(f"{link}/language/{language}")
    return browser.send(seen.form(), **(name or {"name_en": "Green Market"}))


def compare(browser: Browser, kit: Seen) -> Seen:
    """Type the two words that the page asks for."""
    words = dict(re.findall(r"(\d+)\. (\S+)", kit.text))
    asked = kit.form().fields
    return browser.send(kit.form(), word_1=words[asked["number_1"]], word_2=words[asked["number_2"]].upper())


def home_of(link: str) -> str:
    return link.partition("/welcome/")[0]


def api(process: UpProcess, *command: str) -> str:
    """What a command of the command line says of the node."""
    arguments = [sys.executable, "-m", "node.cli", *command, "--folder", str(process.folder)]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT)}
    return subprocess.run(arguments, capture_output=True, text=True, check=True, env=environment).stdout


def test_a_folder_becomes_a_community_with_a_shop_without_any_other_command(tmp_path):
    """Language, name, kit, two words, shop, neighbours, ready: each page leads to the next."""
    browser = Browser()
    with waiting_node(tmp_path / "node") as (process, link):
        assert not has_vault(process.folder)
        kit = found(browser, link, name_en="Green Market", name_zh="青市", currency="JPY")
        assert (kit.status, kit.path) == (200, "/welcome/kit")
        assert (process.folder / KIT_FILE).stat().st_mode & 0o777 == 0o600
        shop = compare(browser, kit)
        assert shop.path == "/welcome/shop"
        assert not (process.folder / KIT_FILE).exists()
        neighbours = browser.send(
            shop.form(), name_en="The Mill", sector="food", pickup="At the gate, 9 to 12"
        )
        assert neighbours.path == "/welcome/neighbours"
        ready = browser.send(neighbours.form("/welcome/neighbours/later"))
        assert "Your node is ready" in ready.text
        assert "95 %" in ready.text
        assert "not compared" not in ready.text
        assert browser.send(ready.form(), to="search").path == "/"
        assert "The Mill" in api(process, "shop", "list")
        assert "in force" in api(process, "policy", "list")
        genesis = open_vault(process.folder).genesis
        assert (genesis.name, genesis.currency) == ({"en": "Green Market", "zh-Hans": "青市"}, "JPY")
        assert not (process.folder / BEGUN_FILE).exists()
        assert browser.get(home_of(link) + "/welcome").path == "/"
        assert process.stop() == 0
        assert process.process.stderr.read() == ""


def test_a_stranger_on_the_network_founds_nothing(tmp_path):
    """Without the token every address says where the link is, whatever is sent to it."""
    with waiting_node(tmp_path / "node") as (process, link):
        stranger, home = Browser(), home_of(link)
        for path in ("/", "/welcome", "/welcome/" + "a" * 52, "/welcome/kit", "/api/v1/status", "/%ff%fe"):
            seen = stranger.get(home + path)
            assert (seen.status, "The person who started this node has a link" in seen.text) == (403, True), (
                path
            )
            assert link.rsplit("/", 1)[1] not in seen.text
        posted = stranger.post(f"{home}/welcome/{'a' * 52}/community", {"name_en": "Mine", "currency": "EUR"})
        assert posted.status == 403
        from_elsewhere = stranger.post(
            f"{link}/community", {"name_en": "Mine", "currency": "EUR"}, Origin="http://evil.example"
        )
        assert from_elsewhere.status == 403
        assert stranger.get(home + "/healthz").status == 200
        assert stranger.get(home + "/readyz").status == 503
        assert not has_vault(process.folder)
        assert process.stop() == 0
        assert running_node(process.folder) is None


def test_what_cannot_be_founded_is_said_at_its_field_and_kept(tmp_path):
    """A name is missing, the currency is none: the form comes back with what was typed, nothing exists."""
    browser = Browser()
    with waiting_node(tmp_path / "node") as (process, link):
        refused = found(browser, link, name_en="  ", currency="EUR")
        assert refused.status == 422
        assert 'id="fault-name_en"' in refused.text
        refused = browser.send(refused.form(), name_en="Mill & <b>Pond</b>", currency="XXX")
        assert (refused.status, 'id="fault-currency"' in refused.text) == (422, True)
        assert "Mill &amp; &lt;b&gt;Pond" in refused.text
        for name in ("x" * 5_000, "bell \x07", "\u202e"):
            assert browser.send(refused.form(), name_en=name, currency="EUR").status == 422
        assert not has_vault(process.folder)


def test_naughty_names_are_refused_or_shown_as_text_before_there_is_a_community(tmp_path, shared_data):
    """The very first form, too: with a currency that is none, nothing is founded, and every answer is a page."""
    lines = shared_data("hostile/blns.txt").read_text(encoding="utf-8").split("\n")
    with waiting_node(tmp_path / "node") as (process, link):
        for text in filter(None, lines):
            fields = {"name_en": text, "name_zh": text, "currency": text}
            seen = Browser().once("POST", f"{link}/community", fields, {})
            assert (seen.status, "<h1>" in seen.text) == (422, True), text
            assert escape(text) == text or len(text) < 4 or text not in seen.text, text
        broken = urllib.request.Request(f"{link}/community", b"name_en=\xff", method="POST")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(broken, timeout=30)
        assert refused.value.code == 400
        refused.value.close()
        assert not has_vault(process.folder)


def test_the_form_of_the_founding_sent_twice_founds_once(tmp_path):
    """An impatient second click, in the browser that never saw the first answer, ends in the same community."""
    with waiting_node(tmp_path / "node") as (process, link):
        fields = {"name_en": "Green Market", "name_zh": "", "currency": "EUR"}
        first = Browser().once("POST", f"{link}/community", fields, {})
        assert (first.status, first.headers["location"]) == (303, "/welcome")
        before = open_vault(process.folder).community
        browser = Browser()
        second = browser.post(f"{link}/community", {**fields, "name_en": "Other Market"})
        assert (second.status, second.path) == (200, "/welcome/kit")
        assert "Green Market" in second.text
        assert open_vault(process.folder).community == before
        again = browser.get(f"{link}/community")
        assert again.path == "/welcome/kit"


def test_another_browser_goes_on_with_the_printed_link_until_the_first_run_is_over(tmp_path):
    """A look at the link opens nothing; its button does; when all is done it leads nowhere."""
    with waiting_node(tmp_path / "node") as (_process, link):
        found(Browser(), link)
        phone = Browser()
        shown = phone.get(link)
        assert (shown.status, "wildgrass_session" in phone.cookies) == (200, False)
        assert phone.get(home_of(link) + "/welcome").path == "/login"
        phone.get(link)
        kit = phone.send(shown.form())
        assert kit.path == "/welcome/kit"
        assert phone.get(home_of(link) + "/welcome/" + "b" * 52).status == 404
        ready = phone.get(home_of(link) + "/welcome/ready")
        phone.send(ready.form(), to="search")
        late = Browser().get(link)
        assert (late.status, "This login link is not known here" in late.text) == (404, True)


def test_everything_can_be_passed_over_and_is_spoken_of_at_the_end(tmp_path):
    """Later, later, on: the node is ready, and the page says what still waits."""
    browser = Browser()
    with waiting_node(tmp_path / "node") as (process, link):
        seen = found(browser, link)
        for step in ("kit", "shop", "neighbours"):
            assert seen.path == f"/welcome/{step}"
            seen = browser.send(seen.form(f"/welcome/{step}/later"))
        assert seen.path == "/welcome/ready"
        assert "The emergency kit is not compared yet" in seen.text
        assert "No shop is open yet" in seen.text
        assert (process.folder / KIT_FILE).exists()
        browser.send(seen.form(), to="search")
        kit = browser.get(home_of(link) + "/welcome/kit")
        assert compare(browser, kit).path == "/welcome/shop"
        assert not (process.folder / KIT_FILE).exists()
        gone = browser.get(home_of(link) + "/welcome/kit")
        assert "The words are no longer on this node" in gone.text


def test_wrong_words_change_nothing(tmp_path):
    """Each wrong word is named, one word typed twice does not count, and the kit stays."""
    browser = Browser()
    with waiting_node(tmp_path / "node") as (process, link):
        kit = found(browser, link)
        words = dict(re.findall(r"(\d+)\. (\S+)", kit.text))
        asked = kit.form().fields
        right = words[asked["number_1"]]
        wrong = browser.send(kit.form(), word_1=right, word_2="nonsense")
        assert wrong.status == 422
        assert "fault-word_2" in wrong.text
        assert "fault-word_1" not in wrong.text
        assert wrong.form().fields["number_2"] == asked["number_2"]
        twice = browser.send(kit.form(), number_2=asked["number_1"], word_1=right, word_2=right)
        assert twice.status == 422
        outside = browser.send(kit.form(), number_1="13", word_1="x", word_2="y")
        assert outside.status == 422
        assert browser.send(kit.form(), number_1="0", word_1="x", word_2="y").status == 422
        assert (process.folder / KIT_FILE).exists()


def test_a_restart_goes_on_where_the_last_one_stopped(tmp_path):
    """The words wait in the folder, the step in the store; the new link leads back to it."""
    folder, browser = tmp_path / "node", Browser()
    with waiting_node(folder) as (process, link):
        words = re.findall(r"\d+\. (\S+)", found(browser, link).text)
        process.process.kill()
        process.process.wait()
    with up(folder, "--json") as process:
        said = process.answer()
        steward = Browser()
        login = steward.get(said["login_link"])
        kit = steward.send(login.form())
        assert kit.path == "/welcome/kit"
        assert re.findall(r"\d+\. (\S+)", kit.text) == words
        steward.send(kit.form("/welcome/kit/later"))
        assert process.stop() == 0
    with up(folder, "--json") as process:
        steward = Browser()
        login = steward.get(process.answer()["login_link"])
        assert steward.send(login.form()).path == "/welcome/shop"


def test_a_power_cut_right_behind_the_founding_loses_neither_kit_nor_policy(tmp_path):
    """What the first start could not write any more, the second one writes."""
    folder = tmp_path / "node"
    with up(folder, "--json", "--name-en", "Green Market") as process:
        process.answer()
        assert "in force" not in api(process, "policy", "list")
        assert process.stop() == 0
    (folder / BEGUN_FILE).write_text("zh-Hans", "utf-8")
    with up(folder, "--json") as process:
        browser = Browser()
        login = browser.get(process.answer()["login_link"])
        assert browser.send(login.form()).path == "/welcome/kit"
        assert api(process, "policy", "list").count("in force") == 1
        with closing(sqlite3.connect(folder / "wildgrass.db")) as store:
            kept = dict(store.execute("SELECT name, value FROM settings"))
        assert kept == {"first_run_step": "kit", "language": "zh-Hans"}


def test_the_first_shop_sent_twice_is_one_shop_and_the_sample_too(tmp_path):
    """The form carries the shop's id; the sample's ids are those of the community."""
    browser = Browser()
    with waiting_node(tmp_path / "node") as (process, link):
        kit = found(browser, link)
        page = browser.send(kit.form("/welcome/kit/later"))
        shop = page.form()
        for _ in range(2):
            browser.last = page
            assert browser.send(shop, name_zh="磨坊").path == "/welcome/neighbours"
        refused = browser.get(home_of(link) + "/welcome/shop")
        refused = browser.send(refused.form(), sector="gold", shop_id="Z" * 26)
        assert (refused.status, "fault-sector" in refused.text, "fault-name_en" in refused.text) == (
            422,
            True,
            True,
        )
        for forged in ("b" * 26, "a" * 25, "", "'" * 26):
            refused = browser.send(refused.form(), name_en="Forged", sector="food", shop_id=forged)
            assert (refused.status, "Send it once more" in refused.text) == (422, True), forged
            assert is_id(refused.form().fields["shop_id"])
        for _ in range(2):
            page = browser.get(home_of(link) + "/welcome/shop")
            assert browser.send(page.form("/welcome/shop/sample")).path == "/welcome/neighbours"
        shops = [line for line in api(process, "shop", "list").splitlines() if "food" in line]
        assert len(shops) == 2, shops
        listings = api(process, "listing", "list", "--sector", "food")
        assert listings.count("Eggs from orchard hens") == 1
        assert "EUR" in listings


def test_the_first_run_speaks_chinese(tmp_path):
    """One tap at the beginning, and every page, the kit and its words are Chinese."""
    browser = Browser()
    with waiting_node(tmp_path / "node") as (process, link):
        kit = found(browser, link, "zh-Hans", name_zh="青市")
        assert '<html lang="zh-Hans">' in kit.text
        assert "应急卡" in kit.text
        assert open_vault(process.folder).genesis.currency == "CNY"
        seen = compare(browser, kit)
        assert "您的第一家店" in seen.text
        seen = browser.send(seen.form("/welcome/shop/sample"))
        assert "您的邻居" in seen.text
        seen = browser.send(seen.form("/welcome/neighbours/later"))
        assert "您的节点已就绪" in seen.text
        assert "95%" in seen.text
        assert "管事人" in browser.get(home_of(link) + "/account").text


def test_a_name_on_the_command_line_founds_at_once(tmp_path):
    """Scripts go on as before: no first run, no default policy, and a login link for whoever reads JSON."""
    with up(tmp_path / "node", "--json", "--name-en", "Green Market", "--currency", "EUR") as process:
        said = process.answer()
        browser = Browser()
        login = browser.get(said["login_link"])
        assert browser.send(login.form()).path == "/account"
        assert browser.get(said["url"] + "welcome").path == "/"


def test_the_steps_are_for_stewards(tmp_path):
    """A visitor is asked to log in and comes back; nothing of the kit is shown before."""
    with waiting_node(tmp_path / "node") as (_process, link):
        found(Browser(), link)
        visitor, home = Browser(), home_of(link)
        for step in ("kit", "shop", "neighbours", "ready"):
            seen = visitor.get(f"{home}/welcome/{step}")
            assert (seen.path, "1. " in seen.text) == ("/login", False), step
            sent = visitor.once("POST", f"{home}/welcome/{step}", {}, {})
            assert sent.status in (303, 403), step
