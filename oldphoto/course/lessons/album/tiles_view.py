"""A drawing of the tiles of a scan, with controls for its size and the memory limit."""

from collections.abc import Mapping

import ipywidgets

from oldphoto.course.diagrams.parts import svg, text
from oldphoto.course.figures import COLOURS, figure_html
from oldphoto.course.lessons.album.reports import scan_size
from oldphoto.course.lessons.album.tiles import TilePlan, make_plan, plan_words
from oldphoto.course.widgets import picture_view, slider
from oldphoto.inference.memory_plan import WorkingMemory
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.system.memory import GIB

PRINTS = {"9 x 13 cm": (9, 13), "10 x 15 cm": (10, 15), "18 x 24 cm": (18, 24)}
RESOLUTIONS = (150, 300, 600, 1200)
_MIB = 2**20
_PANEL = 320  # width of one photo's field
_LONGEST = 290  # longer side of the drawn photo
_TOP = 10


def draw_plans(plans: Mapping[str, TilePlan]) -> str:
    """Draw photos side by side, each cut into its tiles, as SVG text.

    Tiles are transparent, so their overlaps are darker. All photos are drawn at the same size. A
    photo that does not fit has a dashed outline and no tiles.

    Args:
        plans: plans by the title below each photo.
    """
    parts = [
        part
        for number, (title, plan) in enumerate(plans.items())
        for part in _panel(plan, title, _PANEL * number)
    ]
    words = " ".join(plan_words(plan) for plan in plans.values())
    height = _TOP + 30 + max(round(_scaled(plan)[0]) for plan in plans.values())
    return svg(_PANEL * len(plans), height, "Tiles of a scan", words, parts)


def _scaled(plan: TilePlan) -> tuple[float, float]:
    """Return height and width of the drawn photo."""
    scale = _LONGEST / max(plan.size)
    return plan.size[0] * scale, plan.size[1] * scale


def _panel(plan: TilePlan, title: str, left: int) -> list[str]:
    height, width = _scaled(plan)
    scale, left = width / plan.size[1], left + round((_PANEL - width) / 2)
    dashes = "stroke-dasharray='8 6'" if plan.refusal else ""
    parts = [_box(left, _TOP, width, height, f"fill='white' stroke='black' {dashes}")]
    look = f"fill='{COLOURS['sky']}' fill-opacity='0.35' stroke='black'"
    for rows, columns in plan.places:
        top, first = _TOP + scale * rows.start, left + scale * columns.start
        sides = scale * (columns.stop - columns.start), scale * (rows.stop - rows.start)
        parts.append(_box(first, top, *sides, look))
    middle = left + round(width / 2)
    if plan.refusal:
        parts.append(text(middle, _TOP + round(height / 2), "does not fit", 15, "bold"))
    return [*parts, text(middle, _TOP + round(height) + 22, title, 15)]


def _box(left: float, top: float, width: float, height: float, look: str) -> str:
    return f"<rect x='{left:.1f}' y='{top:.1f}' width='{width:.1f}' height='{height:.1f}' {look}/>"


def tiles_view(network: RestorationNetwork, memory: WorkingMemory) -> ipywidgets.Widget:
    """Return a widget to choose print, resolution, mask and memory; it shows tiles and their cost.

    Args:
        network: network whose layer sizes are used.
        memory: memory prediction of that network.
    """
    photo = ipywidgets.Dropdown(options=list(PRINTS), value="10 x 15 cm", description="print")
    dpi = ipywidgets.Dropdown(options=RESOLUTIONS, value=600, description="dpi")
    masked = ipywidgets.Checkbox(value=True, description="with a mask")
    allowed = slider("memory allowed, in MiB", 1024, 256, 8192, step=256)

    def html() -> str:
        size = scan_size(PRINTS[photo.value], dpi.value)
        plan = make_plan(network, memory, size, masked.value, allowed.value * _MIB)
        words = plan_words(plan)
        drawing = draw_plans({f"{photo.value}, {dpi.value} dpi, {plan.budget / GIB:g} GiB": plan})
        image = figure_html("image/svg+xml", drawing.encode(), words)
        return f"{image}<p>{words}</p>"

    return picture_view([photo, dpi, masked, allowed], html)
