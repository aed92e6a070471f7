"""SVG pieces for the drawings that depend on numbers."""

from html import escape

FONT = "font-family='system-ui, sans-serif'"


def svg(width: int, height: int, title: str, words: str, parts: list[str]) -> str:
    """Return a whole drawing, with a title and a description for those who cannot see it."""
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' role='img' "
        f"width='{width}' height='{height}' style='max-width: 100%; height: auto'>"
        f"<title>{escape(title)}</title><desc>{escape(words)}</desc>"
        f"<rect width='{width}' height='{height}' fill='white'/>{''.join(parts)}</svg>"
    )


def text(x: int, y: int, label: str, size: int, weight: str = "normal") -> str:
    """Words, centred at x; y is the line they stand on."""
    return (
        f"<text x='{x}' y='{y}' text-anchor='middle' {FONT} font-size='{size}' "
        f"font-weight='{weight}' fill='black'>{escape(label)}</text>"
    )
