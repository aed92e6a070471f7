"""HTML pages: one frame for all of them, filled in by Jinja, which escapes every value."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

FRAME = Path(__file__).with_name("page.html.j2")


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
