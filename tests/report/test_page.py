"""The report: what is in it, and what a real browser makes of it."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import Heard
from lists import write_plain

from cisdl_bench.adapters.options import ListOptions
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
    text = page(scored, path, Heard(), title="Mine & <theirs>", worst=8)
    path.write_text(text, "utf-8")
    return path


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value for name, value in attrs if name == "id" and value]
        self.found += [(tag, v) for name, v in attrs if name in ("href", "src") and v]


def test_the_page_needs_no_network_and_links_to_what_is_there(report: Path) -> None:
    links = Links()
    links.feed(report.read_text("utf-8"))
    assert {"scored", "failures", "files", "figure-roc", "figure-heatmap"} <= set(links.ids)
    for tag, target in links.found:
        if tag == "img":
            assert target.startswith(("data:image/jpeg", "data:image/svg+xml"))
        elif target.startswith("#"):
            assert target[1:] in links.ids
        else:
            assert (report.parent / target).is_file(), target
    names = [Path(target).name for _, target in links.found]
    assert names.count("pairs.csv") == 10
    assert names.count("summary.csv") == 2


def test_it_says_what_was_scored_on_what(report: Path, scored: list[Path]) -> None:
    text = report.read_text("utf-8")
    assert "<title>Mine &amp; &lt;theirs&gt;</title>" in text
    result = next(r for r in find_results(scored[1]) if r.set == "training")
    assert result.record["request"]["fingerprint"] in text
    assert "DMAC-adv-bce" not in text.split('id="table-paper-1"')[0]
    assert "DMAC (published)" in text
    assert 'id="table-paper-3"' not in text  # neither paired CASIA
    assert 'id="table-paper-4"' not in text  # nor NIST's pairs


def test_the_worst_answers_have_both_masks(report: Path) -> None:
    text = report.read_text("utf-8")
    cards = re.findall(r'<figure class="pair" data-method="([^"]+)" data-set="([^"]+)"', text)
    methods = [method.split(" @ ")[0] for method, _ in cards]
    assert methods.count("oracle") == methods.count("random") == 4 * 8
    assert {name for _, name in cards} == {"combination-normal", "training"}
    assert "its masks were not saved" not in text


def test_pairs_that_are_gone_are_said_not_shown(
    scored: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page(scored[:1], tmp_path / "r.html", Heard(), worst=4, data=tmp_path / "gone")
    assert "Say where they are by --data" in text
    assert '<figure class="pair"' not in text


PROBE = """<script>
const table = document.querySelector("#table-wide table");
const column = [...table.tHead.rows[0].cells].findIndex((c) => c.textContent === "IoU");
const values = () => [...table.tBodies[0].rows].map((r) => Number(r.cells[column].dataset.value));
const found = {before: values()};
table.tHead.rows[0].cells[column].click();
found.falling = values();
table.tHead.rows[0].cells[column].click();
found.rising = values();
table.tHead.rows[0].cells[column].click();
found.again = values();
const shown = () => [...document.querySelectorAll(".pair")].filter((p) => !p.hidden);
found.all = shown().length;
for (const [name, value] of [["set", "training"], ["method", "oracle"]]) {
  const select = document.querySelector(`select[name=${name}]`);
  select.value = value;
  select.dispatchEvent(new Event("change"));
}
found.filtered = shown().map((p) => [p.dataset.set, p.dataset.method]);
found.count = document.getElementById("shown").textContent;
found.broken = [...document.images].filter((i) => i.complete && !i.naturalWidth).length;
const out = document.createElement("pre");
out.id = "found";
out.textContent = JSON.stringify(found);
document.body.append(out);
</script>"""


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_browser_sorts_and_filters_without_complaint(report: Path, tmp_path: Path) -> None:
    probed = tmp_path / "probed.html"
    text = report.read_text("utf-8").replace("</body>", f"{PROBE}</body>")
    probed.write_text(text, "utf-8")
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    shown = subprocess.run(
        [*command, probed.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    assert "CONSOLE" not in shown.stderr
    raw = re.search(r'<pre id="found">(.*?)</pre>', shown.stdout, re.S)
    assert raw is not None
    found = json.loads(raw.group(1))
    numbers = found["before"]
    assert len(set(numbers)) > 2
    assert found["falling"] == sorted(numbers, reverse=True)
    assert found["rising"] == sorted(numbers)
    assert found["again"] == numbers
    assert found["all"] == 64
    assert found["filtered"]
    assert {tuple(pair) for pair in found["filtered"]} == {("training", "oracle")}
    assert found["count"] == f"{len(found['filtered'])} of 64"
    assert found["broken"] == 0


def test_a_picture_that_cannot_be_read_is_said_not_shown(tmp_path: Path) -> None:
    data = write_plain(tmp_path / "data")
    jobs = make_score_jobs([data], [], None, ListOptions(), Heard())
    score(
        find_detector("random"), jobs, tmp_path / "random", ScoreOptions(save_masks=True), Heard()
    )
    (tmp_path / "random" / "pairs" / "masks" / "000000-donor.png").write_bytes(b"no picture")
    text = page([tmp_path / "random"], tmp_path / "r.html", Heard(), worst=9)
    assert "000000-donor.png: expected a mask of 256 x 256 px, got a broken file" in text
    assert text.count('<figure class="pair"') == 2
