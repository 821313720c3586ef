"""What is the same in every page of a language is put into the template when it is compiled, once.

A page of two dozen cards says a hundred translated sentences; looked up while the page is made, they took a third
of its time. `_("Search")` and `static("wildgrass.css")` become text; sentences with values in them stay as they are.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import cast

from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream

FIXED_CALLS = "fixed_calls"  # the environment's global with the functions, by name
_CALL = ("name", "lparen", "string", "rparen")


class FixedCalls(Extension):
    """Replaces calls with one literal text by what they return; a translation is HTML as it stands."""

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Return the template's tokens with the fixed calls replaced."""
        functions = cast("Mapping[str, Callable[[str], str]]", self.environment.globals[FIXED_CALLS])
        tokens = list(stream)
        place = 0
        while place < len(tokens):
            call = tokens[place : place + len(_CALL)]
            is_method = place > 0 and tokens[place - 1].type == "dot"
            if tuple(token.type for token in call) == _CALL and call[0].value in functions and not is_method:
                line = call[0].lineno
                text = functions[call[0].value](call[2].value)
                kinds = (("lparen", "("), ("string", text), ("pipe", "|"), ("name", "safe"), ("rparen", ")"))
                yield from (Token(line, kind, value) for kind, value in kinds)
                place += len(_CALL)
            else:
                yield tokens[place]
                place += 1
