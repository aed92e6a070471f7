"""The shapes that all drawings of the course are made of, as pieces of SVG.

Rounded boxes are data, slanted ones are networks, pages are files. Orange is old, sky blue is
synthetic degraded, green is clean, pink is damage, yellow is numbers, grey is a network.
"""

from html import escape

from oldphoto.course.figures import COLOURS

FONT = "font-family='system-ui, sans-serif'"
OF_DOMAIN = {
    "old": "orange",
    "degraded": "sky",
    "clean": "green",
    "damage": "pink",
    "number": "yellow",
}


def svg(width: int, height: int, title: str, words: str, parts: list[str]) -> str:
    """Return a whole drawing, with a title and a description for those who cannot see it."""
    arrowhead = (
        "<defs><marker id='tip' viewBox='0 0 10 10' refX='9' refY='5' markerWidth='8' "
        "markerHeight='8' orient='auto'><path d='M0 0L10 5L0 10z'/></marker></defs>"
    )
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' role='img' "
        f"width='{width}' height='{height}' style='max-width: 100%; height: auto'>"
        f"<title>{escape(title)}</title><desc>{escape(words)}</desc>{arrowhead}"
        f"<rect width='{width}' height='{height}' fill='white'/>{''.join(parts)}</svg>"
    )


def data_box(x: int, y: int, label: str, domain: str, width: int = 120) -> str:
    """A rounded box in the colour of its domain."""
    colour = COLOURS[OF_DOMAIN[domain]]
    return (
        f"<rect x='{x}' y='{y}' width='{width}' height='50' rx='14' fill='{colour}' "
        f"fill-opacity='0.35' stroke='{colour}' stroke-width='3'/>"
        + text(x + width // 2, y + 30, label, 15)
    )


def network_box(x: int, y: int, label: str, detail: str) -> str:
    """A slanted box: something that computes."""
    corners = f"{x + 12},{y} {x + 120},{y} {x + 108},{y + 50} {x},{y + 50}"
    return (
        f"<polygon points='{corners}' fill='#eeeeee' stroke='#333333' stroke-width='2'/>"
        + text(x + 60, y + 21, label, 15, "bold")
        + text(x + 60, y + 40, detail, 12)
    )


def file_box(x: int, y: int, label: str, detail: str, width: int = 120) -> str:
    """A page with a folded corner: a file."""
    fold = f"M{x + width - 14} {y}V{y + 14}H{x + width}"
    return (
        f"<path d='M{x} {y}H{x + width - 14}L{x + width} {y + 14}V{y + 50}H{x}Z{fold}' "
        "fill='white' stroke='black' stroke-width='2'/>"
        + text(x + width // 2, y + 22, label, 14)
        + text(x + width // 2, y + 41, detail, 12)
    )


def panel(x: int, y: int, width: int, height: int, label: str) -> str:
    """A pale field round things that belong together, with its name at the bottom."""
    return (
        f"<rect x='{x}' y='{y}' width='{width}' height='{height}' fill='#f6f6f6' "
        "stroke='#999999'/>" + text(x + width // 2, y + height - 10, label, 14, "bold")
    )


def stage_label(x: int, y: int, width: int, label: str) -> str:
    """A dashed label over what belongs to one stage of training."""
    return (
        f"<rect x='{x}' y='{y}' width='{width}' height='26' fill='white' stroke='#0072B2' "
        f"stroke-dasharray='6 4'/>" + text(x + width // 2, y + 18, label, 14)
    )


def text(x: int, y: int, label: str, size: int, weight: str = "normal") -> str:
    """Words, centred at x; y is the line they stand on."""
    return (
        f"<text x='{x}' y='{y}' text-anchor='middle' {FONT} font-size='{size}' "
        f"font-weight='{weight}' fill='black'>{escape(label)}</text>"
    )


def arrow(x1: int, y1: int, x2: int, y2: int) -> str:
    """A straight arrow."""
    return (
        f"<path d='M{x1} {y1}L{x2} {y2}' stroke='black' stroke-width='2' fill='none' "
        "marker-end='url(#tip)'/>"
    )


def curve(x1: int, y1: int, bend_x: int, bend_y: int, x2: int, y2: int, dashed: bool = True) -> str:
    """A bent arrow; dashed and pink is the way of the mask."""
    look = f"stroke='{COLOURS['pink']}' stroke-dasharray='7 4'" if dashed else "stroke='black'"
    return (
        f"<path d='M{x1} {y1}Q{bend_x} {bend_y} {x2} {y2}' {look} stroke-width='2' fill='none' "
        "marker-end='url(#tip)'/>"
    )
