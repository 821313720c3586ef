"""`wildgrass policy`: who gets how much of an order."""

from gettext import gettext as _
from typing import Any

import click

from node.cli.options import amount, community_option, given, object_of, pairs, percent
from node.cli.output import money, table
from node.cli.session import Session, command, group, read_file
from node.client import in_path

SIDES = ("seller_community", "buyer_community")


@command("adopt", help=_("Adopt a policy; the seller gets what the shares leave."))
@click.option("--share", "shares", multiple=True, help=_("ROLE=PERCENT, or ROLE@BENEFICIARY=PERCENT."))
@click.option("--base", type=click.Choice(["net", "gross"]), help=_("What the percentages are of."))
@click.option(
    "--same-community",
    type=click.Choice(["keep", "to_seller_community", "to_seller"]),
    help=_("Who gets the buyer community's share within one community."),
)
@click.option("--tax-remitter", type=click.Choice(["seller", "collector"]), help=_("Who pays the tax on."))
@click.option("--replaces", help=_("The policy that this one retires."))
@click.option("--file", "path", help=_("The policy from a JSON file, - for standard input; options win."))
def adopt(
    session: Session, path: str | None, shares: tuple[str, ...], replaces: str | None, **options: Any
) -> None:
    """Adopt."""
    plain = {"base": "net", "shares": [], "same_community": "to_seller_community", "tax_remitter": "seller"}
    policy = object_of(read_file(path)) if path else plain
    policy |= given(**options, shares=[_share(name, text) for name, text in pairs(shares)])
    answer = session.ask("POST", "/policies", given(policy=policy, replaces=replaces))
    session.show(answer, _("Adopted. Policy: {id}").format(id=answer["policy_id"]))


@command("retire", help=_("Retire a policy: new orders no longer pin it."))
@click.argument("policy_id")
def retire(session: Session, policy_id: str) -> None:
    """Retire."""
    answer = session.ask("POST", f"/policies/{in_path(policy_id)}/retirement")
    session.show(answer, _("Retired."))


@command("list", help=_("List the policies of a community."))
@community_option
def list_policies(session: Session, community: str | None) -> None:
    """List."""
    answer = session.ask("GET", "/policies", given(community=community))
    rows = [
        [
            known["policy_id"],
            _("in force") if known["is_in_force"] else _("retired"),
            known["adopted_by"],
            ", ".join(map(_share_text, known["policy"]["shares"])),
        ]
        for known in answer["policies"]
    ]
    session.show(answer, *table([_("Policy"), _("State"), _("Adopted by"), _("Shares")], rows))


@command("preview", help=_("Compute who gets what of an order, without placing anything."))
@click.argument("policy_id")
@click.option("--currency", required=True, help=_("The currency of the order, such as EUR."))
@click.option(
    "--total", "totals", multiple=True, required=True, help=_("CLASS:PERCENT=AMOUNT, several times.")
)
@click.option("--same-community", is_flag=True, help=_("Buyer and seller are of one community."))
@click.option("--collector", type=click.Choice(["seller", "buyer"]), help=_("Whose side collects the money."))
def preview(session: Session, policy_id: str, totals: tuple[str, ...], **options: Any) -> None:
    """Compute."""
    sums = [_total(name, text, options["currency"]) for name, text in pairs(totals)]
    answer = session.ask("POST", "/splits", given(policy_id=policy_id, totals=sums, **options))
    rows = [
        [share["role"], money(share["amount_minor"], options["currency"])] for share in answer["allocations"]
    ]
    session.show(answer, *table([_("Share"), _("Amount")], rows))


def _share(name: str, text: str) -> dict[str, Any]:
    role, _at, beneficiary = name.partition("@")
    side = beneficiary or (role if role in SIDES else SIDES[0])
    return {"role": role, "beneficiary": side, "share_bp": percent(text)}


def _share_text(share: dict[str, Any]) -> str:
    if "share_bp" in share:
        return f"{share['role']} {share['share_bp'] / 100:g} %"
    fixed = [money(amount_minor, currency) for currency, amount_minor in share["fixed_minor"].items()]
    return f"{share['role']} {' / '.join(fixed)}"


def _total(name: str, text: str, currency: str) -> dict[str, Any]:
    tax_class, _colon, rate = name.partition(":")
    return {"tax_class": tax_class, "rate_bp": percent(rate or "0"), "gross_minor": amount(text, currency)}


policy = group(
    "policy", _("Adopt, retire and list revenue-share policies."), adopt, retire, list_policies, preview
)
