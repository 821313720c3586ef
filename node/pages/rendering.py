"""Templates into bytes: one environment a language, escaping by default, formats as filters.

rendered = Rendering().page("search.html", visit=visit, values={...})
"""

from collections.abc import Mapping
from functools import cached_property, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from node.locale import LANGUAGES, catalog, translate
from node.pages import formats
from node.pages.cards import card_filters
from node.pages.folding_templates import FIXED_CALLS, FixedCalls
from node.pages.forms import language_fields
from node.pages.split_drawing import draw_split, share_rows

FOLDER = Path(__file__).parent
STATIC_FOLDER = FOLDER / "static"
LANGUAGE_NAMES = {"en": "English", "zh-Hans": "简体中文"}


class Rendering:
    """The templates, ready in every language; made once, its first page is the slow one."""

    def __init__(self) -> None:
        """Load nothing yet."""
        self._environments: dict[str, Environment] = {}

    def page(self, template: str, *, language: str, values: Mapping[str, Any]) -> str:
        """Return one page or part of a page as HTML."""
        return self._in(language).get_template(template).render(values)

    def static_url(self, name: str) -> str:
        """Return where a file of `static/` is served; its address changes with its content."""
        return f"/static/{self._static_marks[name]}/{name}"

    def static_file(self, mark: str, name: str) -> Path | None:
        """Return the file of such an address, or None where it is of another version."""
        return STATIC_FOLDER / name if self._static_marks.get(name) == mark else None

    @cached_property
    def _static_marks(self) -> dict[str, str]:
        return {
            path.name: sha256(path.read_bytes()).hexdigest()[:12] for path in sorted(STATIC_FOLDER.iterdir())
        }

    def _in(self, language: str) -> Environment:
        known = self._environments.get(language)
        if known is None:
            known = self._environments[language] = self._make(language)
        return known

    def _make(self, language: str) -> Environment:
        def say(message: str) -> str:
            return (
                translate(message, language) % {}
            )  # as where it has values: a percent sign is written twice

        environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            extensions=["jinja2.ext.i18n", FixedCalls],
        )
        environment.install_gettext_translations(catalog(language), newstyle=True)  # type: ignore[attr-defined]  # of the extension
        environment.globals.update(
            language=language,
            language_fields=language_fields(language),
            languages={tag: LANGUAGE_NAMES[tag] for tag in LANGUAGES},
            static=self.static_url,
            **{FIXED_CALLS: {"_": say, "gettext": say, "static": self.static_url}},
        )
        environment.filters.update(
            words=partial(formats.in_language, language=language),
            words_tag=partial(formats.tag_of, language=language),
            money=lambda amount_minor, currency: formats.say_money(amount_minor, currency, language),
            moment=partial(formats.say_time, language=language),
            time_tag=partial(formats.time_tag, language=language),
            sector=partial(formats.say_sector, language=language),
            unit=partial(formats.say_unit, language=language),
            fulfilment=partial(formats.say_fulfilment, language=language),
            availability=partial(formats.say_availability, language=language),
            role=partial(formats.say_role, language=language),
            quantity=lambda steps, scale, unit_code: formats.say_quantity(steps, scale, unit_code, language),
            split_drawing=lambda allocations, currency: draw_split(allocations, currency, language),
            share_rows=lambda allocations, currency: share_rows(allocations, currency, language),
            translated=partial(translate, language=language),
            **card_filters(environment),
        )
        return environment
