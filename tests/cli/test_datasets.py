"""``cisdl-bench datasets``: what can be read, and what lies on this disk."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from lists import write_casia, write_mfc, write_plain, write_release
from miniatures import MINIATURES, write_biofors

from cisdl_bench.adapters.formats import list_formats
from cisdl_bench.cli.main import main


def typed(*words: object) -> Result:
    return CliRunner().invoke(main, ["-q", "datasets", *map(str, words)])


def test_every_format_of_lists_is_listed_with_its_folder() -> None:
    listed = {entry["name"]: entry for entry in json.loads(typed("--json").stdout)}
    assert set(listed) == {form.name for form in list_formats()}
    text = typed().stdout
    for name, entry in listed.items():
        assert all(entry[key] for key in ("title", "masks", "source"))
        assert "/" in entry["layout"]
        assert entry["get"].startswith("https://") or name == "plain"
        assert f"{name}: {entry['title']}" in text
        for line in entry["layout"].strip().splitlines():
            assert line in text
    assert [name for name, entry in listed.items() if entry["licence"]] == ["biofors"]
    assert listed["biofors"]["pairs"] == 1043
    assert text.count("see the authors' page") == len(listed) - 2


def test_one_is_shown_whole() -> None:
    text = typed("biofors").stdout
    assert "1,043 positive pairs of 308 papers" in text
    assert "--convention biofors" in text
    assert "about 105,000 pairs" in typed("defacto").stdout
    assert json.loads(typed("miml", "--json").stdout)[0]["name"] == "miml"


@pytest.mark.parametrize("name", MINIATURES)
def test_a_complete_folder_is_sound(name: str, tmp_path: Path) -> None:
    MINIATURES[name](tmp_path / "set")
    shown = typed(name, "--data", tmp_path / "set")
    assert shown.exit_code == 0, shown.output
    assert "all can be used" in shown.stdout
    assert shown.stderr == ""


def test_lists_are_checked_too(tmp_path: Path) -> None:
    for name, write in {"plain": write_plain, "release": write_release, "mfc": write_mfc}.items():
        write(tmp_path / name)
        shown = typed(name, "--data", tmp_path / name)
        assert shown.exit_code == 0, shown.output
        assert ": 3 pairs, 2 positive, 1 negative; 6 of 6 true masks known" in shown.stdout
    write_casia(tmp_path / "casia")
    shown = typed("casia", "--data", tmp_path / "casia", "--images", tmp_path / "casia/CASIA2")
    assert "2 pairs, 1 positive, 1 negative; 2 of 4 true masks known" in shown.stdout


def test_faults_are_counted_and_the_first_are_shown(tmp_path: Path) -> None:
    root = write_biofors(tmp_path / "set")
    (root / "151" / "b.png").unlink()
    truth = json.loads((root / "edd_gt.json").read_text())
    truth["65"]["m.png n.png"][0].append([5, 5, 5, 5])
    (root / "edd_gt.json").write_text(json.dumps(truth))
    (root / "65" / "x.png").write_bytes(b"no picture")
    shown = typed("biofors", "--data", root)
    assert shown.exit_code == 1
    assert (
        "biofors-microscopy: 2 pairs, 1 positive, 1 negative; 4 of 4 true masks known; 1 cannot be "
        "used (missing file 1); 1 files missing"
    ) in shown.stdout
    assert "biofors-facs: 1 pairs, 1 positive, 0 negative" in shown.stdout
    assert f"biofors-microscopy: pair 0: {root}/151/b.png: no such file" in shown.stderr
    assert "biofors-blot-gel: pair 0: " in shown.stderr
    checks = {check["name"]: check for check in json.loads(typed(
        "biofors", "--data", root, "--json").stdout)}  # fmt: skip
    assert checks["biofors-microscopy"]["reasons"] == {"missing file": 1}
    assert checks["biofors-blot-gel"]["reasons"] == {"broken picture": 1}
    assert len(checks["biofors-facs"]["faults"]) == 1
    assert "x0 < x1" in shown.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["biofor"], "Did you mean biofors"),
        (["--data", "."], "name the data set"),
        (["miml", "--images", "."], "--images goes with --data"),
        (["miml", "--data", "nowhere"], "no such path"),
        (["miml", "--data", "."], r"`cisdl-bench datasets miml` draws the folder"),
        (["casia", "--data", "."], "expected lists of casia, got none"),
    ],
)
def test_what_cannot_be_checked(words: list[str], message: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = typed(*words)
    assert shown.exit_code == 2
    assert message in shown.output
