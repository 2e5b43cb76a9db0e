"""What the report says in words: pairs, commands, hashes, outlines, definitions."""

import os
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import disc
from results_by_hand import write_run

from cisdl_bench.metrics.registry import DETECTION, LOCALIZATION
from cisdl_bench.pairs import Pair
from cisdl_bench.report.caption import describe_pair
from cisdl_bench.report.gallery import choose_size
from cisdl_bench.report.html_table import define
from cisdl_bench.report.methods import gathered
from cisdl_bench.report.outline import trace_outline
from cisdl_bench.report.page import list_definitions
from cisdl_bench.report.provenance import (
    describe_days,
    list_commands,
    list_provenance,
    shorten_hash,
)
from cisdl_bench.results.result import Result, find_results


def make_pair(**numbers: float | str) -> Pair:
    picture, mask = np.zeros((256, 256, 3), dtype=np.uint8), np.zeros((256, 256), dtype=bool)
    return Pair(picture, picture, mask, mask, 1, "foreground", dict(numbers))


def test_a_pair_is_described_in_words() -> None:
    pair = make_pair(
        index=0,
        difficulty="difficult",
        probe_area_px=983.04,
        shift_x_px=-125,
        shift_y_px=0,
        width_factor=0.54,
        scale=1.0,
    )
    words = "foreground, difficult: region 1.5% of the probe, width factor 0.54, shift x -125 px"
    assert describe_pair(pair) == words
    assert describe_pair(replace(pair, label=0, kind="negative")).startswith("negative: ")
    several = {"difficulty": "easy", "probe_area_px": 655.36, "donor_id": 7}
    together = describe_pair(make_pair(**several, donor_id_2=7.0, donor_id_3=7.0))
    assert together == "foreground, easy: 3 regions, together 1.0% of the probe"
    beside = describe_pair(make_pair(**several, donor_id_2=8.0))
    assert beside == "foreground, easy: region, beside 1 of other pictures, 1.0% of the probe"
    listed = make_pair(probe="a/b.jpg", donor="c.png")
    assert describe_pair(listed) == "foreground: b.jpg and c.png"


def test_hashes_are_cut_and_names_are_not() -> None:
    name = "a-very-long-name-of-a-checkpoint-with-1e-5"
    assert shorten_hash(f"{name} {'ab12' * 16}") == f"{name} ab12ab12ab12…"


def make_result(tmp_path: Path, **changes: object) -> Result:
    (result,) = find_results(write_run(tmp_path / "m", {"raw-easy": 0.5}, pairs=4))
    record = {**result.record}
    for key, value in changes.items():
        record[key] = {**record[key], **value}  # type: ignore[dict-item]
    return replace(result, record=record)


def test_commands_say_what_differs_from_the_defaults(tmp_path: Path) -> None:
    (plain,) = list_commands([make_result(tmp_path / "a")])
    assert plain == "cisdl-bench score m --data /data --set raw-easy"
    changed = make_result(
        tmp_path / "b",
        request={"perturbation": "jpeg-70+blur-1.5", "threshold": 0.4, "perturb_donor": True},
        origin={"path": "/lists/all pairs.csv", "images": "/lists/x;y"},
        settings={"own_score": False, "window": 256, "convention": "biofors", "zones": [15, 11]},
    )
    (command,) = list_commands([changed])
    words = shlex.split(command)
    assert words[:3] == ["cisdl-bench", "score", "m"]
    for option, value in {
        "--data": "/lists/all pairs.csv",
        "--images": "/lists/x;y",
        "--threshold": "0.4",
        "--window": "256",
        "--perturb-on": "both",
        "--detector": "mask",
        "--perturb": "jpeg:70+blur:1.5",
        "--convention": "biofors",
        "--zones": "15,11",
    }.items():
        assert words[words.index(option) + 1] == value
    assert "--set" not in words
    listed = make_result(
        tmp_path / "list",
        request={"set": "coverage"},
        origin={"path": "/sets/coverage", "size": 128, "skip_unusable": True, "pictures": True},
    )
    (command,) = list_commands([listed])
    assert "--data /sets/coverage --size 128 --skip-unusable" in command
    assert "--set" not in command
    limited = make_result(tmp_path / "c", data={"spec": "raw", "whole": 40})
    assert list_commands([limited])[0].split()[-4:] == ["--limit", "4", "--set", "raw-easy"]


def test_what_is_copied_runs_nothing_that_a_file_says(tmp_path: Path) -> None:
    evil = "x\nrm -rf ~ #$(touch y)"
    run = write_run(tmp_path / "m", {"raw-easy": 0.5}, pairs=4)
    path = run / "raw-easy" / "result.json"
    text = path.read_text().replace('"detector": "m"', '"detector": "x\\nrm -rf ~ #$(touch y)"')
    path.write_text(text)
    results, names = gathered([run])
    lines = list_provenance(results, names, [run], tmp_path / "r.html").splitlines()
    commands = [shlex.split(line, comments=True) for line in lines]
    commands = [words for words in commands if words]
    assert {words[0] for words in commands} == {"cisdl-bench"}
    assert commands[0][2] == evil.replace("\n", "?")


def test_an_outline_goes_round_its_region() -> None:
    mask = np.zeros((64, 64), dtype=bool)
    mask[10:20, 5:30] = True
    path, left_out = trace_outline(mask)
    assert path.startswith("M5.5 10.5")
    assert left_out == 0
    specks = np.zeros((64, 64), dtype=bool)
    specks[::4, ::4] = True
    assert trace_outline(specks)[1] == 256 - 40
    jagged = np.zeros((256, 256), dtype=bool)
    jagged[::2] = jagged[:, :2] = True
    jagged[1::4, 1::3] = True
    assert len(trace_outline(jagged)[0]) < 4_000
    round_one = np.hypot(*(np.indices((64, 64)) - 32)) < 20
    assert 10 < trace_outline(round_one)[0].count(" ") < len(disc(0, 0, 1)) * 2


@pytest.mark.parametrize(("pictures", "side"), [(40, 256), (448, 192), (8000, 160)])
def test_many_pictures_are_smaller(pictures: int, side: int) -> None:
    assert choose_size(pictures)[0] == side


def test_every_metric_is_defined_once() -> None:
    terms = dict(list_definitions())
    for metrics in (LOCALIZATION, DETECTION):
        for name, metric in metrics.items():
            assert define(name) == terms[metric.title]
            assert len(terms[metric.title]) > 20


def test_the_day_is_the_results_own_or_its_files(tmp_path: Path) -> None:
    result = make_result(tmp_path)
    assert describe_days([result]) == "2026-11-26"
    other = replace(result, record={**result.record, "finished": "2026-12-01T00:00:00+00:00"})
    assert describe_days([other, result]) == "2026-11-26 to 2026-12-01"
    older = {key: value for key, value in result.record.items() if key != "finished"}
    os.utime(result.path / "result.json", (1_700_000_000, 1_700_000_000))
    assert describe_days([replace(result, record=older)]) == "2023-11-14"
