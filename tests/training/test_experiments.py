import pytest

from cisdl_bench.errors import SpecError
from cisdl_bench.report import published
from cisdl_bench.training.experiments import experiments, load_experiment, parse_experiment

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
"""


def test_every_row_of_table_1_is_an_experiment() -> None:
    rows = {
        (row["method"], row["lambda_det"], row["lambda_dis"], row["learning_rate"])
        for row in published.rows("paper-1")
        if row["method"] not in ("DMVN", "DMAC")
    }
    ours = set()
    for each in experiments().values():
        if each.name in ("dmac", "dmvn-bn", "adv-det-dagger"):
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
        if each.start:
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
        ("epochs = 1", "epochs = 0", "epochs: expected 1 or more, got 0"),
        ('"cross-entropy"', '"adversarial"', "adversarial: expected True, got False"),
        ('"dmac"', '"dmak"', "network: expected one of dmac, dmvn-bn, got 'dmak'"),
        ("learning_rate = 1.0", "learning_rate = 1.0\nmomentum = 1", "got momentum"),
        ("learning_rate = 1.0", "learning_rate = 1.0\nbetas = [2.0, 0.1]", "two numbers of 0 to 1"),
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
    with pytest.raises(SpecError, match=r"gone.toml: expected a readable TOML file"):
        load_experiment("gone.toml")
