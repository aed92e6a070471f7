"""Settings of every network and every training stage: frozen dataclasses and four presets.

``paper`` is the architecture table of the paper and its training schedule. ``small``, ``course``
and ``tiny`` keep the method (two VAEs, one shared latent space, a mapping with a partial non-local
block) at sizes that train on one ordinary GPU, or on a CPU. ``course`` is for the checkpoints that
the course compares: at most 1 MB for each method.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from oldphoto.checks import InputError, require_in, require_positive

MappingForm = Literal["paper", "serial", "ours", "unmasked"]


@dataclass(frozen=True)
class VAEConfig:
    """Encoder and decoder of one VAE; the latent is (B, latent_channels, H/4, W/4).

    Attributes:
        stem: "conv" is the table's 7x7 and two 4x4 stride-2 convolutions; "unshuffle" moves
            4x4 pixels into channels at once and works at a quarter of the resolution.
        width: feature channels between input and latent.
        latent_channels: channels of the latent.
        num_blocks: residual blocks on either side of the latent.
        norm: instance norm after each convolution, as in the table.
        noise: "unit" adds N(0, 1) to the latent (the authors' code); "learned" predicts a mean
            and a log-variance (the textbook VAE).

    Raises:
        InputError: if a setting is out of its range, or width and latent_channels differ with the
            conv stem.

    >>> VAEConfig(stem="unshuffle", latent_channels=32).width
    64
    """

    stem: Literal["conv", "unshuffle"] = "conv"
    width: int = 64
    latent_channels: int = 64
    num_blocks: int = 4
    norm: bool = True
    noise: Literal["unit", "learned"] = "unit"

    def __post_init__(self) -> None:
        require_in(self.stem, ("conv", "unshuffle"), "stem")
        require_in(self.noise, ("unit", "learned"), "noise")
        require_positive(
            width=self.width, latent_channels=self.latent_channels, num_blocks=self.num_blocks
        )
        if self.stem == "conv" and self.width != self.latent_channels:
            raise InputError(
                "the conv stem has no bottleneck, so width must equal latent_channels; "
                f"got {self.width} and {self.latent_channels}"
            )


@dataclass(frozen=True)
class MappingConfig:
    """The latent mapping T, latent_channels in and out.

    Attributes:
        form: how scratches are treated. Each form is a class of its own in ``networks.mapping``:

            - "paper": equation 10, two branches side by side.
            - "serial": the authors' code, residual blocks after the fusion.
            - "ours": as "serial", with a soft mask, and holes filled before the encoder.
            - "unmasked": as "serial", with an ordinary non-local block; for the ablation.
        widths_in: channels after each 3x3 convolution before the residual blocks.
        widths_out: channels after each 3x3 convolution after them; one more convolution
            without norm returns to latent_channels.
        num_blocks: residual blocks of the local branch.
        num_global_blocks: residual blocks that follow the partial non-local block.
        norm: instance norm after each convolution but the last.
        skip: learn the difference alone, T(z) = z + f(z). It helps where both VAEs start from the
            same weights (``Preset.shared_start``): then z is nearly right already.

    Raises:
        InputError: if a setting is out of its range.

    >>> MappingConfig(widths_in=(128, 256)).width
    256
    """

    latent_channels: int = 64
    widths_in: tuple[int, ...] = (128, 256, 512)
    widths_out: tuple[int, ...] = (256, 128, 64)
    num_blocks: int = 6
    num_global_blocks: int = 2
    form: MappingForm = "paper"
    norm: bool = True
    skip: bool = False

    def __post_init__(self) -> None:
        require_in(self.form, get_args(MappingForm), "form")
        require_positive(latent_channels=self.latent_channels, num_blocks=self.num_blocks)
        if not self.widths_in:
            raise InputError("widths_in must name at least one width, got none")

    @property
    def width(self) -> int:
        """Channels at which the residual blocks and the attention work."""
        return self.widths_in[-1]


@dataclass(frozen=True)
class DiscriminatorConfig:
    """A patch discriminator of pix2pixHD.

    Attributes:
        width: channels after the first convolution; each further layer doubles them, up to 512.
        num_layers: convolutions of stride 2.
        num_scales: discriminators, each on a photo half as large as the one before.
        spectral_norm: bound the slope of each convolution (Miyato et al. 2018, arXiv 1802.05957).

    Raises:
        InputError: if a number is not positive.
    """

    width: int = 64
    num_layers: int = 3
    num_scales: int = 2
    spectral_norm: bool = False

    def __post_init__(self) -> None:
        require_positive(width=self.width, num_layers=self.num_layers, num_scales=self.num_scales)


@dataclass(frozen=True)
class DetectorConfig:
    """The scratch detector: a U-Net.

    Attributes:
        width: channels at full size; they double with each reduction.
        depth: reductions by 2.

    Raises:
        InputError: if a number is not positive.
    """

    width: int = 64
    depth: int = 4

    def __post_init__(self) -> None:
        require_positive(width=self.width, depth=self.depth)


@dataclass(frozen=True)
class ToneConfig:
    """The global branch that brings the tone of a faded photo back.

    Attributes:
        width: channels of its first convolution; the last has four times as many.

    Raises:
        InputError: if the width is not positive.
    """

    width: int = 16

    def __post_init__(self) -> None:
        require_positive(width=self.width)


@dataclass(frozen=True)
class LossWeights:
    """The weight of each loss term. A term with weight 0 is not computed.

    Attributes:
        l1_weight: alpha of equation 2 for the VAEs. For the mapping, an L1 term between the
            restored and the clean photo, which equation 5 and so preset ``paper`` do without.
        kl_weight: equation 2, first term.
        adversarial_weight: LSGAN on the photo, equations 2 and 5.
        latent_adversarial_weight: equation 3; stage ``vae-degraded`` only.
        latent_l1_weight: lambda1 of equation 5; stage ``mapping`` only.
        feature_matching_weight: lambda2 of equation 5, discriminator part. The authors' code uses
            it for the VAEs too, though equation 2 does not have it.
        perceptual_weight: lambda2 of equation 5, VGG part; needs a feature network. The authors'
            code uses it for the VAEs too, in place of L1.
    """

    l1_weight: float = 10.0
    kl_weight: float = 1.0
    adversarial_weight: float = 1.0
    latent_adversarial_weight: float = 1.0
    latent_l1_weight: float = 60.0
    feature_matching_weight: float = 10.0
    perceptual_weight: float = 10.0


StageName = Literal["vae-degraded", "vae-clean", "mapping", "detector", "tone"]

STAGES: tuple[StageName, ...] = get_args(StageName)
"""All stages in training order. The mapping needs the two VAEs; detector and tone need no other."""


@dataclass(frozen=True)
class StageConfig:
    """How one stage is trained.

    Attributes:
        batch: photos of each kind in one optimizer step, over all processes.
        crop: side of the square crops, in pixels; a multiple of 16.
        num_photos: photos seen in the whole stage. There are num_photos / batch steps.
        weights: weights of the loss terms.
        learning_rate: of the trained networks, at the start.
        discriminator_learning_rate: of the discriminators, at the start.
        decay_from: fraction of the steps after which the learning rate falls linearly to 0.
        betas: of Adam.
        ema_decay: of the moving average of the weights, which is the result of the stage.
        clip_norm: largest norm of the gradient; longer gradients are scaled down to it.
        hole_prob: fraction of photos that get holes; not used by ``vae-clean`` and ``detector``.
        hole_ratio: minimum and maximum fraction of such a photo that its holes cover.
        recipe: name of the degradation recipe. The detector needs one with scratches: "paper", or
            "worn" for damage of scanned prints.

    Raises:
        InputError: if a size is not positive or the crop is not a multiple of 16.

    >>> StageConfig(batch=8, crop=64, num_photos=2_400).num_steps
    300
    """

    batch: int
    crop: int
    num_photos: int
    weights: LossWeights = LossWeights()
    learning_rate: float = 2e-4
    discriminator_learning_rate: float = 2e-4
    decay_from: float = 0.5
    betas: tuple[float, float] = (0.5, 0.999)
    ema_decay: float = 0.999
    clip_norm: float = 10.0
    hole_prob: float = 0.5
    hole_ratio: tuple[float, float] = (0.0, 0.6)
    recipe: str = "released"

    def __post_init__(self) -> None:
        require_positive(batch=self.batch, crop=self.crop, num_photos=self.num_photos)
        if self.crop % 16:
            raise InputError(f"crop must be a multiple of 16, got {self.crop}")

    @property
    def num_steps(self) -> int:
        """Optimizer steps of the whole stage."""
        return max(1, self.num_photos // self.batch)


@dataclass(frozen=True)
class Preset:
    """One size of the whole method: its networks, and how each stage is trained.

    Attributes:
        name: "tiny", "course", "small" or "paper".
        vae, mapping, discriminator, latent_discriminator, detector, tone: sizes of the networks.
        stages: how each stage is trained, by its name; one entry for each of ``STAGES``.
        shared_start: initialise ``vae_clean`` with the weights of the run's ``vae_degraded``, so
            that a photo has nearly the same latent in both. In the paper each starts at random.
        spectral_norm_variants: variants of the mapping whose discriminator has spectral norm, even
            if ``discriminator`` has not. The authors train these two with ``--use_SN``.

    Raises:
        InputError: if a stage is missing, or VAE and mapping differ in their latent channels.
    """

    name: str
    vae: VAEConfig
    mapping: MappingConfig
    discriminator: DiscriminatorConfig
    latent_discriminator: DiscriminatorConfig
    detector: DetectorConfig
    tone: ToneConfig
    stages: Mapping[StageName, StageConfig]
    shared_start: bool = False
    spectral_norm_variants: tuple[str, ...] = ("scratch", "hr")

    def __post_init__(self) -> None:
        if self.vae.latent_channels != self.mapping.latent_channels:
            raise InputError(
                "latent_channels must be the same in the VAE and the mapping; got "
                f"{self.vae.latent_channels} and {self.mapping.latent_channels}"
            )
        if set(self.stages) != set(STAGES):
            raise InputError(f"expected the stages {STAGES}, got {tuple(self.stages)}")

    def with_stages(self, *names: StageName, **changes: Any) -> "Preset":
        """Return a copy in which the named stages, or all if none is named, have other settings.

        >>> TINY.with_stages("mapping", "detector", num_photos=96).stages["mapping"].num_photos
        96
        """
        changed = {name: replace(self.stages[name], **changes) for name in names or STAGES}
        return replace(self, stages={**self.stages, **changed})

    def mapping_discriminator(self, variant: str) -> DiscriminatorConfig:
        """Return the settings of the photo discriminator that a variant of the mapping trains with.

        >>> PAPER.mapping_discriminator("scratch").spectral_norm
        True
        >>> PAPER.mapping_discriminator("quality").spectral_norm
        False
        """
        if variant in self.spectral_norm_variants:
            return replace(self.discriminator, spectral_norm=True)
        return self.discriminator


# Whole photos of 96 px: only the tone is learned, and it shows in a reduced photo.
_TONE_STAGE = StageConfig(
    batch=32,
    crop=96,
    num_photos=160_000,
    learning_rate=1e-3,
    betas=(0.9, 0.999),
    clip_norm=1.0,
    weights=LossWeights(adversarial_weight=0, feature_matching_weight=0, perceptual_weight=0),
    hole_prob=0.0,
    recipe="faded",
)

# The paper trains 200 epochs and lets the learning rate fall in the second half. An epoch of the
# authors' code is the 17,125 photos of Pascal VOC 2012. Adam's settings and the crop are those of
# the paper's section 4.1. Batch 8 fits 12 GB of GPU memory; the authors use 36 to 120 on four GPUs.
_PAPER_STAGE = StageConfig(batch=8, crop=256, num_photos=200 * 17_125)

PAPER = Preset(
    name="paper",
    vae=VAEConfig(),
    mapping=MappingConfig(),
    discriminator=DiscriminatorConfig(),
    latent_discriminator=DiscriminatorConfig(num_scales=1),
    detector=DetectorConfig(),
    tone=ToneConfig(),
    stages={
        "vae-degraded": replace(_PAPER_STAGE, hole_prob=0.0),
        "vae-clean": _PAPER_STAGE,
        "mapping": replace(_PAPER_STAGE, weights=LossWeights(l1_weight=0.0)),  # equation 5
        "detector": replace(_PAPER_STAGE, recipe="paper"),
        "tone": _TONE_STAGE,
    },
)

# Without instance norm and VGG, L1 does most of the work. The KL weight is small so that the latent
# grows well above the unit noise; otherwise the reconstruction drowns in it.
_SMALL_VAE_WEIGHTS = LossWeights(
    kl_weight=1e-3,
    adversarial_weight=0.02,
    latent_adversarial_weight=0.05,
    feature_matching_weight=0.1,
    perceptual_weight=0.0,
)
_TINY_MAPPING_WEIGHTS = LossWeights(
    latent_l1_weight=0.5,
    adversarial_weight=0.02,
    feature_matching_weight=0.1,
    perceptual_weight=0.0,
)
# Most of the distance between the latents is detail that the damage has destroyed. With a weight of
# 0.5 it outweighs the distance between the photos once that is small.
_SMALL_MAPPING_WEIGHTS = replace(
    _TINY_MAPPING_WEIGHTS, latent_l1_weight=0.05, perceptual_weight=1.0
)
_SMALL_VAE_STAGE = StageConfig(
    batch=16,
    crop=128,
    num_photos=160_000,
    learning_rate=4e-4,
    weights=_SMALL_VAE_WEIGHTS,
)

SMALL = Preset(
    name="small",
    vae=VAEConfig(stem="unshuffle", width=64, latent_channels=32, num_blocks=3, norm=False),
    mapping=MappingConfig(
        latent_channels=32,
        widths_in=(64, 128),
        widths_out=(64,),
        num_blocks=6,
        num_global_blocks=2,
        form="ours",
        norm=False,
        skip=True,
    ),
    discriminator=DiscriminatorConfig(width=16, num_scales=2, spectral_norm=True),
    latent_discriminator=DiscriminatorConfig(width=16, num_scales=1, spectral_norm=True),
    detector=DetectorConfig(width=16, depth=3),
    tone=ToneConfig(),
    stages={
        "vae-degraded": _SMALL_VAE_STAGE,
        "vae-clean": _SMALL_VAE_STAGE,
        "mapping": StageConfig(
            batch=16,
            crop=128,
            num_photos=320_000,
            learning_rate=4e-4,
            weights=_SMALL_MAPPING_WEIGHTS,
            # The attention's gradients are tiny, with rare outliers. With the paper's beta1 of 0.5
            # and clipping at 10, one outlier can move a weight as far as 16 ordinary steps, and
            # the loss jumps.
            betas=(0.9, 0.999),
            clip_norm=1.0,
            hole_prob=0.8,
            hole_ratio=(0.0, 0.25),
        ),
        "detector": StageConfig(
            batch=32, crop=128, num_photos=160_000, learning_rate=1e-3, recipe="paper"
        ),
        "tone": _TONE_STAGE,
    },
    shared_start=True,
)

TINY_STAGE = StageConfig(batch=8, crop=64, num_photos=2_400, learning_rate=2e-3, ema_decay=0.98)
"""A stage that takes minutes on a CPU, also for the baselines of the comparison."""
_TINY_VAE_STAGE = replace(TINY_STAGE, weights=_SMALL_VAE_WEIGHTS)

TINY = Preset(
    name="tiny",
    vae=VAEConfig(stem="unshuffle", width=32, latent_channels=16, num_blocks=1, norm=False),
    mapping=MappingConfig(
        latent_channels=16,
        widths_in=(32, 48),
        widths_out=(32,),
        num_blocks=2,
        num_global_blocks=1,
        form="serial",
        norm=False,
        skip=True,
    ),
    discriminator=DiscriminatorConfig(width=8, num_layers=2, num_scales=1, spectral_norm=True),
    latent_discriminator=DiscriminatorConfig(
        width=8, num_layers=2, num_scales=1, spectral_norm=True
    ),
    detector=DetectorConfig(width=8, depth=2),
    tone=ToneConfig(width=4),
    stages={
        "vae-degraded": replace(_TINY_VAE_STAGE, hole_prob=0.0),
        "vae-clean": _TINY_VAE_STAGE,
        "mapping": replace(_TINY_VAE_STAGE, weights=_TINY_MAPPING_WEIGHTS),
        "detector": replace(_TINY_VAE_STAGE, recipe="paper"),
        "tone": replace(_TONE_STAGE, batch=8, crop=64, num_photos=2_400),
    },
    shared_start=True,
)

COURSE_STAGE = replace(
    TINY_STAGE,
    batch=4,
    num_photos=2_400,
    learning_rate=1e-3,
    ema_decay=0.99,
    hole_prob=1.0,
    hole_ratio=(0.05, 0.4),
)
"""The one budget of all methods whose checkpoints ship with the course.

The evaluation has holes over 5 to 20 % of whole photos. A hole in a crop is smaller in pixels, so
the crops get up to twice as many.
"""
_COURSE_VAE_STAGE = replace(COURSE_STAGE, weights=_SMALL_VAE_WEIGHTS)

COURSE = replace(
    TINY,
    name="course",
    mapping=replace(TINY.mapping, form="ours"),
    stages={
        **TINY.stages,
        "vae-degraded": _COURSE_VAE_STAGE,
        "vae-clean": _COURSE_VAE_STAGE,
        "mapping": replace(COURSE_STAGE, weights=_TINY_MAPPING_WEIGHTS),
    },
)

PRESETS = {preset.name: preset for preset in (TINY, COURSE, SMALL, PAPER)}
