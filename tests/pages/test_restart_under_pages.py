"""The node ends and starts again while people have its pages open: what they send next is done, or refused in words."""

import random
import re
from pathlib import Path
from urllib.parse import urlsplit

from node.config import Listen
from node.operations.lifecycle import listen
from tests.pages.browsing import Browser, PageForm, Seen, up

ORDER = {"name": "李雷", "contact": "138 0000 0000", "consent": "yes", "fulfilment": "pickup"}
LISTING = {
    "title_en": "Kitten food",
    "price": "12.30",
    "tax": "7",
    "stock": "5",
    "sector": "pets",
    "fulfilment": "pickup",
    "shop_name_en": "Paws",
}


def free_place() -> str:
    """An address of which the second start can be sure: a port that nothing is handed by chance."""
    listening = listen(Listen("127.0.0.1", random.randrange(20_000, 30_000)))
    listening.socket.close()
    return str(listening.bound)


def order_form(page: Seen) -> PageForm:
    return next(form for form in page.forms if form.action.endswith("/order"))


def test_pages_of_before_go_on_after_a_restart(tmp_path: Path) -> None:
    """Session, order link, a half-filled order, an edit and an open sale: all outlive a node that was killed."""
    folder, steward, buyer = tmp_path / "node", Browser(), Browser()
    place = free_place()
    with up(folder, "--listen-http", place) as process:
        link = process.line_with("/welcome/")
        home = link.partition("/welcome/")[0]
        steward.get(link)
        steward.send(steward.get(f"{link}/language/en").form(), name_en="Ferry", currency="EUR")
        ready = steward.get(home + "/desk/listings/new").form("/desk/listings/new")
        published = steward.post(home + "/desk/listings/new", {**ready.fields, **LISTING})
        assert published.status == 200, published.text
        listing = re.search(r'href="(/listings/[^"]+)"', published.text)[1]
        form = order_form(buyer.get(home + listing))
        first = buyer.post(home + form.action, {**form.fields, **ORDER})
        assert first.path.startswith("/o/"), first.text
        half_filled = order_form(buyer.get(home + listing))
        desk = steward.get(home + "/desk")
        accept = next(one for one in desk.forms if one.action.endswith("/acceptance"))
        edit = steward.get(home + published.path).form(published.path)
        process.process.kill()
        process.process.wait()
    with up(folder, "--json", "--listen-http", place) as process:
        assert process.answer()["http"] == urlsplit(home).netloc
        steward.last = desk
        accepted = steward.send(accept)
        assert (accepted.status, "Accepted" in accepted.text) == (200, True)
        assert "Accepted by the shop" in buyer.get(first.url).text
        second = buyer.post(home + half_filled.action, {**half_filled.fields, **ORDER})
        assert second.path.startswith("/o/")
        assert second.path != first.path
        steward.last = published
        changed = steward.send(edit, price="15")
        assert (changed.status, "Published." in changed.text) == (200, True)
        stale = buyer.post(home + half_filled.action, {**half_filled.fields, **ORDER, "order_id": "a" * 26})
        assert (stale.status, "The price has changed" in stale.text) == (422, True)
        foreign = Browser().post(home + half_filled.action, {**half_filled.fields, **ORDER})
        assert (foreign.status, "<h1>" in foreign.text) == (403, True)
        assert process.stop() == 0
