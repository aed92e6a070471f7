"""HTML pages: one frame for all of them, filled in by Jinja, which escapes every value."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

FRAME = Path(__file__).with_name("page.html.j2")


def html_page(title: str, body: str, style: str = "") -> str:
    """Return a whole HTML page.

    Args:
        title: plain text; it is escaped.
        body: HTML, put in as it is.
        style: CSS.

    >>> html_page("Cats & dogs", "<p>Hello</p>").splitlines()[5]
    '<title>Cats &amp; dogs</title>'
    """
    return fill_template(FRAME, title=title, body=Markup(body), style=Markup(style))


def fill_template(path: Path, **values: object) -> str:
    """Return a Jinja template filled in.

    Args:
        path: the template; it may begin with ``{% extends "page.html.j2" %}``.
        values: what its names stand for. Text is escaped unless it is ``Markup``.
    """
    environment = Environment(
        loader=FileSystemLoader([path.parent, FRAME.parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(path.name).render(values)
