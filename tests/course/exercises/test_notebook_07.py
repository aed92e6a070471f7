"""Exercises of notebook 07: the solutions do what the package does."""

from torch import nn

from oldphoto.course.exercises import notebook_07 as exercises
from oldphoto.course.exercises.engine import NOT_DONE
from oldphoto.networks.layers import ResidualBlock


def test_block_of_the_package_is_right():
    assert exercises.residual_block.check(
        lambda channels: ResidualBlock(channels, norm=False)
    ).right


def test_block_may_name_its_layers_as_it_likes():
    class Block(nn.Module):
        def __init__(self, channels):
            super().__init__()
            same = dict(kernel_size=3, padding="same", padding_mode="reflect")
            self.path = nn.Sequential(
                nn.Conv2d(channels, channels, **same),
                nn.ReLU(),
                nn.Conv2d(channels, channels, **same),
            )

        def forward(self, x):
            return self.path(x) + x

    assert exercises.residual_block.check(Block).right


def test_block_that_is_not_written_yet_is_not_done():
    class Block(nn.Module):
        def __init__(self, channels):
            super().__init__()

        def forward(self, features):
            return None

    assert exercises.residual_block.check(Block).message == NOT_DONE


def test_block_of_one_small_convolution_has_too_few_weights():
    verdict = exercises.residual_block.check(lambda channels: nn.Conv2d(channels, channels, 3))
    assert not verdict.right and verdict.message.startswith("The number of weights:")
