"""Results read back: strict JSON, and nothing believed."""

import hashlib
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Heard

from cisdl_bench.errors import RunError
from cisdl_bench.models.find import find_detector
from cisdl_bench.results.compare import compare
from cisdl_bench.results.reload import reopen
from cisdl_bench.results.result import find_results
from cisdl_bench.results.run_summary import write_summary
from cisdl_bench.scoring.jobs import ScoreJob
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.perturb import Perturbation
from cisdl_bench.scoring.run import score
from cisdl_bench.store import open_pairs


@pytest.fixture(scope="module")
def run(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The empty answer on foreground pairs alone: precision and more are undefined."""
    out = tmp_path_factory.mktemp("run")
    pairs = open_pairs(made / "combination-normal")
    score(find_detector("empty"), [ScoreJob(pairs, Perturbation())], out, ScoreOptions(), Heard())
    write_summary(out)
    return out


def refuse(word: str) -> float:
    raise AssertionError(f"{word} is no JSON")


def test_results_are_strict_json_and_nan_when_read(run: Path) -> None:
    for path in (run / "combination-normal" / "result.json", run / "summary.json"):
        record = json.loads(path.read_text(), parse_constant=refuse)
        record = record[0] if isinstance(record, list) else record
        assert record["summary"]["mask_precision"] is None
    (result,) = find_results(run)
    assert math.isnan(result.record["summary"]["mask_precision"])
    assert result.record["summary"]["mask_recall"] == 0


def test_detection_without_negatives_is_undefined(made: Path, tmp_path: Path) -> None:
    pairs = open_pairs(made / "combination-normal")
    for name in ("oracle", "empty", "random"):
        job = ScoreJob(pairs, Perturbation())
        (result,) = score(find_detector(name), [job], tmp_path / name, ScoreOptions(), Heard())
        summary = result["summary"]
        assert (summary["positive_pairs"], summary["negative_pairs"]) == (20, 0)
        for number in ("precision", "f1", "auc", "eer", "ap", "auc_low", "auc_high"):
            assert math.isnan(summary[f"mask_{number}"]), number
        (found,) = find_results(tmp_path / name)
        assert not found.has_both_labels


CHANGES = {
    "complete": (lambda r: r.pop("complete"), "expected the key complete, got none"),
    "request": (lambda r: r["request"].pop("size"), "request: expected the key size"),
    "size": (lambda r: r["request"].update(size=0), "request.size"),
    "path": (lambda r: r["request"].update(set="../../x"), "request.set"),
    "step": (lambda r: r["request"].update(perturbation="jpeg-x"), "request.perturbation"),
    "notes": (lambda r: r["data"].update(notes=[3]), r"data.notes\[0\]: expected str, got int"),
    "none": (lambda r: r["data"].pop("notes"), "data: .*notes"),
    "origin": (lambda r: r.update(origin=[]), "origin: expected object, got array"),
    "settings": (lambda r: r.update(settings=None), "settings"),
    "versions": (lambda r: r["versions"].update(numpy=2), "versions"),
    "about": (lambda r: r.update(about={"training": 5}), "about.training"),
    "rate": (lambda r: r.update(about={"training": {"lambda_det": "x"}}), "lambda_det"),
    "speed": (lambda r: r.update(pairs_per_second="fast"), "pairs_per_second"),
    "day": (lambda r: r.update(finished="2026-02-31T08:00:00+00:00"), "finished"),
    "zone": (lambda r: r.update(finished="2026-02-03T08:00:00"), "finished"),
    "number": (lambda r: r["summary"].update(iou="high"), "summary"),
    "lacking": (lambda r: r["summary"].pop("masks_empty"), "the number masks_empty, got none"),
    "low": (lambda r: r["summary"].update(iou=-0.5), r"summary.iou: expected .* 0 to 1"),
    "lowest": (lambda r: r["summary"].update(mcc=-1.5), r"summary.mcc: expected .* -1 to 1"),
    "count": (lambda r: r["summary"].update(pairs=20.5), "summary.pairs"),
    "sum": (lambda r: r["summary"].update(pairs=21), "21 pairs, positive, negative"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_wrong_results_are_refused_by_name(run: Path, tmp_path: Path, change: str) -> None:
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "combination-normal" / "result.json"
    record = json.loads(path.read_text())
    alter, message = CHANGES[change]
    alter(record)
    path.write_text(json.dumps(record))
    with pytest.raises(RunError, match=message) as refused:
        find_results(tmp_path / "run")
    assert str(path) in str(refused.value)
    assert str(refused.value).endswith("Score it again with --overwrite.")
    assert "\n" not in str(refused.value)


def test_metrics_that_a_result_lacks_come_from_its_rows(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    folder = tmp_path / "run" / "combination-normal"
    record = json.loads((folder / "result.json").read_text())
    (whole,) = find_results(run)
    for name in ("nmm", "nmm_low", "mask_eer"):
        del record["summary"][name]
    (folder / "result.json").write_text(json.dumps(record))
    (found,) = find_results(tmp_path / "run")
    assert found.record["summary"] == pytest.approx(whole.record["summary"], nan_ok=True, abs=0)
    rows = folder / "pairs.csv"
    rows.write_text(rows.read_text().replace(",0,", ",1,", 1))
    with pytest.raises(RunError, match="expected the rows that `score` wrote"):
        find_results(tmp_path / "run")


def test_nan_is_no_json(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "combination-normal" / "result.json"
    path.write_text(path.read_text().replace("null", "NaN"))
    with pytest.raises(RunError, match="expected JSON"):
        find_results(tmp_path / "run")


def test_paths_that_are_no_utf_8_are_written_as_escapes(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "caf\udce9"
    shutil.copytree(made, folder)
    pairs = open_pairs(folder / "combination-normal")
    score(
        find_detector("empty"), [ScoreJob(pairs, Perturbation())], folder, ScoreOptions(), Heard()
    )
    (result,) = find_results(folder)
    assert r"caf\udce9" in result.record["origin"]["path"]
    assert np.isnan(result.record["summary"]["mask_auc"])


def rewritten(run: Path, to: Path, change: Callable[[list[str]], list[str]]) -> Path:
    """Copy a run, change its rows and make their hash fit."""
    shutil.copytree(run, to)
    folder = to / "combination-normal"
    header, *lines = (folder / "pairs.csv").read_text().splitlines(keepends=True)
    text = "".join([header, *change(lines)])
    (folder / "pairs.csv").write_text(text)
    record = json.loads((folder / "result.json").read_text())
    record["rows_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "result.json").write_text(json.dumps(record))
    return to


def renumbered(lines: list[str]) -> list[str]:
    return [f"{100 + k},{line.partition(',')[2]}" for k, line in enumerate(lines)]


def test_rows_are_those_of_the_summary_and_of_the_pairs(run: Path, tmp_path: Path) -> None:
    fewer = rewritten(run, tmp_path / "fewer", lambda lines: lines[:-1])
    with pytest.raises(RunError, match=r"expected 20 pairs, as result.json says, got 19"):
        find_results(fewer)[0].rows()
    strange = rewritten(run, tmp_path / "strange", renumbered)
    with pytest.raises(RunError, match=r"expected rows of the 20 pairs at .*, got pair 100"):
        reopen(find_results(strange)[0], Heard())
    with pytest.raises(RunError, match="expected pairs that both scored, got none"):
        compare(run, strange, "iou")
