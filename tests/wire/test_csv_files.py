"""Tables as text: what spreadsheets and ccLoad write is read, and what is written runs in no spreadsheet."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.csv_files import BOM, Record, guarded, read_records, unguarded, write_record
from tests.support.examples import examples


def cells(text: str) -> list[list[str]]:
    return [record.cells for record in read_records(text.encode())]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_any_system_ends_them(end: str) -> None:
    assert cells(f"a,b{end}1,2{end}") == [["a", "b"], ["1", "2"]]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_heading_says_what_parts_the_cells(separator: str) -> None:
    """A separator within quotes of the heading is none."""
    assert cells(f'"x,;"{separator}b\n1{separator}2\n') == [["x,;", "b"], ["1", "2"]]


def test_a_byte_order_mark_is_no_part_of_the_first_cell() -> None:
    assert list(read_records(BOM + b"name\n")) == [Record(1, ["name"])]


def test_quoted_cells_hold_separators_quotes_and_lines() -> None:
    assert cells('a,b\n"1,2","say ""hi""\nthere"\n') == [["a", "b"], ["1,2", 'say "hi"\nthere']]


def test_a_backslash_escapes_a_quote_that_ends_no_cell() -> None:
    """As in the example of ccLoad's README; a backslash at a cell's end is one, and doubled quotes keep theirs."""
    assert cells('a,b\n"[\\"m \\" n\\"]",x\n') == [["a", "b"], ['["m " n"]', "x"]]
    assert cells('a,b\n"C:\\",x\n') == [["a", "b"], ["C:\\", "x"]]
    assert cells('a,b\n"{""k"":""v\\"" w""}",x\n') == [["a", "b"], ['{"k":"v\\" w"}', "x"]]


def test_blanks_around_cells_are_dropped_and_those_within_quotes_stay() -> None:
    assert cells('a,b\n x , " y " \n') == [["a", "b"], ["x", " y "]]


def test_lines_are_numbered_as_an_editor_numbers_them() -> None:
    """Empty ones count, and so do those within a cell."""
    assert [record.line for record in read_records(b'a\n\n"1\n2"\n\nlast')] == [1, 3, 6]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b'"open,1', "has no other"),
        (b'"one"two,1', "double it"),
        ("名,1".encode("gbk"), "UTF-8"),
        ("名,1".encode("utf-16"), "UTF-8"),
    ],
)
def test_a_broken_line_is_told_and_the_others_are_read(broken: bytes, reason: str) -> None:
    first, second, third = read_records(b"a,b\n" + broken + b"\nx,y\n")
    assert first.cells == ["a", "b"]
    assert (second.line, second.cells) == (2, [])
    assert reason in second.error
    assert third.cells == ["x", "y"]


FORMULAS = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1", "'=1", "''+1", "'-5"]


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_cell_that_begins_like_a_formula_is_written_as_text_and_read_as_it_was(cell: str) -> None:
    assert guarded(cell) == f"'{cell}"
    assert unguarded(guarded(cell)) == cell
    assert cells("a,b\n" + write_record([cell, "x"]))[1] == [cell, "x"]


@pytest.mark.parametrize("cell", ["-5", "0.25", "", "'quoted'", "it's", '{"a": "=1"}', " x ", "a;b", "a\r\nb", '"'])
def test_any_other_cell_stays_as_it_is(cell: str) -> None:
    assert guarded(cell) == cell
    written = write_record([cell, "x"])
    assert cells("a,b\n" + written)[1] == [cell, "x"]
    assert next(csv.reader(io.StringIO(written, newline=""))) == [cell, "x"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\",;\\\r\n\t =-'")), min_size=2))
@examples(300)
def test_whatever_is_written_is_read_as_it_was(row: list[str]) -> None:
    assert cells("a,b\n" + write_record(row) + write_record(["last", ""]))[1:] == [row, ["last", ""]]


def test_a_long_cell_is_read_in_steps() -> None:
    """Between two pauses lies no more than a quarter of a megabyte, also of nothing but quotes."""
    pauses: list[None] = []
    keys = ",".join(f"sk-{number:040}" for number in range(50_000))
    read = list(read_records(f'a\n"{keys}"\n'.encode(), lambda: pauses.append(None)))
    assert read[1].cells == [keys]
    assert len(pauses) >= 8
    pauses.clear()
    read = list(read_records(b'a\n"' + b'""' * 100_000 + b'"\n', lambda: pauses.append(None)))
    assert read[1].cells == ['"' * 100_000]
    assert len(pauses) >= 25


def test_many_short_lines_are_read_in_steps() -> None:
    pauses: list[None] = []
    assert sum(1 for _ in read_records(b"a\n" * 10_000, lambda: pauses.append(None))) == 10_000
    assert len(pauses) >= 49
