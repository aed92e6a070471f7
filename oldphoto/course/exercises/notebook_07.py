"""Exercises of notebook 07: a residual block, equations 5 and 6, frozen networks, the errors."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from oldphoto.course.exercises.engine import Exercise, Sheet

_noise = torch.Generator().manual_seed(7)
_mapped = torch.randn(2, 4, 3, 3, generator=_noise)
_latent_clean = 2 * torch.randn(2, 4, 3, 3, generator=_noise)
_scores = [torch.rand(2, 1, 5, 5, generator=_noise), torch.rand(2, 1, 3, 3, generator=_noise) / 2]
_fake = [torch.randn(2, 4, 5, 5, generator=_noise), torch.randn(2, 8, 3, 3, generator=_noise)]
_real = [torch.randn(2, 4, 5, 5, generator=_noise), torch.randn(2, 8, 3, 3, generator=_noise)]
_fake.append(torch.full((2, 1, 3, 3), 0.1))
_real.append(torch.full((2, 1, 3, 3), 0.9))


_features = torch.randn(2, 4, 5, 6, generator=_noise)


def _output_and_gradient(answer: Callable[..., Any], features: Tensor) -> dict[str, Any] | None:
    """Build a block, give it fixed weights, and run it forward and backward."""
    block = answer(features.shape[1])
    if block is None or block is ...:
        return None
    with torch.no_grad():
        for number, weight in enumerate(block.parameters()):
            values = torch.linspace(-0.3, 0.3, weight.numel()) + 0.02 * number
            weight.copy_(values[torch.randperm(len(values), generator=_fixed())].view_as(weight))
    features.requires_grad_(True)
    output = block(features)
    if output is None or output is ...:
        return None
    if isinstance(output, Tensor) and output.requires_grad:
        output.square().mean().backward()
    slope = torch.zeros_like(features) if features.grad is None else features.grad
    count = sum(weight.numel() for weight in block.parameters())
    return {
        "The number of weights": count,
        "The output": output,
        "The gradient at the input": slope,
    }


def _fixed() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")

    def forward(self, features: Tensor) -> Tensor:
        return features + self.conv2(self.conv1(features).relu())


def _wrong_block(forward: Callable[[nn.Module, nn.Module, Tensor], Tensor]) -> type[_Block]:
    """Return a block of the right layers, put together by another function."""

    class Wrong(_Block):
        def forward(self, features: Tensor) -> Tensor:
            return forward(self.conv1, self.conv2, features)

    return Wrong


class _ZeroPadded(_Block):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.conv1.padding_mode = self.conv2.padding_mode = "zeros"


class _WithNorm(_Block):
    def forward(self, features: Tensor) -> Tensor:
        norm = nn.InstanceNorm2d(features.shape[1])
        return features + norm(self.conv2(norm(self.conv1(features)).relu()))


class _OneConvolution(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")

    def forward(self, features: Tensor) -> Tensor:
        return features + self.conv(self.conv(features).relu())


residual_block = Exercise(
    title="a residual block",
    level="build",
    solution=_Block,
    trials=((_features,), (2 * _features[:1],)),
    observe=_output_and_gradient,
    misconceptions={
        "The correction is subtracted. Add it.": _wrong_block(
            lambda first, second, x: x - second(first(x).relu())
        ),
        "This is the mean of input and correction. Add them.": _wrong_block(
            lambda first, second, x: (x + second(first(x).relu())) / 2
        ),
        "The correction multiplies the input. Add it.": _wrong_block(
            lambda first, second, x: x * second(first(x).relu())
        ),
        "The sum is in the middle. The second convolution belongs before it.": _wrong_block(
            lambda first, second, x: second((x + first(x)).relu())
        ),
        "What is added is the output of the first convolution. Add the input of the block.": (
            _wrong_block(lambda first, second, x: first(x) + second(first(x).relu()))
        ),
        "The input is not added: this is two convolutions, no residual block.": (
            _wrong_block(lambda first, second, x: second(first(x).relu()))
        ),
        "There is a ReLU after the sum. It would cut off all negative features.": (
            _wrong_block(lambda first, second, x: (x + second(first(x).relu())).relu())
        ),
        "There is a ReLU behind the second convolution: the correction could never be "
        "negative.": _wrong_block(lambda first, second, x: x + second(first(x).relu()).relu()),
        "The ReLU is missing: two convolutions in a row are one larger convolution.": (
            _wrong_block(lambda first, second, x: x + second(first(x)))
        ),
        "The ReLU comes before the first convolution. Put it between the two.": (
            _wrong_block(lambda first, second, x: x + second(first(x.relu())))
        ),
        "The output is right, but the input is detached in the sum: it gets no gradient there.": (
            _wrong_block(lambda first, second, x: x.detach() + second(first(x).relu()))
        ),
        'The border differs: set padding_mode="reflect", or zeros are drawn around the latent.': (
            _ZeroPadded
        ),
        "There is an instance norm in the block. The paper's has one; this one goes without.": (
            _WithNorm
        ),
        "One convolution is used twice, with the same weights. Make two.": _OneConvolution,
    },
    hints=(
        "Two convolutions in __init__; in forward: convolution, ReLU, convolution, and one sum.",
        'nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect"), twice. Return '
        "features + the correction.",
    ),
    praise="The same as the package's without norm: at first little more than the identity.",
)


def _latent_l1(mapped: Tensor, latent_clean: Tensor, weight: float) -> Tensor:
    return weight * (mapped - latent_clean).abs().mean()


latent_l1 = Exercise(
    title="the latent L1 term",
    level="complete a line",
    solution=_latent_l1,
    trials=((_mapped, _latent_clean, 60.0), (_latent_clean, _mapped + 1, 0.5)),
    gradients=("mapped",),
    limits=(0.0, float("inf")),
    misconceptions={
        "The root of the mean square is the L2 distance, which a few large differences rule.": (
            lambda mapped, latent_clean, weight: (
                weight * (mapped - latent_clean).square().mean().sqrt()
            )
        ),
        "The weight is added. It multiplies.": (
            lambda mapped, latent_clean, weight: weight + (mapped - latent_clean).abs().mean()
        ),
        "This compares sizes without signs: -1 and 1 would be the same.": (
            lambda mapped, latent_clean, weight: (
                weight * (mapped.abs() - latent_clean.abs()).abs().mean()
            )
        ),
        "The distance is right; its factor is missing.": (
            lambda mapped, latent_clean, weight: (mapped - latent_clean).abs().mean()
        ),
        "You square the differences: that is L2, which a few large differences rule.": (
            lambda mapped, latent_clean, weight: weight * (mapped - latent_clean).square().mean()
        ),
        "This is the sum over all numbers of the latent. For a crop with sides twice as long, "
        "the loss would be four times as large.": (
            lambda mapped, latent_clean, weight: weight * (mapped - latent_clean).abs().sum()
        ),
        "Without abs(), differences of both signs cancel, and the loss can fall below 0.": (
            lambda mapped, latent_clean, weight: weight * (mapped - latent_clean).mean()
        ),
        "This compares two means. Differences of both signs cancel before you take their size.": (
            lambda mapped, latent_clean, weight: (
                weight * (mapped.mean() - latent_clean.mean()).abs()
            )
        ),
    },
    hints=(
        "How large is the difference at each position of the latent, whatever its sign?",
        "Subtract, abs(), mean(), and then the factor.",
    ),
    praise="The only term that looks at the latent itself; all others look at the decoded photo.",
)


def _fool_the_discriminator(scores: list[Tensor]) -> Tensor:
    return torch.stack([(score - 1).square().mean() for score in scores]).sum()


fool_the_discriminator = Exercise(
    title="what the mapping wants the discriminator to say",
    level="modify",
    solution=_fool_the_discriminator,
    trials=((_scores,), (_scores[:1],)),
    gradients=("scores",),
    misconceptions={
        "The scores are averaged before they are squared: high and low ones cancel.": (
            lambda scores: sum((score.mean() - 1).square() for score in scores)
        ),
        "The target of the mapping is 1, not 0.5: it wants to pass for a real photo.": (
            lambda scores: sum((score - 0.5).square().mean() for score in scores)
        ),
        "Sums over all scores: a finer scale would count more. Take the mean of each scale.": (
            lambda scores: sum((score - 1).square().sum() for score in scores)
        ),
        "The sign is the wrong way round: this mapping learns to be found out.": (
            lambda scores: -sum((score - 1).square().mean() for score in scores)
        ),
        "This pulls the scores to 0, which is what the discriminator wants for restored "
        "photos. The "
        "mapping is its opponent.": lambda scores: sum(score.square().mean() for score in scores),
        "The right target, but the package adds up the scales; you take their mean.": (
            lambda scores: sum((score - 1).square().mean() for score in scores) / len(scores)
        ),
        "You use the finest scale alone. The coarser ones count as well.": (
            lambda scores: (scores[0] - 1).square().mean()
        ),
        "The right target. But the factor one half belongs to the discriminator's loss, not to "
        "this one.": lambda scores: 0.5 * sum((score - 1).square().mean() for score in scores),
        "Minus the discriminator's term has no best score: the mapping would chase ever "
        "larger ones, "
        "of either sign.": lambda scores: -sum(score.square().mean() for score in scores),
        "Without the square there is no best score: the mapping would chase ever larger ones.": (
            lambda scores: sum((score - 1).mean() for score in scores)
        ),
        "Absolute differences. The LS in LSGAN means least squares.": (
            lambda scores: sum((score - 1).abs().mean() for score in scores)
        ),
    },
    hints=(
        "Which score does the discriminator give a photo that it takes for a real one?",
        "One number in the given line has to change: the target.",
    ),
    praise="The discriminator pulls the score of a restored photo to 0, the mapping pulls it to 1.",
)


def _match_features(fake: list[Tensor], real: list[Tensor]) -> Tensor:
    maps = zip(fake[:-1], real[:-1], strict=True)  # the last map holds the scores
    return torch.stack([(a - b).abs().mean() for a, b in maps]).sum()


match_features = Exercise(
    title="feature matching on one scale",
    level="complete a line",
    solution=_match_features,
    trials=((_fake, _real), (_real, [2 * part for part in _fake])),
    gradients=("fake",),
    limits=(0.0, float("inf")),
    misconceptions={
        "Without absolute values, differences of both signs cancel.": (
            lambda fake, real: sum(
                (a - b).mean() for a, b in zip(fake[:-1], real[:-1], strict=True)
            )
        ),
        "These are lengths; the norm with index 1 has absolute values.": (
            lambda fake, real: sum(
                (a - b).norm() for a, b in zip(fake[:-1], real[:-1], strict=True)
            )
        ),
        "The first layer is left out, and the scores are in. It is the other way round.": (
            lambda fake, real: sum(
                (a - b).abs().mean() for a, b in zip(fake[1:], real[1:], strict=True)
            )
        ),
        "These compare the means of maps. Compare the maps at each position.": (
            lambda fake, real: sum(
                (a.mean() - b.mean()).abs() for a, b in zip(fake[:-1], real[:-1], strict=True)
            )
        ),
        "The last map holds the scores, not features. The adversarial term has them already.": (
            lambda fake, real: sum((a - b).abs().mean() for a, b in zip(fake, real, strict=True))
        ),
        "You compare the scores. Compare what comes before them.": (
            lambda fake, real: (fake[-1] - real[-1]).abs().mean()
        ),
        "Squared differences; equation 6 has the norm with index 1.": lambda fake, real: sum(
            (a - b).square().mean() for a, b in zip(fake[:-1], real[:-1], strict=True)
        ),
        "Each layer is averaged already (the 1/n in equation 6); the layers are added up.": (
            lambda fake, real: (
                sum((a - b).abs().mean() for a, b in zip(fake[:-1], real[:-1], strict=True))
                / (len(fake) - 1)
            )
        ),
        "Without the 1/n of equation 6 a large layer counts more than a small one.": (
            lambda fake, real: sum(
                (a - b).abs().sum() for a, b in zip(fake[:-1], real[:-1], strict=True)
            )
        ),
        "This is the first layer alone. Every layer but the last belongs in the sum.": (
            lambda fake, real: (fake[0] - real[0]).abs().mean()
        ),
    },
    hints=(
        "Go through both lists together, layer by layer, and leave out what is not a feature.",
        "fake[:-1] leaves the last map out; in each layer take the mean of the absolute "
        "difference.",
    ),
    praise="The discriminator's features as a metric: both photos should look the same to it.",
)


trains_alone = Exercise(
    title="the mapping learns, the decoder does not",
    level="investigate",
    solution="b",
    misconceptions={
        "Inside no_grad no graph is recorded: the mapping gets no gradient.": "a",
        "detach() stops the gradient at the decoder's input, so it never reaches the mapping.": "c",
        "eval() changes how dropout and batch norm work. Gradients and the optimizer do not "
        "care.": "d",
    },
    hints=(
        "Follow the gradient backwards from the photo: where does it stop, and who keeps some?",
        "One of them changes the decoder's weights, two stop the gradient too early.",
    ),
    praise="The gradient passes through the decoder, but no weight there keeps any.",
)


def _fraction_of_vae(psnr_limit: float, psnr_restored: float) -> float:
    return 10 ** ((psnr_restored - psnr_limit) / 10)


fraction_of_vae = Exercise(
    title="the fraction of the squared error that is the VAE's",
    level="complete a line",
    solution=_fraction_of_vae,
    trials=((30.0, 20.0), (33.0, 30.0), (32.0, 25.0)),
    limits=(0.0, 1.0),
    misconceptions={
        "Decibels use powers of 10, not of e.": (
            lambda psnr_limit, psnr_restored: 2.718281828 ** ((psnr_restored - psnr_limit) / 10)
        ),
        "This is a fraction of decibels. They are logarithms: go back to squared errors first.": (
            lambda psnr_limit, psnr_restored: (psnr_limit - psnr_restored) / psnr_limit
        ),
        "Decibels cannot be divided: they are logarithms. Go back to squared errors first.": (
            lambda psnr_limit, psnr_restored: psnr_restored / psnr_limit
        ),
        "With 20 you get the ratio of the errors. The question is about their squares.": (
            lambda psnr_limit, psnr_restored: 10 ** ((psnr_restored - psnr_limit) / 20)
        ),
        "This is what is left for the mapping.": (
            lambda psnr_limit, psnr_restored: 1 - 10 ** ((psnr_restored - psnr_limit) / 10)
        ),
        "The wrong way round: the limit has the smaller error.": (
            lambda psnr_limit, psnr_restored: 10 ** ((psnr_limit - psnr_restored) / 10)
        ),
    },
    hints=(
        "PSNR = 10 log10(4 / MSE). What is MSE, given the PSNR?",
        "The ratio of two MSEs is a power of 10 whose exponent is a difference of PSNRs over 10.",
    ),
    praise="10 dB apart: a tenth of the error is the VAE's, nine tenths are the mapping's to win.",
)

sheet = Sheet(
    "07",
    (
        residual_block,
        latent_l1,
        fool_the_discriminator,
        match_features,
        trains_alone,
        fraction_of_vae,
    ),
)
"""The exercises in the order of the notebook."""
