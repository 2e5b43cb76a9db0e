import random
from dataclasses import replace
from importlib import resources
from typing import get_args

import pytest
import torch

from cisdl_bench.errors import SpecError
from cisdl_bench.models.networks.dmac_det import LEVELS
from cisdl_bench.report import published
from cisdl_bench.training.experiments import (
    Experiment,
    OptimizerSpec,
    experiments,
    load_experiment,
    parse_experiment,
)
from cisdl_bench.training.learner import Learner
from cisdl_bench.training.options import TrainOptions

TEXT = """
name = "mine"
version = 1
title = "t"
source = "s"
stage = "cross-entropy"
network = "dmac"
epochs = 1
batch = 24
flip = 0.5
swap = 0.5
[optimizer]
name = "adadelta"
learning_rate = 1.0
[losses]
ce = 1.0
"""


def test_every_row_of_table_1_is_an_experiment() -> None:
    rows = {
        (row["method"], row["lambda_det"], row["lambda_dis"], row["learning_rate"])
        for row in published.rows("paper-1")
        if row["method"] not in ("DMVN", "DMAC")
    }
    ours = set()
    for each in experiments().values():
        if each.name == "adv-det-dagger" or not each.table_parameters:
            continue
        of = each.adversarial
        method = {"dmac-star": "DMAC*", "det": "DMAC+det", "adv-det": "DMAC+adv-det"}.get(each.name)
        if method is None:
            assert of is not None
            method = f"DMAC+adv-{'bce' if of.form == 'bce' else 'hin'}"
        values = each.table_parameters
        ours.add((method, values["lambda_det"], values["lambda_dis"], values["learning_rate"]))
    assert ours == rows
    assert len(rows) == 19


def test_the_settings_of_section_4_b() -> None:
    first = load_experiment("dmac")
    assert (first.epochs, first.batch, first.optimizer.name) == (3, 24, "adadelta")
    assert first.table_parameters == {}
    for each in experiments().values():
        if each.start and each.network == "dmac":
            assert (each.epochs, each.optimizer.name) == (1, "adam")
            assert each.optimizer.betas == (0.5, 0.999)
        if each.adversarial:
            of = each.adversarial
            assert (of.steps, of.learning_rate, of.betas) == (1, 2e-4, (0.5, 0.999))
            assert of.ground_truth == (each.name != "det")
    assert load_experiment("dmac-adv").name == "adv-bce-0.01-0.01-1e-5"


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (
            "epochs = 1",
            "epochs = 1\nepoch = 2",
            "expected keys out of .*got epoch. Did you mean epo",
        ),
        ("epochs = 1", "", "expected the key epochs, got none"),
        ("epochs = 1", "epochs = 0", "epochs: expected"),
        ('"cross-entropy"', '"adversarial"', r'stage = "adversarial" needs a table .adversarial'),
        ("ce = 1.0", "ce = 1.0\ndet = 0.01", 'the loss term det needs "adversarial"'),
        ("ce = 1.0", "", r"needs a table .losses.\. Add one with ce = 1.0"),
        ('"dmac"', '"dmak"', "network: expected"),
        ("learning_rate = 1.0", "learning_rate = 1.0\nmomentum = 1", "got momentum"),
        ("learning_rate = 1.0", "learning_rate = 1.0\nbetas = [2.0, 0.1]", "betas: expected"),
        ("[optimizer]", "[optimiser]", "expected keys out of .*Did you mean"),
        ("version = 1", "version = ", "expected valid TOML"),
    ],
)
def test_what_is_wrong_is_named(before: str, after: str, text: str) -> None:
    assert parse_experiment(TEXT, "mine.toml").name == "mine"
    with pytest.raises(SpecError, match=f"mine.toml.*{text}"):
        parse_experiment(TEXT.replace(before, after, 1), "mine.toml")


def test_an_unknown_name_gets_a_hint() -> None:
    with pytest.raises(SpecError, match="Did you mean dmac-adv"):
        load_experiment("dmac-adw")
    with pytest.raises(SpecError, match=r"toml: expected"):
        load_experiment("gone.toml")


ADVERSARIAL = """
[adversarial]
form = "bce"
ground_truth = true
learning_rate = 2e-4
betas = [0.5, 0.999]
"""
STAGE_2 = (
    TEXT.replace('"cross-entropy"', '"adversarial"') + "det = 0.01\ndis = 0.01\n" + ADVERSARIAL
)


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("batch = 24", "batch = 100000", "batch: expected"),
        ("batch = 24", "batch = -1", "batch: expected"),
        ("batch = 24", "batch = 24.0", "batch: expected"),
        ("batch = 24", "batch = 99999999999999999999999", "batch: expected"),
        ("batch = 24", "batch = [24]", "batch: expected"),
        ("batch = 24", "batch = true", "batch: expected"),
        ("epochs = 1", "epochs = 1000000", "epochs: expected"),
        ("version = 1", "version = 0", "version: expected"),
        ("flip = 0.5", "flip = nan", "flip: expected"),
        ("swap = 0.5", "swap = inf", "swap: expected"),
        ("flip = 0.5", "flip = 1" + "0" * 400, "flip: expected"),
        ("flip = 0.5", "flip = 0.5\nwidth = nan", "width: expected"),
        ("flip = 0.5", "flip = 0.5\nwidth = 1.5", "width: expected"),
        ("flip = 0.5", "flip = 0.5\npictures = '0..1'", "pictures: expected"),
        ("flip = 0.5", "flip = 1979-05-27", "flip: expected"),
        (
            "learning_rate = 1.0",
            "learning_rate = inf",
            "learning_rate: expected",
        ),
        ("learning_rate = 1.0", "learning_rate = nan", "learning_rate: expected"),
        (
            "learning_rate = 1.0",
            "learning_rate = 101",
            "learning_rate: expected",
        ),
        ("learning_rate = 1.0", "learning_rate = -1e-5", "learning_rate: expected"),
        ("learning_rate = 1.0", "learning_rate = '1'", "learning_rate: expected"),
        ("learning_rate = 1.0", "learning_rate = 1.0\nbetas = [0.5, 0.9]", "betas: expected"),
        ("learning_rate = 1.0", "learning_rate = 1.0\nbetas = [0.5]", "betas: expected"),
        ("learning_rate = 1.0", "learning_rate = 1.0\nbetas = ['a', 'b']", "betas: expected"),
        ("learning_rate = 1.0", "learning_rate = 1.0\nbetas = [nan, 0.5]", "betas: expected"),
        ('name = "mine"', 'name = "../mine"', "name: expected"),
        ('name = "mine"', 'name = ""', "name: expected"),
        ('name = "mine"', 'name = "a\\nb"', "name: expected"),
        ('name = "mine"', 'name = "mine"\nalso = [1]', "also: expected"),
        ('name = "mine"', "name = 3", "name: expected"),
        ("[optimizer]", "[[optimizer]]", "optimizer: expected"),
        ("[optimizer]", "[adversarial]", "expected the key optimizer"),
        ('"cross-entropy"', '"detection"', "start: expected"),
        ("epochs = 1", "epochs = " + "[" * 5000, "expected valid TOML"),
    ],
)
def test_every_number_has_its_range(before: str, after: str, text: str) -> None:
    assert before in TEXT
    with pytest.raises(SpecError, match=f"mine.toml.*{text}") as caught:
        parse_experiment(TEXT.replace(before, after, 1), "mine.toml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("det = 0.01", "det = 1001", "det: expected"),
        ("dis = 0.01", "dis = nan", "dis: expected"),
        ("dis = 0.01", "dis = -1", "dis: expected"),
        ("dis = 0.01", "diss = 1", "losses: expected keys out of .*Did you mean dis"),
        ("det = 0.01\ndis = 0.01", "", "needs a loss term with an opponent: det, dis"),
        (
            "learning_rate = 2e-4",
            "learning_rate = 0",
            "learning_rate: expected",
        ),
        ("ground_truth = true", "ground_truth = true\nsteps = 0", "steps: expected"),
        ("ground_truth = true", "ground_truth = true\nsteps = 9999", "steps: expected"),
        ("ground_truth = true", "ground_truth = 1", "ground_truth: expected"),
        ('form = "bce"', 'form = "mse"', "form: expected"),
        ("[adversarial]", "[optimizer.adversarial]", "expected keys out of"),
    ],
)
def test_the_second_stages_too(before: str, after: str, text: str) -> None:
    assert parse_experiment(STAGE_2, "mine.toml").adversarial is not None
    with pytest.raises(SpecError, match=f"mine.toml.*{text}"):
        parse_experiment(STAGE_2.replace(before, after, 1), "mine.toml")


def test_what_det_and_dis_see_is_a_key_and_decides_the_weights() -> None:
    assert set(get_args(Experiment.__annotations__["pictures"])) == set(LEVELS)
    found = [each for each in experiments().values() if each.stage != "cross-entropy"]
    assert {each.pictures for each in found} == {"bgr-minus-mean"}  # as the release ships
    text = STAGE_2.replace("flip = 0.5", 'flip = 0.5\npictures = "-1..1"')
    other = parse_experiment(text, "mine.toml")
    assert other.pictures == "-1..1"
    assert other.sha256 != parse_experiment(STAGE_2, "mine.toml").sha256


def test_mutated_toml_is_read_or_refused_in_a_line() -> None:
    """Half a thousand texts of which a line or a value was changed, from a seed."""
    rng = random.Random(5)
    root = resources.files("cisdl_bench.data_specs") / "experiments"
    texts = sorted(each.read_text() for each in root.iterdir() if each.name.endswith(".toml"))
    values = [
        "nan",
        "inf",
        "-1",
        "0",
        "1e400",
        "9" * 25,
        "'x'",
        "[]",
        "{}",
        "true",
        "[[1]]",
        '""',
        "1979-05-27",
        "0x10",
        "'''\n'''",
        "1e-320",
        "100000",
        "{a = 1}",
        "-0.0",
        "\u0000",
    ]
    refused = several = 0
    for _ in range(500):
        lines = rng.choice(texts).splitlines()
        at = rng.randrange(len(lines))
        kind = rng.choice(["value", "value", "drop", "twice", "table", "swap", "byte"])
        if kind == "value" and "=" in lines[at]:
            lines[at] = f"{lines[at].split('=')[0]}= {rng.choice(values)}"
        elif kind == "drop":
            del lines[at]
        elif kind == "twice":
            lines.insert(at, lines[at])
        elif kind == "table":
            lines.insert(
                at, rng.choice(["[optimizer]", "[[adversarial]]", "[x.y]", "[adversarial]"])
            )
        elif kind == "swap":
            other = rng.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        else:
            place = rng.randrange(len(lines[at]) + 1)
            lines[at] = lines[at][:place] + chr(rng.randrange(1, 300)) + lines[at][place + 1 :]
        try:
            parse_experiment("\n".join(lines), "m.toml")
        except SpecError as error:
            refused += "\n" not in str(error)
            several += "\n" in str(error)
    assert refused > 200
    assert not several


def test_a_cosine_brings_the_learning_rate_to_0() -> None:
    network = torch.nn.Conv2d(1, 1, 1)
    for schedule, expected in (("cosine", [2, 1 + 2**-0.5, 1, 0]), ("constant", [2, 2, 2, 2])):
        learner = Learner(network, OptimizerSpec("adam", 2.0, (), schedule), TrainOptions())
        rates = []
        for share in (0, 0.25, 0.5, 1):
            learner.set_progress(share)
            rates.append(learner.optimizer.param_groups[0]["lr"])
        assert rates == pytest.approx(expected)


def test_later_keys_leave_the_hashes_of_older_experiments() -> None:
    dmac = load_experiment("dmac")
    assert dmac.sha256 == "605e7438da0c1f26bd533b63fd38ce16c1ef34d44af67ad825d4f68a81b75982"
    cosine = replace(dmac.optimizer, schedule="cosine")
    assert replace(dmac, optimizer=cosine).sha256 != dmac.sha256
    assert replace(dmac, freeze=("features",)).sha256 != dmac.sha256
