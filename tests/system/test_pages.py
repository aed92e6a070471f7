"""HTML pages: the frame is whole, and only HTML that is marked as such goes in unescaped."""

import jinja2
import pytest
from markupsafe import Markup

from oldphoto.system.pages import FRAME, fill_template


def test_page_is_whole_and_escapes_its_title():
    body, style = Markup("<p>text</p>"), Markup("p > b { color: red }")
    page = fill_template(FRAME, title="A < B", body=body, style=style)
    assert page.startswith("<!DOCTYPE html>\n") and page.endswith("</html>\n")
    assert "<title>A &lt; B</title>" in page
    assert "<p>text</p>" in page and "p > b { color: red }" in page


def test_template_extends_the_frame_and_escapes_values(tmp_path):
    template = tmp_path / "list.html.j2"
    text = '{% extends "page.html.j2" %}{% block body %}{{ name }}{{ link }}{% endblock %}'
    template.write_text(text, encoding="utf-8")
    page = fill_template(template, title="T", style="", name="<i>", link=Markup("<a>"))
    assert "&lt;i&gt;<a>" in page and "<title>T</title>" in page
    with pytest.raises(jinja2.UndefinedError, match="link"):
        fill_template(template, title="T", style="", name="a")
