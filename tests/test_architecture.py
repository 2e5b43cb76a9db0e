"""The tree, the directions of imports, and what importing costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# A package may import what stands before it; packages of one row know nothing of each other.
ROWS = [
    {
        "bars",
        "errors",
        "records",
        "progress",
        "scratch",
        "hashing",
        "csv_text",
        "versions",
        "by_name",
    },
    {"pair_picture", "folders"},
    {"validation", "strict_json", "packaged", "pairs"},
    {"transforms"},
    {"specs", "seeding", "devices", "engine"},
    {"sources", "metrics"},
    {"store", "adapters"},
    {"pair_sources"},
    {"generation", "models"},
    {"scoring", "training"},
    {"results", "nist"},
    {"report"},
    {"api", "demo", "environment", "reproduce"},
    {"cli"},
]
RANK = {name: rank for rank, row in enumerate(ROWS) for name in row}
FREE = {"__init__", "__main__", "data_specs"}
HEAVY = {"torch", "matplotlib", "pandas", "skimage"}


def modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted((ROOT / "cisdl_bench").rglob("*.py")):
        found.append((path.relative_to(ROOT / "cisdl_bench").parts[0].removesuffix(".py"), path))
    for name in ("models", "cli"):
        found += [(name, path) for path in sorted((ROOT / name).rglob("*.py"))]
    return found


def imported(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.append(node.module or "")
    return names


@pytest.mark.parametrize(("package", "path"), modules(), ids=lambda v: getattr(v, "name", v))
def test_imports_point_one_way(package: str, path: Path) -> None:
    if package in FREE:
        return
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "cisdl_bench" or len(parts) == 1 or parts[1] == package:
            continue
        if parts[1] in FREE:
            continue
        assert RANK[parts[1]] < RANK[package] or (parts[1], package) == ("records", "errors"), (
            f"{path} imports {name}"
        )


def test_no_import_cycle_between_modules() -> None:
    graph = {}
    for package, path in modules():
        base = ROOT if package in ("models", "cli") else ROOT / "cisdl_bench"
        parts = path.relative_to(base).with_suffix("").parts
        name = ".".join(["cisdl_bench", *(part for part in parts if part != "__init__")])
        tops = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.ImportFrom)]
        graph[name] = {node.module for node in tops if (node.module or "").startswith("cisdl")}
    state: dict[str, int] = {}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert state.get(name) != 1, f"cycle: {' > '.join((*trail, name))}"
        if state.get(name) == 2 or name not in graph:
            return
        state[name] = 1
        for other in sorted(filter(None, graph[name])):
            if other != name:
                visit(other, (*trail, name))
        state[name] = 2

    for name in graph:
        visit(name, ())


def test_top_level_holds_what_was_agreed() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    tops = {name.split("/")[0] for name in listed}
    agreed = {"cisdl_bench", "models", "cli", "tests", "data_specs", "benchmarks", "setup.cfg"}
    beside = {"README.md", "pyproject.toml", "constraints.txt", "LICENSE", "CHANGELOG.md"}
    beside |= {"docs", "CONTRIBUTING.md", "CITATION.cff"}
    beside |= {"MANIFEST.in", "examples"}  # or the source distribution lacks the tests
    assert tops <= agreed | beside | {".gitignore", ".ci"}


def test_the_command_imports_nothing_heavy() -> None:
    code = (
        "import sys, cisdl_bench.cli.main as m\n"
        "from click.testing import CliRunner\n"
        "assert CliRunner().invoke(m.main, ['--help']).exit_code == 0\n"
        f"print(sorted({HEAVY | {'numpy', 'cv2', 'h5py'}!r} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_generating_imports_nothing_heavy() -> None:
    code = (
        "import sys, cisdl_bench.generation.run\n"
        "import cisdl_bench.store.folder, cisdl_bench.sources.find\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
