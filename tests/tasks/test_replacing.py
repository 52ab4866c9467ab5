from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storebridge.tasks import replacing
from storebridge.tasks.replacing import EditError, Replacement


def change(find: str, new: str, **how: bool) -> Replacement:
    return Replacement("title", find, new, **how)


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("Tee Teekanne CoffeeTee Tee's", "X Teekanne CoffeeTee X's"),
        ("Tee-Tee (Tee) TEE", "X-X (X) TEE"),
        ("Tee\u0301 Teeé", "Tee\u0301 Teeé"),
    ],
)
def test_whole_words_are_replaced(text: str, after: str) -> None:
    assert change("Tee", "X").of(text) == after


def test_parts_of_words_and_other_case_only_where_they_are_asked_for() -> None:
    assert change("tee", "x", within_words=True).of("tee teetee Tee") == "x xx Tee"
    assert change("tee", "x", ignore_case=True).of("tee teetee Tee") == "x teetee x"
    assert change("100%", "all").of("100% cotton") == "all cotton"
    assert change("a.c", r"\1").of("abc a.c") == r"abc \1"


def test_regular_expressions_name_their_groups() -> None:
    found = change(r"(\d+) ?cm\b", r"\1 Zentimeter", regex=True)
    assert found.of("12cm, 3 cm, 4 cmm") == "12 Zentimeter, 3 Zentimeter, 4 cmm"
    assert change("x*", "-", regex=True).of("axxb") == "a-b"


@pytest.mark.parametrize(("find", "new"), [("(", ""), ("a", r"\1"), ("(a)", r"\2"), ("", "x")])
def test_what_makes_no_sense_is_refused_at_once(find: str, new: str) -> None:
    with pytest.raises(EditError):
        change(find, new, regex=True)


def test_a_slow_expression_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replacing, "MOST_SECONDS", 0.1)
    with pytest.raises(EditError, match=r"takes over 0.1 s for one text of title \(61 characters"):
        change("(a|aa)+$", "b", regex=True).of("a" * 60 + "!")


HTML = [
    ('<p title="> Tee">Tee</p>', '<p title="> Tee">X</p>'),
    ("<a href='/Tee?a=\">Tee\"'>Tee</a>", "<a href='/Tee?a=\">Tee\"'>X</a>"),
    ("<!-- Tee --><script>Tee</script><style>Tee</style>Tee", None),
    ("<!-->Tee<!--->Tee<!--Tee--!>Tee", "<!-->X<!--->X<!--Tee--!>X"),
    ("Tee<b>kanne</b> <b>T</b>ee Tee<br>kanne", "Tee<b>kanne</b> <b>T</b>ee X<br>kanne"),
    ("Tee<p>s</p>&nbsp;Tee &Tee; Tee&amp;", "X<p>s</p>&nbsp;X &Tee; X&amp;"),
    ("3 < Tee > 2 <Tee> </Tee Tee> <? Tee ?> <!Tee> </ Tee>", None),
    ('<img alt="Tee Tee', '<img alt="Tee Tee'),
    ("<p\n class=x\tdata-a = 'Tee>' >Tee</P ><SCRIPT>Tee</Script >Tee", None),
]
WHOLE = {
    2: "<!-- Tee --><script>Tee</script><style>Tee</style>X",
    6: "3 < X > 2 <Tee> </Tee Tee> <? Tee ?> <!Tee> </ Tee>",
    8: "<p\n class=x\tdata-a = 'Tee>' >X</P ><SCRIPT>Tee</Script >X",
}


@pytest.mark.parametrize("number", range(len(HTML)))
def test_html_is_replaced_in_its_text_only(number: int) -> None:
    document, after = HTML[number]
    assert change("Tee", "X").of_html(document) == (after or WHOLE[number])


def test_what_entities_stand_for_is_found_and_what_is_put_in_is_escaped() -> None:
    found = change("Tom & Jo", "<b> & Co")
    assert found.of_html("Tom &amp; Jo, Tom & Jo, Tom &#38; Jo") == ", ".join(
        ["&lt;b&gt; &amp; Co"] * 3
    )
    assert change("amp", "x").of_html("&amp; amp") == "&amp; x"


TAGS = ["<p>", "</p>", "<b ", "x='", '"', ">", "<", "<script>", "</script>", "<br/>"]
PIECES = st.sampled_from([*TAGS, "<!--", "-->", "&amp;", "&", "Tee", " ", "é", "=\n", "kanne"])


@settings(max_examples=200, deadline=None)
@given(st.lists(PIECES, max_size=30).map("".join))
def test_nothing_else_changes_in_any_document(document: str) -> None:
    assert change("absent", "X").of_html(document) == document
    after = change("Tee", "\ue000").of_html(document)
    assert after.replace("\ue000", "Tee") == document
