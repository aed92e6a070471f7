"""The lesson on GANs: the ring and looks at it, wires, fields, checkerboards, and the widgets."""

import math

import ipywidgets
import pytest
import torch
from matplotlib import pyplot
from torch import nn
from torch.distributions import Normal

from oldphoto import losses
from oldphoto.checks import InputError
from oldphoto.config import DiscriminatorConfig
from oldphoto.course.exercises import notebook_05 as exercises
from oldphoto.course.lessons.gan import pixels, ring, view, wires
from oldphoto.networks.discriminators import PatchDiscriminator

NUM_STEPS = 24


@pytest.fixture(scope="module")
def game() -> ring.Recording:
    return recording(NUM_STEPS)


def towards_one(scores: torch.Tensor) -> torch.Tensor:
    return (scores - 1).square().mean()


def networks(seed: int) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(seed)
    return nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))


def recording(num_steps: int) -> ring.Recording:
    """Thirteen looks at untrained networks, others at each look."""
    steps = [round(number * num_steps / 12) for number in range(13)]
    looks = [ring.look(step, *networks(step), towards_one, 0.5) for step in steps]
    return ring.Recording(looks)


def find(widget: ipywidgets.Widget, kind: type) -> list:
    inside = [w for child in getattr(widget, "children", ()) for w in find(child, kind)]
    return ([widget] if isinstance(widget, kind) else []) + inside


def test_real_points_cover_the_ring():
    found = ring.coverage(ring.ring(4000, torch.Generator().manual_seed(0)))
    assert found.modes == 8
    # Within three deviations of the middle of a round cloud lie 1 - exp(-9 / 2) of its points.
    assert found.good == pytest.approx(1 - math.exp(-4.5), abs=0.01)
    assert found.width == pytest.approx(ring.RADIUS, abs=0.05)


def test_coverage_of_points_placed_by_hand():
    centres = ring.ring_centres()
    assert centres[0].tolist() == [ring.RADIUS, 0]
    one_cloud = centres[:1].repeat(50, 1)
    assert ring.coverage(one_cloud) == ring.Coverage(modes=1, good=1.0, width=0.0)
    # 97 points on one cloud, one on a second (too few), two in the middle (on none).
    points = torch.cat([centres[:1].repeat(97, 1), centres[1:2], torch.zeros(2, 2)])
    found = ring.coverage(points)
    assert found.modes == 1 and found.good == pytest.approx(0.98)
    with pytest.raises(InputError, match=r"\(N, 2\)"):
        ring.coverage(torch.zeros(5, 3))


def test_gradient_of_a_look_is_that_of_autograd():
    generator, discriminator = networks(0)
    look = ring.look(7, generator, discriminator, towards_one, undecided=0.5)
    random = torch.Generator().manual_seed(99)
    points = generator(torch.randn(ring.SHOWN, 2, generator=random))
    towards_one(discriminator(points)).backward()
    squares = sum(weight.grad.square().sum() for weight in generator.parameters())
    assert look.gradient == pytest.approx(squares.sqrt().item(), rel=1e-4)
    assert look.step == 7 and torch.equal(look.points, points)
    assert all(weight.grad is None for weight in networks(0)[1].parameters())


def test_scores_are_kept_right_way_up():
    generator, discriminator = networks(0)
    scores = ring.look(0, generator, discriminator, towards_one, undecided=0.5).scores
    corner = discriminator(torch.tensor([[ring.LIMIT, -ring.LIMIT]]))
    torch.testing.assert_close(scores[0, -1], corner[0, 0])  # right and down


def test_accuracy_of_a_discriminator_that_says_real_to_all_is_one_half():
    generator, discriminator = networks(0)
    discriminator[2].bias.data.fill_(100.0)
    assert ring.look(0, generator, discriminator, towards_one, undecided=0.5).told == 0.5


X = torch.linspace(-9, 9, 1801, dtype=torch.float64)


def densities(*middles: float) -> list[torch.Tensor]:
    return [Normal(middle, 1.0).log_prob(X).exp() for middle in middles]


def test_wires_are_columns_with_one_dark_pixel():
    columns = wires.wires(400, torch.Generator().manual_seed(0))
    rows = columns.argmin(dim=1)
    assert set(rows.tolist()) == set(wires.WIRE_ROWS)
    run = wires.WireRun(columns, columns)
    assert run.contrast == pytest.approx(1.0) and run.one_wire == 1.0 and run.l1 == 0.0
    assert run.rows == len(wires.WIRE_ROWS)
    plain = wires.WireRun(torch.full_like(columns, wires.SKY), columns)
    assert plain.contrast == pytest.approx(0) and plain.one_wire == plain.rows == 0
    assert plain.l1 == pytest.approx(1.4 / 16)  # one pixel of 16, sky instead of wire


def test_field_is_measured_as_computed():
    torch.manual_seed(0)
    discriminator = PatchDiscriminator(DiscriminatorConfig(width=2, num_layers=2, num_scales=2), 1)
    photo = torch.rand(1, 1, 112, 112)
    kernels = ((4, 2), (4, 2), (4, 1), (4, 1))
    for scale, layers in enumerate((kernels, ((3, 2), *kernels))):
        side = exercises.receptive_field.solution(layers)
        seen = pixels.listening(pixels.without_norms(discriminator), scale, photo)
        assert pixels.extent(seen) == (side, side)
    assert pixels.extent(pixels.listening(discriminator, 0, photo)) == (112, 112)
    assert any(isinstance(module, nn.InstanceNorm2d) for module in discriminator.modules())
    with pytest.raises(InputError, match="not 0"):
        pixels.extent(torch.zeros(3, 3))


def test_visits_are_counted_by_hand():
    assert pixels.visits(4, 2, side=4).tolist() == [2, 2, 2, 2]
    assert sorted(pixels.visits(3, 2, side=4).tolist()) == [1, 1, 2, 2]
    assert pixels.visits(2, 2, side=5).tolist() == [1] * 5
    assert pixels.visits(6, 3, side=6).tolist() == [2] * 6


def test_peak_finds_the_pattern_of_its_stride():
    noise = torch.randn(6, 3, 72, 72, generator=torch.Generator().manual_seed(0))
    plain = pixels.stride_peak(noise, 4)
    assert 0.3 < plain < 3
    pattern = torch.zeros(72, 72)
    pattern[::4, ::4] = 4.0
    assert pixels.stride_peak(noise + pattern, 4) > 30 * plain
    of_three = torch.zeros(72, 72)
    of_three[:, ::3] = 4.0  # 64 is no multiple of 3: its frequencies lie elsewhere
    assert pixels.stride_peak(noise + of_three, 4) < 3 * plain
    with pytest.raises(InputError, match="multiple of 5"):
        pixels.stride_peak(noise, 5)


def repeated(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(inputs, outputs, 3, padding=1))


def transposed(inputs: int, outputs: int) -> nn.Module:
    return nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)


def enlarger(doubling, steps: tuple[int, ...]) -> pixels.Enlarger:
    """An untrained enlarger that was looked at after the given steps."""
    torch.manual_seed(0)
    photos = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 0.2
    run = pixels.Enlarger(nn.Sequential(doubling(3, 8), nn.ReLU(), doubling(8, 3)))
    for step in steps:
        run.look(step, photos)
    return run


def test_transposed_convolutions_begin_with_a_pattern_and_repeating_does_not():
    runs = [enlarger(doubling, (0, 4)) for doubling in (transposed, repeated)]
    assert runs[0].peaks[0] > 5 * runs[1].peaks[0]
    assert runs[1].steps == [0, 4] and len(runs[1].l1) == 2
    assert runs[1].pictures[0].shape == (3, 64, 64)


def test_contrast_of_neighbours_has_the_value_computed_by_hand():
    stripes = torch.tensor([0.0, 1.0]).repeat(4).expand(2, 3, 5, 8)
    assert pixels.contrast_of_neighbours(stripes) == pytest.approx(0.5)  # 1 across, 0 down
    assert pixels.contrast_of_neighbours(torch.ones(1, 1, 4, 4)) == 0


def test_games_view_is_driven_through_its_range(game):
    widget = view.games_view({"one": game, "other": game})
    (slider,) = find(widget, ipywidgets.SelectionSlider)
    (picture,) = find(widget, ipywidgets.HTML)
    for number, step in ((0, 0), (6, 12), (12, 24)):
        slider.value = number
        assert f"one, step {step}: {game.looks[number].coverage.words()}" in picture.value
        assert "<img alt=" in picture.value
    assert not find(widget, ipywidgets.Output)[0].outputs
    with pytest.raises(InputError, match="same steps"):
        view.games_view({"one": game, "other": recording(12)})


def test_enlargers_view_is_driven_through_its_range():
    enlargers = {"resize": enlarger(repeated, (0, 2))}
    widget = view.enlargers_view(enlargers, torch.zeros(3, 64, 64))
    (slider,) = find(widget, ipywidgets.SelectionSlider)
    (picture,) = find(widget, ipywidgets.HTML)
    for number, step in ((0, 0), (1, 2)):
        slider.value = number
        assert f"Step {step}," in picture.value
    assert not find(widget, ipywidgets.Output)[0].outputs
    other = {"resize": enlargers["resize"], "again": enlarger(repeated, (0, 1))}
    with pytest.raises(InputError, match="same steps"):
        view.enlargers_view(other, torch.zeros(3, 64, 64))


def test_static_figures_say_what_they_show(game):
    fig, words = view.games_figure({"one": game, "other": game}, [0, 6, -1])
    assert len(fig.axes) == 6 and f"other, step {NUM_STEPS}" in words
    curves, words = view.curves_figure({"one": game})
    assert [axis.get_yscale() for axis in curves.axes] == ["linear", "linear", "log"]
    assert curves.axes[0].lines[0].get_ydata()[-1] == game.looks[-1].coverage.modes
    resize = {"resize": enlarger(repeated, (0, 2))}
    enlarged, words = view.enlargers_figure(resize, 1, torch.zeros(3, 64, 64))
    run = resize["resize"]
    assert words.endswith(f"resize {run.peaks[1]:.1f}, L1 {run.l1[1]:.3f}.")
    peaks, words = view.peaks_figure(resize, 4.0)
    assert words.endswith("true photos 4.0.") and len(peaks.axes[0].lines) == 2
    for figure in (fig, curves, enlarged, peaks):
        pyplot.close(figure)


def test_discriminators_are_drawn_beside_the_best_one():
    p, q = densities(-1.0, 1.0)
    fig = view.discriminators_figure(p, q, X, {"log": p, "least squares": q})
    (axis,) = fig.axes
    assert axis.lines[0].get_ydata() == pytest.approx((p / (p + q)).numpy())
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels == [
        *("real, p", "generated, q", "best discriminator D*"),
        *("learned, log", "learned, least squares"),
    ]
    pyplot.close(fig)


def test_patches_are_drawn_in_the_middle_of_the_photo():
    photo, weights = torch.zeros(1, 3, 40, 60), torch.ones(40, 60)
    fig = view.field_figure(photo, [weights, weights], [10, 20])
    squares = [(*s.get_xy(), s.get_width(), s.get_height()) for s in fig.axes[0].patches]
    assert squares == [(25, 15, 10, 10), (20, 10, 20, 20)]
    assert fig.axes[2].get_title() == "scale 1: 20 pixels"
    pyplot.close(fig)


def test_log_has_a_row_for_every_third_look(game):
    log = view.log_table(game)
    assert log.index.tolist() == game.steps[::3]
    assert log["told right, %"].iloc[-1] == round(100 * game.looks[-1].told)


def test_solutions_are_those_of_the_package():
    torch.manual_seed(0)
    fake = [[torch.randn(2, 3, 4, 4), torch.randn(2, 1, 3, 3)] for _ in range(2)]
    real = [[torch.randn_like(part) for part in scale] for scale in fake]
    mine = exercises.feature_matching.solution(fake, real)
    torch.testing.assert_close(mine, losses.feature_matching(fake, real))
    scores = exercises.discriminator_loss.solution(lambda photo: photo, real[0][-1], fake[0][-1])
    torch.testing.assert_close(scores, losses.lsgan_discriminator(real[:1], fake[:1]))
    weight, u = torch.randn(4, 7, dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    for _ in range(500):
        u = exercises.next_u.solution(weight, u)
    stretch = (weight.T @ u).norm().item()
    assert stretch == pytest.approx(torch.linalg.svdvals(weight)[0].item(), rel=1e-6)
