"""The report counts right, and the attribution page names and links everything safely."""

from html.parser import HTMLParser

from data_tools.catalogue import CatalogueRow, write_catalogue
from data_tools.cli import main
from data_tools.report import attribution_page, attribution_text, count_tables

ROWS = [
    CatalogueRow(
        "a.jpg",
        width=300,
        height=200,
        mode="L",
        split="train",
        source="loc",
        title="The mill",
        creator="A. Smith",
        date="1905",
        licence="CC BY 4.0",
        licence_url="https://creativecommons.org/licenses/by/4.0/",
        item_url="https://example.org/item/1",
    ),
    CatalogueRow("b.jpg", width=2000, height=3000, mode="RGB", split="test", source="loc"),
    CatalogueRow("x/c.jpg", status="set_aside", reason="tiny: 9 x 9 px", title="Not to be named"),
]


class Links(HTMLParser):
    """Collects the links and the tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links, self.tags = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name == "href"]


def test_counts():
    tables = count_tables(ROWS)
    assert tables["All photos"] == {"kept": 2, "tiny": 1}
    assert tables["Colour mode"] == {"L": 1, "RGB": 1}
    assert tables["Split"] == {"train": 1, "test": 1}
    assert tables["Short side"] == {"below 256 px": 1, "below 2048 px": 1}
    assert tables["Licence"] == {"CC BY 4.0": 1, "not stated": 1}


def test_attribution_has_title_creator_source_and_licence_with_links():
    page = attribution_page(ROWS[:2])
    assert "The mill" in page
    assert "by A. Smith, 1905, loc" in page
    assert Links(page).links == [ROWS[0].item_url, ROWS[0].licence_url]
    text = attribution_text(ROWS[:2])
    assert "[The mill](https://example.org/item/1), by A. Smith" in text
    assert "[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)" in text
    assert "b.jpg, by unknown creator, loc. Licence: not stated." in text


def test_nothing_that_a_catalogue_holds_becomes_code():
    row = CatalogueRow(
        "a.jpg",
        title="<script>alert(1)</script> [x](javascript:alert(1))",
        creator='"><img src=x>',
        item_url="javascript:alert(1)",
        licence_url='https://x.org/" onclick="alert(1)',
    )
    page = Links(attribution_page([row]))
    assert set(page.tags) <= {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "h1",
        "ul",
        "li",
        "a",
    }
    assert page.links == ['https://x.org/" onclick="alert(1)']
    text = attribution_text([row])
    assert "\\[x\\](javascript:" in text  # an escaped bracket begins no link
    assert "\\<script\\>" in text


def test_command_writes_the_pages_and_prints_the_counts(tmp_path, capsys):
    write_catalogue(tmp_path / "catalogue.csv", ROWS)
    assert main(["report", str(tmp_path), "--output", str(tmp_path / "pages")]) == 0
    out = capsys.readouterr().out
    assert "tiny" in out
    assert "CC BY 4.0" in out
    page = (tmp_path / "pages" / "report.html").read_text(encoding="utf-8")
    assert "<td>kept</td><td>2</td>" in page
    for name in ("attribution.html", "ATTRIBUTION.md"):
        text = (tmp_path / "pages" / name).read_text(encoding="utf-8")
        assert "The mill" in text
        assert "Not to be named" not in text


def test_contact_sheets_beside_the_page_are_shown(tmp_path):
    write_catalogue(tmp_path / "catalogue.csv", ROWS)
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "kept_01.jpg").write_bytes(b"x")
    main(["report", str(tmp_path)])
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert '<img src="kept_01.jpg"' in page


def test_folder_without_catalogue_is_one_sentence_and_exit_code_2(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert "expected a catalogue at" in capsys.readouterr().err
