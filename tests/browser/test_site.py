"""The site in a real browser: links lead somewhere, the search finds, a phone shows all of it."""

from pathlib import Path

import pytest

from oldphoto.course.publishing.notebooks import all_notebooks
from oldphoto.course.publishing.site import NEEDED, write_site

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "out" / "screenshots"
PAGES = ("index", "04_autoencoders_and_vaes", "08_partial_nonlocal_block", "GLOSSARY", "EQUATIONS")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    for name in NEEDED:
        pytest.importorskip(name, reason="the site needs: pip install oldphoto[site]")
    return write_site(all_notebooks(ROOT / "notebooks"), tmp_path_factory.mktemp("site")).parent


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(390, 844), (1440, 900)])
def test_pages_fit_and_fetch_nothing(page, site, width, height, theme):
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme=theme)
    for name in PAGES:
        page.goto((site / f"{name}.html").as_uri())
        page.screenshot(path=SCREENSHOTS / f"site_{name}_{width}_{theme}.png")
        over = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(over) <= 1, f"{name} is wider than {width} px"
        colour = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, colour[4:-1].split(", ")[:3])) < 300) == (theme == "dark")
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert said == []


def test_local_links_lead_to_files(page, site):
    missing = []
    for path in sorted(site.rglob("*.html")):
        if "lectures" in path.parts:
            continue
        page.goto(path.as_uri(), wait_until="domcontentloaded")
        links = page.eval_on_selector_all("a[href]", "found => found.map(one => one.href)")
        local = {link.partition("#")[0].partition("?")[0] for link in links if "file:" in link}
        missing += [(path.name, link) for link in local if not Path(link[7:]).is_file()]
    assert missing == []


def test_the_search_finds_a_word(page, site):
    page.goto((site / "search.html").as_uri() + "?q=reparameterisation")
    page.wait_for_selector("ul.search li a", timeout=30_000)
    found = page.eval_on_selector_all("ul.search li a", "all => all.map(one => one.href)")
    assert any("04_autoencoders" in link for link in found)
