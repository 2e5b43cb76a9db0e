"""``cisdl-bench score``."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cisdl_bench.bars import Bars
from cisdl_bench.cli import options as shared
from cisdl_bench.cli.run_log import echo, keep_log
from cisdl_bench.cli.sections import command, option
from cisdl_bench.folders import DATA, SCORES, data_folder, scores_folder
from cisdl_bench.models.classical.registry import REFERENCES, untrained_methods
from cisdl_bench.packaged import packaged_names
from cisdl_bench.strict_json import json_text

if TYPE_CHECKING:
    from cisdl_bench.scoring.scorers import Scorer


_HELP = f"""Score a network or another detector on generated sets, or on other people's pairs.

MODEL is a checkpoint (.pt, .pth, .safetensors, DMVN's .h5), a TorchScript or torch.export
file, hf:owner/name on the Hugging Face hub, module:factory of your own, a network of the package
after `fetch hed` ({", ".join(packaged_names("checkpoints", ".safetensors"))}),
a method that needs no training ({", ".join(untrained_methods())}),
matcher:NAME, whose pairs of points become masks (`cisdl-bench models` lists them),
or one of {", ".join(REFERENCES)}.

\b
Examples:
  cisdl-bench score model.pt
  cisdl-bench score sift-ransac --set rotation --set raw-easy
  cisdl-bench score matcher:orb --set rotation
  cisdl-bench score consensus-frozen --set combination --limit 100
  cisdl-bench score DMAC-adv.pth --data cisdl-data --device cuda --precision bf16
  cisdl-bench score mypackage.module:factory --perturb none,jpeg:70,jpeg:50
  cisdl-bench score DMAC-adv.pth --data release --set combination
  cisdl-bench score model.pt --data paired_CASIA_ids.csv --images CASIA2
  cisdl-bench score --predictions theirs.csv --data pairs.csv
  torchrun --nproc-per-node 8 -m cisdl_bench score model.pt
"""


_WHAT, _HOW = "What is measured", "How masks are read"


@command(help=_HELP)
@click.argument("model", required=False)
@shared.data(
    "A set or a folder of sets; or a list of pairs (plain CSV, the authors' release, paired "
    "CASIA, NIST's index), a folder of lists, or another data set that `cisdl-bench datasets` "
    f"lists. May be repeated. Default: {DATA}, or cisdl-data.",
    multiple=True,
)
@shared.sets(
    "Only sets whose folder has this name or begins with it, such as `rotation`. "
    "May be repeated. Default: all but training sets."
)
@option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    section=shared.PICKS,
    help="The first N pairs of each set, for a first look; the result says so.",
)
@option(
    "--predictions",
    type=click.Path(path_type=Path),
    metavar="FILE",
    section=_WHAT,
    help="In MODEL's place: scores (and masks) of another program, a CSV with the columns "
    "probe,donor,score[,probe_mask,donor_mask] or index,score[,...], or a system output of NIST's.",
)
@option(
    "--name",
    metavar="TEXT",
    section=_WHAT,
    help="Name of the method in tables and of its folder. Default: the file's or method's.",
)
@option(
    "--detector",
    type=click.Choice(["mask", "det"]),
    section=_WHAT,
    help="What says whether a pair is related: mask, the paper's score from both masks; det, the "
    "detection network of a checkpoint that has one, beside it. Default: det where there is one.",
)
@option(
    "--perturb",
    metavar="LIST",
    section=_WHAT,
    help="Robustness: score each of these apart, such as none,jpeg:70,blur:1.5,noise:5,"
    "resize:0.5; `+` chains steps.",
)
@option(
    "--perturb-on",
    type=click.Choice(["probe", "both"]),
    default="probe",
    show_default=True,
    section=_WHAT,
    help="Which pictures are perturbed.",
)
@option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    section=_HOW,
    help="A pixel of higher probability is tampered.",
)
@option(
    "--window",
    type=click.IntRange(min=16),
    metavar="PX",
    section=_HOW,
    help="Match window by window, as the release does for 512 px pictures with 256.",
)
@option(
    "--stride",
    type=click.IntRange(min=1),
    metavar="PX",
    section=_HOW,
    help="Distance of windows. Default: the window.",
)
@option(
    "--zones",
    callback=shared.zones,
    default="nist",
    show_default=True,
    metavar="WORD",
    section=_HOW,
    help="No-score zones of NIST's pairs under --predictions: nist (15,11), none, or two odd "
    "sides in px, to erode and to dilate by.",
)
@option(
    "--convention",
    type=click.Choice(["biofors"]),
    section=_HOW,
    help="Count as a data set's authors do. biofors: at the panels' own sizes, found masks of less "
    "than 10% of their panel erased, MCC and F1 of pooled counts. Default: each mask by itself.",
)
@shared.lists
@shared.device
@option(
    "--precision",
    type=click.Choice(["fp32", "bf16", "fp16"]),
    default="fp32",
    show_default=True,
    section=shared.WHERE,
    help="What a network computes in; fp32 never means TF32.",
)
@option(
    "--batch-size",
    type=click.IntRange(min=1),
    metavar="N",
    section=shared.WHERE,
    help="Pairs a batch. Default: 64 on a GPU, 8 else.",
)
@option(
    "--compile",
    "compile",
    is_flag=True,
    section=shared.WHERE,
    help="Compile the network first.",
)
@option(
    "-j",
    "--jobs",
    "--workers",
    "workers",
    metavar="N",
    type=click.IntRange(min=0),
    section=shared.WHERE,
    help="Reading processes for a network (default 0: one thread reads ahead); "
    "processes for other detectors (default: all cores).",
)
@shared.engine
@shared.out("DIR", f"Where results go. Default: {SCORES}, or cisdl-scores, and the name in it.")
@option(
    "--save-masks",
    is_flag=True,
    section=shared.WRITES,
    help="Write both masks of every pair as 8-bit PNG.",
)
@option(
    "--overwrite",
    is_flag=True,
    section=shared.WRITES,
    help="Score again what is finished, and replace results of another checkpoint, data or "
    "setting. Default: what is finished is kept.",
)
@shared.as_json
@click.pass_obj
def score(
    settings: dict[str, Any],
    /,
    model: str | None,
    predictions: Path | None,
    zones: tuple[int, int],
    backend: str,
    scheduler: str | None,
    data: tuple[Path, ...],
    sets: tuple[str, ...],
    out: Path | None,
    as_json: bool,
    name: str | None,
    limit: int | None,
    **options: Any,
) -> None:
    """Score a detector; see ``_HELP``."""
    if (model is None) == (predictions is None):
        raise click.UsageError("give either MODEL or --predictions FILE.")
    for option_, value in (("--perturb", options["perturb"]), ("--limit", limit)):
        if predictions is not None and value:
            raise click.UsageError(f"{option_} is for a detector that runs; predictions are made.")
    from cisdl_bench.adapters.options import ListOptions
    from cisdl_bench.adapters.predictions import read_predictions
    from cisdl_bench.devices import ranked
    from cisdl_bench.engine import engine
    from cisdl_bench.models.detectors import check_name, rename_detector
    from cisdl_bench.models.find import find_detector, require_detection_network
    from cisdl_bench.results.describe import describe_result
    from cisdl_bench.results.run_summary import write_summary
    from cisdl_bench.scoring.jobs import make_score_jobs
    from cisdl_bench.scoring.options import make_options
    from cisdl_bench.scoring.predicted import PredictionScorer, with_predictions
    from cisdl_bench.scoring.run import run_jobs
    from cisdl_bench.scoring.scorers import DetectorScorer

    with ranked() as rank:
        bars = Bars(settings["quiet"] or rank.number > 0)
        listed = {name: options.pop(name) for name in shared.LIST_OPTIONS}
        lists = ListOptions(**listed, pictures=predictions is None)
        perturb, overwrite = options.pop("perturb"), options.pop("overwrite")
        wanted, perturb_on = options.pop("detector"), options.pop("perturb_on")
        options["perturb_donor"] = perturb_on == "both"
        options["own_score"] = wanted != "mask"
        system_output = None
        scorer: Scorer
        if predictions is not None:
            system_output = read_predictions(predictions)
            scorer = PredictionScorer(system_output, "" if name is None else check_name(name))
            options |= {"zones": zones, "perturb_donor": False, "save_masks": False}
        else:
            detector = find_detector(str(model))
            if wanted == "det":
                require_detection_network(detector, str(model))
            if detector.needs_device and backend != "local":
                raise click.UsageError(
                    "networks run on several machines by torchrun, not --backend."
                )
            scorer = DetectorScorer(detector if name is None else rename_detector(detector, name))
        chosen = make_options(scorer, options.pop("device"), bars, **options)
        jobs = make_score_jobs(data or (data_folder(),), sets, perturb, lists, bars, limit)
        if system_output is not None:
            jobs = [replace(job, pairs=with_predictions(system_output, job.pairs)) for job in jobs]
        target = out or scores_folder() / scorer.name
        if rank.number == 0:
            keep_log(target, "score")

        broken: dict[str, None] = {}

        def finished(result: dict[str, Any]) -> None:
            broken.update(dict.fromkeys(write_summary(target)))
            if not as_json:
                echo(f"{target / describe_result(result)}")

        with engine(backend, scheduler, bars.say):
            results = run_jobs(
                scorer,
                jobs,
                target,
                chosen,
                bars,
                overwrite=overwrite,
                rank=rank,
                finished=finished,
            )
        if rank.number:
            return
        if system_output is not None:
            for job in jobs:
                line = job.pairs.write_own_scores(system_output, target / job.name, chosen)
                if line:
                    bars.say(line)
        for note in dict.fromkeys(note for result in results for note in result["data"]["notes"]):
            bars.say(f"note: {note}")
        for wrong in broken:
            bars.say(f"not in the summary: {wrong}")
        if as_json:
            click.echo(json_text(results))
            return
        bars.say(f"{target / 'summary.csv'}; a table: cisdl-bench table {shlex.quote(str(target))}")
