"""Write the head of a trained checkpoint as one that can come with the package, and its card.

    python benchmarks/save_head.py cisdl-training/consensus-frozen/consensus-frozen.pt hed \
        data_specs/checkpoints/consensus-frozen.safetensors

The checkpoint's features must still be the weights in the folder; the head is rounded to float16.
What a person wrote below the card's line stays.
"""

import argparse
from pathlib import Path

from cisdl_bench.models.checkpoints.checkpoint import load_checkpoint, read_safetensors
from cisdl_bench.models.checkpoints.heads import save_head
from cisdl_bench.models.checkpoints.vgg_weights import read_convolutions
from cisdl_bench.training.card import read_measured, write_card


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
    learnt = [w for key, w in loaded.network.named_parameters() if not key.startswith("features.")]
    parameters = sum(weights.numel() for weights in learnt)
    measured = read_measured(options.checkpoint.parent) | {"parameters": parameters}
    write_card(options.target, read_safetensors(options.target), measured)
    print(f"{options.target}: {options.target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
