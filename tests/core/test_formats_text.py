from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storebridge.errors import Problem
from storebridge.formats import Context, Sourced, read
from storebridge.formats.table import escape, unescape

HEADER = "Handle,Title,Variant SKU\n"
EUR = Context(currency="EUR")
TRIGGERS = tuple("=+-@\t\r＝＋－＠")


def got(path: Path, context: Context = EUR) -> tuple[list[str], list[Problem]]:
    items = list(read(path, context))
    titles = [getattr(i.record, "title", "") for i in items if isinstance(i, Sourced)]
    return titles, [item for item in items if isinstance(item, Problem)]


@pytest.mark.parametrize(
    ("codec", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-32-le", codecs.BOM_UTF32_LE),
        ("utf-32-be", codecs.BOM_UTF32_BE),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_marks_newlines_and_delimiters_are_told(
    tmp_path: Path, codec: str, mark: bytes, newline: str, delimiter: str
) -> None:
    path = tmp_path / "a.csv"
    text = HEADER + 'mütze,"Mütze ""外套""\nnew, line",M-1\n'
    text = text.replace("mütze,", "mütze\0").replace(",M-1", "\0M-1").replace(", line", "\1 line")
    text = text.replace(",", "\0").replace("\1", ",").replace("\0", delimiter)
    path.write_bytes(mark + text.replace("\n", newline).encode(codec))
    assert got(path) == ([f'Mütze "外套"{newline}new, line'], [])


@pytest.mark.parametrize(
    ("encoding", "title"),
    [
        ("windows-1252", "Größe 5 €"),
        ("cp1250", "Žluťoučký"),
        ("windows-1251", "Рубашка"),
        ("gb18030", "外套"),
        ("big5", "外套"),
        ("shift_jis", "シャツ"),
        ("utf-16-le", "Größe"),
        ("iso2022_jp", "シャツ"),
        ("koi8-r", "Рубашка"),
    ],
)
def test_other_encodings_are_asked_for_and_then_read(
    tmp_path: Path, encoding: str, title: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes((HEADER + f"plain,Plain,P-1\nh,{title},S-1\n").encode(encoding))
    titles, problems = got(path)
    assert titles == []
    assert len(problems) == 1
    assert problems[0].file == "a.csv"
    assert "--encoding" in problems[0].remedy
    assert all(name in problems[0].remedy for name in ("Windows-1250", "GB18030", "Shift_JIS"))
    assert got(path, Context(encoding=encoding)) == (["Plain", title], [])


def test_the_row_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes((HEADER + "a,A,A-1\nb,Größe,B-1\n").encode("cp1252"))
    assert [problem.row for problem in got(path)[1]] == [3]


@pytest.mark.parametrize("encoding", ["klingon", "rot13", "base64"])
def test_a_codec_that_is_none_is_a_problem(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + "a,A,A-1\n", encoding="utf-8")
    (problem,) = got(path, Context(encoding=encoding))[1]
    assert encoding in problem.message
    assert "--encoding" in problem.remedy


def test_each_undecodable_cell_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = b'a,"fine\nfine",A-1\nb,bad \x81,B-1\nc,fine,\x81\x8d\n'
    path.write_bytes(HEADER.encode() + rows)
    titles, problems = got(path, Context(encoding="cp1252"))
    assert titles == []
    assert [(p.row, p.column) for p in problems] == [(3, "Title"), (4, "Variant SKU")]
    assert problems[0].value == "bad ?"


def test_a_delimiter_that_is_not_certain_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Handle,x;Title;y\na,b;c;d\n", encoding="utf-8")
    (problem,) = got(path)[1]
    assert "--delimiter" in problem.remedy
    assert not [p for p in got(path, Context(delimiter=","))[1] if "--delimiter" in p.remedy]


@pytest.mark.parametrize("delimiter", ["ab", '"', "\n"])
def test_what_can_not_delimit_is_a_problem(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + "a,A,A-1\n", encoding="utf-8")
    (problem,) = got(path, Context(delimiter=delimiter))[1]
    assert "--delimiter" in problem.remedy


def test_tab_can_be_named_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text((HEADER + "a,A,A-1\n").replace(",", "\t"), encoding="utf-8")
    assert got(path, Context(delimiter="tab")) == (["A"], [])


def test_a_long_cell_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + f"a,{'x' * 200_000},A-1\n", encoding="utf-8")
    assert len(got(path)[0][0]) == 200_000


def test_an_open_quote_is_a_problem_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + 'a,A,A-1\nb,"B,B-1\nc,C,C-1\n', encoding="utf-8")
    (problem,) = got(path)[1]
    assert problem.row == 3
    assert "quote" in problem.remedy


def test_text_after_a_closing_quote_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + 'a,A,A-1\nb,"5" pipe",B-1\n', encoding="utf-8")
    assert [problem.row for problem in got(path)[1]] == [3]


def test_ragged_rows_are_problems_and_blank_ones_are_not(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = "a,A,A-1,,\n\n,,\nb,B\nc,C,C-1,D\nd,D,D-1\n"
    path.write_text(HEADER + rows, encoding="utf-8")
    titles, problems = got(path)
    assert titles == ["A", "D"]
    assert [problem.row for problem in problems] == [5, 6]


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_file_is_a_problem(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8")
    assert len(got(path)[1]) == 1


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    assert len(got(tmp_path / "none.csv")[1]) == 1


@given(st.text())
def test_escaping_is_lossless_and_leaves_no_formula(text: str) -> None:
    assert unescape(escape(text)) == text
    assert not escape(text).startswith(TRIGGERS)


@given(st.sampled_from(TRIGGERS), st.integers(0, 3), st.text(max_size=3))
def test_escaping_apostrophes_is_lossless(trigger: str, quotes: int, rest: str) -> None:
    text = "'" * quotes + trigger + rest
    assert unescape(escape(text)) == text
    assert escape(text) == f"'{text}"


@pytest.mark.parametrize(("sign", "name"), [("\0", "NUL (0x00)"), ("\x1b", "ESC (0x1B)")])
def test_a_control_character_in_utf8_is_told_for_what_it_is(
    tmp_path: Path, sign: str, name: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{HEADER}a,A,A-1\nb,Gr{sign}öße,B-1\n", encoding="utf-8")
    (problem,) = got(path)[1]
    assert (problem.row, name in problem.message) == (3, True)
    assert problem.remedy.startswith("Delete it; or if the file has another encoding")
