"""The page of a batch run: links to the pages that notebooks wrote, and their pictures once."""

from PIL import Image

from oldphoto.course.notebooks import read_notebook
from oldphoto.course.pages import write_pages
from oldphoto.course.worker import Result


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
