"""Rules of the house that a program can check: imports go down, files and functions are small."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {  # of oldphoto; a folder stands for its files, if they are not named apart
    0: "checks config torchvision_compat files installed",
    1: "images colour_modes padding tiling samples losses checkpoint run_log download archives "
    "devices training_card processes memory networks networks.layers networks.hole_filling",
    2: "degradations metrics networks.vae networks.partial_nonlocal networks.patch_attention "
    "networks.discriminators networks.features networks.scratch_detector provenance",
    3: "networks.mapping networks.table data damaged_photos",
    4: "networks.restorer networks.growing restore_plan steps players loop step_cost",
    5: "baselines official official_keys weights starting_points stages",
    6: "restorer detector mask_choice evaluation run_folder comparison comparison_table contenders "
    "ablation ablation_table translation",
    7: "course commands cli __main__ __init__",
}
FLOOR_OF = {name: floor for floor, names in FLOORS.items() for name in names.split()}
HIGHEST_FOR_DATA_TOOLS = 3
HEAVY = {"scrapy", "pandas", "matplotlib", "papermill", "jupyterlab", "IPython", "ipywidgets"}

MAX_FILE = 350
MAX_COLUMNS = 100
MAX_FUNCTION = 60
LONGER_FUNCTIONS = {("oldphoto/loop.py", "train"): 100}  # the one visible loop


def _python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def _name(path: Path) -> str:
    """Return the dotted name of a file: oldphoto.data.datasets, oldphoto.data, oldphoto."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PACKAGE = _python_files("oldphoto")
DATA_TOOLS = _python_files("data_tools")
EVERYTHING = [*PACKAGE, *DATA_TOOLS, *_python_files("tests")]
MODULES = {_name(path): path for path in [*PACKAGE, *DATA_TOOLS]}


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _floor(module: str) -> int:
    """Return the floor of a module of oldphoto, its own or that of its folder."""
    name = module.removeprefix("oldphoto").removeprefix(".") or "__init__"
    folder = name.partition(".")[0]
    if name in FLOOR_OF:
        return FLOOR_OF[name]
    # A new file in networks/ has to be put on a floor: that folder reaches over several.
    assert folder in FLOOR_OF and folder != "networks", f"{name} is on no floor: add it to FLOORS"
    return FLOOR_OF[folder]


def _imports(path: Path, nodes: Iterator[ast.AST] | None = None) -> Iterator[tuple[int, str]]:
    """Yield line and dotted name of every import of a file, or of the given nodes of it."""
    for node in nodes or ast.walk(_parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_relative(path)}, line {node.lineno}: write the full name"
            base = node.module
            for alias in node.names:  # "from oldphoto import losses" names a file, too
                inner = f"{base}.{alias.name}"
                yield node.lineno, inner if inner in MODULES else base


def _at_the_top(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the imports that run when the file is imported: not those inside functions."""
    waiting: list[ast.AST] = [_parsed(path)]
    found = []
    while waiting:
        node = waiting.pop()
        found.append(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))
    return _imports(path, iter(found))


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


@pytest.mark.parametrize("path", PACKAGE, ids=_relative)
def test_imports_only_go_down(path):
    here = _floor(_name(path))
    for line, module in _imports(path):
        where = f"{_relative(path)}, line {line}: {module}"
        assert not _is_in(module, "data_tools") and not _is_in(module, "tests"), where
        if _is_in(module, "oldphoto"):
            assert _floor(module) <= here, f"{where} is on floor {_floor(module)}, above {here}"


@pytest.mark.parametrize("path", DATA_TOOLS, ids=_relative)
def test_data_tools_use_the_lower_floors_alone(path):
    for line, module in _imports(path):
        where = f"{_relative(path)}, line {line}: {module}"
        assert not _is_in(module, "tests"), where
        if _is_in(module, "oldphoto"):
            assert _floor(module) <= HIGHEST_FOR_DATA_TOOLS, f"{where} is on a higher floor"


def test_no_name_is_on_two_floors():
    names = " ".join(FLOORS.values()).split()
    assert len(names) == len(FLOOR_OF)


def test_no_file_imports_itself_by_a_detour():
    graph = {
        name: {module for _, module in _at_the_top(path) if module in MODULES and module != name}
        for name, path in MODULES.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("files import each other in a circle: " + " -> ".join(error.args[1]))


def test_importing_oldphoto_stays_light():
    waiting, seen = ["oldphoto"], set()
    while waiting:
        name = waiting.pop()
        for line, module in _at_the_top(MODULES[name]):
            root = module.partition(".")[0]
            where = f"{_relative(MODULES[name])}, line {line}"
            assert root not in HEAVY, f"{where}: import {root} where it is used, not at the top"
            if module in MODULES and module not in seen:
                seen.add(module)
                waiting.append(module)


@pytest.mark.parametrize("path", EVERYTHING, ids=_relative)
def test_files_and_functions_are_small(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MAX_FILE, f"{len(lines)} lines, more than {MAX_FILE}"
    for number, line in enumerate(lines, start=1):
        assert len(line) <= MAX_COLUMNS, f"line {number} has {len(line)} columns"
    for node in ast.walk(_parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            limit = LONGER_FUNCTIONS.get((_relative(path), node.name), MAX_FUNCTION)
            length = node.end_lineno - node.lineno + 1
            assert length <= limit, f"{node.name} has {length} lines, more than {limit}"
