"""Write the head of a trained checkpoint as one that can come with the package.

    python benchmarks/save_head.py cisdl-training/consensus-frozen/consensus-frozen.pt hed \
        data_specs/checkpoints/consensus-frozen.safetensors

The checkpoint's features must still be the weights in the folder; the head is rounded to float16.
"""

import argparse
from pathlib import Path

from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint
from cisdl_bench.models.checkpoints.heads import save_head
from cisdl_bench.models.checkpoints.vgg_weights import read_convolutions


def main() -> None:
    """Write it, and say how large it is."""
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("features", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    loaded = load_checkpoint(options.checkpoint)
    features = read_convolutions(options.features)
    save_head(options.target, loaded.network, loaded.about["training"], features)
    print(f"{options.target}: {options.target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
