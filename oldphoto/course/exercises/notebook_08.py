"""Exercises of notebook 08: the partial non-local block."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from oldphoto.course.exercises.engine import Exercise, Sheet

_noise = torch.Generator().manual_seed(8)
_scores = 2 * torch.randn(4, 6, generator=_noise)
_validity = torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
_upstream = torch.randn(4, 6, generator=torch.Generator().manual_seed(9))
_local = torch.randn(1, 3, 4, 5, generator=_noise)
_global = torch.randn(1, 3, 4, 5, generator=_noise)
_validity_map = (torch.rand(1, 1, 4, 5, generator=_noise) > 0.4).float()


def _masked_softmax(scores: Tensor, validity: Tensor) -> Tensor:
    without_damaged = scores.masked_fill(validity == 0, float("-inf"))
    return without_damaged.softmax(dim=-1)


def _weights_and_gradient(
    answer: Callable[..., Any], scores: Tensor, validity: Tensor
) -> dict[str, Any] | None:
    """Return attention weights, how many damaged positions got one, and the gradient of scores."""
    scores.requires_grad_()
    weights = answer(scores, validity)
    if weights is None or weights is ...:
        return None
    counted = gradient = torch.zeros(())
    if isinstance(weights, Tensor) and weights.shape == scores.shape:
        counted = (weights[:, validity == 0] != 0).sum().float()  # nan counts, too
        if weights.requires_grad:
            weights.backward(_upstream)
        gradient = torch.zeros_like(scores) if scores.grad is None else scores.grad
    return {
        "The attention weights": weights,
        "The number of damaged positions with a weight": counted,
        "The gradient of scores": gradient,
    }


masked_softmax = Exercise(
    title="the masked softmax",
    level="complete a line",
    solution=_masked_softmax,
    trials=(
        (_scores, _validity),
        (_scores - 50, _validity),
        (3 * _scores, torch.ones(6)),
        (_scores + 100, _validity),  # exp() of these is infinite in float32
        (_scores + 40 * (1 - _validity), _validity),  # damaged positions have the largest scores
    ),
    observe=_weights_and_gradient,
    misconceptions={
        "sigmoid looks at one score alone: the weights of a row do not add up to 1.": (
            lambda scores, validity: scores.sigmoid() * validity
        ),
        "-100 makes the weight of a damaged position small, not 0. Which score does?": (
            lambda scores, validity: scores.masked_fill(validity == 0, -100.0).softmax(dim=-1)
        ),
        "These are logarithms of weights.": (
            lambda scores, validity: scores.masked_fill(validity == 0, float("-inf")).log_softmax(
                dim=-1
            )
        ),
        "Damaged positions still get a weight: the mask is not used.": (
            lambda scores, validity: scores.softmax(dim=-1)
        ),
        "Damaged positions get 0, but the weights of the sound ones no longer add up to 1.": (
            lambda scores, validity: scores.softmax(dim=-1) * validity
        ),
        "The mask is the wrong way round: only damaged positions get a weight.": (
            lambda scores, validity: scores.masked_fill(validity == 1, float("-inf")).softmax(
                dim=-1
            )
        ),
        "A score of 0 is not a weight of 0: exp(0) is 1, so damaged positions still count.": (
            lambda scores, validity: (scores * validity).softmax(dim=-1)
        ),
        "The weights of one position i must add up to 1; yours add up over the wrong axis.": (
            lambda scores, validity: (
                scores.masked_fill(validity == 0, float("-inf")).softmax(dim=0).nan_to_num(0.0)
            )
        ),
        "A whole column has no weight at all, 0/0: the softmax runs over the wrong axis.": (
            lambda scores, validity: scores.masked_fill(validity == 0, float("-inf")).softmax(dim=0)
        ),
        "exp() of a large score is infinite. PyTorch's softmax takes off the largest first.": (
            lambda scores, validity: (
                (scores.exp() * validity) / (scores.exp() * validity).sum(dim=-1, keepdim=True)
            )
        ),
        "A finite number taken off makes the weight of a damaged position small, not 0. "
        "With a large score it even wins.": (
            lambda scores, validity: (scores - 30 * (1 - validity)).softmax(dim=-1)
        ),
        "A finite number taken off makes the weight of a damaged position small, not 0. "
        "Only one score has the exponential 0.": (
            lambda scores, validity: (scores - 100 * (1 - validity)).softmax(dim=-1)
        ),
        "The values are right, but they are detached: query and key would never learn.": (
            lambda scores, validity: (
                scores.masked_fill(validity == 0, float("-inf")).softmax(dim=-1).detach()
            )
        ),
    },
    hints=(
        "Which score makes exp(score) exactly 0?",
        "Tensor.masked_fill replaces values where a condition holds; then softmax over dim=-1.",
    ),
    praise="Every row adds up to 1, and the weight of each damaged position is exactly 0.",
)


_query, _key, _value, _slope = torch.randn(4, 60, 4, generator=_noise)
_keys_validity = (torch.rand(60, generator=_noise) > 0.3).float()


class _LargestArray(TorchDispatchMode):
    """Remember the number of entries of the largest array that any operation returns."""

    entries = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        arrays = [part for part in tree_leaves(result) if isinstance(part, Tensor)]
        self.entries = max([self.entries, *(array.numel() for array in arrays)])
        return result


def _attend(query: Tensor, key: Tensor, value: Tensor, validity: Tensor, chunk: int) -> Tensor:
    sums = []
    for part in query.split(chunk):
        scores = part @ key.T
        sums.append(_masked_softmax(scores, validity) @ value)
    return torch.cat(sums)


def _sums_rows_and_gradients(
    answer: Callable[..., Any], query: Tensor, key: Tensor, value: Tensor, chunk: int
) -> dict[str, Any] | None:
    """Return the sums, the rows of the matrix that were held at once, and the gradients."""
    inputs = {"query": query, "key": key, "value": value}
    for part in inputs.values():
        part.requires_grad_()
    with _LargestArray() as largest:
        sums = answer(query, key, value, _keys_validity[: len(key)], chunk)
    if sums is None or sums is ...:
        return None
    if isinstance(sums, Tensor) and sums.requires_grad and sums.shape == query.shape:
        sums.backward(_slope[: len(query)])
    rows = max(-(-largest.entries // len(key)), chunk)  # fewer are right as well
    found = {"The sums": sums, "The rows of the matrix held at once": torch.tensor(float(rows))}
    for name, part in inputs.items():
        slope = torch.zeros_like(part) if part.grad is None else part.grad
        found[f"The gradient of {name}"] = slope
    return found


def _keys_in_chunks(
    query: Tensor, key: Tensor, value: Tensor, validity: Tensor, chunk: int
) -> Tensor:
    parts = zip(key.split(chunk), value.split(chunk), validity.split(chunk), strict=True)
    return torch.stack(
        [_masked_softmax(query @ k.T, sound).nan_to_num(0.0) @ v for k, v, sound in parts]
    ).sum(dim=0)


def _without_the_rest(
    query: Tensor, key: Tensor, value: Tensor, validity: Tensor, chunk: int
) -> Tensor:
    whole = len(query) // chunk * chunk
    return _attend(query[:whole], key, value, validity, chunk)


def _without_gradient(
    query: Tensor, key: Tensor, value: Tensor, validity: Tensor, chunk: int
) -> Tensor:
    with torch.no_grad():
        return _attend(query, key, value, validity, chunk)


attend = Exercise(
    title="attention without the matrix",
    level="build",
    solution=_attend,
    trials=(
        (_query, _key, _value, 7),
        (_query[:50], _key, _value, 10),
        (_query, _key[:40], _value[:40], 13),
    ),
    observe=_sums_rows_and_gradients,
    misconceptions={
        "The weights multiply the keys. They belong to the values.": (
            lambda query, key, value, validity, chunk: _attend(query, key, key, validity, chunk)
        ),
        "The mask is the wrong way round: only damaged positions lend.": (
            lambda query, key, value, validity, chunk: _attend(
                query, key, value, 1 - validity, chunk
            )
        ),
        "The weights are set to 0 after the softmax, so those of a row no longer add up to 1.": (
            lambda query, key, value, validity, chunk: torch.cat(
                [(part @ key.T).softmax(dim=-1) * validity @ value for part in query.split(chunk)]
            )
        ),
        "The softmax is missing: these are scores, not weights.": (
            lambda query, key, value, validity, chunk: torch.cat(
                [part @ key.T @ value for part in query.split(chunk)]
            )
        ),
        "There are `chunk` parts. Each part should have `chunk` rows: split, not chunk.": (
            lambda query, key, value, validity, chunk: torch.cat(
                [_masked_softmax(part @ key.T, validity) @ value for part in query.chunk(chunk)]
            )
        ),
        "The sums are right, but the whole matrix was in memory. Split the queries, and take "
        "the scores of one part at a time.": lambda query, key, value, validity, chunk: (
            _masked_softmax(query @ key.T, validity) @ value
        ),
        "You split the keys: then each chunk has a softmax of its own, and its weights add up "
        "to 1 before the others are seen. Split the queries.": _keys_in_chunks,
        "The mask is not used: damaged positions lend, too.": (
            lambda query, key, value, validity, chunk: torch.cat(
                [(part @ key.T).softmax(dim=-1) @ value for part in query.split(chunk)]
            )
        ),
        "The last rows are missing: the number of queries is no multiple of `chunk`.": (
            _without_the_rest
        ),
        "These are the sums of the first chunk alone. Collect those of all chunks.": (
            lambda query, key, value, validity, chunk: _attend(
                query[:chunk], key, value, validity, chunk
            )
        ),
        "The sums are right, but there is no gradient: a block like this cannot be trained.": (
            _without_gradient
        ),
    },
    hints=(
        "query.split(chunk) gives the queries in parts. What can be computed from one part alone?",
        "For each part: scores with all keys, masked softmax, product with value. "
        "At the end torch.cat joins the sums.",
    ),
    praise="The same sums and gradients, and never more than `chunk` rows of the matrix.",
)


def _table_bytes(height: int, width: int) -> int:
    positions = (height // 4) * (width // 4)
    bytes_of_float32 = 4
    return positions**2 * bytes_of_float32


table_bytes = Exercise(
    title="bytes of one attention matrix",
    level="complete a line",
    solution=_table_bytes,
    trials=((256, 256), (1024, 768), (250, 399), (31, 101)),
    tolerance=1e-9,
    misconceptions={
        "A float32 takes more than 2 bytes.": lambda height, width: (
            2 * (height // 4 * (width // 4)) ** 2
        ),
        "8 bytes are a float64.": lambda height, width: 8 * (height // 4 * (width // 4)) ** 2,
        "These are MiB. Return bytes.": lambda height, width: (
            4 * (height // 4 * (width // 4)) ** 2 / 2**20
        ),
        "Round each side down before you multiply, not the product.": (
            lambda height, width: int(4 * (height / 4 * (width / 4)) ** 2)
        ),
        "You count the pixels of the photo. The latent has a quarter of the rows and columns.": (
            lambda height, width: 4 * (height * width) ** 2
        ),
        "Sides that are no multiple of 4 give fractions of positions. Round each side down.": (
            lambda height, width: 4 * (height / 4 * (width / 4)) ** 2
        ),
        "Each side is rounded down on its own, before the two are multiplied.": (
            lambda height, width: 4 * (height * width // 16) ** 2
        ),
        "Sides that are no multiple of 4 are rounded down here, not up.": (
            lambda height, width: 4 * (-(-height // 4) * -(-width // 4)) ** 2
        ),
        "This is the number of entries. How many bytes does a float32 take?": (
            lambda height, width: (height // 4 * (width // 4)) ** 2
        ),
        "These are bits; 8 of them make a byte.": (
            lambda height, width: 32 * (height // 4 * (width // 4)) ** 2
        ),
        "This is one number for each position. The matrix has one for each pair of positions.": (
            lambda height, width: 4 * (height // 4) * (width // 4)
        ),
        "Both sides are a quarter as long, so there are 16 times fewer positions, not 4 times.": (
            lambda height, width: 4 * (height * width // 4) ** 2
        ),
    },
    hints=(
        "How many latent positions are there? The matrix has a row and a column for each.",
        "Divide each side by 4 and round down to get the positions. Count pairs, then bytes.",
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
    gradients=("local", "borrowed"),
    misconceptions={
        "Everything is borrowed. Sound positions have features of their own.": (
            lambda local, borrowed, validity: borrowed
        ),
        "Damaged positions are right, but sound ones are empty.": (
            lambda local, borrowed, validity: (1 - validity) * borrowed
        ),
        "Nothing is borrowed.": lambda local, borrowed, validity: local,
        "Sound positions get the borrowed features as well.": (
            lambda local, borrowed, validity: validity * local + borrowed
        ),
        "The larger value wins here. The mask decides which branch counts where.": (
            lambda local, borrowed, validity: torch.maximum(local, borrowed)
        ),
        "The mask is the wrong way round: validity is 1 where the photo is SOUND.": (
            lambda local, borrowed, validity: (1 - validity) * local + validity * borrowed
        ),
        "Damaged positions still hold their own features: they were painted white, not empty.": (
            lambda local, borrowed, validity: local + (1 - validity) * borrowed
        ),
        "Both branches count everywhere. The mask decides which one counts where.": (
            lambda local, borrowed, validity: local + borrowed
        ),
        "The mask multiplies both branches, so damaged positions end up with nothing.": (
            lambda local, borrowed, validity: validity * (local + borrowed)
        ),
        "Sound positions are right, but damaged ones are empty: they take what was borrowed.": (
            lambda local, borrowed, validity: validity * local
        ),
        "An average uses both branches everywhere. The mask decides which one counts where.": (
            lambda local, borrowed, validity: (local + borrowed) / 2
        ),
    },
    hints=(
        "Write it for one position first: what should come out if validity is 1? And if it is 0?",
        "Each branch is multiplied by a weight, and the two weights add up to 1.",
    ),
    praise="Sound positions pass the local branch, damaged ones the global branch.",
)


faulty_line = Exercise(
    title="find the faulty line",
    level="investigate",
    solution="b",
    misconceptions={
        "Line a is right: it compares every query with every key.": "a",
        "Line c is right: it is the mean of the values by their weights.": "c",
        "Line d is right: validity is 1 where the photo is sound.": "d",
    },
    hints=(
        "Where does a hole borrow from in the picture? Which line decides that?",
        "Read the condition of the masked_fill aloud: which positions get -inf?",
    ),
    praise="The condition is the wrong way round: the sound positions were removed.",
)

sheet = Sheet("08", (masked_softmax, fuse, table_bytes, attend, faulty_line))
