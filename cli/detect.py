"""``cisdl-bench detect``."""

from pathlib import Path
from typing import Any

import click

from cisdl_bench.bars import Bars
from cisdl_bench.cli import options as shared
from cisdl_bench.strict_json import json_text


@click.command()
@click.argument("probe", type=click.Path(path_type=Path))
@click.argument("donor", type=click.Path(path_type=Path))
@click.option(
    "--model",
    metavar="MODEL",
    help="A checkpoint, a network of your own, or a method, as for `score`. Default: all that need "
    "no training, and the package's networks after `fetch hed`; their answers side by side.",
)
@shared.out("DIR", "Where masks and overlay are written.", default=Path("cisdl-detected"))
@shared.canvas
@shared.device
@shared.as_json
@click.pass_obj
def detect(
    settings: dict[str, Any],
    probe: Path,
    donor: Path,
    model: str | None,
    out: Path,
    size: int,
    device: str,
    as_json: bool,
) -> None:
    """Say whether a region of DONOR was pasted into PROBE, and where, in both.

    Writes probe-mask.png and donor-mask.png (255 is probability 1) at the pictures' own sizes, and
    overlay.png, probe left and donor right. Without --model these masks are those of the method
    with the highest probability, the others' are beside them by name, and the overlay has a row
    for each.

    \b
    Examples:
      cisdl-bench detect probe.jpg donor.jpg
      cisdl-bench detect probe.jpg donor.jpg --model model.pt -o found
    """
    from cisdl_bench.adapters.picture import read_picture
    from cisdl_bench.models.find import find_detector, find_ready
    from cisdl_bench.report.overlay import encode_png, overlay, overlays
    from cisdl_bench.scoring.one_pair import detect_one
    from cisdl_bench.scoring.options import make_options
    from cisdl_bench.store.atomic import write_whole

    pictures = read_picture(probe), read_picture(donor)
    bars = Bars(settings["quiet"])
    answers = {}
    for name in [model] if model else find_ready():
        detector = find_detector(name)
        detector.check_side(size, "--size")
        options = make_options(detector, device, bars)
        answers[detector.name] = detect_one(detector, *pictures, size, options)
    best = max(answers, key=lambda name: answers[name].score or 0)
    records = {name: _answer(masks) for name, masks in answers.items()}
    for name, masks in answers.items():
        folders = [(f"{name}-", records[name])] if len(answers) > 1 else []
        folders += [("", records[best])] if name == best else []
        for begin, record in folders:
            for side, mask in (("probe", masks.probe), ("donor", masks.donor)):
                path = out / f"{begin}{side}-mask.png"
                write_whole(path, encode_png(mask))
                record.setdefault(f"{side}_mask", str(path))
    sheet = overlay(pictures, (answers[best].probe, answers[best].donor))
    if len(answers) > 1:
        rows = [(f"{n}: {_said(records[n])}", (m.probe, m.donor)) for n, m in answers.items()]
        sheet = overlays(pictures, rows)
    write_whole(out / "overlay.png", encode_png(sheet))
    if as_json:
        result = {**records[best], "overlay": str(out / "overlay.png")}
        for side in ("probe", "donor"):
            result[f"{side}_mask"] = str(out / f"{side}-mask.png")
        if len(answers) > 1:
            result |= {"method": best, "methods": records}
        click.echo(json_text(result))
        return
    for name, record in records.items():
        click.echo(f"{name}: {_said(record)}" if len(answers) > 1 else _said(record))
    click.echo(f"{out / 'overlay.png'}")


def _answer(masks: Any) -> dict[str, Any]:
    shares = [float((mask > 0.5).mean()) for mask in (masks.probe, masks.donor)]
    return {"probability": masks.score, "share_of_probe": shares[0], "share_of_donor": shares[1]}


def _said(answer: dict[str, Any]) -> str:
    return (
        f"probability {answer['probability']:.4f}; above one half: "
        f"{answer['share_of_probe']:.1%} of the probe, {answer['share_of_donor']:.1%} of the donor"
    )
