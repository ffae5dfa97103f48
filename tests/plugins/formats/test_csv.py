"""CSV and TSV tables."""

import gzip
import json

import pytest

from ig4.core.errors import DatasetError
from ig4.core.records import Record, Turn
from ig4.plugins.formats.csv import Csv


def make(**options):
    return Csv(Csv.Options(**options))


def file_with(tmp_path, text, name="data.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def test_a_row_is_a_record(tmp_path):
    file = file_with(
        tmp_path, 'id,image,question,answer\n1,a.jpg,"What, here?","A ""cat""\nhere."\n'
    )
    (record,) = make().read(file)
    assert record.id == "1"
    assert record.images == ("a.jpg",)
    assert record.turns == (Turn("user", "What, here?"), Turn("assistant", 'A "cat"\nhere.'))
    assert record.raw["answer"] == 'A "cat"\nhere.'


def test_an_empty_question_gets_the_instruction_and_an_empty_answer_stays(tmp_path):
    (record,) = make().read(file_with(tmp_path, "question,answer\n,\n"))
    assert record.turns == (Turn("user", "Describe this image in detail."), Turn("assistant", ""))


def test_several_images_are_a_json_list(tmp_path):
    (record,) = make().read(file_with(tmp_path, 'image,caption\n"[""a.jpg"", ""b.jpg""]",x\n'))
    assert record.images == ("a.jpg", "b.jpg")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("id;caption\r\n1;a, b\r\n2;\"c;d\"\r\n", "a.csv"),
        ("id\tcaption\n1\ta, b\n2\t\"c\td\"\n", "a.tsv"),
        ("id|caption\n1|a, b\n2|\"c|d\"\n", "a.csv"),
    ],
)  # fmt: skip
def test_delimiter_and_line_ends_are_kept(tmp_path, text, name):
    file = file_with(tmp_path, text, name)
    reader = make()
    assert reader.detect(file)
    reader.write(reader.read(file), tmp_path / f"out-{name}", reader.header(file))
    assert (tmp_path / f"out-{name}").read_bytes() == text.encode()


def test_rows_that_do_not_fit_the_header_are_kept_as_they_are(tmp_path):
    text = "id,caption\n1,a,extra\n2\n3,c\n"
    file = file_with(tmp_path, text)
    reader = make()
    long, short, plain = reader.read(file)
    assert long.raw == ["1", "a", "extra"]
    assert (short.raw, short.turns) == (["2"], ())
    assert plain.raw == {"id": "3", "caption": "c"}
    reader.write([long, short, plain], tmp_path / "out.csv", reader.header(file))
    assert (tmp_path / "out.csv").read_text() == text


def test_two_columns_of_one_name_are_both_kept(tmp_path):
    text = "id,caption,note,note\n1,a,x,y\n"
    file = file_with(tmp_path, text)
    reader = make()
    reader.write(reader.read(file), tmp_path / "out.csv", reader.header(file))
    assert (tmp_path / "out.csv").read_text() == text


def test_a_table_without_an_answer_asks_for_its_column(tmp_path):
    file = file_with(tmp_path, "id,said\n1,a\n")
    assert not make().detect(file)
    with pytest.raises(DatasetError, match=r"'id', 'said'.*-o answer_column"):
        list(make().read(file))
    assert next(make(answer_column="said").read(file)).turns[1].text == "a"
    with pytest.raises(DatasetError, match="no column 'sais'"):
        list(make(answer_column="sais").read(file))


def test_a_row_that_cannot_be_parsed_is_named(tmp_path):
    file = file_with(tmp_path, 'id,caption\n1,a\n2,"b" c\n')
    with pytest.raises(DatasetError, match=r"data\.csv: line 3: not valid CSV"):
        list(make().read(file))


def test_a_cell_may_be_large(tmp_path):
    file = file_with(tmp_path, f"caption\n{'x' * 500_000}\n")
    assert len(next(make().read(file)).turns[1].text) == 500_000


def test_records_from_elsewhere_have_our_columns(tmp_path):
    turns = (Turn("user", "?"), Turn("assistant", "!"))
    records = [
        Record("1", turns, ("a.jpg",)),
        Record("2", turns * 2, ("a.jpg", "b.jpg")),
        Record("3", turns),
    ]
    make().write(records, tmp_path / "out.tsv")
    lines = (tmp_path / "out.tsv").read_text().splitlines()
    assert lines[:2] == ["id\timage\tinstruction\tanswer\tmessages", "1\ta.jpg\t?\t!\t"]
    again = list(make().read(tmp_path / "out.tsv"))
    assert [(r.id, r.turns, r.images) for r in again] == [
        (r.id, r.turns, r.images) for r in records
    ]


def test_records_from_elsewhere_fit_into_a_given_table(tmp_path):
    header = {"columns": ["caption", "source", "file_name"], "delimiter": ",", "line_end": "\n"}
    make().write([Record("1", (Turn("assistant", "!"),), ("a.jpg",))], tmp_path / "o.csv", header)
    assert (tmp_path / "o.csv").read_text() == "caption,source,file_name\n!,,a.jpg\n"


def test_a_text_that_the_encoding_lacks_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(DatasetError, match="option encoding to utf-8"):
        make(encoding="cp1252").write([Record("1", (Turn("assistant", "猫"),))], tmp_path / "o.csv")
    assert list(tmp_path.iterdir()) == []


def test_headers_are_json(tmp_path):
    header = make().header(file_with(tmp_path, "\ufeffid,caption\r\n1,a\r\n"))
    assert json.loads(json.dumps(header)) == {
        "columns": ["id", "caption"],
        "delimiter": ",",
        "line_end": "\r\n",
    }


@pytest.mark.parametrize("row", ["1,a.jpg,What?,It,is,a,cat.", "1,a.jpg,What?"])
def test_a_row_that_does_not_fit_the_header_is_a_problem_and_stays_whole(tmp_path, row):
    file = tmp_path / "a.csv"
    file.write_text(f"id,image,question,answer\n{row}\n2,b.jpg,Who?,I.\n")
    torn, whole = make().read(file)
    assert torn.problem == f"the row has {row.count(',') + 1} cells, the header 4"
    assert torn.raw == row.split(",")
    assert whole.problem is None


def test_empty_cells_at_the_end_of_a_row_are_no_problem(tmp_path):
    (record,) = make().read(file_with(tmp_path, "id,answer\n1,It.,,\n"))
    assert (record.problem, record.raw) == (None, ["1", "It.", "", ""])


def test_two_columns_with_the_name_that_is_meant_are_refused(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("id,answer,answer\n1,a,b\n")
    with pytest.raises(DatasetError, match="two columns with the name 'answer'"):
        list(make().read(file))
    file.write_text("id,answer,note,note\n1,a,b,c\n")
    assert [record.raw for record in make().read(file)] == [["1", "a", "b", "c"]]


def test_white_space_around_a_name_in_the_header_does_not_matter(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("\ufeffid, image, answer\n1, a.jpg,It.\n", encoding="utf-8")
    (record,) = make().read(file)
    assert (record.id, record.turns[1].text) == ("1", "It.")


def test_a_compressed_table_is_read(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"id,answer\n1,It.\n"))
    assert make().detect(tmp_path)
    assert [record.id for record in make().read(tmp_path)] == ["1"]
