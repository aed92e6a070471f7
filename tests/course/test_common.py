"""Helpers of several lessons: photos, crops, PSNR, enlarging, threads and source code."""

from pathlib import Path

import pytest
import torch

from oldphoto import losses
from oldphoto.checks import InputError
from oldphoto.course import common
from oldphoto.course.common import (
    enlarged,
    one_thread,
    output_folder,
    psnr_of,
    random_crops,
    small_photos,
    source,
)
from oldphoto.networks.vae import VAE
from oldphoto.samples import sample_names
from oldphoto.training.objectives import frozen


@pytest.fixture(scope="module")
def photos() -> torch.Tensor:
    return small_photos("held_out", side=32)


def test_all_photos_of_a_kind_are_reduced_to_one_side(photos):
    assert photos.shape == (len(sample_names("held_out")), 3, 32, 32)
    assert -1 <= photos.min() < photos.max() <= 1
    with pytest.raises(InputError, match="side"):
        small_photos("clean", side=0)


def test_results_go_elsewhere_if_their_folder_cannot_be_written(tmp_path, capsys):
    assert output_folder(tmp_path / "out") == tmp_path / "out"
    assert capsys.readouterr().out == ""
    (tmp_path / "a file").touch()
    folder = output_folder(tmp_path / "a file" / "out")
    assert folder.is_dir() and tmp_path not in folder.parents
    sentence = capsys.readouterr().out
    assert "cannot be written" in sentence and str(folder) in sentence
    folder.rmdir()


def test_crops_are_parts_of_photos_and_repeat_with_the_seed():
    numbered = torch.arange(2 * 6 * 6.0).view(2, 1, 6, 6)  # each pixel tells where it comes from
    crops = random_crops(numbered, 20, 3, torch.Generator().manual_seed(1))
    for crop in crops[:, 0].long():
        photo, row, column = crop[0, 0] // 36, crop[0, 0] % 36 // 6, crop[0, 0] % 6
        assert torch.equal(crop, numbered[photo, 0, row : row + 3, column : column + 3].long())
    corners = crops[:, 0, 0, 0].long()
    assert {int(c) // 36 for c in corners} == {0, 1}
    assert {int(c) % 6 for c in corners} == {0, 1, 2, 3}  # the last column of all is reached too
    again = random_crops(numbered, 20, 3, torch.Generator().manual_seed(1))
    assert torch.equal(crops, again)


def test_a_crop_larger_than_the_photos_is_refused(photos):
    with pytest.raises(InputError, match="at most 32 px, got 33"):
        random_crops(photos, 1, 33, torch.Generator())


def test_psnr_has_the_value_computed_by_hand():
    clean = torch.zeros(2, 3, 4, 4)
    output = clean + torch.tensor([0.2, 0.02])[:, None, None, None]
    # 4 / 0.2^2 = 100 is 20 dB; a tenth of the error is 20 dB more.
    torch.testing.assert_close(psnr_of(output, clean), torch.tensor([20.0, 40.0]))


def test_enlarged_pixels_stay_squares(photos):
    image = enlarged(photos[0], times=3)
    assert image.size == (96, 96)
    assert len({image.getpixel((x, y)) for x in (3, 4, 5) for y in (6, 7, 8)}) == 1


def test_one_thread_is_given_back():
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("obj", [VAE, VAE.forward, losses.l1_loss])
def test_source_shows_the_code_and_links_to_its_lines(obj):
    page = source(obj).data
    place = page.partition("blob/main/")[2].partition('"')[0]
    path, _, lines = place.partition("#")
    first, last = (int(number.lstrip("L")) for number in lines.split("-"))
    text = (Path(__file__).parents[2] / path).read_text(encoding="utf-8").splitlines()
    assert obj.__name__ in text[first - 1]
    assert text[last - 1].strip() and text[last - 1].strip() in page.replace("&gt;", ">")
    assert page.count("<details>") == page.count("</details>") == 1


def test_source_of_a_decorated_function_is_its_own():
    page = source(frozen).data
    assert "oldphoto.training.objectives.frozen" in page and "@contextmanager" in page


def test_source_escapes_code_and_refuses_what_is_not_the_packages():
    assert "-&gt; Tensor" in source(losses.l1_loss).data
    for foreign in (torch.nn.Linear, 3, len):
        with pytest.raises(InputError, match="of the package"):
            source(foreign)


def test_source_of_an_installed_package_takes_the_address_from_its_metadata(monkeypatch, tmp_path):
    by_checkout = common._files_url()
    assert by_checkout.startswith("https://github.com/")
    monkeypatch.setattr(common, "ROOT", tmp_path)  # no pyproject.toml here
    assert common._files_url() == by_checkout
    (tmp_path / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    assert common._files_url() == ""
