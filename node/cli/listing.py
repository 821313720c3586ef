"""`wildgrass listing`: publish, withdraw, show, list and search listings."""

from gettext import gettext as _
from typing import Any

import click

from node.cli.options import (
    amount,
    attributes_of,
    community_option,
    given,
    object_of,
    percent,
    sector_option,
    words,
    words_of,
)
from node.cli.output import in_words, money, table
from node.cli.session import Session, command, group, read_file
from node.client import in_path

WAYS = ("pickup", "delivery", "ship", "onsite")
AVAILABILITIES = ("in_stock", "limited", "on_demand", "out_of_stock")


@command("publish", help=_("Publish a listing, or with --listing publish it anew."))
@click.option("--sector", help=_("The market: food, frozen, fashion, …"))
@click.option("--shop", "shop_id", help=_("The shop that sells it."))
@words("title", _("What it is."))
@words("text", _("More about it."))
@click.option("--price", help=_("The price of one unit, tax included, such as 12.30."))
@click.option("--currency", help=_("The currency of the price, such as EUR."))
@click.option("--unit", "unit_code", help=_("UN/CEFACT unit: C62 for a piece (default), KGM, LTR, HUR, …"))
@click.option("--scale", "quantity_scale", type=int, help=_("Decimals of the quantity that can be ordered."))
@click.option("--tax-class", help=_("Name of the tax class; default: standard."))
@click.option("--tax-rate", help=_("Tax in percent of the net, such as 13; default: 0."))
@click.option("--fulfilment", multiple=True, type=click.Choice(WAYS), help=_("How it reaches the buyer."))
@click.option("--availability", type=click.Choice(AVAILABILITIES), help=_("What buyers are told."))
@click.option("--stock", "stock_steps", type=int, help=_("How much is on hand; stays on this node."))
@click.option("--profile", help=_("What the attributes mean, such as fresh-food/1."))
@click.option("--attribute", "attributes", multiple=True, help=_("NAME=VALUE, several times."))
@click.option(
    "--photo", help=_("A JPEG, PNG or WebP picture of at most 12 MB; place and time are removed from it.")
)
@click.option("--listing", "listing_id", help=_("The id of a listing that is published already."))
@click.option("--file", "path", help=_("Fields from a JSON file, - for standard input; options win."))
def publish(session: Session, path: str | None, photo: str | None, **options: Any) -> None:
    """Publish; the photo goes first, because the listing names it by its content."""
    fields = object_of(read_file(path)) if path else {"unit_code": "C62", "fulfilment": ["pickup"]}
    texts = {name: words_of(options, name) for name in ("title", "text")}
    price, tax = _price(options), _tax(options, is_default=path is None)
    attributes = attributes_of(options.pop("attributes"))
    options["fulfilment"] = list(options["fulfilment"])
    fields |= given(**texts, **options, price=price, tax=tax, attributes=attributes)
    with session.client() as client:
        if photo is not None:
            fields["images"] = [client.upload("/photos", read_file(photo))["sha256"]]
        answer = client.call("POST", "/listings", fields)
    session.show(answer, _("Published. Listing: {id}").format(id=answer["listing_id"]))


@command("withdraw", help=_("Withdraw a listing of our own."))
@sector_option
@click.argument("listing_id")
def withdraw(session: Session, sector: str, listing_id: str) -> None:
    """Withdraw."""
    answer = session.ask("POST", f"/listings/{in_path(listing_id)}/withdrawal", {"sector": sector})
    session.show(answer, _("Withdrawn."))


@command("show", help=_("Show one listing."))
@sector_option
@community_option
@click.argument("listing_id")
def show(session: Session, sector: str, community: str | None, listing_id: str) -> None:
    """Show."""
    fields = given(sector=sector, community=community)
    answer = session.ask("GET", f"/listings/{in_path(listing_id)}", fields)
    rows = [
        [_("Title"), in_words(answer["title"])],
        [_("Shop"), in_words(answer["shop_name"])],
        [_("Community"), in_words(answer["community_name"])],
        [_("Price"), _price_text(answer)],
        [_("Tax"), f"{answer['tax']['tax_class']} {answer['tax']['rate_bp'] / 100:g} %"],
        [_("Availability"), answer["availability"]],
        [_("Fulfilment"), ", ".join(answer["fulfilment"])],
    ]
    if "stock_available_steps" in answer:
        rows.append([_("Stock"), str(answer["stock_available_steps"])])
    text = [in_words(answer["text"])] if "text" in answer else []
    session.show(answer, *table(["", ""], rows)[1:], *text)


@command("list", help=_("List the listings of one sector of a community."))
@sector_option
@community_option
@click.option("--after", help=_("Begin behind this listing."))
@click.option("--limit", type=int, help=_("How many at most."))
def list_listings(session: Session, **options: Any) -> None:
    """List."""
    answer = session.ask("GET", "/listings", given(**options))
    session.show(answer, *_table(answer))


@command("search", help=_("Search all communities that this node follows."))
@click.argument("words")
@click.option("--sector", help=_("Only this market."))
@click.option("--offset", type=int, help=_("Leave out so many."))
@click.option("--limit", type=int, help=_("How many at most."))
def search(session: Session, **options: Any) -> None:
    """Search."""
    answer = session.ask("GET", "/search", given(**options))
    session.show(answer, *_table(answer))


def _table(answer: dict[str, Any]) -> list[str]:
    rows = [
        [listing["sector"], listing["listing_id"], in_words(listing["title"]), _price_text(listing)]
        for listing in answer["listings"]
    ]
    return table([_("Sector"), _("Listing"), _("Title"), _("Price")], rows)


def _price(options: dict[str, Any]) -> dict[str, Any] | None:
    price, currency = options.pop("price"), options.pop("currency")
    if (price is None) != (currency is None):
        raise click.UsageError(_("Give --price and --currency together."))
    if price is None:
        return None
    return {"currency": currency, "amount_minor": amount(price, currency)}


def _tax(options: dict[str, Any], *, is_default: bool) -> dict[str, Any] | None:
    tax_class, tax_rate = options.pop("tax_class"), options.pop("tax_rate")
    if tax_class is None and tax_rate is None and not is_default:
        return None
    return {"tax_class": tax_class or "standard", "rate_bp": percent(tax_rate or "0")}


def _price_text(listing: dict[str, Any]) -> str:
    price = listing["price"]
    return f"{money(price['amount_minor'], price['currency'])} / {listing['unit_code']}"


listing = group(
    "listing",
    _("Publish, withdraw, show and search listings."),
    publish,
    withdraw,
    show,
    list_listings,
    search,
)
