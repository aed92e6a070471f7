"""The command ``collect``: wrong use ends in one sentence; its report and exit code are right."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from data_tools import collect
from oldphoto.checks import InputError


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    collect.add_arguments(parser)
    return parser.parse_args(words)


def usual(folder: Path, **changed: Any) -> argparse.Namespace:
    args = arguments("loc", "--query", "ferry", "--output", str(folder), "--contact", "me@my.org")
    return argparse.Namespace(**(vars(args) | changed))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"source": "google"}, "SOURCE must be one of loc, commons, .*; got 'google'"),
        ({"contact": ""}, "--contact is missing: give your mail or web address"),
        ({"contact": "me"}, "--contact must be a mail or web address like me@my.org, got 'me'"),
        ({"contact": "me@my.org\r\nX: y"}, "--contact must be a mail or web address"),
        ({"contact": "me@my.org) (x"}, "--contact must be a mail or web address"),
        ({"contact": "jürgen@my.org"}, "--contact must be a mail or web address"),
        ({"limit": 0}, "--limit must be at least 1, got 0"),
        ({"query": "  "}, "--query is empty"),
        ({"source": "flickr"}, "holders of a key only: set FLICKR_API_KEY, or pass --key"),
        ({"source": "europeana"}, "set EUROPEANA_API_KEY"),
        ({"source": "smithsonian"}, "set SMITHSONIAN_API_KEY"),
    ],
)
def test_wrong_use(
    changed: dict[str, Any], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FLICKR_API_KEY", "EUROPEANA_API_KEY", "SMITHSONIAN_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match=sentence) as caught:
        collect.run(usual(tmp_path / "new", **changed))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_output_must_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="--output must be a folder"):
        collect.run(usual(tmp_path / "file"))
    with pytest.raises(InputError, match="expected a folder that can be written to"):
        collect.run(usual(tmp_path / "file" / "below"))


@pytest.mark.parametrize("contact", ["me@my.org", "a.b+c@mail.my-museum.org", "https://my.org/us"])
def test_contacts(contact: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _run_with(monkeypatch, tmp_path, contact=contact)[0] == 0


def test_scrapy_is_asked_for_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "data_tools.collectors.crawl", None)
    with pytest.raises(InputError, match=r"collecting needs Scrapy .* pip install"):
        collect.run(usual(tmp_path))


def test_the_key_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLICKR_API_KEY", " from-env ")
    assert _run_with(monkeypatch, tmp_path, source="flickr")[1]["key"] == "from-env"
    assert _run_with(monkeypatch, tmp_path, source="flickr", key="given")[1]["key"] == "given"
    assert _run_with(monkeypatch, tmp_path, key="given")[1]["key"] == ""  # loc wants none


def test_report_and_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = _run_with(monkeypatch, tmp_path, failures=[("7", "status 404")])
    out, err = capsys.readouterr()
    assert code == 1
    assert "5 photos of this query in" in out
    assert "2 of them new, with 9 requests" in out
    assert "passed over: 4 items (licence not allowed)" in out
    assert "7: status 404" in err


def test_a_problem_is_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="could not be reached"):
        _run_with(monkeypatch, tmp_path, problem="loc could not be reached")


def _run_with(
    monkeypatch: pytest.MonkeyPatch, folder: Path, failures: Any = (), problem: str = "",
    **changed: Any,
) -> tuple[int, dict[str, Any]]:  # fmt: skip
    """Run the command with a crawl that does nothing; return exit code and what it was given."""
    pytest.importorskip("scrapy")
    from data_tools.collectors import crawl as module

    given: dict[str, Any] = {}

    def nothing(spider: Any, query: str, limit: int, out: Path, contact: str, key: str) -> Any:
        given.update(spider=spider, contact=contact, key=key)
        skipped = {"licence not allowed": 4}
        return module.Summary(5, 2, skipped, list(failures), problem, num_requests=9)

    monkeypatch.setattr(module, "crawl", nothing)
    return collect.run(usual(folder, **changed)), given
