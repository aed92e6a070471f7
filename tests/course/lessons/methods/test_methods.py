"""The laboratory of methods: the same photos for all, a short lesson, looks inside, the slider."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import ipywidgets
import numpy as np
import pytest
import torch
from matplotlib import pyplot

from oldphoto.checks import InputError
from oldphoto.course.lessons.methods import methods as lab
from oldphoto.course.lessons.methods import view
from oldphoto.evaluation.baselines import dip
from oldphoto.evaluation.baselines.common import require_photo_and_mask
from oldphoto.evaluation.comparison import ComparedMethod, MethodResult
from oldphoto.evaluation.methods import BASELINES
from oldphoto.evaluation.test_photos import HOLE_RATIO
from oldphoto.metrics.fidelity import psnr
from oldphoto.samples import sample_names
from oldphoto.weights.store import read_card

QUICK = dip.DIPConfig(width=8, depth=2, noise_channels=4, num_steps=14, window=3)


@pytest.fixture(scope="module")
def photos():
    return lab.held_out_photos(3)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """A folder in which Pix2Pix has had the shortest lesson."""
    folder = tmp_path_factory.mktemp("six_ways")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lab, "LIVE_CROPS", 16)
        lesson = lab.teach_pix2pix(folder)
    assert lesson.num_crops == 16 and lesson.seconds > 0 and lesson.log["step"][-1] == 4
    return folder


def test_photos_are_held_out_damaged_and_repeat(photos):
    assert [p.name for p in photos] == sample_names("held_out")[:3]
    for photo in photos:
        assert photo.clean.shape == photo.degraded.shape == (lab.SIDE, lab.SIDE, 3)
        assert require_photo_and_mask(photo.degraded, photo.scratch_mask).mean() > HOLE_RATIO[0] / 2
        assert (photo.degraded[photo.scratch_mask] == 255).all()
        assert psnr(photo.degraded, photo.clean) < 25
    again, other = lab.held_out_photos(1)[0], lab.held_out_photos(1, seed=1)[0]
    assert np.array_equal(again.degraded, photos[0].degraded)
    assert not np.array_equal(other.degraded, photos[0].degraded)
    with pytest.raises(InputError, match="expected 1 to 8 photos, got 9"):
        lab.held_out_photos(9)


def test_noisy_photo_has_the_noise_and_the_hole_that_it_says():
    photo = lab.noisy_photo("lighthouse", sigma=20.0)
    assert photo.clean.shape == (64, 64, 3) and photo.scratch_mask.sum() == 8 * 16
    sound = (photo.degraded.astype(float) - photo.clean)[~photo.scratch_mask]
    assert 15 < sound.std() < 21  # clipping takes a little
    assert (photo.degraded[photo.scratch_mask] == 255).all()


def test_a_call_is_answered_by_a_form_or_by_the_words_of_the_refusal():
    pixels = np.zeros((16, 20, 3), np.uint8)
    assert lab.answer_to(lambda photo, mask: photo, pixels, None) == "served, uint8 (16, 20, 3)"
    wrong = lab.answer_to(
        lambda *job: require_photo_and_mask(*job) and pixels, pixels, pixels[..., 0]
    )
    assert wrong == "expected a scratch mask as bool (16, 20), got uint8 (16, 20)"
    with pytest.raises(ZeroDivisionError):  # an error of the method itself is not hidden
        lab.answer_to(lambda photo, mask: 1 / 0, pixels, None)


def test_live_training_has_the_settings_of_the_checkpoint_but_fewer_crops():
    live, card = lab.live_preset(times=3), read_card(BASELINES / "pix2pix.json")
    shipped = card["training"]["stage"] | {"num_photos": 3 * lab.LIVE_CROPS}
    assert json.loads(json.dumps(asdict(live.train))) == shipped
    assert asdict(live.network) == card["config"]
    assert card["training"]["stage"]["num_photos"] > 3 * lab.LIVE_CROPS


def test_every_row_of_the_table_is_there_in_the_order_of_the_slides(photos):
    rows = lab.all_methods()
    names = ["Input", "Classical", "Attention", "DIP", "Pix2Pix", "Sequential", "CycleGAN"]
    names += ["ours without partial non-local", "ours with partial non-local", lab.AS_SHIPPED]
    assert list(rows) == [row.name for row in rows.values()] == names
    photo = photos[0]
    for name, row in rows.items():
        assert row.method is not None and (row.num_parameters > 0) == (name not in names[:2])
        if name not in ("DIP", "Classical", "Sequential"):  # they are slow, and tested elsewhere
            restored = row.method(photo.degraded, photo.scratch_mask)
            assert np.asarray(restored).shape == photo.clean.shape
    assert rows[names[-1]].note != rows[names[-2]].note  # trained with another budget


def test_all_networks_of_one_budget_have_seen_as_many_crops():
    rows = lab.budgets()
    assert {"attention", "cyclegan", "pix2pix", "ours/mapping_scratch"} <= {row[0] for row in rows}
    assert len({num for _, num, _ in rows}) == 1 and all(0 < size < 1000 for _, _, size in rows)


def test_a_lesson_repeats_and_leaves_the_random_numbers_alone(run, tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "LIVE_CROPS", 16)
    before = torch.get_rng_state()
    lab.teach_pix2pix(tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    name = "weights/pix2pix.safetensors"
    assert (run / name).read_bytes() == (tmp_path / name).read_bytes()


def test_falls_are_read_from_the_log_of_a_lesson():
    log = {"step": np.arange(6), "l1": np.array([4.0, 5, 6, 3, 2, 1])}
    lesson = lab.Lesson(8, 1.0, log)
    assert lesson.fall("l1") == (5, 2)
    fig = view.draw_lesson(lesson, "l1")
    assert fig.axes[0].lines[0].get_ydata().tolist() == log["l1"].tolist()
    pyplot.close(fig)


def test_a_traced_fit_is_the_one_of_the_method():
    photo = lab.noisy_photo("lighthouse")
    fit = lab.trace_dip(photo, QUICK, shown=(5,))
    assert len(fit.loss) == len(fit.psnr) == len(fit.variance) == QUICK.num_steps
    assert set(fit.outputs) == {5, fit.stop, fit.best, QUICK.num_steps - 1}
    assert np.isinf(fit.variance[:2]).all() and np.isfinite(fit.variance[2:]).all()
    # The package stops by itself, and returns what the trace calls kept.
    method = dip.DIP(replace(QUICK, patience=QUICK.num_steps), device="cpu")
    restored = method(photo.degraded, photo.scratch_mask)
    assert np.array_equal(restored, fit.outputs[fit.stop])
    assert fit.psnr[fit.stop] == pytest.approx(psnr(restored, photo.clean), abs=0.05)
    assert fit.loss[-1] < fit.loss[0]


def test_a_fit_in_words_and_its_picture():
    fit = lab.Fit(2, [0.4, 0.2, 0.1, 0.05], [10, 14, 12, 11], [np.inf, 3, 1, 2])
    assert (fit.stop, fit.best) == (1, 1)
    assert view.fit_words(fit) == (
        "PSNR rises to 14.0 dB at step 1 and is 11.0 dB at step 3; early stopping keeps step 1, "
        "14.0 dB. The loss falls to 0.0500."
    )
    fig = view.draw_fit(fit)
    assert [len(axis.lines) for axis in fig.axes] == [3, 2]
    pyplot.close(fig)


def rows_of(photos) -> list[MethodResult]:
    shades = {"dark": 0, "grey": 128, "missing": None}
    made = []
    for name, shade in shades.items():
        row = MethodResult(ComparedMethod(name, None))
        if shade is not None:
            row.restored = [np.full_like(p.clean, shade + n) for n, p in enumerate(photos)]
        made.append(row)
    return made


def test_results_end_with_the_clean_photo_and_leave_out_what_was_not_measured(photos):
    results = view.results_of(rows_of(photos), photos[1], 1)
    assert list(results) == ["dark", "grey", "clean"]
    assert results["clean"] is photos[1].clean
    assert results["grey"].mean() == 129  # that of the second photo
    words = view.result_words("grey", results["grey"], photos[1].clean)
    assert words == f"grey: {psnr(results['grey'], photos[1].clean):.1f} dB."
    assert "no method has seen" in view.result_words("clean", photos[1].clean, photos[1].clean)


def test_slider_flips_through_methods_and_photos(photos):
    widget = view.methods_view(rows_of(photos), photos)
    photo, method, picture, log = widget.children
    assert isinstance(method, ipywidgets.SelectionSlider) and not method.continuous_update
    seen = {picture.value}
    for name in photo.options:
        photo.value = name
        for chosen in method.options:
            method.value = chosen
            results = view.results_of(rows_of(photos), photos[photo.index], photo.index)
            words = view.result_words(chosen, results[chosen], photos[photo.index].clean)
            assert words in picture.value and name in picture.value
            seen.add(picture.value)
    assert len(seen) == 9 and not log.outputs


def test_enlarged_photo_is_the_same_but_larger():
    pixels = np.full((4, 6, 3), 77, np.uint8)
    pixels[:, 3:] = 200
    large = np.asarray(view.enlarged(pixels, 2))
    assert large.shape == (8, 12, 3)
    assert (large[:, :3] == 77).all() and (large[:, -3:] == 200).all()


def test_degraded_photos_come_first_and_each_has_its_clean_one(photos):
    pictures = view.with_clean(photos[:2])
    first, second = (photo.name for photo in photos[:2])
    assert list(pictures) == [first, second, f"{first}, clean", f"{second}, clean"]
    assert pictures[second] == view.enlarged(photos[1].degraded, 2)
    assert pictures[f"{second}, clean"] == view.enlarged(photos[1].clean, 2)


def test_results_stand_between_the_degraded_and_the_clean_photo(photos):
    photo = photos[0]
    pictures = view.beside(photo, {"white": np.full_like(photo.clean, 255)})
    degraded = f"degraded, {psnr(photo.degraded, photo.clean):.1f} dB"
    white = f"white, {psnr(np.full_like(photo.clean, 255), photo.clean):.1f} dB"
    assert list(pictures) == [degraded, white, "clean"]
    assert pictures["clean"] == view.enlarged(photo.clean, 2)


def test_differences_are_drawn_where_they_lie():
    fig = view.draw_differences([("A", -1.0, -2.0, 0.5), ("B", 2.0, 1.0, 3.0)], "C")
    axis = fig.axes[0]
    assert [t.get_text() for t in axis.get_yticklabels()] == ["A", "B"]
    assert list(axis.lines[0].get_xdata()) == [-2.0, 0.5] and "that of C" in axis.get_xlabel()
    pyplot.close(fig)
