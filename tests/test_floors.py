"""The layout of the package: one folder, one floor, and imports only go down.

``python tests/test_floors.py`` prints the rooms, the floors and the imports between rooms.
"""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the ground up. A room is a folder or a file directly in oldphoto/.
FLOORS = [
    "checks",
    "config losses degradations system samples",
    "images networks",
    "data metrics weights",
    "training inference",
    "archive evaluation",
    "course",
    "cli",
    "__init__ __main__ provenance",
]
# The same inside oldphoto/course/. A lesson is a folder of its own.
COURSE_FLOORS = [
    "figures command_line",
    "widgets predictions trace setting_up common diagrams",
    "__init__",
    "lessons study publishing brush",
    "exercises doctor",
]
HIGHEST_FLOOR_FOR_DATA_TOOLS = 3  # data
MAX_ROOMS, MAX_EDGES = 20, 90
# Imported where they are used, so that ``import oldphoto`` and ``--help`` stay fast.
HEAVY = {
    "scrapy",
    "pandas",
    "matplotlib",
    "papermill",
    "jupyterlab",
    "IPython",
    "ipywidgets",
    "anywidget",
}


def _floor_of(floors: list[str]) -> dict[str, int]:
    return {room: floor for floor, rooms in enumerate(floors) for room in rooms.split()}


FLOOR_OF, COURSE_FLOOR_OF = _floor_of(FLOORS), _floor_of(COURSE_FLOORS)


def _modules(folder: str) -> dict[str, Path]:
    """Return the files of a package by dotted name; a folder's name stands for its __init__."""
    found = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


PACKAGE, DATA_TOOLS = _modules("oldphoto"), _modules("data_tools")
MODULES = PACKAGE | DATA_TOOLS


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def _room(module: str, inside: str = "oldphoto") -> str:
    """Return the folder or file directly inside a package that a module belongs to."""
    return module.removeprefix(inside).removeprefix(".").partition(".")[0] or "__init__"


def _imports(nodes: Iterator[ast.AST]) -> Iterator[tuple[int, str]]:
    """Yield line and module of each import; ``from oldphoto import losses`` names a module."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"line {node.lineno}: write the full name"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield node.lineno, inner if inner in MODULES else node.module


def _all_imports(path: Path) -> Iterator[tuple[int, str]]:
    return _imports(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def _imports_at_the_top(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the imports that run when the file is imported: not those inside functions."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    found = []
    while waiting:
        node = waiting.pop()
        found.append(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))
    return _imports(iter(found))


def edges_between_rooms() -> set[tuple[str, str]]:
    """Return which room imports which."""
    return {
        (_room(name), _room(module))
        for name, path in PACKAGE.items()
        for _, module in _all_imports(path)
        if _is_in(module, "oldphoto") and _room(module) != _room(name)
    }


def test_every_room_is_on_a_floor_and_there_are_few():
    assert {_room(name) for name in PACKAGE} == set(FLOOR_OF)
    assert {_room(n, "oldphoto.course") for n in PACKAGE if _is_in(n, "oldphoto.course")} == set(
        COURSE_FLOOR_OF
    )
    assert len(FLOOR_OF) <= MAX_ROOMS
    assert len(edges_between_rooms()) <= MAX_EDGES


@pytest.mark.parametrize("name", PACKAGE)
def test_imports_only_go_down(name):
    room = _room(name)
    for line, module in _all_imports(PACKAGE[name]):
        where = f"{_relative(PACKAGE[name])}, line {line}: {module}"
        assert not _is_in(module, "data_tools") and not _is_in(module, "tests"), where
        if _is_in(module, "oldphoto") and _room(module) != room:
            assert FLOOR_OF[_room(module)] < FLOOR_OF[room], f"{where} is not below {room}"


@pytest.mark.parametrize("name", [n for n in PACKAGE if _is_in(n, "oldphoto.course")])
def test_imports_inside_the_course_only_go_down(name):
    room = _room(name, "oldphoto.course")
    for line, module in _all_imports(PACKAGE[name]):
        where = f"{_relative(PACKAGE[name])}, line {line}: {module}"
        other = _room(module, "oldphoto.course")
        if _is_in(module, "oldphoto.course") and other != room:
            assert COURSE_FLOOR_OF[other] < COURSE_FLOOR_OF[room], f"{where} is not below {room}"
        lessons = "oldphoto.course.lessons"
        if _is_in(name, lessons) and _is_in(module, lessons):
            assert _room(module, lessons) == _room(name, lessons), f"{where} is another lesson"


@pytest.mark.parametrize("name", DATA_TOOLS)
def test_data_tools_use_the_lower_floors_alone(name):
    for line, module in _all_imports(DATA_TOOLS[name]):
        where = f"{_relative(DATA_TOOLS[name])}, line {line}: {module}"
        assert not _is_in(module, "tests"), where
        if _is_in(module, "oldphoto"):
            assert FLOOR_OF[_room(module)] <= HIGHEST_FLOOR_FOR_DATA_TOOLS, where


def test_no_file_imports_itself_by_a_detour():
    graph = {
        name: {m for _, m in _imports_at_the_top(path) if m in MODULES and m != name}
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
        for line, module in _imports_at_the_top(MODULES[name]):
            where = f"{_relative(MODULES[name])}, line {line}"
            assert module.partition(".")[0] not in HEAVY, (
                f"{where}: import {module} where it is used"
            )
            if module in MODULES and module not in seen:
                seen.add(module)
                waiting.append(module)


def main() -> None:
    """Print the layout as it is."""
    edges = edges_between_rooms()
    print(f"{len(FLOOR_OF)} rooms, {len(FLOORS)} floors, {len(edges)} imports between rooms")
    for rooms in reversed(FLOORS):
        for room in rooms.split():
            below = sorted(to for start, to in edges if start == room)
            print(f"  {room:<14} <- {' '.join(below)}")


if __name__ == "__main__":
    main()
