from pathlib import Path

import pytest

from cisdl_bench.adapters.table import read_header, read_table
from cisdl_bench.errors import SourceError


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


ROWS = [{"probe": "a,b.jpg", "donor": "d.jpg"}, {"probe": "ü.jpg", "donor": 'say "x".jpg'}]


@pytest.mark.parametrize(
    "content",
    [
        'probe,donor\n"a,b.jpg",d.jpg\nü.jpg,"say ""x"".jpg"\n',
        '\ufeffprobe,donor\r\n"a,b.jpg",d.jpg\r\n\r\nü.jpg,"say ""x"".jpg"',
        'Donor|more|PROBE\nd.jpg|1|a,b.jpg\n"say ""x"".jpg"||ü.jpg\n',
        'probe;donor\n"a,b.jpg"; d.jpg\nü.jpg;"say ""x"".jpg"\n',
    ],
    ids=["plain", "mark-and-crlf", "bars-and-order", "semicolons"],
)
def test_any_way_of_writing_it_reads_the_same(tmp_path: Path, content: str) -> None:
    path = written(tmp_path / "t.csv", content.encode())
    assert read_table(path, ("probe", "donor"), ("label",)) == ROWS


def test_the_header_is_lower_case(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", b"\xef\xbb\xbfProbeID,Label\r\n")
    assert read_header(path) == ["probeid", "label"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"probe,label\na,1\n", "t.csv: .*Add donor"),
        (b"probe,donor\na\n", "row 2: .*into quotes"),
        (b"probe,donor\n\na,b,c\n", "row 3: .*into quotes"),
        (b"", "t.csv: .*empty file. Write one"),
        (b"probe,donor\n\xff\xfe,b\n", "t.csv: .*Save it as CSV in UTF-8"),
        (b'probe,donor\n"a,b\n', "line 2: .*Close it, or double it"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        read_table(written(tmp_path / "t.csv", content), ("probe", "donor"))
    assert "\n" not in str(caught.value)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="gone.csv: .*Check the path"):
        read_header(tmp_path / "gone.csv")
    with pytest.raises(SourceError, match="Name the file"):
        read_header(tmp_path)


def test_a_column_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", b"probe,donor,Probe\na,b,c\n")
    with pytest.raises(SourceError, match="t.csv: .*probe.*Rename the others"):
        read_table(path, ("probe", "donor"))
