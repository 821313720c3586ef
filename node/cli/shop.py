"""`wildgrass shop`: publish and list shops."""

from gettext import gettext as _
from typing import Any

import click

from node.cli.options import community_option, given, sector_option, words, words_of
from node.cli.output import in_words, table
from node.cli.session import Session, command, group


@command("publish", help=_("Publish a shop, or with --shop publish it anew with other words."))
@sector_option
@words("name", _("What the shop is called."))
@words("about", _("What the shop is about."))
@words("pickup", _("Where and when to pick up."))
@words("delivery", _("How it delivers."))
@click.option("--shop", "shop_id", help=_("The id of a shop that is published already."))
def publish(session: Session, **options: Any) -> None:
    """Publish."""
    texts = {name: words_of(options, name) for name in ("name", "about", "pickup", "delivery")}
    answer = session.ask("POST", "/shops", given(**texts, **options))
    session.show(answer, _("Published. Shop: {id}").format(id=answer["shop_id"]))


@command("list", help=_("List the shops of a community."))
@community_option
def list_shops(session: Session, community: str | None) -> None:
    """List."""
    answer = session.ask("GET", "/shops", given(community=community))
    rows = [[shop["sector"], shop["shop_id"], in_words(shop["name"])] for shop in answer["shops"]]
    session.show(answer, *table([_("Sector"), _("Shop"), _("Name")], rows))


shop = group("shop", _("Publish and list shops."), publish, list_shops)
