"""Search finds words of any language, and says the same on both engines as a plain loop over everything."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.engine import Store, open_store
from storage.search import Document, clear_index, index_documents, is_worn, remove_documents, search
from storage.search import documents as search_module
from storage.search.terms import is_character, query_terms, terms

HOME, AWAY = b"\x01" * 32, b"\x02" * 32


def document(
    key: str, title: str, text: str = "", *, time_ms: int = 0, sector: str = "market/food"
) -> Document:
    return Document(key, sector, HOME, {"en": title}, {"en": text} if text else {}, time_ms)


@pytest.fixture
def both(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[list[Store]]:
    """A store on each engine."""
    with ExitStack() as stack:
        url = stack.enter_context(request.getfixturevalue("postgres_server").database())
        yield [stack.enter_context(open_store(place)) for place in (tmp_path / "store", url)]


@pytest.mark.parametrize(
    ("text", "query", "found"),
    [
        ("幼猫粮 3kg", "猫粮", True),
        ("幼猫粮 3kg", "幼猫粮", True),
        ("幼猫粮 3kg", "粮猫", False),
        ("幼猫粮 3kg", "猫", True),
        ("幼猫粮 3kg", "粮 3KG", True),
        ("幼猫粮 3kg", "kg", False),
        ("皇家（成猫）猫粮", "猫猫", False),
        ("カタカナ・テスト", "ﾃｽﾄ", True),
        ("유기농 사과", "사과", True),
        ("ข้าวหอมมะลิ", "หอม", True),
        ("Crème BRÛLÉE", "creme brulee", True),
        ("Straße", "STRASSE", True),
        ("ΑΘΗΝΑ", "αθήνα", True),
        ("Ёлка", "елка", True),
        ("हिन्दी चाय", "हिन्दी", True),
        ("हिन्दी चाय", "हिन", False),
        ("עִבְרִית", "עִבְרִית", True),
        ("fifty-one's", "ONE fifty", True),
        ("ﬁne ① ㎏", "fine 1 kg", True),
        ("it's 100%", "100", True),
        ("a\u200bb\x00c", "a b c", True),
        ("under_score", "under", True),
    ],
)
def test_a_title_is_found_as_people_write_it(*, text: str, query: str, found: bool) -> None:
    """Case, width, accents and word breaks of many scripts do not matter; order inside a word does."""
    assert (set(query_terms(query)) <= terms(text, characters=True)) == found


def test_terms_are_safe_to_hand_to_either_engine() -> None:
    """No term holds a quote, a space or an operator, whatever is put in."""
    for code in range(0x11_0000):
        if not 0xD800 <= code < 0xE000:
            for term in terms(chr(code) + "x", characters=True):
                assert not set(term) & set("'\"\\:*&|!()<> \t\n\x00"), hex(code)
    assert query_terms("  '\"); DROP TABLE lanes; --") == ["drop", "table", "lanes"]
    assert len(query_terms(" ".join(f"word{number}" for number in range(99)))) == 16
    assert query_terms("x" * 1000) == ["x" * 64]


def test_titles_come_before_texts_and_new_before_old(store: Store) -> None:
    """Title matches first, then the newest, then by key; sector and community narrow it."""
    with store.write() as connection:
        index_documents(
            connection,
            [
                document("b", "Green tea", time_ms=5),
                document("a", "Green tea", time_ms=5),
                document("c", "Cup", "for green tea", time_ms=9),
                document("d", "Tea, green", time_ms=7),
                document("e", "Green tea", time_ms=8, sector="market/pets"),
                Document("f", "market/pets", AWAY, {"en": "Cup", "zh-Hans": "绿茶"}, {"en": "green tea"}, 1),
            ],
        )
        assert search(connection, "green tea") == ["e", "d", "a", "b", "c", "f"]
        assert search(connection, "tea green", "market/pets") == ["e", "f"]
        assert search(connection, "green", community=AWAY) == ["f"]
        assert search(connection, "green", "market/food", community=AWAY) == []
        assert search(connection, "绿茶 cup") == ["f"]
        assert search(connection, "绿") == ["f"]
        assert search(connection, "green tea", limit=2, offset=1) == ["d", "a"]
        assert search(connection, "tea", limit=2, offset=6) == []
        assert search(connection, "  ...  ") == []


def test_a_document_is_replaced_moved_in_time_and_removed(store: Store) -> None:
    """The newest words of a key are what is found; a removed one is gone at once."""
    with store.write() as connection:
        index_documents(connection, [document("a", "苹果"), document("b", "苹果", time_ms=1)])
        index_documents(connection, [document("a", "苹果", time_ms=2)])
        assert search(connection, "苹果") == ["a", "b"]
        index_documents(connection, [document("a", "梨子"), document("a", "香蕉")])
        assert [search(connection, word) for word in ("苹果", "梨子", "香蕉")] == [["b"], [], ["a"]]
        remove_documents(connection, ["a", "never there"])
        remove_documents(connection, [])
        assert search(connection, "香蕉") == []
        index_documents(connection, [document("a", "香蕉")])
        assert search(connection, "香蕉") == ["a"]
        clear_index(connection)
        assert search(connection, "苹果") == []
        index_documents(connection, [document("a", "苹果")])
        assert search(connection, "苹果") == ["a"]


def test_an_index_full_of_removed_documents_says_so(tmp_path: Path) -> None:
    """On SQLite removed terms stay until the index is cleared; after enough of them it asks for that."""
    with open_store(tmp_path) as store, store.write() as connection:
        assert not is_worn(connection)
        some = [document(f"{number}", "apple") for number in range(2_600)]
        index_documents(connection, some)
        remove_documents(connection, [one.key for one in some])
        index_documents(connection, some)
        assert not is_worn(connection)
        remove_documents(connection, [one.key for one in some])
        assert is_worn(connection)
        assert search(connection, "apple") == []
        clear_index(connection)
        assert not is_worn(connection)


def test_a_common_word_shows_what_was_indexed_last(both: list[Store]) -> None:
    """Past the bound the newest indexed documents are considered, the same on both engines."""
    count = search_module.CANDIDATES_MAX + 40
    answers = []
    for store in both:
        with store.write() as connection:
            index_documents(connection, [document(f"{n:04}", f"apple {n}", time_ms=-n) for n in range(count)])
            answers.append(search(connection, "apple", limit=count))
            assert search(connection, "apple 3") == ["0003"]
    assert answers[0] == answers[1] == [f"{number:04}" for number in range(40, count)]


def test_huge_and_hostile_texts_are_bounded(both: list[Store]) -> None:
    """The longest texts that records allow, and naughty ones, are indexed the same way on both engines."""
    long = "".join(chr(0x4E00 + number % 20_000) for number in range(60_000))
    naughty = [
        "'); --",
        "\\",
        '"',
        "NULL",
        "\x00",
        "%s ?",
        "{}",
        "😀猫😀",
        "\u202egreen",
        "ｇｒｅｅｎ",
        "İstanbul",
        "ǅ ß ﬃ",
    ]
    for store in both:
        with store.write() as connection:
            index_documents(connection, [document("long", long[:200], long)])
            index_documents(connection, [document(f"n{n}", text, text) for n, text in enumerate(naughty)])
    answers = []
    for store in both:
        with store.read() as connection:
            answers.append(
                [search(connection, query) for query in [*naughty, long[:2], long[190:210], "猫", "green"]]
            )
    assert answers[0] == answers[1]
    assert answers[0][-1] == ["n8", "n9"]
    assert answers[0][-2] == ["n7"]
    assert answers[0][-4] == ["long"]


_WORDS = st.lists(st.sampled_from(["apple", "Äpfel", "猫", "猫粮", "幼猫粮", "粮", "x"]), max_size=4).map(
    " ".join
)
_DOCUMENTS = st.builds(
    Document,
    st.sampled_from("abcdef"),
    st.sampled_from(["market/food", "market/pets"]),
    st.sampled_from([HOME, AWAY]),
    st.dictionaries(st.sampled_from(["en", "zh"]), _WORDS, max_size=2),
    st.dictionaries(st.sampled_from(["en", "zh"]), _WORDS, max_size=2),
    st.integers(0, 3),
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.one_of(st.lists(_DOCUMENTS, max_size=6), st.sampled_from("abcdef")), max_size=6),
    queries=st.lists(_WORDS, min_size=1, max_size=4),
    sector=st.sampled_from([None, "market/pets"]),
)
def test_both_engines_say_what_a_plain_loop_says(
    both: list[Store], steps: list[list[Document] | str], queries: list[str], sector: str | None
) -> None:
    """After any run of changes, every query gives the same keys in the same order."""
    model: dict[str, Document] = {}
    for step in steps:
        for document_ in step if isinstance(step, list) else []:
            model[document_.key] = document_
        if isinstance(step, str):
            model.pop(step, None)
    for store in both:
        with store.write() as connection:
            clear_index(connection)
            for step in steps:
                if isinstance(step, list):
                    index_documents(connection, step)
                else:
                    remove_documents(connection, [step])
            for query in queries:
                assert search(connection, query, sector) == _plainly(model, query, sector)


def _plainly(model: dict[str, Document], query: str, sector: str | None) -> list[str]:
    found = []
    for key, one in model.items():
        title = terms(" ".join(one.title.values()), characters=True)
        anywhere = title | {term for term in terms(" ".join(one.text.values())) if not is_character(term)}
        wanted = set(query_terms(query))
        if wanted and wanted <= anywhere and sector in (None, one.sector):
            found.append((not wanted <= title, -one.time_ms, key))
    return [key for _, _, key in sorted(found)]
