"""Sentences without values are put into a template when it is compiled; a page reads as if they were not."""

from pathlib import Path

import pytest
from jinja2 import Environment, StrictUndefined
from jinja2.ext import Extension

from node.locale import CHINESE, ENGLISH, catalog, translate
from node.pages.folding_templates import FIXED_CALLS, FixedCalls
from node.pages.rendering import Rendering

SOURCES = (
    '{{ _("Search") }}',
    "<a title=\"{{ _('Search') }}\">{{ gettext('Log in') }}</a>",
    '{{ _("Search") ~ " & " ~ typed }}',
    '{% set word = _("Search") %}{{ word }}{{ word|length }}{{ word|upper }}',
    '{% macro say(word) %}<b>{{ word }}</b>{% endmacro %}{{ say(_("Search")) }}{{ say(typed) }}',
    '{% for one in [_("Search"), typed] %}{{ one }}{% endfor %}',
    '{{ gettext("%(count)s free to sell", count=typed) }}',
    '{{ _("half of 100%%") }}',
    '{{ ngettext("One field needs another look.", "%(num)s fields need another look.", 2) }}',
    '{% if _("Search") %}yes{% endif %}{{ "" if typed else _("Search") }}',
    '{{ other._("Search") }}',
)


class _Other:
    def _(self, word: str) -> str:
        return f"<not folded: {word}>"


def _environment(language: str, *more: type[Extension]) -> Environment:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, extensions=["jinja2.ext.i18n", *more]
    )
    environment.install_gettext_translations(catalog(language), newstyle=True)  # type: ignore[attr-defined]  # of the extension

    def say(message: str) -> str:
        return translate(message, language) % {}

    environment.globals[FIXED_CALLS] = {"_": say, "gettext": say}
    return environment


@pytest.mark.parametrize("language", [ENGLISH, CHINESE])
@pytest.mark.parametrize("source", SOURCES)
def test_a_folded_template_says_the_same(source: str, language: str) -> None:
    """With and without, in both languages, and hostile words stay escaped."""
    values = {"typed": "<script>&'\"", "other": _Other()}
    plain = _environment(language).from_string(source).render(values)
    assert _environment(language, FixedCalls).from_string(source).render(values) == plain
    assert "<script" not in plain


def test_no_sentence_is_looked_up_while_a_page_is_made() -> None:
    """What is left to look up has a value in it."""
    compiled = _environment(CHINESE, FixedCalls).compile('<p>{{ _("Search") }}</p>', raw=True)
    assert f"<p>{translate('Search', CHINESE)}</p>" in compiled
    assert "gettext" not in compiled


def test_the_languages_are_not_mixed_up() -> None:
    """One template in both languages, in turns."""
    rendering = Rendering()
    for _ in range(2):
        for language in (ENGLISH, CHINESE):
            template = rendering._in(language).from_string('{{ _("Search") }} {{ static("live.js") }}')
            word, address = template.render().split(" ")
            assert word == translate("Search", language)
            assert address == rendering.static_url("live.js")
    assert Path(rendering.static_url("live.js")).name == "live.js"
