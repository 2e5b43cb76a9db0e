"""``cisdl-bench detect``."""

from pathlib import Path
from typing import Any

import click

from cisdl_bench.cli import options as shared
from cisdl_bench.cli.progress import Bars
from cisdl_bench.strict_json import json_text


@click.command()
@click.argument("probe", type=click.Path(path_type=Path))
@click.argument("donor", type=click.Path(path_type=Path))
@click.option(
    "--model",
    default="sift-ransac",
    show_default=True,
    help="A checkpoint, a network of your own, or a classical method, as for `score`.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("cisdl-detected"),
    show_default=True,
    metavar="DIR",
    help="Where masks and overlay are written.",
)
@shared.canvas
@shared.device
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def detect(
    settings: dict[str, Any],
    probe: Path,
    donor: Path,
    model: str,
    out: Path,
    size: int,
    device: str,
    as_json: bool,
) -> None:
    """Say whether a region of DONOR was pasted into PROBE, and where, in both.

    Writes probe-mask.png and donor-mask.png (255 is probability 1) at the pictures' own sizes,
    and overlay.png, donor left and probe right.

    \b
    Examples:
      cisdl-bench detect probe.jpg donor.jpg
      cisdl-bench detect probe.jpg donor.jpg --model model.pt -o found
    """
    from cisdl_bench.adapters.picture import read_picture
    from cisdl_bench.devices import choose_device, device_name
    from cisdl_bench.models.detectors import NetworkDetector, find_detector
    from cisdl_bench.models.networks import check_side
    from cisdl_bench.report.overlay import overlay, png_of
    from cisdl_bench.scoring.one_pair import look_at_pair
    from cisdl_bench.scoring.settings import Settings
    from cisdl_bench.store.atomic import write_whole

    pictures = read_picture(probe), read_picture(donor)
    detector = find_detector(model)
    where = "cpu"
    if isinstance(detector, NetworkDetector):
        check_side(detector.network, size, "--size")
        where = choose_device(device)
        Bars(settings["quiet"]).say(f"{detector.name} on {device_name(where)}")
    found = look_at_pair(detector, *pictures, size, Settings(device=where))
    files: dict[str, tuple[Path, Any]] = {
        "probe_mask": (out / "probe-mask.png", found.probe),
        "donor_mask": (out / "donor-mask.png", found.donor),
        "overlay": (
            out / "overlay.png",
            overlay((pictures[1], pictures[0]), (found.donor, found.probe)),
        ),
    }
    for path, picture in files.values():
        write_whole(path, png_of(picture))
    shares = [float((mask > 0.5).mean()) for mask in (found.probe, found.donor)]
    if as_json:
        result = {
            "probability": found.score,
            "share_of_probe": shares[0],
            "share_of_donor": shares[1],
            **{name: str(path) for name, (path, _) in files.items()},
        }
        click.echo(json_text(result))
        return
    click.echo(
        f"probability {found.score:.4f}; above one half: {shares[0]:.1%} of the probe, "
        f"{shares[1]:.1%} of the donor"
    )
    click.echo(f"{out / 'overlay.png'}")
