"""The commands as a user types them."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import content, write_coco

from cisdl_bench.cli.main import _COMMANDS, main
from cisdl_bench.specs import spec_names, spec_text


def typed(*words: object) -> Result:
    result = CliRunner().invoke(main, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_help_answers_in_half_a_second() -> None:
    spent = []
    for _ in range(3):
        begun = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "cisdl_bench", "--help"], check=True, capture_output=True
        )
        spent.append(time.perf_counter() - begun)
    assert min(spent) < 0.5


@pytest.mark.parametrize("name", [[], *([c] for c in _COMMANDS), ["specs", "show"]])
def test_every_help_has_an_example(name: list[str]) -> None:
    shown = typed(*name, "--help")
    assert shown.exit_code == 0
    assert re.search(r"^  Examples?:\n    cisdl-bench ", shown.output, re.M)
    assert re.search(rf"cisdl-bench {' '.join(name)}", shown.output)


def test_version() -> None:
    assert re.fullmatch(r"cisdl-bench, version \d+\.\d+\.\d+\n", typed("--version").output)


def test_an_unknown_command_gets_a_hint() -> None:
    shown = typed("generat")
    assert shown.exit_code == 2
    assert "no such command: generat. Did you mean generate?" in shown.output


def test_specs_lists_and_shows() -> None:
    assert re.search(r"^rotation +3 x 3,000 pairs +256 px", typed("specs").output, re.M)
    assert re.search(r"^training +1,035,255 pairs", typed("specs").output, re.M)
    assert typed("specs", "show", "rotation").output == spec_text("rotation")
    assert len(json.loads(typed("specs", "--json").output)) == len(spec_names()) >= 8 + 8 + 2
    assert typed("specs", "show", "nothing").exit_code == 2


@pytest.fixture(scope="module")
def out(coco: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    shown = typed(
        "generate",
        "--set",
        "rotation",
        "--difficulty",
        "hard",
        "--set",
        "raw",
        "--pairs",
        30,
        "--coco",
        coco,
        "--out",
        folder,
        "--jobs",
        1,
    )
    assert shown.exit_code == 0, shown.output
    return folder


def test_generate_names_sets_and_fingerprints(coco: Path, out: Path) -> None:
    assert (out / "rotation-difficult" / "manifest.json").exists()
    assert (out / "raw-difficult" / "manifest.json").exists()
    shown = typed(
        "generate",
        "--set",
        "rotation",
        "--difficulty",
        "hard",
        "--pairs",
        30,
        "--coco",
        coco,
        "--out",
        out,
        "--json",
    )
    manifest = json.loads(shown.stdout)[0]
    assert manifest["counts"]["pairs"] == 30
    assert "already finished" in shown.stderr


def test_a_dry_run_writes_no_set(coco: Path, tmp_path: Path) -> None:
    shown = typed(
        "generate", "--set", "all", "--pairs", 50, "--coco", coco, "--out", tmp_path, "--dry-run"
    )
    assert shown.exit_code == 0
    assert shown.output.count(" 50 pairs, about 0.00 GB") == 21
    assert "14 pictures, about 0.00 GB" in shown.output
    assert "nothing was written" in shown.output
    assert content(tmp_path) == {}
    told = json.loads(
        typed(
            "generate",
            "--set",
            "training",
            "--coco",
            coco,
            "--out",
            tmp_path,
            "--dry-run",
            "--json",
        ).output
    )
    assert 150 < told["sets"][0]["pairs"] <= 14 * 5 * 3


def test_the_estimate_is_near_what_is_written(coco: Path, tmp_path: Path) -> None:
    words = ["generate", "--set", "training", "--pairs", 300, "--coco", coco, "--out", tmp_path]
    told = json.loads(typed(*words, "--dry-run", "--json").output)
    typed(*words, "--jobs", 1)
    written = sum(path.stat().st_size for path in (tmp_path / "training").glob("*.h5"))
    assert told["sets"][0]["set_bytes"] == pytest.approx(written, rel=0.35)
    pictures = sum(path.stat().st_size for path in tmp_path.glob("pictures/*/*.h5"))
    assert told["picture_bytes"] == pytest.approx(pictures, rel=0.01)


def test_the_built_in_pictures_are_said_aloud(tmp_path: Path) -> None:
    shown = typed(
        "generate",
        "--set",
        "luminance",
        "--difficulty",
        "easy",
        "--pairs",
        12,
        "--out",
        tmp_path,
        "--jobs",
        1,
    )
    assert "note: built-in pictures: results on them are not the paper's" in shown.stderr
    manifest = json.loads((tmp_path / "luminance-easy" / "manifest.json").read_text())
    assert manifest["notes"] == [
        "built-in pictures: results on them are not the paper's; give COCO by --coco"
    ]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--set", "rotatoin"], "--set rotatoin: expected the name of a set .*mean rotation?"),
        (["--set", "raw", "--difficulty", "hrad"], "--difficulty: expected .*Did you mean hard"),
        (
            ["--set", "training", "--difficulty", "easy"],
            "--difficulty easy: expected none with the set training",
        ),
        (["--set", "raw", "--coco", "gone"], "gone: expected a COCO folder .*fetch coco2014"),
        (["--recipe", "gone.csv"], "gone.csv: expected a recipe, got No such file"),
    ],
)
def test_what_is_wrong_ends_in_one_line(tmp_path: Path, coco: Path, words, text) -> None:
    more = [] if "--coco" in words else ["--coco", coco]
    shown = typed("generate", *words, *more, "--out", tmp_path)
    assert shown.exit_code == 2
    assert len(shown.stderr.strip().splitlines()) == 1
    assert re.search(f"^cisdl-bench: {text}", shown.stderr)


def test_what_is_skipped_is_said_once_and_what_is_refused_with_v(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "coco")
    picture = root / "val2014" / f"COCO_val2014_{3:012d}.jpg"
    picture.write_bytes(picture.read_bytes()[:2000])
    words = ["generate", "--set", "raw", "--pairs", 30, "--coco", root, "--jobs", 1]
    shown = typed(*words, "--out", tmp_path / "a")
    lines = [line for line in shown.stderr.splitlines() if line.startswith("skipped")]
    assert lines == ["skipped of val2014, see skipped.csv: cut short: 1"]
    assert "refused" not in shown.stderr
    shown = typed("-v", *words, "--out", tmp_path / "b")
    assert re.search(r"^raw: of \d+ candidates refused .*cannot be used: \d+", shown.stderr, re.M)


def test_generate_wants_a_set_or_a_recipe() -> None:
    assert "give --set NAME" in typed("generate").output


def test_a_users_spec_works_where_a_name_does(coco: Path, tmp_path: Path) -> None:
    spec = tmp_path / "tiny.toml"
    spec.write_text(
        spec_text("rotation")
        .replace('name = "rotation"', 'name = "tiny"')
        .replace("size = 256", "size = 64")
    )
    shown = typed(
        "generate",
        "--set",
        spec,
        "--pairs",
        10,
        "--difficulty",
        "easy",
        "--coco",
        coco,
        "--out",
        tmp_path / "out",
        "--jobs",
        1,
    )
    assert shown.exit_code == 0
    assert "10 pairs of 64 px" in typed("info", tmp_path / "out" / "tiny-easy").output


def test_info_describes_and_writes_a_recipe(coco: Path, out: Path, tmp_path: Path) -> None:
    shown = typed("info", out).output
    assert "rotation-difficult: 30 pairs of 256 px from 30 composites" in shown
    assert re.search(r"rotation_deg +-\d+\.\d+ [▁-█]{12} \d", shown)
    assert len(json.loads(typed("info", out, "--json").output)) == 2
    assert typed("info", out, "--parameters").exit_code == 2
    recipe = tmp_path / "r.csv"
    typed("info", out / "rotation-difficult", "--parameters", "-o", recipe)
    lines = recipe.read_text().splitlines()
    assert len(lines) == 32
    assert lines[1].startswith(
        "index,donor_id,annotation_id,background_id,difficulty,rotation_deg,"
    )
    again = typed("generate", "--recipe", recipe, "--coco", coco, "--out", tmp_path, "--jobs", 1)
    assert again.exit_code == 0
    assert json.loads(lines[0].split(" ", 3)[3])["fingerprint"] in again.output
    lines[2] = lines[2].replace(",difficult,", ",difficult,1")
    recipe.write_text("\n".join(lines))
    other = typed(
        "generate", "--recipe", recipe, "--coco", coco, "--out", tmp_path / "b", "--jobs", 1
    )
    assert other.exit_code == 2
    assert "expected the recipe's fingerprint" in other.stderr


def test_verify_says_which_shard_is_bad(out: Path, tmp_path: Path) -> None:
    import shutil

    copied = Path(shutil.copytree(out, tmp_path / "copy"))
    sound = typed("verify", copied)
    assert sound.exit_code == 0
    assert sound.output.count(": sound, 30 pairs, fingerprint ") == 2
    shard = copied / "raw-difficult" / "shard-00000.h5"
    shard.write_bytes(shard.read_bytes()[:-1])
    bad = typed("verify", copied)
    assert bad.exit_code == 1
    assert re.search(rf"^{shard}: expected \d+ bytes, got \d+: cut short", bad.stderr, re.M)
    assert "rotation-difficult: sound" in bad.stdout
    assert typed("verify", tmp_path / "gone").exit_code == 2


def test_preview_and_export(out: Path, tmp_path: Path) -> None:
    folder = out / "rotation-difficult"
    shown = typed("preview", folder, "-o", tmp_path / "sheet.png", "--count", 4, "--columns", 2)
    assert shown.output == f"{tmp_path / 'sheet.png'}: 802 x 498 px\n"
    shown = typed("export", folder, "--format", "pairs-h5", "-o", tmp_path / "a.h5")
    assert shown.output == f"{tmp_path / 'a.h5'}: 30 pairs\n"
    assert typed("export", folder, "--format", "pairs-h5", "-o", tmp_path / "a.h5").exit_code == 2


def test_quiet_says_nothing_but_the_result(coco: Path, tmp_path: Path) -> None:
    words = [
        "generate",
        "--set",
        "raw",
        "--difficulty",
        "easy",
        "--pairs",
        5,
        "--coco",
        coco,
        "--out",
        tmp_path,
        "--jobs",
        1,
    ]
    typed(*words)
    assert typed("-q", *words).stderr == ""
    assert "already finished" in typed(*words).stderr


def test_ctrl_c_keeps_what_is_finished(coco: Path, tmp_path: Path) -> None:
    import signal

    words = ["generate", "--set", "training", "--pairs", "9000", "--coco", str(coco)]
    process = subprocess.Popen(
        [sys.executable, "-m", "cisdl_bench", *words, "--out", str(tmp_path), "--jobs", "2"],
        stderr=subprocess.PIPE,
        text=True,
    )
    manifest = tmp_path / "training" / "manifest.json"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if manifest.exists() and json.loads(manifest.read_text())["shards"]:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, shown = process.communicate(timeout=60)
    assert process.returncode == 130
    assert shown.strip().splitlines()[-1] == (
        "cisdl-bench: stopped; what is finished is kept, the same command resumes"
    )
    assert "Traceback" not in shown
    again = typed(*words, "--out", tmp_path, "--jobs", 1)
    assert again.exit_code == 0
    assert re.search(r"resumed after \d+ finished shards", again.stderr)
