"""The GAN laboratory: ring, losses, games, wires, fields, checkerboards, and the widgets."""

import math
from dataclasses import replace

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
from oldphoto.course.lessons.gan import line, pixels, view
from oldphoto.course.lessons.gan import ring as lab
from oldphoto.course.lessons.gan import wires as wire_lab
from oldphoto.networks.discriminators import PatchDiscriminator

NUM_STEPS = 24


@pytest.fixture(scope="module")
def game() -> lab.Recording:
    return lab.play(lab.HEALTHY, NUM_STEPS, seed=3)


def find(widget: ipywidgets.Widget, kind: type) -> list:
    inside = [w for child in getattr(widget, "children", ()) for w in find(child, kind)]
    return ([widget] if isinstance(widget, kind) else []) + inside


def test_real_points_cover_the_ring():
    found = lab.coverage(lab.ring(4000, torch.Generator().manual_seed(0)))
    assert found.modes == 8
    # Within three deviations of the middle of a round cloud lie 1 - exp(-9 / 2) of its points.
    assert found.good == pytest.approx(1 - math.exp(-4.5), abs=0.01)
    assert found.width == pytest.approx(lab.RADIUS, abs=0.05)


def test_coverage_of_points_placed_by_hand():
    centres = lab.ring_centres()
    assert centres[0].tolist() == [lab.RADIUS, 0]
    one_cloud = centres[:1].repeat(50, 1)
    assert lab.coverage(one_cloud) == lab.Coverage(modes=1, good=1.0, width=0.0)
    # 97 points on one cloud, one on a second (too few), two in the middle (on none).
    points = torch.cat([centres[:1].repeat(97, 1), centres[1:2], torch.zeros(2, 2)])
    found = lab.coverage(points)
    assert found.modes == 1 and found.good == pytest.approx(0.98)
    with pytest.raises(InputError, match=r"\(N, 2\)"):
        lab.coverage(torch.zeros(5, 3))


def test_losses_are_the_formulas():
    real, fake = torch.tensor([[2.0], [0.5]]), torch.tensor([[-1.0], [3.0]])
    d_real, d_fake = real.sigmoid(), fake.sigmoid()
    expected = -(d_real.log().mean() + (1 - d_fake).log().mean())
    torch.testing.assert_close(lab.log_discriminator(real, fake), expected)
    torch.testing.assert_close(lab.saturating(fake), (1 - d_fake).log().mean())
    torch.testing.assert_close(lab.non_saturating(fake), -d_fake.log().mean())
    assert lab.LSGAN.discriminator(real, fake).item() == pytest.approx(0.5 * (0.625 + 5.0))
    assert lab.LSGAN.generator(fake).item() == pytest.approx((4 + 4) / 2)


def test_a_loss_tells_whom_it_moves():
    generator, discriminator = nn.Linear(2, 2), nn.Linear(2, 1)
    networks = {"generator": generator, "discriminator": discriminator}
    made = generator(torch.ones(3, 2))
    assert lab.learners(discriminator(made).sum(), networks) == ["generator", "discriminator"]
    assert lab.learners(discriminator(made.detach()).sum(), networks) == ["discriminator"]
    discriminator.requires_grad_(False)
    assert lab.learners(discriminator(generator(torch.ones(3, 2))).sum(), networks) == ["generator"]


X = torch.linspace(-9, 9, 1801, dtype=torch.float64)


def densities(*middles: float) -> list[torch.Tensor]:
    return [Normal(middle, 1.0).log_prob(X).exp() for middle in middles]


def test_value_of_the_game_between_equal_and_separate_densities():
    p, near, far = densities(-3.0, -2.5, 3.5)
    assert line.area(p, X) == pytest.approx(1.0)
    assert line.best_value(p, p, X) == pytest.approx(-math.log(4))
    assert line.jensen_shannon(p, p, X) == pytest.approx(0)
    assert line.jensen_shannon(p, far, X) == pytest.approx(math.log(2), abs=2e-3)
    # The definition, and the mean of log-ratios over samples.
    value = -math.log(4) + 2 * line.jensen_shannon(p, near, X)
    assert line.best_value(p, near, X) == pytest.approx(value)
    real, fake = Normal(-3.0, 1.0), Normal(-2.5, 1.0)
    torch.manual_seed(0)
    y, made = real.sample((200_000,)), fake.sample((200_000,))
    odds = [fake.log_prob(at).exp() / real.log_prob(at).exp() for at in (y, made)]
    drawn = -odds[0].log1p().mean() - (1 / odds[1]).log1p().mean()
    assert line.best_value(p, near, X) == pytest.approx(float(drawn), abs=0.005)


def test_both_losses_learn_the_best_discriminator():
    p, q = densities(-1.0, 1.0)
    real, fake = Normal(-1.0, 1.0), Normal(1.0, 1.0)
    scores = line.train_discriminator(lab.LSGAN, real, fake, X, num_steps=200)
    assert scores.shape == X.shape and scores.dtype == torch.float64
    assert line.area((p + q) / 2 * (scores - p / (p + q)).abs(), X) < 0.1
    before = torch.get_rng_state()
    logits = line.train_discriminator(lab.NON_SATURATING, real, fake, X, num_steps=200)
    assert line.area((p + q) / 2 * (logits.sigmoid() - p / (p + q)).abs(), X) < 0.1
    assert torch.equal(before, torch.get_rng_state())
    again = line.train_discriminator(lab.NON_SATURATING, real, fake, X, num_steps=200)
    assert torch.equal(again, logits)
    with pytest.raises(InputError, match="num_steps"):
        line.train_discriminator(lab.LSGAN, real, fake, X, num_steps=0)


def test_game_is_recorded_and_depends_on_its_seed_alone(game):
    assert game.steps[0] == 0 and game.steps[-1] == NUM_STEPS
    assert len(game.looks) == lab.NUM_LOOKS + 1
    torch.manual_seed(7)
    again = lab.play(lab.HEALTHY, NUM_STEPS, seed=3)
    assert torch.equal(again.looks[-1].points, game.looks[-1].points)
    assert again.looks[-1].gradient == game.looks[-1].gradient
    other = lab.play(lab.HEALTHY, NUM_STEPS, seed=4)
    assert not torch.equal(other.looks[-1].points, game.looks[-1].points)
    assert not torch.equal(game.looks[0].points, game.looks[-1].points)


def test_generator_waits_during_the_head_start():
    looks = lab.play(replace(lab.STRONG_DISCRIMINATOR, head_start=12), 24, seed=0).looks
    started = [not torch.equal(look.points, looks[0].points) for look in looks]
    assert next(look.step for look, moved in zip(looks, started, strict=True) if moved) == 14
    assert not torch.equal(looks[0].scores, looks[1].scores)
    with pytest.raises(InputError, match="more than 300 steps"):
        lab.play(lab.STRONG_DISCRIMINATOR, 300)


def test_gradient_of_a_look_is_that_of_autograd():
    players = lab.Players(lab.HEALTHY, seed=0)
    look = players.look(0)
    random = torch.Generator().manual_seed(99)
    points = players.generator(torch.randn(lab.SHOWN, lab.NOISE_CHANNELS, generator=random))
    (players.discriminator(points) - 1).square().mean().backward()
    squares = sum(weight.grad.square().sum() for weight in players.generator.parameters())
    assert look.gradient == pytest.approx(squares.sqrt().item(), rel=1e-4)


def test_scores_are_kept_right_way_up():
    players = lab.Players(lab.HEALTHY, seed=0)
    scores = players.look(0).scores
    corner = players.discriminator(torch.tensor([[lab.LIMIT, -lab.LIMIT]]))
    torch.testing.assert_close(scores[0, -1], corner[0, 0])  # right and down


def test_one_thread_is_given_back():
    before = torch.get_num_threads()
    with lab.one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


def test_wires_are_columns_with_one_dark_pixel():
    columns = wire_lab.wires(400, torch.Generator().manual_seed(0))
    rows = columns.argmin(dim=1)
    assert set(rows.tolist()) == set(wire_lab.WIRE_ROWS)
    run = wire_lab.WireRun(columns, columns)
    assert run.contrast == pytest.approx(1.0) and run.one_wire == 1.0 and run.l1 == 0.0
    assert run.rows == len(wire_lab.WIRE_ROWS)
    plain = wire_lab.WireRun(torch.full_like(columns, wire_lab.SKY), columns)
    assert plain.contrast == pytest.approx(0) and plain.one_wire == plain.rows == 0
    assert plain.l1 == pytest.approx(1.4 / 16)  # one pixel of 16, sky instead of wire


def test_l1_alone_loses_the_wire():
    run = wire_lab.train_wires(l1_weight=1, adversarial_weight=0, num_steps=200)
    assert run.contrast < 0.2
    assert run.l1 < 0.2


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


@pytest.mark.parametrize("upsampler", [pixels.transposed(3), pixels.transposed(4), pixels.resized])
def test_upsamplers_double_the_side(upsampler):
    assert upsampler(3, 5)(torch.rand(2, 3, 6, 8)).shape == (2, 5, 12, 16)


def test_upsamplers_of_other_kernels_are_refused():
    with pytest.raises(InputError, match="3 or 4, got 5"):
        pixels.transposed(5)


def short_enlarger(upsampler: pixels.Upsampler, looks: tuple[int, ...]) -> pixels.Enlarger:
    photos = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 0.2
    return pixels.train_enlarger(upsampler, photos, photos[:1], looks)


def test_transposed_convolutions_begin_with_a_pattern_and_resizing_does_not():
    runs = [short_enlarger(layer, (0, 4)) for layer in (pixels.transposed(3), pixels.resized)]
    assert runs[0].peaks[0] > 5 * runs[1].peaks[0]
    assert runs[1].steps == [0, 4] and runs[1].l1[1] < runs[1].l1[0]
    assert runs[1].pictures[0].shape == (3, 64, 64)


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
        view.games_view({"one": game, "other": lab.play(lab.HEALTHY, 12)})


def test_enlargers_view_is_driven_through_its_range():
    enlargers = {"resize": short_enlarger(pixels.resized, (0, 2))}
    widget = view.enlargers_view(enlargers, torch.zeros(3, 64, 64))
    (slider,) = find(widget, ipywidgets.SelectionSlider)
    (picture,) = find(widget, ipywidgets.HTML)
    for number, step in ((0, 0), (1, 2)):
        slider.value = number
        assert f"Step {step}," in picture.value
    assert not find(widget, ipywidgets.Output)[0].outputs
    other = {"resize": enlargers["resize"], "again": short_enlarger(pixels.resized, (0, 1))}
    with pytest.raises(InputError, match="same steps"):
        view.enlargers_view(other, torch.zeros(3, 64, 64))


def test_static_figures_say_what_they_show(game):
    fig, words = view.games_figure({"one": game, "other": game}, [0, 6, -1])
    assert len(fig.axes) == 6 and f"other, step {NUM_STEPS}" in words
    curves, words = view.curves_figure({"one": game})
    assert [axis.get_yscale() for axis in curves.axes] == ["linear", "linear", "log"]
    assert curves.axes[0].lines[0].get_ydata()[-1] == game.looks[-1].coverage.modes
    resize = {"resize": short_enlarger(pixels.resized, (0, 2))}
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


def test_logs_of_the_exercise_show_what_its_answer_says():
    """The three games of exercise 6: only c is narrow and has a living gradient."""
    games = {"a": lab.STRONG_DISCRIMINATOR, "b": lab.HEALTHY, "c": lab.FAST_GENERATOR}
    looks = {name: lab.play(game, 600, seed=1).looks[9:] for name, game in games.items()}
    narrow = {n for n, later in looks.items() if max(look.coverage.width for look in later) < 1.5}
    alive = {n for n, later in looks.items() if max(look.gradient for look in later) > 0.05}
    assert narrow == {"a", "c"} and alive == {"b", "c"}
    assert exercises.collapsed_log.solution() in narrow & alive


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


def test_discriminator_of_the_exercise_betrays_a_missing_detach():
    real, fake = torch.rand(3, 1, 2, 2), torch.rand(3, 1, 2, 2, requires_grad=True)
    probe = exercises.discriminator_loss.trials[0][0]
    assert (probe(fake) - probe(fake.detach())).min() > 50
    with torch.no_grad():
        assert (probe(real) - 0.9 * real).min() > 1000
