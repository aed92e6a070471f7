"""Settings of every network and every training stage: frozen dataclasses and three presets.

``paper`` is the architecture table of the paper and its training schedule. ``small`` and ``tiny``
keep the method (two VAEs, one shared latent space, a mapping with a partial non-local block) at
sizes that train on one ordinary GPU, or on a CPU.
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

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
class LossWeights:
    """The factor of each loss term; a term with factor 0 is not computed.

    Attributes:
        l1_weight: alpha of equation 2 for the VAEs; on the restored photo for the mapping, where
            the paper, and so preset ``paper``, has no such term.
        kl_weight: equation 2, first term.
        adversarial_weight: LSGAN on the photo, equations 2 and 5.
        latent_adversarial_weight: equation 3; ``vae-degraded`` only.
        latent_l1_weight: lambda1 of equation 5; ``mapping`` only.
        feature_matching_weight: lambda2 of equation 5, discriminator part. The authors' code has
            it for the VAEs, too, where equation 2 has not.
        perceptual_weight: lambda2 of equation 5, VGG part; needs a feature network. For the VAEs,
            again, from the authors' code, which goes without L1 instead.
    """

    l1_weight: float = 10.0
    kl_weight: float = 1.0
    adversarial_weight: float = 1.0
    latent_adversarial_weight: float = 1.0
    latent_l1_weight: float = 60.0
    feature_matching_weight: float = 10.0
    perceptual_weight: float = 10.0


@dataclass(frozen=True)
class StageConfig:
    """How one stage is trained.

    Attributes:
        batch: photos of each kind in one step.
        crop: side of the square crops, in pixels.
        num_photos: photos seen in the whole stage; steps are num_photos / batch.
        decay_from: share of the steps after which the learning rate falls linearly to 0.
        betas: of Adam.
        ema_decay: of the moving average of the weights that is kept as the result.
        clip_norm: gradients longer than this are shortened to it.
        hole_prob: share of the photos that get holes; not for ``vae_clean`` and the detector.
        hole_ratio: limits of the share of such a photo that its holes cover.
        recipe: name of the degradation recipe; the detector wants one with scratches, "paper".
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
    """One size of the whole method: the networks of all stages, and how each is trained.

    Attributes:
        shared_start: let ``vae_clean`` start as a copy of the run's ``vae_degraded``, so that a
            photo has nearly the same code in both. In the paper each starts at random.
    """

    name: str
    vae: VAEConfig
    mapping: MappingConfig
    discriminator: DiscriminatorConfig
    latent_discriminator: DiscriminatorConfig
    detector: DetectorConfig
    train_vae_degraded: StageConfig
    train_vae_clean: StageConfig
    train_mapping: StageConfig
    train_detector: StageConfig
    shared_start: bool = False

    def __post_init__(self) -> None:
        if self.vae.latent_channels != self.mapping.latent_channels:
            raise InputError(
                "latent_channels must be the same in the VAE and the mapping; got "
                f"{self.vae.latent_channels} and {self.mapping.latent_channels}"
            )


# The paper trains 200 epochs, the rate falling in the second half; an epoch of the authors' code is
# the 17,125 photos of Pascal VOC 2012. Adam's values and crops are the paper's section 4.1. Batch 8
# fits 12 GB of GPU memory; the authors' commands use 36 to 120 on four GPUs.
_PAPER_STAGE = StageConfig(batch=8, crop=256, num_photos=200 * 17_125)

PAPER = Preset(
    name="paper",
    vae=VAEConfig(),
    mapping=MappingConfig(),
    discriminator=DiscriminatorConfig(),
    latent_discriminator=DiscriminatorConfig(num_scales=1),
    detector=DetectorConfig(),
    train_vae_degraded=replace(_PAPER_STAGE, hole_prob=0.0),
    train_vae_clean=_PAPER_STAGE,
    train_mapping=replace(_PAPER_STAGE, weights=LossWeights(l1_weight=0.0)),  # equation 5
    train_detector=replace(_PAPER_STAGE, recipe="paper"),
)

# Without instance norm and VGG, L1 does most of the work; a small KL weight lets the code grow
# well above the unit noise, or the reconstruction drowns in it.
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
# Most of the distance between codes is detail that the damage has taken for good. With 0.5 it
# outweighs the distance between photos, once that is small.
_SMALL_MAPPING_WEIGHTS = replace(
    _TINY_MAPPING_WEIGHTS, latent_l1_weight=0.05, perceptual_weight=1.0
)
_SMALL_VAE_STAGE = StageConfig(
    batch=16, crop=128, num_photos=160_000, learning_rate=4e-4, weights=_SMALL_VAE_WEIGHTS
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
    train_vae_degraded=_SMALL_VAE_STAGE,
    train_vae_clean=_SMALL_VAE_STAGE,
    train_mapping=StageConfig(
        batch=16,
        crop=128,
        num_photos=320_000,
        learning_rate=4e-4,
        weights=_SMALL_MAPPING_WEIGHTS,
        # The attention's gradients are tiny but for rare outliers. With the paper's 0.5, and
        # gradients up to 10, one of them can move a weight by 16 steps at once: the loss jumps.
        betas=(0.9, 0.999),
        clip_norm=1.0,
        hole_prob=0.8,
        hole_ratio=(0.0, 0.25),
    ),
    train_detector=StageConfig(
        batch=32, crop=128, num_photos=160_000, learning_rate=1e-3, recipe="paper"
    ),
    shared_start=True,
)

_TINY_VAE_STAGE = StageConfig(
    batch=8,
    crop=64,
    num_photos=2_400,
    learning_rate=2e-3,
    ema_decay=0.98,
    weights=_SMALL_VAE_WEIGHTS,
)

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
    train_vae_degraded=replace(_TINY_VAE_STAGE, hole_prob=0.0),
    train_vae_clean=_TINY_VAE_STAGE,
    train_mapping=replace(_TINY_VAE_STAGE, weights=_TINY_MAPPING_WEIGHTS),
    train_detector=replace(_TINY_VAE_STAGE, recipe="paper"),
    shared_start=True,
)

PRESETS = {preset.name: preset for preset in (TINY, SMALL, PAPER)}
