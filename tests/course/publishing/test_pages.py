"""The page of a batch run: links to the pages that notebooks wrote, and their pictures once."""

import re

from PIL import Image

from oldphoto.course.publishing.notebooks import all_notebooks, read_notebook
from oldphoto.course.publishing.pages import markdown_html, write_pages
from oldphoto.course.publishing.runner import Result


def test_a_contact_sheet_is_linked_and_its_photos_are_not_shown_again(make_notebook, tmp_path):
    notebook = read_notebook(make_notebook())
    files = tmp_path / "out" / "files" / notebook.name
    (files / "my photos" / "restored").mkdir(parents=True)
    (files / "my photos" / "contact_sheet.html").write_text("<p>sheet</p>", encoding="utf-8")
    for path in (files / "my photos" / "restored" / "aunt.png", files / "elsewhere.png"):
        Image.new("RGB", (4, 4)).save(path)
    result = Result(notebook.name, "", 1.0, 2**20)
    text = write_pages([notebook], [result], tmp_path / "out").read_text(encoding="utf-8")
    address = f"files/{notebook.name}/my%20photos/contact_sheet.html"
    assert f'<a href="{address}">contact sheet</a>' in text
    assert "elsewhere</figcaption>" in text and "aunt" not in text


def test_norm_bars_are_a_pair_with_their_index_outside():
    for bars in (r"\lVert a - b \rVert_1", r"\big\lVert a - b \big\rVert_1"):
        html = markdown_html(f"$$ {bars} $$")
        inside = re.search(r"<msub><mrow>(.*?)</mrow><mn>1</mn></msub>", html)
        assert inside and inside[1].count("&#x02016;") == 2 and "\\" not in html


def test_no_formula_of_the_course_shows_latex():
    for notebook in all_notebooks():
        for cell in notebook.node.cells:
            if cell.cell_type == "markdown" and "$" in cell.source:
                formulas = re.findall(r"<math.*?</math>", markdown_html(cell.source), re.DOTALL)
                left = [found for one in formulas for found in re.findall(r"\\[A-Za-z]+", one)]
                assert left == [], f"{notebook.name}: {left}"
