"""Pipeline map: which module calls which, with shapes, parameters and time, as text or a figure.

Students of this method used to write ``print`` into every function to find out what runs when.
Hooks on the modules tell the same, of any network, without touching its code.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from html import escape
from typing import Any

import torch
from torch import Tensor, nn

from oldphoto.checks import InputError

_ROW, _INDENT, _WIDTH = 24, 18, 860
_SHAPES_FROM, _SIZE_TO, _TIME_TO = 390, 780, 850  # columns of the figure


@dataclass
class Call:
    """One call of one module.

    Attributes:
        name: where the module is, as in ``named_modules``; repeated calls get repeated entries.
        kind: its class.
        shapes_in, shapes_out: of all tensors that went in and came out.
        num_parameters: of the module with all that is in it.
        seconds: from call to return, the calls inside included.
        calls: those that it made itself.
    """

    name: str
    kind: str
    shapes_in: list[tuple[int, ...]]
    num_parameters: int
    shapes_out: list[tuple[int, ...]] = field(default_factory=list)
    seconds: float = 0.0
    calls: list["Call"] = field(default_factory=list)
    started: float = 0.0


@dataclass(frozen=True)
class Trace:
    """The calls of modules during one call, in order, each with the calls inside it."""

    calls: list[Call]
    result: Any

    def rows(self, depth: int = 3) -> Iterator[tuple[int, Call]]:
        """Yield (level, call) in order, down to a depth."""

        def walk(calls: Sequence[Call], level: int) -> Iterator[tuple[int, Call]]:
            for call in calls if level < depth else ():
                yield level, call
                yield from walk(call.calls, level + 1)

        return walk(self.calls, 0)

    def text(self, depth: int = 3) -> str:
        """Return the map as an indented table."""
        rows = [("module", "in -> out", "parameters", "ms")]
        for level, call in self.rows(depth):
            rows.append(("  " * level + _title(call), *_facts(call)))
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return "\n".join(
            f"{name:<{widths[0]}}  {shapes:<{widths[1]}}  {size:>{widths[2]}}  {ms:>{widths[3]}}"
            for name, shapes, size, ms in rows
        )

    def svg(self, depth: int = 3) -> str:
        """Return the map as a drawing: one row per call, with a bar for its time."""
        rows = list(self.rows(depth))
        whole = max((call.seconds for level, call in rows if level == 0), default=1.0) or 1.0
        parts = [_line(0, ("module", "in → out", "parameters", "ms"), indent=0, bold=True)]
        for number, (level, call) in enumerate(rows, start=1):
            width = max(1.0, (_WIDTH - 20) * call.seconds / whole)
            parts.append(
                f'<rect x="10" y="{number * _ROW + 3}" width="{width:.0f}" '
                f'height="{_ROW - 4}" fill="#56B4E9" opacity="0.25"/>'
            )
            parts.append(_line(number, (_title(call), *_facts(call)), level * _INDENT))
        height = (len(rows) + 1) * _ROW + 8
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" font-family="sans-serif" font-size="13">'
            f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>'
        )

    def describe(self, depth: int = 3) -> str:
        """Return the map in one sentence, as alternative text."""
        steps = [f"{_title(call)} ({_facts(call)[2]} ms)" for call in self.calls]
        total = 1000 * sum(call.seconds for call in self.calls)
        shown = sum(1 for _ in self.rows(depth))
        return (
            f"Map of {shown} module calls in {total:.1f} ms; outermost, in this order: "
            + ", then ".join(steps)
        )

    def show(self, depth: int = 3, caption: str = "") -> None:
        """Display the drawing with its description."""
        from oldphoto.course.figures import show_svg  # heavy: not needed for the text

        show_svg(self.svg(depth), alt=self.describe(depth), caption=caption)


def trace(function: Callable[..., Any], *inputs: Any, modules: Any = None, **options: Any) -> Trace:
    """Call a function and record every module that it calls.

    Args:
        function: a module, or any function that calls some.
        inputs, options: what it is called with.
        modules: a module, or name to module, whose parts get their names; None takes the function
            itself if it is a module, and else names modules by their class.

    Returns:
        The calls, and what the function returned.

    Raises:
        InputError: if no module was called.
    """
    names = _names(function if modules is None and isinstance(function, nn.Module) else modules)
    calls: list[Call] = []
    open_calls: list[Call] = []

    def enter(module: nn.Module, given: tuple) -> None:
        name = names.get(id(module), type(module).__name__)
        size = sum(parameter.numel() for parameter in module.parameters())
        call = Call(name, type(module).__name__, _shapes(given), size)
        (open_calls[-1].calls if open_calls else calls).append(call)
        open_calls.append(call)
        call.started = _now()

    def leave(module: nn.Module, given: tuple, output: Any) -> None:
        call = open_calls.pop()
        call.seconds = _now() - call.started
        call.shapes_out = _shapes(output)

    with ExitStack() as hooks:
        for hook in (
            nn.modules.module.register_module_forward_pre_hook(enter),
            nn.modules.module.register_module_forward_hook(leave, always_call=True),
        ):
            hooks.callback(hook.remove)
        result = function(*inputs, **options)
    if not calls:
        raise InputError(f"expected a function that calls modules, but {function} called none")
    return Trace(calls, result)


def _names(modules: Any) -> dict[int, str]:
    """Return the name of each module, by its identity."""
    if modules is None:
        return {}
    roots = {"": modules} if isinstance(modules, nn.Module) else dict(modules)
    found = {}
    for root_name, root in roots.items():
        for name, module in root.named_modules():
            joined = ".".join(part for part in (root_name, name) if part)
            found[id(module)] = joined or type(module).__name__
    return found


def _shapes(value: Any) -> list[tuple[int, ...]]:
    """Return the shapes of all tensors in nested lists, tuples and dictionaries."""
    if isinstance(value, Tensor):
        return [tuple(value.shape)]
    inner = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list | tuple):
        return []
    return [shape for one in inner for shape in _shapes(one)]


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def _title(call: Call) -> str:
    return call.name if call.name == call.kind else f"{call.name} ({call.kind})"


def _facts(call: Call) -> tuple[str, str, str]:
    """Return shapes, parameters and milliseconds as text."""
    shapes = f"{_join(call.shapes_in)} -> {_join(call.shapes_out)}"
    return shapes, f"{call.num_parameters:,}", f"{1000 * call.seconds:.1f}"


def _join(shapes: list[tuple[int, ...]]) -> str:
    """Return up to two shapes as text: 1x3x64x64."""
    texts = ["x".join(str(side) for side in shape) or "number" for shape in shapes]
    return ", ".join(texts[:2]) + (", ..." if len(texts) > 2 else "") if texts else "none"


def _line(number: int, cells: tuple[str, ...], indent: int = 0, bold: bool = False) -> str:
    y = (number + 1) * _ROW - 7
    weight = ' font-weight="bold"' if bold else ""
    places = (
        (14 + indent, "start"),
        (_SHAPES_FROM, "start"),
        (_SIZE_TO, "end"),
        (_TIME_TO, "end"),
    )
    return "".join(
        f'<text x="{x}" y="{y}" text-anchor="{anchor}"{weight}>{escape(cell)}</text>'
        for (x, anchor), cell in zip(places, cells, strict=True)
    )
