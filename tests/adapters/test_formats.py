"""A new format of lists, or of predictions, is one file."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from lists import write_plain, write_table

from cisdl_bench import packaged
from cisdl_bench.adapters import formats, table_list
from cisdl_bench.adapters.find import find_lists
from cisdl_bench.adapters.formats import ListFormat, PredictionFormat
from cisdl_bench.adapters.listed import ListedPair, PairList
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.predictions import Prediction
from cisdl_bench.adapters.table import read_table
from cisdl_bench.cli.main import main
from cisdl_bench.errors import SpecError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of ``data_specs``' formats, to which a test adds one."""
    shutil.copytree(str(packaged._SPECS), tmp_path / "data_specs")
    monkeypatch.setattr(packaged, "_SPECS", tmp_path / "data_specs")
    packaged.packaged_text.cache_clear()
    packaged.packaged_toml.cache_clear()
    yield tmp_path / "data_specs" / "formats"
    packaged.packaged_text.cache_clear()
    packaged.packaged_toml.cache_clear()


def score(data: Path, out: Path, *words: str) -> dict:
    arguments = ["score", "oracle", "--data", str(data), "-o", str(out), "--jobs", "1", *words]
    shown = CliRunner().invoke(main, arguments)
    assert shown.exit_code == 0, shown.output
    return json.loads(next(out.glob("*/result.json")).read_text())


def test_a_table_of_other_names_is_one_toml_file(folder: Path, tmp_path: Path) -> None:
    (folder / "forged.toml").write_text(
        """version = 1
        [list]
        columns = ["forged", "origin"]
        probe = "forged"
        donor = "origin"
        label = "is_forged"
        probe_mask = "forged_region"
        donor_mask = "origin_region"
        glob = "splits/*.csv"
        """
    )
    plain = write_plain(tmp_path / "data")
    header, *rows = plain.read_text().splitlines()
    assert header == "probe,donor,label,probe_mask,donor_mask"
    names = ["forged", "origin", "is_forged", "forged_region", "origin_region"]
    lines = [names, *(row.split(",") for row in rows)]
    table = write_table(tmp_path / "data" / "splits" / "test.csv", lines)
    plain.unlink()
    assert find_lists(tmp_path / "data") == [table]
    result = score(tmp_path / "data", tmp_path / "r", "--images", str(tmp_path / "data"))
    assert result["data"]["format"] == "forged"
    assert result["request"]["set"] == "test"
    assert (result["summary"]["pairs"], result["summary"]["iou"]) == (3, 1)


def read_folders(path: Path, options: ListOptions, form: ListFormat) -> PairList:
    """A reader of one's own: a line names a folder with the pictures p.png and d.png."""
    folders = [path.parent / line for line in path.read_text().splitlines()[1:]]
    pairs = [
        ListedPair(k, f"{at.name}/p.png", f"{at.name}/d.png", at / "p.png", at / "d.png", 0)
        for k, at in enumerate(folders)
    ]
    return PairList(form.name, "folders", path, tuple(pairs))


def test_a_reader_of_ones_own_is_named_by_the_file(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_list, "read_folders", read_folders, raising=False)
    (folder / "folders.toml").write_text(
        '[list]\ncolumns = ["folder"]\nreader = "cisdl_bench.adapters.table_list:read_folders"\n'
    )
    write_plain(tmp_path / "data")
    for number in (1, 2):
        own = tmp_path / "data" / f"case{number}"
        own.mkdir()
        shutil.copy(tmp_path / "data" / "raw-probe.png", own / "p.png")
        shutil.copy(tmp_path / "data" / "shifted-donor.png", own / "d.png")
    table = write_table(tmp_path / "data" / "all.csv", [["folder"], ["case1"], ["case2"]])
    result = score(table, tmp_path / "r")
    assert result["data"]["format"] == "folders"
    assert result["summary"]["negative_pairs"] == 2


def test_a_wrong_key_is_named(folder: Path, tmp_path: Path) -> None:
    (folder / "wrong.toml").write_text('[list]\ncolumns = ["a"]\ncolour = "white"\n')
    with pytest.raises(SpecError, match=r"wrong.toml: list: .*`colour`.*Correct the file"):
        formats.list_formats()


def read_scores(path: Path, form: PredictionFormat) -> list[Prediction]:
    """A reader of one's own: distances, of which smaller ones are more likely spliced."""
    rows = read_table(path, form.columns)
    return [Prediction((row["pair"],), -float(row["distance"])) for row in rows]


def test_predictions_of_another_program_are_one_format_more(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_list, "read_scores", read_scores, raising=False)
    (folder / "distances.toml").write_text(
        '[predictions]\ncolumns = ["pair", "distance"]\n'
        'reader = "cisdl_bench.adapters.table_list:read_scores"\n'
    )
    data = write_plain(tmp_path / "data")
    rows = [["pair", "distance"], [0, 0.1], [1, 0.2], [2, 0.9]]
    table = write_table(tmp_path / "theirs.csv", rows)
    words = ["score", "--predictions", str(table), "--data", str(data), "-o", str(tmp_path / "r")]
    shown = CliRunner().invoke(main, [*words, "--jobs", "1"])
    assert shown.exit_code == 0, shown.output
    result = json.loads(next((tmp_path / "r").glob("*/result.json")).read_text())
    assert result["summary"]["own_auc"] == 1
