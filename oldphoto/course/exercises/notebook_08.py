"""Exercises of notebook 08: the partial non-local block."""

import torch
from torch import Tensor

from oldphoto.course.exercises.engine import Exercise, Misconception, Sheet

_noise = torch.Generator().manual_seed(8)
_scores = 2 * torch.randn(4, 6, generator=_noise)
_validity = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
_local = torch.randn(1, 3, 4, 5, generator=_noise)
_global = torch.randn(1, 3, 4, 5, generator=_noise)
_validity_map = (torch.rand(1, 1, 4, 5, generator=_noise) > 0.4).float()


def _masked_softmax(scores: Tensor, validity: Tensor) -> Tensor:
    without_damaged = scores.masked_fill(validity == 0, float("-inf"))
    return without_damaged.softmax(dim=-1)


masked_softmax = Exercise(
    title="the masked softmax",
    level="complete a line",
    solution=_masked_softmax,
    trials=(
        (_scores, _validity),
        (_scores - 50, _validity),
        (3 * _scores, torch.ones(6)),
        (_scores + 100, _validity),  # exp() of these is infinite in float32
    ),
    limits=(0.0, 1.0),
    misconceptions=(
        Misconception(
            lambda scores, validity: scores.softmax(dim=-1),
            "Damaged positions still get a share: the mask is not used.",
        ),
        Misconception(
            lambda scores, validity: scores.softmax(dim=-1) * validity,
            "Damaged positions get 0, but the shares of the sound ones no longer add up to 1.",
        ),
        Misconception(
            lambda scores, validity: scores.masked_fill(validity == 1, float("-inf")).softmax(
                dim=-1
            ),
            "The mask is the wrong way round: only damaged positions get a share.",
        ),
        Misconception(
            lambda scores, validity: (scores * validity).softmax(dim=-1),
            "A score of 0 is not a share of 0: exp(0) is 1, so damaged positions still count.",
        ),
        Misconception(
            lambda scores, validity: (
                scores.masked_fill(validity == 0, float("-inf")).softmax(dim=0).nan_to_num(0.0)
            ),
            "The shares of one position i must add up to 1; yours add up over the wrong axis.",
        ),
        Misconception(
            lambda scores, validity: scores.masked_fill(validity == 0, float("-inf")).softmax(
                dim=0
            ),
            "A whole column has no share at all, 0/0: the shares are taken over the wrong axis.",
        ),
        Misconception(
            lambda scores, validity: (
                (scores.exp() * validity) / (scores.exp() * validity).sum(dim=-1, keepdim=True)
            ),
            "exp() of a large score is infinite. PyTorch's softmax takes off the largest first.",
        ),
    ),
    hints=(
        "Which score makes exp(score) exactly 0?",
        "Tensor.masked_fill replaces values where a condition holds; then softmax over dim=-1.",
    ),
    praise="Every row adds up to 1, and no damaged position has a share.",
)


def _table_bytes(height: int, width: int) -> int:
    positions = (height // 4) * (width // 4)
    bytes_of_float32 = 4
    return positions**2 * bytes_of_float32


table_bytes = Exercise(
    title="bytes of one table of all pairs",
    level="complete a line",
    solution=_table_bytes,
    trials=((256, 256), (1024, 768)),
    tolerance=1e-9,
    misconceptions=(
        Misconception(
            lambda height, width: 4 * (height * width) ** 2,
            "You count the pixels of the photo. The latent has a quarter of the rows and columns.",
        ),
        Misconception(
            lambda height, width: (height // 4 * (width // 4)) ** 2,
            "This is the number of entries. How many bytes does a float32 take?",
        ),
        Misconception(
            lambda height, width: 32 * (height // 4 * (width // 4)) ** 2,
            "These are bits; 8 of them make a byte.",
        ),
        Misconception(
            lambda height, width: 4 * (height // 4) * (width // 4),
            "This is one number for each position. The table has one for each pair of positions.",
        ),
        Misconception(
            lambda height, width: 4 * (height * width // 4) ** 2,
            "Both sides are a quarter as long, so there are 16 times fewer positions, not 4 times.",
        ),
    ),
    hints=(
        "How many latent positions are there? The table has a row and a column for each.",
        "positions = (height // 4) * (width // 4); now count pairs, then bytes.",
    ),
    praise="Twice the side, sixteen times the memory.",
)


def _fuse(local: Tensor, borrowed: Tensor, validity: Tensor) -> Tensor:
    return validity * local + (1 - validity) * borrowed


fuse = Exercise(
    title="the fusion of the two branches",
    level="modify",
    solution=_fuse,
    trials=((_local, _global, _validity_map), (_local, _global, torch.ones(1, 1, 4, 5))),
    misconceptions=(
        Misconception(
            lambda local, borrowed, validity: (1 - validity) * local + validity * borrowed,
            "The mask is the wrong way round: validity is 1 where the photo is SOUND.",
        ),
        Misconception(
            lambda local, borrowed, validity: local + (1 - validity) * borrowed,
            "Damaged positions still hold their own features: they were painted white, not empty.",
        ),
        Misconception(
            lambda local, borrowed, validity: local + borrowed,
            "Both branches count everywhere. The mask decides which one counts where.",
        ),
        Misconception(
            lambda local, borrowed, validity: validity * (local + borrowed),
            "The mask multiplies both branches, so damaged positions end up with nothing.",
        ),
        Misconception(
            lambda local, borrowed, validity: validity * local,
            "Sound positions are right, but damaged ones are empty: they take what was borrowed.",
        ),
        Misconception(
            lambda local, borrowed, validity: (local + borrowed) / 2,
            "An average uses both branches everywhere. The mask decides which one counts where.",
        ),
    ),
    hints=(
        "Write it for one position first: what should come out if validity is 1? And if it is 0?",
        "Each branch is multiplied by a weight, and the two weights add up to 1.",
    ),
    praise="Sound positions pass the local branch, damaged ones the global branch.",
)


def _faulty_line() -> str:
    return "b"


faulty_line = Exercise(
    title="find the faulty line",
    level="investigate",
    solution=_faulty_line,
    misconceptions=(
        Misconception("a", "Line a is right: it compares every query with every key."),
        Misconception("c", "Line c is right: it takes the mean of the values, weighted by shares."),
        Misconception("d", "Line d is right: validity is 1 where the photo is sound."),
    ),
    hints=(
        "Where does a hole borrow from in the picture? Which line decides that?",
        "Read the condition of the masked_fill aloud: which positions get -inf?",
    ),
    praise="The condition is the wrong way round: the sound positions were removed.",
)

sheet = Sheet((masked_softmax, fuse, table_bytes, faulty_line))
