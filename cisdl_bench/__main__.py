"""``python -m cisdl_bench`` is the command ``cisdl-bench``."""

from cisdl_bench.cli.main import main

if __name__ == "__main__":
    main(prog_name="cisdl-bench")
