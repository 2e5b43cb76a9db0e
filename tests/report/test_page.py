"""The report: what is in it, and what a real browser makes of it."""

import html
import json
import re
import shlex
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import Heard
from lists import write_plain

from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.errors import RunError
from cisdl_bench.models.find import find_detector
from cisdl_bench.report.page import page
from cisdl_bench.results.result import find_results
from cisdl_bench.scoring.jobs import make_score_jobs
from cisdl_bench.scoring.options import ScoreOptions
from cisdl_bench.scoring.run import score

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--enable-logging=stderr",
)


@pytest.fixture(scope="module")
def report(scored: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    trained = path.parent / "trained"
    trained.mkdir()
    lines = [f"{k},{24 * k},raw-easy,{k / 4},{k / 5},{k / 6}" for k in (1, 2, 3)]
    header = "step,pairs,set,iou,mcc,nmm"
    (trained / "evaluation.csv").write_text("\n".join([header, *lines, ""]))
    runs = [*scored, trained]
    text = page(runs, path, Heard(), title="Mine & <theirs>", worst=8)
    path.write_text(text, "utf-8")
    return path


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.pictures: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.found += [(tag, v) for name, v in attrs if name in ("href", "src") and v]
        self.pictures += [dict(attrs)] if tag == "img" else []


def test_the_page_needs_no_network_and_links_to_what_is_there(report: Path) -> None:
    links = Links()
    links.feed(report.read_text("utf-8"))
    assert {"verdict", "failures", "definitions", "files"} <= set(links.ids)
    figures = ("glance", "heatmap", "parameters", "roc", "det", "robustness", "growth")
    assert {f"figure-{name}" for name in figures} <= set(links.ids)
    assert len(set(links.ids)) == len(links.ids)
    for tag, target in links.found:
        if tag == "img":
            assert target.startswith("data:image/webp;base64,")
        elif target.startswith("#"):
            assert target[1:] in links.ids
        else:
            assert tag == "a"
            assert (report.parent / target).is_file(), target
    names = [Path(target).name for tag, target in links.found if tag == "a"]
    assert names.count("pairs.csv") == 10
    assert names.count("summary.csv") == 2
    assert all(picture["width"] and picture["height"] for picture in links.pictures)
    assert all(picture["alt"] for picture in links.pictures)


def test_the_verdict_is_first(report: Path) -> None:
    text = report.read_text("utf-8")
    assert "<title>Mine &amp; &lt;theirs&gt;</title>" in text
    verdict = text[text.index('id="verdict"') : text.index('id="figure-glance"')]
    plain = re.sub(r"<[^>]+>|\s+", " ", verdict)
    plain = re.sub(" +", " ", plain)
    assert "oracle is best by mean IoU on 2 of 2 sets, clearly on each; its mean is 1.000." in plain
    assert "n = 40" in plain
    assert "ahead of random" in plain


def test_where_numbers_come_from_can_be_copied(report: Path, scored: list[Path]) -> None:
    text = report.read_text("utf-8")
    block = html.unescape(text[text.index("<pre") : text.index("</pre>")])
    result = next(r for r in find_results(scored[1]) if r.set == "training")
    assert result.record["request"]["fingerprint"] in block
    assert f"{result.finished:%Y-%m-%d}" in block
    lines = [shlex.split(line, comments=True) for line in block.splitlines()[1:]]
    commands = [words for words in lines if words]
    data = str(scored[0].parent / "data")
    shared = ["cisdl-bench", "score", "random", "--data", data, "--set", "training"]
    assert shared in commands
    perturbed = ["--set", "combination-normal", "--perturb", "none,blur:2,jpeg:40,jpeg:80"]
    assert ["cisdl-bench", "score", "random", "--data", data, *perturbed] in commands
    runs = [*scored, report.parent / "trained"]
    assert [*map(str, ["cisdl-bench", "report", *runs, "-o", report])] in commands


def test_training_runs_alone_are_refused(report: Path) -> None:
    with pytest.raises(RunError, match=r"trained: expected results .* Name the folder of a scor"):
        page([report.parent / "trained"], report, Heard())


def test_own_rows_come_first_and_parameters_are_in_names(report: Path) -> None:
    text = report.read_text("utf-8")
    table = text[text.index('id="table-paper-1"') :].split("</section>")[0]
    measured, published = table.split('<tbody class="published">')
    assert ">oracle<" in measured
    assert "(published)" not in measured
    assert "DMAC+adv-bce (published) (λ_det 0.01, λ_dis 0.01, LR 1e-5)" in published
    assert "λ_det</th>" not in table
    assert 'id="table-paper-3"' not in text  # neither paired CASIA
    assert 'id="table-paper-4"' not in text  # nor NIST's pairs


def test_the_worst_answers_have_both_masks(report: Path) -> None:
    text = report.read_text("utf-8")
    pattern = r'data-method="([^"]+)" data-set="([^"]+)" data-difficulty="\w*" data-kind="(\w+)"'
    cards = re.findall(f'class="pair" id="[^"]+" {pattern}', text)
    methods = [method.split(" @ ")[0] for method, _, kind in cards if kind == "worst"]
    assert methods.count("oracle") == methods.count("random") == 4 * 8
    assert {name for _, name, _ in cards} == {"combination-normal", "training"}
    others = Counter(kind for method, _, kind in cards if method == "random")
    assert others == {"worst": 8, "median": 2, "best": 2}
    assert "its masks were not saved" not in text
    assert text.count('<g class="truth">') > 64
    assert "small pieces of what was found are not drawn" in text  # of random answers


def test_pairs_that_are_gone_are_said_not_shown(
    scored: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page(scored[:1], tmp_path / "r.html", Heard(), worst=4, data=tmp_path / "gone")
    assert "Say where they are by --data" in text
    assert 'class="pair"' not in text


PROBE = """<script>
const table = document.querySelector("#table-wide table");
const head = [...table.tHead.querySelectorAll("th")].find((c) => c.textContent === "IoU");
const column = Number(head.dataset.column);
const values = () => [...table.tBodies[0].rows].map((r) => Number(r.cells[column].dataset.value));
const found = {before: values()};
head.click();
found.falling = values();
head.click();
found.rising = values();
head.click();
found.again = values();
const display = (selector) => getComputedStyle(document.querySelector(selector)).display;
const seen = (kind) => display(`.gallery g.${kind}`) !== "none";
found.states = {};
for (const name of ["truth", "found", "both"]) {
  document.getElementById(`state-${name}`).click();
  found.states[name] = [seen("truth"), seen("found")];
}
found.published = [display("tbody.published")];
document.getElementById("table-paper-1-published").click();
found.published.push(display("tbody.published"));
document.querySelector(".pair a").click();
found.viewer = document.getElementById("viewer").open;
document.getElementById("next").click();
document.getElementById("blink").click();
found.blinking = getComputedStyle(document.querySelectorAll(".stage .view")[1]).visibility;
document.getElementById("close").click();
const shown = () => [...document.querySelectorAll(".gallery .pair")].filter((p) => !p.hidden);
found.all = shown().length;
for (const [name, value] of [["set", "training"], ["method", "oracle"]]) {
  const select = document.querySelector(`select[name=${name}]`);
  select.value = value;
  select.dispatchEvent(new Event("change"));
}
found.filtered = shown().map((p) => [p.dataset.set, p.dataset.method]);
found.count = document.getElementById("shown").textContent;
found.broken = [...document.images].filter((i) => i.complete && !i.naturalWidth).length;
const root = document.documentElement;
found.width = [innerWidth, root.scrollWidth];
const out = document.createElement("pre");
out.id = "found-by-test";
out.textContent = JSON.stringify(found);
document.body.append(out);
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_browser_shows_it_on_a_narrow_screen_without_complaint(
    report: Path, tmp_path: Path
) -> None:
    probed = tmp_path / "probed.html"
    text = report.read_text("utf-8").replace("</body>", f"{PROBE}</body>")
    probed.write_text(text, "utf-8")
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    command += ["--window-size=400,900", probed.as_uri()]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in shown.stderr
    raw = re.search(r'<pre id="found-by-test">(.*?)</pre>', shown.stdout, re.S)
    assert raw is not None
    found = json.loads(raw.group(1))
    numbers = found["before"]
    assert len(set(numbers)) > 2
    assert found["falling"] == sorted(numbers, reverse=True)
    assert found["rising"] == sorted(numbers)
    assert found["again"] == numbers
    states = {"truth": [True, False], "found": [False, True], "both": [True, True]}
    assert found["states"] == states
    assert found["published"] == ["none", "table-row-group"]
    assert found["viewer"] is True
    assert found["blinking"] == "hidden"
    assert found["all"] == text.count('class="pair"') > 64
    assert found["filtered"]
    assert {tuple(pair) for pair in found["filtered"]} == {("training", "oracle")}
    assert found["count"] == f"{len(found['filtered'])} of {found['all']}"
    assert found["broken"] == 0
    window, page_width = found["width"]
    assert page_width <= window <= 500


def test_a_picture_that_cannot_be_read_is_said_not_shown(tmp_path: Path) -> None:
    data = write_plain(tmp_path / "data")
    jobs = make_score_jobs([data], [], None, ListOptions(), Heard())
    score(
        find_detector("random"), jobs, tmp_path / "random", ScoreOptions(save_masks=True), Heard()
    )
    (tmp_path / "random" / "pairs" / "masks" / "000000-donor.png").write_bytes(b"no picture")
    text = page([tmp_path / "random"], tmp_path / "r.html", Heard(), worst=9)
    assert "000000-donor.png: expected a mask of 256 x 256 px, got a broken file" in text
    assert text.count('class="pair"') == 2
