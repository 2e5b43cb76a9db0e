"""BioFors' convention, against scikit-learn on all pixels of a set, erased by hand."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from conftest import Heard
from lists import save, write_table
from miniatures import write_biofors
from sklearn.metrics import f1_score, matthews_corrcoef

import cisdl_bench
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.cli.main import main
from cisdl_bench.errors import CisdlError
from cisdl_bench.metrics.counts import Counts
from cisdl_bench.metrics.pooled import summarise_pooled
from cisdl_bench.metrics.registry import POOLED
from cisdl_bench.metrics.summary import ScoredPairs
from cisdl_bench.models.classical.registry import make_method
from cisdl_bench.models.detection import View
from cisdl_bench.pair_sources import open_one
from cisdl_bench.pairs import Pairs
from cisdl_bench.report.methods import method_names
from cisdl_bench.report.verdict import rank_by_set
from cisdl_bench.scoring.conventions import CONVENTIONS

SIZE = (60, 48)  # of the miniature's panels, width and height


@pytest.fixture
def biofors(tmp_path: Path) -> Path:
    return write_biofors(tmp_path / "biofors")


def microscopy(root: Path) -> Pairs:
    return open_one(root / "biofors-microscopy", ListOptions(), Heard())


def truth_of(pairs: Pairs, index: int) -> list[np.ndarray]:
    """Both true masks, drawn from the miniature's boxes: pair 0 is b, a; pair 1 shares nothing."""
    masks = [np.zeros(SIZE[::-1], dtype=bool) for _ in range(2)]
    if index == 0:
        masks[0][8:48, 10:40] = True
        masks[1][0:40, 0:30] = True
    return masks


def erased(mask: np.ndarray) -> np.ndarray:
    return mask & False if mask.sum() < 0.1 * mask.size else mask


def expected(found: list[list[np.ndarray]], truth: list[list[np.ndarray]]) -> dict[str, float]:
    """The four numbers of masks of any sizes, by scikit-learn on concatenated pixels."""
    kept = [[erased(mask) for mask in pair] for pair in found]
    pixels = np.concatenate([mask.ravel() for pair in kept for mask in pair])
    true = np.concatenate([mask.ravel() for pair in truth for mask in pair])
    images = [any(mask.any() for mask in pair) for pair in kept]
    labels = [any(mask.any() for mask in pair) for pair in truth]
    return {
        "pooled_mcc": matthews_corrcoef(true, pixels),
        "pooled_f1": f1_score(true, pixels),
        "image_mcc": matthews_corrcoef(labels, images),
        "image_f1": f1_score(labels, images),
    }


def run(*words: object) -> str:
    shown = CliRunner().invoke(main, ["-q", "score", *map(str, words)])
    assert shown.exit_code == 0, shown.output
    return shown.output


def summary_of(folder: Path) -> dict[str, float]:
    return json.loads((folder / "result.json").read_text())["summary"]


def boxed(share: float, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A mask of so many of its pixels, from the top on."""
    mask = np.zeros(size[0] * size[1], dtype=bool)
    mask[: round(share * mask.size)] = True
    return mask.reshape(size[::-1])


@pytest.mark.parametrize(
    "shares",
    [
        (0.5, 0.3, 0.0, 0.2),
        (0.09, 0.5, 0.09, 0.05),  # erased: 259 of 2,880 px, and both of the negative pair's
        (0.1, 0.2, 0.1, 0.0),  # 288 of 2,880 px is a tenth, and stays
        (0.0999, 0.0, 0.0, 0.0),
    ],
)
def test_predicted_masks(biofors: Path, tmp_path: Path, shares: tuple[float, ...]) -> None:
    pairs, found = microscopy(biofors), []
    rows: list[list[object]] = [["probe", "donor", "score", "probe_mask", "donor_mask"]]
    for index in pairs.indices:
        masks = [boxed(share) for share in shares[2 * index : 2 * index + 2]]
        for side, mask in enumerate(masks):
            save(tmp_path / f"{index}-{side}.png", mask.astype(np.uint8) * 255)
        about = pairs.about(index)
        rows.append([about["probe"], about["donor"], 0.5, f"{index}-0.png", f"{index}-1.png"])
        found.append(masks)
    predictions = write_table(tmp_path / "theirs.csv", rows)
    data = biofors / "biofors-microscopy"
    run(
        "--predictions",
        predictions,
        "--jobs",
        1,
        "--data",
        data,
        "--convention",
        "biofors",
        "-o",
        tmp_path / "o",
    )
    result = summary_of(tmp_path / "o" / "biofors-microscopy")
    wanted = expected(found, [truth_of(pairs, index) for index in pairs.indices])
    assert {name: result[name] for name in POOLED} == pytest.approx(wanted, abs=1e-12)


def resized(mask: np.ndarray) -> np.ndarray:
    return cv2.resize(mask.astype(np.float32), SIZE, interpolation=cv2.INTER_LINEAR) > 0.5


def test_a_method_is_counted_at_the_panels_own_sizes(biofors: Path, tmp_path: Path) -> None:
    run("random", "--data", biofors, "--set", "biofors-microscopy", "--convention", "biofors",
        "-o", tmp_path / "out", "--jobs", 1)  # fmt: skip
    pairs, method, found = microscopy(biofors), make_method("random"), []
    for index in pairs.indices:
        pair = pairs.pair(index)
        view = View(pair.probe, pair.donor, f"{pairs.name}/{index}")
        detection = method.detect_pair(view)
        found.append([resized(detection.probe), resized(detection.donor)])
    result = summary_of(tmp_path / "out" / "biofors-microscopy")
    wanted = expected(found, [truth_of(pairs, index) for index in pairs.indices])
    assert {name: result[name] for name in POOLED} == pytest.approx(wanted, abs=1e-12)


def test_a_network_is_counted_as_a_method_is(biofors: Path, tmp_path: Path) -> None:
    def network(probe: torch.Tensor, donor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return probe.mean(dim=1), (donor.mean(dim=1) > 0.62).float()

    pairs = microscopy(biofors)
    (result,) = cisdl_bench.score(
        network, pairs, out=tmp_path / "out", convention="biofors", progress=False
    )
    found = []
    for index in pairs.indices:
        pair = pairs.pair(index)
        probe = torch.tensor(pair.probe.astype(np.float32) / 255).permute(2, 0, 1)[None]
        donor = torch.tensor(pair.donor.astype(np.float32) / 255).permute(2, 0, 1)[None]
        found.append([resized(mask[0].numpy()) for mask in network(probe, donor)])
    wanted = expected(found, [truth_of(pairs, index) for index in pairs.indices])
    assert {name: result.summary[name] for name in POOLED} == pytest.approx(wanted, abs=1e-12)
    assert (
        result.frame()[["probe_tp", "probe_fp", "probe_fn", "probe_tn"]].sum(axis=1) == 2880
    ).all()


def test_it_is_another_result_and_stands_in_tables(biofors: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["oracle", "--data", biofors, "-o", out, "--jobs", 1]
    run(*words, "--convention", "biofors")
    record = json.loads((out / "biofors-microscopy" / "result.json").read_text())
    assert record["request"]["convention"] == "biofors"
    assert any("BioFors' convention" in note for note in record["data"]["notes"])
    shown = CliRunner().invoke(main, ["score", *map(str, words[:-3]), str(tmp_path / "plain")])
    assert "its authors count otherwise: --convention biofors" in shown.stderr
    assert "convention" not in summary_of(tmp_path / "plain" / "biofors-facs")
    shown = CliRunner().invoke(main, ["score", *map(str, words)])
    assert shown.exit_code == 2
    assert "(convention: None), got others (convention: biofors). Use --overwrite" in shown.output
    for ending in ("csv", "tex", "md"):
        table = tmp_path / f"table.{ending}"
        assert CliRunner().invoke(main, ["table", str(out), "-o", str(table)]).exit_code == 0
        assert "Pooled MCC" in table.read_text() or "pooled_mcc" in table.read_text()
        assert "microscopy" in table.read_text()
    shown = CliRunner().invoke(main, ["compare", str(out), str(tmp_path / "plain")])
    assert shown.exit_code == 2
    assert "pixels counted as in" in shown.output
    assert "(biofors)" in table.read_text()
    both = [*cisdl_bench.load_results(out), *cisdl_bench.load_results(tmp_path / "plain")]
    standings = rank_by_set(both, method_names(both))
    assert {len(s.entries) for s in standings} == {1}
    assert "biofors-facs (biofors)" in [s.set for s in standings]
    page = tmp_path / "page.html"
    assert CliRunner().invoke(main, ["report", str(out), "-o", str(page)]).exit_code == 0
    text = page.read_text()
    assert "Pooled MCC" in text
    assert "of less than 10% of their panel erased" in text
    summary = (out / "summary.csv").read_text()
    assert "pooled_mcc" in summary.splitlines()[0]
    del record["summary"]["image_f1"]
    (out / "biofors-microscopy" / "result.json").write_text(json.dumps(record))
    again = cisdl_bench.load_results(out)  # computed from the rows
    assert {result.set: result.summary["image_f1"] for result in again}["biofors-microscopy"] == 1


def test_a_set_on_a_canvas_has_no_panels(made: Path, tmp_path: Path) -> None:
    words = ["score", "empty", "--data", made / "combination-normal", "--convention", "biofors"]
    refused = CliRunner().invoke(main, [*map(str, words), "-o", str(tmp_path)])
    assert refused.exit_code == 2
    assert "combination-normal has them on a canvas alone" in refused.output


def test_an_interrupted_run_is_resumed(biofors: Path, tmp_path: Path, monkeypatch) -> None:
    from cisdl_bench.scoring import by_pair

    words = ["random", "--data", biofors / "biofors-microscopy", "--convention", "biofors"]
    run(*words, "-o", tmp_path / "whole", "--jobs", 1)
    real, seen = by_pair.score_pair, []

    def stopping(detector, job, index, options):
        seen.append(index)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return real(detector, job, index, options)

    monkeypatch.setattr(by_pair, "score_pair", stopping)
    shown = CliRunner().invoke(
        main, ["-q", "score", *map(str, words), "-o", str(tmp_path / "cut"), "--jobs", "1"]
    )
    assert shown.exit_code == 130
    run(*words, "-o", tmp_path / "cut", "--jobs", 1)
    name = "biofors-microscopy/pairs.csv"
    assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert seen == [0, 1, 1]


def pooled(counts: list[list[list[int]]], labels: list[int]) -> dict[str, float]:
    table = np.moveaxis(np.array(counts), 2, 0)
    n = len(labels)
    known = np.ones((n, 2), dtype=bool)
    inside, own = np.zeros((n, 2)), np.full(n, np.nan)
    return summarise_pooled(ScoredPairs(np.array(labels), Counts(*table), known, inside, own))


def test_undefined_numbers_are_nan() -> None:
    perfect = [[3, 0, 0, 5], [2, 0, 0, 6]]
    numbers = pooled([perfect], [1])
    assert (numbers["pooled_mcc"], numbers["pooled_f1"], numbers["image_f1"]) == (1, 1, 1)
    assert np.isnan(numbers["image_mcc"])  # no negative pair
    empty = [[0, 0, 0, 8], [0, 0, 0, 8]]
    numbers = pooled([empty], [0])
    assert np.isnan([numbers["pooled_f1"], numbers["image_f1"], numbers["image_mcc"]]).all()
    assert pooled([perfect, empty], [1, -1]) == pytest.approx(pooled([perfect], [1]), nan_ok=True)


def test_the_command_line_knows_every_convention() -> None:
    (option,) = [p for p in main.get_command(None, "score").params if p.name == "convention"]
    assert tuple(option.type.choices) == tuple(CONVENTIONS)
    with pytest.raises(CisdlError, match="convention: expected biofors"):
        cisdl_bench.score("oracle", "x", convention="nobody", progress=False)
