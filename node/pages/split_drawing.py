"""Who gets what from a price, drawn: a bar made here as SVG, and the same in rows for a table.

Both are filters of the templates; `split.html` puts them together. A reader who sees no picture hears its title
and description, and has the table.

    draw_split(order.allocations, "EUR", "en")          # Markup of one <svg class="split">
    share_rows(order.allocations, "EUR", "zh-Hans")     # rows with name, amount, share of the whole, class
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from itertools import accumulate

from babel.numbers import format_percent
from markupsafe import Markup

from node.locale import catalog
from node.pages.formats import locale_of, say_money
from protocol.amounts.split import SELLER_ROLE, TAX_ROLE, Allocation, Side

COLOURS = 6
BAR_WIDTH = 1_000
BAR_HEIGHT = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareRow:
    """One share that is not nothing; `colour` is the number of its class share-1 .. share-6."""

    name: str
    role: str
    beneficiary: Side
    amount_minor: int
    money: str
    percent: str
    colour: int


def share_rows(allocations: Sequence[Allocation], currency: str, language: str) -> list[ShareRow]:
    """Return the shares that are not nothing: the shop first, then the others in the policy's order."""
    total_minor = sum(allocation.amount_minor for allocation in allocations)
    return [
        ShareRow(
            name=say_share(allocation.role, language),
            role=allocation.role,
            beneficiary=allocation.beneficiary,
            amount_minor=allocation.amount_minor,
            money=say_money(allocation.amount_minor, currency, language),
            percent=_say_percent(allocation.amount_minor, total_minor, language),
            colour=position % COLOURS + 1,
        )
        for position, allocation in enumerate(_shown(allocations))
    ]


def draw_split(allocations: Sequence[Allocation], currency: str, language: str) -> Markup:
    """Return one bar as long as the whole price, cut into the shares; empty where there is no price."""
    rows = share_rows(allocations, currency, language)
    if not rows:
        return Markup("")
    _ = catalog(language).gettext
    title = _("Who gets what")
    told = "; ".join(f"{row.name}: {row.money} ({row.percent})" for row in rows)
    mark = sha256(told.encode()).hexdigest()[:8]
    return Markup(
        '<svg class="split" role="img" aria-labelledby="split-{mark} split-text-{mark}" '
        'viewBox="0 0 {width} {height}" preserveAspectRatio="none">'
        '<title id="split-{mark}">{title}</title><desc id="split-text-{mark}">{told}</desc>{bars}</svg>'
    ).format(
        mark=mark,
        width=BAR_WIDTH,
        height=BAR_HEIGHT,
        title=title,
        told=told,
        bars=Markup("").join(_bars(rows)),
    )


def say_share(role: str, language: str) -> str:
    """Return the words for a role of a policy; a role of a community's own is told by its name."""
    _ = catalog(language).gettext
    words = {
        SELLER_ROLE: _("The shop"),
        TAX_ROLE: _("Tax"),
        "seller_community": _("The seller's community"),
        "buyer_community": _("The buyer's community"),
        "commons": _("Commons fund"),
        "referrer": _("Who brought the buyer"),
        "relay": _("Who carried the order"),
        "mediator_pool": _("Mediation fund"),
        "patronage": _("Paid back to members"),
    }
    return words.get(role, role.replace("_", " "))


def _shown(allocations: Sequence[Allocation]) -> list[Allocation]:
    """The seller stands last in a split, and first on a page: it is the shop's price."""
    shown = [allocation for allocation in allocations if allocation.amount_minor]
    return sorted(shown, key=lambda allocation: allocation.role != SELLER_ROLE)


def _bars(rows: Sequence[ShareRow]) -> Iterator[Markup]:
    """Ends are rounded, not widths: so the bars meet without a gap and end where the picture ends."""
    total_minor = sum(row.amount_minor for row in rows)
    ends = [BAR_WIDTH * reached // total_minor for reached in accumulate(row.amount_minor for row in rows)]
    for row, start, end in zip(rows, [0, *ends], ends, strict=False):
        yield Markup('<rect class="share-{colour}" x="{x}" width="{width}" height="{height}"/>').format(
            colour=row.colour, x=start, width=end - start, height=BAR_HEIGHT
        )


def _say_percent(amount_minor: int, total_minor: int, language: str) -> str:
    return format_percent(Decimal(amount_minor) / total_minor, format="#,##0.#%", locale=locale_of(language))
