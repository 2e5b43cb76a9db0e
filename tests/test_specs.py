import tomllib

import pytest

from cisdl_bench.errors import SpecError
from cisdl_bench.packaged import packaged_toml
from cisdl_bench.specs import (
    load_spec,
    name_clash,
    paper_test_sets,
    parse_difficulty,
    parse_spec,
    spec_names,
    spec_text,
)

PAPER = ["training", "combination", "raw", "shift", "rotation", "scale", "luminance", "deformation"]


def table(name: str = "rotation") -> dict:
    return tomllib.loads(spec_text(name))


def test_the_paper_has_one_training_set_and_21_test_sets_of_63000_pairs() -> None:
    names = [name for name in spec_names() if load_spec(name).variant == "paper"]
    assert names == PAPER
    assert paper_test_sets() == names[1:]
    tests = [load_spec(name) for name in names[1:]]
    assert sum(len(spec.difficulties) for spec in tests) == 21
    assert sum(len(spec.difficulties) * spec.pairs for spec in tests) == 63_000
    assert load_spec("training").pairs == 1_035_255


OURS = ["flip", "perspective", "feather", "poisson", "colour", "jpeg"]
SEVERAL = ["regions", "donors", "resampling", "distractors"]
RELEASE = [f"release/{name}" for name in PAPER]


@pytest.mark.parametrize("name", [*PAPER, *RELEASE, *OURS, *SEVERAL])
def test_numbers_that_all_sets_of_a_variant_share(name: str) -> None:
    spec = load_spec(name)
    assert spec.areas == {"difficult": (0.01, 0.1), "normal": (0.1, 0.25), "easy": (0.25, 0.5)}
    release = spec.variant == "release"
    assert (spec.size, spec.closed) == ((512, "below") if release else (256, "above"))
    assert spec.jpeg_quality == (75 if release else None)
    if not spec.variant:
        own = {"colour": "colour_transfer"}.get(spec.name, spec.name)
        named = {own, "shift"} if name in OURS else {"rotation", "scale", "shift"}
        assert set(spec.transformations) - {"resampling"} == named
        return
    ranges = {
        "shift": (-256, 256) if release else (-127, 127),
        "rotation": (-30, 30),
        "scale": (1.1, 4) if release else (0.5, 4),
        "luminance": (-32, 32),
        "deformation": (0.5, 1 if release else 2),
    }
    for key, drawn in spec.transformations.items():
        assert (drawn.low, drawn.high) == ranges[key]
    if rotation := spec.transformations.get("rotation"):
        assert rotation.step == release
    if scale := spec.transformations.get("scale"):
        assert scale.reciprocal == (0.5 if release else 0)
    chances = {key: drawn.probability for key, drawn in spec.transformations.items()}
    if spec.name in ("training", "combination"):
        assert list(chances.items()) == [(key, 1 if key == "shift" else 0.5) for key in ranges]
    else:
        assert chances == ({} if spec.name == "raw" else {spec.name: 1})
        assert spec.kinds == ("foreground",)


def test_folder_names() -> None:
    assert load_spec("rotation").folder("difficult") == "rotation-difficult"
    assert load_spec("release/rotation").folder("easy") == "release-rotation-easy"
    assert load_spec("training").folder("all") == "training"


def one(name: str, **changed: float) -> dict:
    """The change of one transformation."""
    drawn = table("combination")["transformations"]
    return {"transformations": {**drawn, name: {**drawn[name], **changed}}}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"sized": 3}, "rotation: expected keys out of .*, got sized. Did you mean size."),
        ({"size": "256"}, "rotation: size: expected a whole number, 32 to 4096 px, got '256'"),
        ({"size": 8}, "rotation: size: expected 32 to 4096 px, got 8"),
        ({"resize": "lanczos"}, "resize: expected bicubic or area, got 'lanczos'"),
        ({"kinds": ["foregrounds"]}, "kinds: expected a list out of foreground"),
        ({"areas": {"difficult": [0.1, 0.01]}}, "areas.difficult: expected two rising shares"),
        ({"jpeg_quality": 0}, "jpeg_quality: expected 1 to 100, got 0"),
        ({"pairs": True}, "pairs: expected a whole number, .*, got True"),
        ({"pairs": None}, "pairs: expected a whole number, .*, got None"),
        ({"name": "../up"}, "name: expected lower-case letters"),
        ({"pairs": 2**70}, "pairs: expected 1 to 1,000,000,000, got 1180"),
        ({"pairs": 10**12}, "pairs: expected 1 to 1,000,000,000, got 1000000000000"),
        ({"max_tries": 10**9}, "max_tries: expected 1 to 1,000,000, got"),
        ({"closed": "left"}, "closed: expected above or below, got 'left'"),
        (one("rotation", high=300), "rotation: high: expected -180 to 180, got 300"),
        (one("rotation", high=float("inf")), "rotation: high: expected -180 to 180, got inf"),
        (one("scale", low=float("nan")), "scale: low: expected 0.015625 to 64, got nan"),
        (one("scale", high=1e6), "scale: high: expected 0.015625 to 64, got 1000000"),
        (one("scale", low=0), "scale: low: expected 0.015625 to 64, got 0"),
        (one("shift", low=-1e4), "shift: low: expected -256 to 256, got -10000"),
        (one("luminance", high=1e3), "luminance: high: expected -255 to 255, got 1000"),
        (one("deformation", high=1e3), "deformation: high: expected 0.015625 to 64, got 1000"),
        (one("shift", step=1000), "shift: step: expected at most 254, got 1000"),
    ],
)
def test_a_wrong_value_is_refused_where_it_stands(change: dict, text: str) -> None:
    with pytest.raises(SpecError, match=text):
        parse_spec({**table(), **change}, "rotation")


def test_a_missing_key_and_an_unknown_one_in_a_transformation_are_refused() -> None:
    lacking = table()
    del lacking["split"]
    with pytest.raises(SpecError, match="expected the key split, got none. Add split"):
        parse_spec(lacking, "mine")
    odd = table("scale")
    odd["transformations"]["scale"]["probabilty"] = 1
    with pytest.raises(SpecError, match="mine: scale: .*got probabilty. Did you mean probability"):
        parse_spec(odd, "mine")


def test_a_users_file_works_where_a_name_does(tmp_path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(spec_text("rotation").replace("size = 256", "size = 512"))
    assert load_spec(str(path)).size == 512
    assert load_spec(str(path)).sha256 != load_spec("rotation").sha256
    with pytest.raises(SpecError, match=r"gone.toml: expected a readable TOML file"):
        load_spec(str(tmp_path / "gone.toml"))
    path.write_text("size = = 3")
    with pytest.raises(SpecError, match="expected valid TOML"):
        load_spec(str(path))


def test_the_hash_is_of_the_meaning() -> None:
    spec = load_spec("rotation")
    assert parse_spec({**table(), "title": "another"}, "x").sha256 == spec.sha256
    assert parse_spec({**table(), "pairs": 2999}, "x").sha256 != spec.sha256


def test_unknown_names_get_a_hint() -> None:
    with pytest.raises(SpecError, match=r"--set rotatoin: .*Did you mean rotation\?"):
        load_spec("rotatoin")
    with pytest.raises(SpecError, match="got hrad. Did you mean hard"):
        parse_difficulty("hrad")
    words = {"hard": "difficult", "diff": "difficult", "medi": "normal", "norm": "normal"}
    assert {word: parse_difficulty(word) for word in words} == words


def test_a_file_with_a_packaged_sets_name_is_told(tmp_path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(spec_text("rotation"))
    assert name_clash(load_spec(str(path)), str(path)) == ""
    path.write_text(spec_text("rotation").replace("high = 30", "high = 20"))
    assert "packaged set rotation" in name_clash(load_spec(str(path)), str(path))
    assert name_clash(load_spec("rotation"), "rotation") == ""


def test_what_a_packaged_file_is_called_is_what_it_says(monkeypatch) -> None:
    text = spec_text("rotation").replace('name = "rotation"', 'name = "turn"')
    monkeypatch.setattr("cisdl_bench.specs.spec_text", lambda name: text)
    with pytest.raises(SpecError, match=r"rotation.toml: name: .*Rename one of them"):
        load_spec("rotation")


def test_packaged_toml_that_is_broken_is_named(monkeypatch) -> None:
    monkeypatch.setattr("cisdl_bench.packaged.packaged_text", lambda name: "= 3")
    with pytest.raises(SpecError, match="data_specs/sets/broken.toml: expected valid TOML"):
        packaged_toml("sets/broken.toml")
