"""The switchboard: the shipped micro-checkpoints, what it shows, what it says, and the widget."""

import json
from dataclasses import replace

import ipywidgets
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_rgb

from oldphoto.checks import InputError
from oldphoto.course.figures import COLOURS, figure_pixels
from oldphoto.course.lessons.methods import ablation as lab
from oldphoto.course.lessons.methods import ablation_view as view
from oldphoto.evaluation.ablation import variants as ablation
from oldphoto.evaluation.ablation.joint_training import STEPS
from oldphoto.evaluation.ablation.results import (
    GAP,
    HOLES,
    INPUT,
    Column,
    Results,
    as_method,
    measure_variant,
)
from oldphoto.evaluation.ablation.variants import (
    FOLDER,
    FULL,
    MAX_BYTES,
    MICRO,
    PARTS,
    VARIANTS,
    checkpoint_name,
)
from oldphoto.evaluation.comparison import metrics
from oldphoto.evaluation.test_photos import make_test_photos
from oldphoto.metrics.fidelity import psnr
from oldphoto.networks.mapping import PartialNonlocalMapping, PlainMapping, SerialMapping
from oldphoto.samples import sample_paths
from oldphoto.system.files import sha256_of

SEEDS = (0, 1, 2)
ALL = [(variant, seed) for variant in VARIANTS for seed in SEEDS]


def made_up() -> Results:
    """Results in which the KL term costs 2 dB, the mask gains 1, and the others are noise."""
    worth = {"without KL": -2.0, "without mask": 1.0}
    rng = np.random.default_rng(0)
    photos = rng.normal(20, 3, 8)
    values = {INPUT: {"PSNR": [photos.tolist()]}}
    for variant in (*VARIANTS, *STEPS):
        noise = rng.normal(0, 0.4, (3, 8))
        noise -= noise.mean()
        table = photos + worth.get(variant, 0.0) + noise * (variant not in worth)
        values[variant] = {"PSNR": table.tolist(), "SSIM": (table / 40).tolist()}
        values[variant][GAP] = [[0.2 + 0.1 * (variant == "without latent discriminator")]] * 3
    columns = Column("PSNR", 2, True), Column("SSIM", 3, True), Column(GAP, 3, False)
    return Results(columns, tuple("abcdefgh"), values)


@pytest.mark.parametrize(("variant", "seed"), ALL, ids=lambda value: str(value))
def test_every_shipped_checkpoint_is_small_whole_and_of_its_variant(variant, seed):
    path = FOLDER / f"{checkpoint_name(variant, seed)}.safetensors"
    assert path.stat().st_size <= MAX_BYTES
    card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert card["sha256"] == sha256_of(path)
    assert (card["training"]["variant"], card["training"]["seed"]) == (variant, seed)
    network = ablation.load_micro(FOLDER, variant, seed)  # strictly, or it would raise
    whole = type(network.mapping) is SerialMapping
    assert whole == (variant not in ("without partial non-local", "without mask"))
    assert isinstance(network.mapping, PartialNonlocalMapping | PlainMapping)
    factor, without = ablation.TERMS.get(ablation.part_of(variant), (None, ()))
    preset = ablation.ablated(MICRO, variant)
    for stage in ablation.TRAINED:
        weights = card["training"][stage]["weights"]
        asked = preset.stages[stage].weights
        assert {name: getattr(asked, name) for name in weights} == weights
        assert stage not in without or weights[factor] == 0


def test_all_shipped_files_together_are_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 7_000_000
    assert len(list(FOLDER.glob("*.safetensors"))) == len(ALL) == 21


def test_the_shipped_results_are_those_of_the_shipped_checkpoints():
    results = lab.shipped_results()
    assert list(results.values) == [INPUT, *VARIANTS, *STEPS] and results.num_seeds == 3
    photos = list(make_test_photos(sample_paths("held_out")))[:2]
    columns = [metric for metric in metrics() if metric.name in ("PSNR", "SSIM")]
    network = ablation.load_micro(FOLDER, FULL, 1)
    again = measure_variant(FULL, as_method(network), photos, columns)
    for name in ("PSNR", "SSIM", HOLES):
        stored = results.table(FULL, name)[1, :2]
        # Each processor rounds in a way of its own.
        np.testing.assert_allclose(again[name], stored, atol=0.02)


def test_the_whole_method_is_better_than_the_degraded_input():
    results = lab.shipped_results()
    gains = results.table(FULL, "PSNR") - results.table(INPUT, "PSNR")
    assert gains.shape == (3, 8) and (gains > 0).all()


def test_switches_are_the_parts_and_name_their_variants():
    assert list(lab.SWITCHES) == ["nothing", *PARTS]
    assert lab.variant_of("nothing") == FULL and lab.variant_of("KL") == "without KL"
    with pytest.raises(InputError, match="switch must be one of nothing, latent discriminator"):
        lab.variant_of("paint")
    with pytest.raises(InputError, match="seed must be one of 0, 1, 2; got 3"):
        lab.network_of(FULL, 3)
    with pytest.raises(InputError, match="photo must be one of"):
        lab.restored("nobody", FULL, 0)


def test_cases_are_cut_from_the_middle_and_damaged_pixels_are_white():
    for case, path in zip(lab.cases().values(), sample_paths("held_out"), strict=True):
        assert case.name == path.stem
        assert case.clean.shape == case.degraded.shape == (lab.SIDE, lab.SIDE, 3)
        assert (case.degraded[case.scratch_mask] == 255).all()
    first = next(iter(make_test_photos(sample_paths("held_out")[:1])))
    assert np.array_equal(lab.cases()[first.name].clean, first.clean[64:192, 64:192])


def test_a_case_is_restored_by_the_chosen_checkpoint():
    name = next(iter(lab.cases()))
    case = lab.cases()[name]
    for variant in (FULL, "without mask"):
        method = as_method(ablation.load_micro(FOLDER, variant, 2))
        expected = method(case.degraded, case.scratch_mask).astype(int)
        assert np.abs(lab.restored(name, variant, 2) - expected).max() <= 1
    assert not np.array_equal(lab.restored(name, FULL, 2), lab.restored(name, FULL, 1))
    words = lab.photo_words(name, "mask", 2)
    value = psnr(lab.restored(name, "without mask", 2), case.clean)
    assert f"without mask: {value:.1f} dB" in words and "degraded:" in words
    assert "without" not in lab.photo_words(name, "nothing", 2)


def test_verdicts_tell_losses_gains_and_luck():
    results = made_up()
    verdicts = lab.verdicts(results, "PSNR")
    change = results.difference("without KL", "PSNR")
    assert verdicts["KL"] == (
        f"Without KL: PSNR changes by {change.mean:+.2f} [{change.low:+.2f}, {change.high:+.2f}], "
        "worse without it."
    )
    assert verdicts["mask"].endswith("better without it.")
    assert verdicts["feature matching"].endswith("that may be luck: 0 lies inside.")
    assert lab.clear_parts(results, "PSNR") == ["mask", "KL"]
    # Lower is better here.
    assert lab.verdict(results, "latent discriminator", GAP) == (
        "Without latent discriminator: Wasserstein changes by +0.100 [+0.100, +0.100], "
        "worse without it."
    )
    assert lab.verdict(results, "nothing", GAP) == "The whole method: 0.200 [0.200, 0.200]."
    assert lab.verdict(results, "mask", GAP) == (
        "Without mask: Wasserstein does not change, for this part has no share in it."
    )
    with pytest.raises(InputError, match="measure must be one of PSNR, SSIM, Wasserstein"):
        lab.verdict(results, "KL", "FID")


def test_the_steps_of_the_translation_have_gap_and_brisque_where_measured():
    rows = lab.translation_rows(made_up())
    assert [round(row[1], 6) for row in rows] == [0.2, 0.2, 0.3, 0.2]
    assert rows[2][0] == "VAEs, two stages" and rows[2][2] is None


def test_bars_show_means_intervals_and_differences():
    results = made_up()
    fig = view.draw_bars(results, "PSNR")
    left, right = fig.axes
    assert [label.get_text() for label in left.get_yticklabels()] == [INPUT, *VARIANTS]
    means = [results.interval(variant, "PSNR").mean for variant in (INPUT, *VARIANTS)]
    assert [bar.get_width() for bar in left.patches[:8]] == pytest.approx(means)
    low, high = left.get_xlim()
    assert 0 < low < min(means) and max(means) < high
    assert "higher is better" in left.get_title() and right.get_title() == "minus the whole method"
    pyplot.close(fig)
    fig = view.draw_bars(results, GAP)
    assert len(fig.axes[0].get_yticklabels()) == 7  # nobody trains the input
    assert "lower is better" in fig.axes[0].get_title()
    pyplot.close(fig)


@pytest.mark.parametrize("measure", ["PSNR", GAP])
def test_the_yellow_pen_marks_the_row_of_its_variant_and_no_other(measure):
    results = made_up()
    results = replace(results, columns=(lab.column_of(results, measure),))
    bars, plain = view.MarkedBars(results), figure_pixels(view.draw_bars(results, measure))
    sky = (abs(plain - np.array(to_rgb(COLOURS["sky"])) * 255) < 3).all(2).any(1)
    edges = np.flatnonzero(np.diff(sky.astype(int)))
    middles = edges.reshape(-1, 2).mean(1)  # of the bars, from the top
    rows = [v for v in (INPUT, *VARIANTS) if results.table(v, measure) is not None]
    for variant, middle in zip(rows, middles, strict=True):
        paper = bars.marked(measure, variant)[:, 1]  # the left edge: white, but where it is marked
        found = np.flatnonzero((paper != 255).any(1))
        assert np.array_equal(found, np.arange(found[0], found[-1] + 1))
        assert found.mean() == pytest.approx(middle, abs=1.5)
    assert (bars.marked(measure, FULL)[0] == 255).all()  # nothing is left of the mark before


def test_the_row_of_photos_has_one_more_when_a_part_is_off():
    name = next(iter(lab.cases()))
    whole, titles = view.photo_row(name, "nothing", 0)
    assert whole.shape == (lab.SIDE, 3 * lab.SIDE + 2 * 4, 3)
    assert titles == "degraded | whole method | clean"
    off, titles = view.photo_row(name, "KL", 0)
    assert off.shape == (lab.SIDE, 4 * lab.SIDE + 3 * 4, 3)
    assert titles == "degraded | whole method | without KL | clean"
    assert np.array_equal(off[:, :128], lab.cases()[name].degraded)
    assert np.array_equal(off[:, -128:], lab.cases()[name].clean)
    assert np.array_equal(off[:, 264:392], lab.restored(name, "without KL", 0))


def test_the_switchboard_answers_every_switch_seed_photo_and_measure():
    results = lab.shipped_results()
    widget = view.switchboard(results)
    (off, controls), picture, bars, log = (
        widget.children[0].children,
        *widget.children[1:],
    )
    photo, seed, measure = controls.children
    assert isinstance(off, ipywidgets.RadioButtons) and not seed.continuous_update
    seen = set()
    for switch in lab.SWITCHES:
        off.value = switch
        assert lab.photo_words(photo.value, switch, 0) in picture.value
        assert lab.verdict(results, switch, measure.value) in bars.value
        seen.add(picture.value)
    for value in SEEDS[1:]:
        seed.value = value
        seen.add(picture.value)
    for name in photo.options[1:]:
        photo.value = name
        seen.add(picture.value)
    assert len(seen) == len(lab.SWITCHES) + 2 + len(photo.options) - 1
    drawn = set()
    for column in measure.options:
        measure.value = column
        drawn.add(bars.value)
        assert 'alt="Without' in bars.value
    assert len(drawn) == len(results.columns) and not log.outputs
