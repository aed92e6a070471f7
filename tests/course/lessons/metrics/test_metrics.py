"""The laboratory of measures: terms of SSIM, biases, pairs, and the blind test played through."""

import ipywidgets
import numpy as np
import pytest
from skimage.metrics import structural_similarity

from oldphoto.checks import InputError
from oldphoto.course.lessons.metrics import blind_test as blind
from oldphoto.course.lessons.metrics import metrics as lab
from oldphoto.course.lessons.metrics import view
from oldphoto.evaluation.comparison import Metric, metrics
from oldphoto.metrics.fidelity import psnr, ssim
from oldphoto.metrics.perceptual import SQUEEZE_LABEL
from oldphoto.samples import sample_photo

RNG = np.random.default_rng(0)
CLEAN = RNG.integers(30, 220, (40, 48, 3), dtype=np.uint8)
METRICS = [
    Metric("PSNR", 2, True, of_pair=psnr),
    Metric("gone", 3, False, missing="needs a file"),
    Metric("brightness", 1, False, of_pair=lambda output, clean: abs(output.mean() - clean.mean())),
]


def pair(name: str) -> blind.Pair:
    lighter, noisy = (blind.at_psnr(CLEAN, change, 25.0) for change in ("lighter", "noise"))
    return blind.Pair(name, CLEAN, {"lighter": lighter, "noise": noisy})


TERMS = ("luminance", "contrast", "structure")
PAIRS = [pair(name) for name in ("boat", "cat", "door")]
JUDGED = [blind.judge(one, METRICS) for one in PAIRS]


@pytest.fixture(scope="module")
def real():
    """The pairs of the notebook and what the metrics say of them."""
    return [blind.judge(one, metrics()) for one in blind.make_pairs()]


# --- measures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["noise", "blur", "less contrast"])
def test_terms_of_ssim_multiply_to_the_packages_ssim(change):
    changed = blind.at_psnr(CLEAN, change, 24.0)
    maps = lab.ssim_maps(changed, CLEAN)
    assert maps.ssim.shape == (30, 38, 3)
    assert maps.ssim.mean() == pytest.approx(ssim(changed, CLEAN), abs=1e-6)
    _, full = structural_similarity(
        *(p[..., 1].astype(float) for p in (changed, CLEAN)),
        data_range=255,
        gaussian_weights=True,
        use_sample_covariance=False,
        full=True,
    )
    np.testing.assert_allclose(maps.ssim[..., 1], full[5:-5, 5:-5], atol=1e-6)


def test_each_term_answers_to_its_own_damage():
    photo = sample_photo("rooster")
    for change, answers in zip(("lighter", "less contrast", "noise"), TERMS, strict=True):
        changed = blind.at_psnr(photo, change, 22.0)
        means = lab.ssim_terms(changed, photo)
        assert means.pop("SSIM") == pytest.approx(ssim(changed, photo), abs=1e-6)
        assert min(means, key=means.get) == answers
    negative = lab.ssim_maps(255 - CLEAN, CLEAN)
    assert negative.structure.max() < -0.9


def test_window_weights_are_scikit_images():
    weights = lab.window_weights()
    assert weights.shape == (11, 11) and weights.sum() == pytest.approx(1)
    assert weights[5, 6] / weights[5, 5] == pytest.approx(np.exp(-1 / 4.5))


def test_photos_too_small_or_unlike_are_refused():
    with pytest.raises(InputError, match="at least 11 pixels"):
        lab.ssim_maps(CLEAN[:10], CLEAN[:10])
    with pytest.raises(InputError, match="one size"):
        lab.ssim_maps(CLEAN[:20], CLEAN)


def test_normalised_brightness_by_hand():
    grey = CLEAN[..., 0]
    steps = np.arange(-3, 4)
    one_way = np.exp(-(steps**2) / (2 * (7 / 6) ** 2))
    weights = np.outer(one_way, one_way) / one_way.sum() ** 2
    window = grey[17:24, 8:15].astype(float)  # around row 20, column 11
    mean = (weights * window).sum()
    spread = np.sqrt((weights * (window - mean) ** 2).sum())
    expected = (grey[20, 11] - mean) / (spread + 1)
    assert lab.normalised_brightness(grey)[20, 11] == pytest.approx(expected)
    assert np.abs(lab.normalised_brightness(np.full((9, 9), 77))).max() < 1e-6


def test_frechet_distance_of_one_distribution_falls_with_the_number():
    bias = lab.frechet_bias((20, 80, 320), num_features=8, num_repeats=6)
    means = [np.mean(values) for values in bias.values()]
    assert list(bias) == [20, 80, 320] and all(len(values) == 6 for values in bias.values())
    assert means[0] > 3 * means[1] > 9 * means[2] > 0
    again = lab.frechet_bias((20,), num_features=8, num_repeats=1)
    assert again[20] == bias[20][:1]


def test_intervals_of_few_photos_are_too_short():
    few, many = lab.coverage(4, 200), lab.coverage(60, 200)
    assert few < 0.85 < many <= 1
    with pytest.raises(InputError, match="num_studies"):
        lab.coverage(4, 0)


# --- pairs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", blind.CHANGES)
def test_changes_reach_the_psnr_that_is_asked_for(change):
    photo = sample_photo("rooster")
    for decibels in (22.0, 30.0):
        reached = psnr(blind.at_psnr(photo, change, decibels), photo)
        # A blur cannot go far, whole grey levels jump.
        assert abs(reached - decibels) < 0.6
    with pytest.raises(InputError, match="change"):
        blind.at_psnr(photo, "rain", 30.0)


def test_moving_and_turning_keep_the_middle():
    dot = np.zeros((41, 41, 3), np.uint8)
    dot[20, 20] = 255
    assert blind.moved(dot, 4)[22, 24].min() > 200
    assert np.array_equal(blind.moved(dot, 0), dot)
    turned = blind.turned(sample_photo("rooster"), 180.0)
    half = sample_photo("rooster")[::-1, ::-1]
    assert np.abs(turned[2:, 2:].astype(int) - half[:-2, :-2]).mean() < 20


def test_an_eye_is_gone_and_nothing_else():
    photo = sample_photo("astronaut")
    changed = np.flatnonzero((blind.without_eye(photo) != photo).any(axis=(1, 2)))
    assert changed.min() > 60 and changed.max() < 100
    assert psnr(blind.without_eye(photo), photo) > 30


def test_a_pair_has_two_versions_of_one_size():
    with pytest.raises(InputError, match="two versions of boat, got 1"):
        blind.Pair("boat", CLEAN, {"blur": CLEAN})
    with pytest.raises(InputError, match="one size"):
        blind.Pair("boat", CLEAN, {"blur": CLEAN, "cut": CLEAN[:20]})


def test_a_judgement_knows_which_way_is_better_and_what_is_equal():
    first = JUDGED[0]
    assert set(first.prefers) == {"PSNR", "brightness"}  # what is missing says nothing
    assert first.prefers["brightness"] == "noise"  # lower is better
    close = blind.Pair("close", CLEAN, {"a": CLEAN + np.uint8(10), "b": CLEAN + np.uint8(9)})
    assert blind.judge(close, METRICS).prefers == {"PSNR": "b", "brightness": None}


def test_agreement_counts_decided_pairs_alone():
    made = [
        blind.Judged("boat", {}, {"m": "x", "n": "y"}),
        blind.Judged("cat", {}, {"m": None, "n": "x"}),
        blind.Judged("door", {}, {"m": "y", "n": "y"}),
    ]
    choices = {"boat": "x", "cat": "x", "door": "x"}
    assert blind.agreement(choices, made, "m") == (1, 2)
    assert blind.agreement(choices, made, "n") == (1, 3)
    assert blind.agreement({"boat": "x"}, made, "m") == (1, 1)
    assert blind.disputed(made, "m", "n") == ["boat"]


def test_the_metrics_really_dispute_the_pairs(real):
    assert len(real) == 8
    for first, second in (("PSNR", "SSIM"), ("PSNR", SQUEEZE_LABEL), ("SSIM", SQUEEZE_LABEL)):
        assert len(blind.disputed(real, first, second)) >= 2
    eye = next(one for one in real if one.photo == "astronaut")
    assert set(eye.prefers.values()) == {"one eye gone"}  # and all may be wrong together
    for photo in ("branches", "cliffs", "pier"):  # made at one PSNR
        assert next(one for one in real if one.photo == photo).prefers["PSNR"] is None


# --- the blind test ------------------------------------------------------------------------------


def test_orders_follow_from_the_seed():
    def orders(seed: int) -> list[tuple]:
        return [(s.pair.photo, s.order) for s in blind.BlindTest(PAIRS, seed).showings]

    assert orders(3) == orders(3)
    assert len({tuple(orders(seed)) for seed in range(20)}) > 10
    under_a = sum(
        s.order[0] == "noise" for n in range(200) for s in blind.BlindTest(PAIRS, n).showings
    )
    assert 220 < under_a < 380  # of 600; a coin's deviation is 12
    for showing in blind.BlindTest(PAIRS, 5).showings:
        for letter, version in zip("AB", showing.order, strict=True):
            assert showing.picture(letter) is showing.pair.versions[version]


def test_a_test_is_played_taken_back_and_ended():
    test = blind.BlindTest(PAIRS, seed=1)
    first = test.showing
    test.choose(" b ")
    assert test.choices == {first.pair.photo: first.order[1]} and "Pair 2 of 3" in test.words()
    test.undo()
    assert test.showing is first and test.choices == {}
    for letter in "ABA":
        test.choose(letter)
    assert test.showing is None and "All 3 pairs" in test.words() and len(test.choices) == 3
    with pytest.raises(InputError, match="all pairs are judged"):
        test.choose("A")
    with pytest.raises(InputError, match="expected at least one pair"):
        blind.BlindTest([])


@pytest.fixture
def panel() -> view.BlindPanel:
    return view.BlindPanel(PAIRS, JUDGED, seed=2)


def everything(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    return [widget, *(w for child in getattr(widget, "children", ()) for w in everything(child))]


def texts(panel: view.BlindPanel) -> str:
    states = [w.get_state().values() for w in everything(panel.widget)]
    return " ".join(str(value) for state in states for value in state if isinstance(value, str))


def test_widget_hides_names_until_all_is_judged(panel):
    for number, letter in enumerate("ABB"):
        assert f"Pair {number + 1} of 3" in panel.status.value
        assert panel.progress.value == number and panel.answer.value == ""
        for name in ("lighter", "noise", "boat", "cat", "door", "PSNR"):
            assert name not in texts(panel)
        panel.buttons[letter].click()
    assert "All 3 pairs" in panel.status.value and panel.progress.value == 3
    for name in ("lighter / noise", "boat", "PSNR agrees with you in"):
        assert name in panel.answer.value
    assert all(place.value == "" for place in panel.places.values())
    assert not panel.guard.log.outputs
    panel.undo.click()
    assert panel.answer.value == "" and "Pair 3 of 3" in panel.status.value
    assert panel.places["A"].value


def test_widget_counts_what_was_chosen():
    panel = view.BlindPanel(PAIRS, JUDGED, seed=4)
    for showing in panel.test.showings:  # whoever always sees the noise as nearer
        panel.buttons["AB"[showing.order.index("noise")]].click()
    assert "brightness agrees with you in 3 of the 3 pairs" in panel.answer.value
    other = view.BlindPanel(PAIRS, JUDGED, seed=4)
    for showing in other.test.showings:
        other.buttons["AB"[showing.order.index("lighter")]].click()
    assert "brightness agrees with you in 0 of the 3 pairs" in other.answer.value


def test_widget_is_driven_by_keyboard_alone(panel):
    for text in ("a", "B", "A"):
        panel.typed.value = text
        assert panel.typed.value == ""
    assert panel.test.chosen == ["A", "B", "A"] and not panel.test.is_open
    controls = [w for w in everything(panel.widget) if hasattr(w, "disabled")]
    assert controls and not any(w.disabled for w in controls)


def test_wrong_keys_are_told_in_a_sentence(panel):
    panel.typed.value = "C"
    assert "expected A or B" in panel.message.value and "role='alert'" in panel.message.value
    panel.undo.click()
    assert "nothing to take back" in panel.message.value
    panel.buttons["A"].click()
    assert panel.message.value == "" and not panel.guard.log.outputs


def test_pictures_are_exact_and_change_with_the_pair_only(panel):
    before = {name: place.value for name, place in panel.places.items()}
    assert len(set(before.values())) == 3
    assert all("image/png" in value and 'alt="' in value for value in before.values())
    panel.typed.value = "C"
    assert {name: place.value for name, place in panel.places.items()} == before
    panel.buttons["A"].click()
    assert panel.places["A"].value not in before.values() or len(PAIRS) == 1


def test_judgements_must_belong_to_the_pairs():
    with pytest.raises(InputError, match="for each of the pairs"):
        view.blind_view(PAIRS, JUDGED[:2])
    assert isinstance(view.blind_view(PAIRS, JUDGED), ipywidgets.Widget)


def test_slider_in_decibels_shows_what_it_says():
    widget = view.decibel_view(CLEAN)
    decibels, change, picture, log = widget.children
    assert isinstance(decibels, ipywidgets.IntSlider) and not decibels.continuous_update
    seen = set()
    for kind in change.options:
        change.value = kind
        for value in (decibels.min, 27, decibels.max):
            decibels.value = value
            reached = psnr(blind.at_psnr(CLEAN, kind, value), CLEAN)
            assert f"{kind} at {reached:.1f} dB" in picture.value
            seen.add(picture.value)
    assert len(seen) > 12 and not log.outputs


def test_table_of_verdicts():
    shown = view.verdict_table(JUDGED, {"cat": "noise"})
    assert list(shown.columns) == ["versions", "you", "PSNR", "brightness"]
    assert shown.loc["cat", "you"] == "noise" and shown.loc["boat", "you"] == ""
    assert shown.loc["boat", "versions"] == "lighter / noise"
    assert "you" not in view.verdict_table(JUDGED).columns
