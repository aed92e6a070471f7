"""Exercises that check themselves: they say what is wrong, never the answer.

An exercise knows its solution, a few trials, and the wrong answers that people typically give,
each with the message that helps. An answer is tried on the same inputs as the solution; where the
results differ, it is compared with the typical wrong ones.
"""

import contextlib
import copy
import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from oldphoto.course.exercises.hand_ins import write_hand_in

Level = Literal["complete a line", "modify", "build", "investigate"]
NOT_DONE = "Not done yet."
LINE_WIDTH = 88


@dataclass(frozen=True)
class Verdict:
    """What the check found; it is shown in words."""

    right: bool
    message: str

    def __repr__(self) -> str:
        if self.message == NOT_DONE:
            return NOT_DONE
        text = f"Right. {self.message}" if self.right else f"Not yet. {self.message}"
        return textwrap.fill(text, LINE_WIDTH)  # JupyterLab would break it inside a word


@dataclass
class Exercise:
    """One exercise.

    Attributes:
        title: a few words.
        level: how much is asked.
        solution: the one source of the right answer: a function, called with each trial, or a
            plain value. A value that must be computed is a function without arguments.
        trials: arguments to call the answer with.
        misconceptions: what to tell those who gave a typical wrong answer (without the right
            one), and that answer: a function like the solution, or a value.
        hints: two, from gentle to plain.
        praise: one sentence that is shown with a right answer.
        limits: least and greatest value that a result may have.
        tolerance: relative and absolute difference that is still right.
        observe: what is compared, where a result is not enough: a function of an answer and a
            trial that returns named values, such as the output and the gradient of a layer. It
            returns None for an answer that is not written yet. None compares ``answer(*trial)``.
        gradients: the arguments at which the gradient of the result is compared as well: a loss
            of the right value that is detached teaches nothing.
        same_kind: whether numbers must be of the solution's kind, such as uint8 or float32; set
            where the notebook goes on with them and another kind would stop it.
    """

    title: str
    level: Level
    solution: Any
    misconceptions: Mapping[str, Any]
    hints: tuple[str, str]
    praise: str
    trials: Sequence[tuple] = ((),)
    limits: tuple[float, float] | None = None
    tolerance: float = 1e-4
    same_kind: bool = False
    observe: Callable[..., dict[str, Any] | None] | None = None
    gradients: tuple[str, ...] = ()
    solved: bool = field(default=False, init=False)
    solved_alone: bool = field(default=False, init=False)
    solution_shown: bool = field(default=False, init=False)
    hints_shown: int = field(default=0, init=False)

    def check(self, answer: Any) -> Verdict:
        """Return whether the answer is right, and if not, what is wrong."""
        message = self._fault(answer)
        self.solved = not message
        # The package's own function, as or_solution gives it back, is nobody's answer.
        is_own = not callable(answer) or answer is not self.solution
        self.solved_alone |= self.solved and is_own and not self.solution_shown
        return Verdict(self.solved, message or self.praise)

    def hint(self) -> str:
        """Show the first hint, and when called again the second."""
        number = min(self.hints_shown, len(self.hints) - 1)
        self.hints_shown = number + 1
        return f"Hint {number + 1} of {len(self.hints)}: {self.hints[number]}"

    def show_solution(self) -> None:
        """Print the solution: the source of a function, or a plain value."""
        self.solution_shown = True
        if callable(self.solution):
            print(textwrap.dedent(inspect.getsource(self.solution)))
        else:
            print(self.solution)

    @property
    def state(self) -> str:
        """How it was solved: "own", "after the solution", or "open"."""
        if not self.solved:
            return "open"
        return "own" if self.solved_alone else "after the solution"

    def or_solution(self, answer: Any) -> Any:
        """Return the answer if it is right, else the solution, so that the notebook goes on."""
        if not self._fault(answer):
            return answer
        print(f"Going on with the package's own answer to: {self.title}.")
        computed = callable(self.solution) and not self.trials[0]
        return self.solution() if computed else self.solution

    @torch.random.fork_rng(devices=[])  # what the notebook draws afterwards stays the same
    def _fault(self, answer: Any) -> str:
        """Return what is wrong with an answer, or an empty text."""
        for trial in self.trials:
            try:
                given = self._result(answer, trial)
            except Exception as error:  # noqa: BLE001 - a reader's code may raise anything
                return f"It stops with {type(error).__name__}: {error}{_explained(error)}"
            expected = self._result(self.solution, trial)
            fault = self._compare(given, expected) or ""
            if fault:
                known = self._known_fault(answer, given, expected, trial)
                return known or fault + self._in_all_trials(answer)
        return ""

    def _in_all_trials(self, answer: Any) -> str:
        """Return what numbers that are wrong have in common, or an empty text."""
        ratios = []
        with contextlib.suppress(Exception):  # a reader's code may raise anything
            for trial in self.trials:
                both = (self._result(one, trial) for one in (answer, self.solution))
                given, expected = (_array(b[""] if isinstance(b, dict) else b) for b in both)
                ratios.append(np.asarray(given).item() / np.asarray(expected).item())
        if len(ratios) < max(2, len(self.trials)) or ratios[0] in (0, 1):
            return ""
        if np.ptp(ratios) > self.tolerance * abs(ratios[0]):
            return ""
        if abs(ratios[0] + 1) <= self.tolerance:
            return " Only its sign is wrong."
        return " It is off by the same factor in every trial."

    def _known_fault(self, answer: Any, given: Any, expected: Any, trial: tuple) -> str:
        """Return the message of the typical wrong answer that gives the same result.

        Two typical answers can meet by chance in one trial, so the one that agrees with the given
        answer in most trials is taken.
        """
        alike = {
            message: wrong
            for message, wrong in self.misconceptions.items()
            if _difference(typical := self._result(wrong, trial), expected) > self.tolerance
            and _difference(given, typical) <= self.tolerance
        }
        return max(alike, key=lambda message: self._agreement(answer, alike[message]), default="")

    def _agreement(self, answer: Any, wrong: Any) -> int:
        """Return in how many trials an answer and a typical wrong one give the same result."""
        agreed = 0
        for trial in self.trials:
            with contextlib.suppress(Exception):  # a reader's code may raise anything
                given = self._result(answer, trial)
                typical = self._result(wrong, trial)
                agreed += _difference(given, typical) <= self.tolerance
        return agreed

    def _result(self, answer: Any, trial: tuple) -> Any:
        """Try an answer on copies of the trial; a value is its own result."""
        if not callable(answer):
            return answer
        copies = copy.deepcopy(trial)
        if self.observe:
            return self.observe(answer, *copies)
        return self._with_gradients(answer, copies) if self.gradients else answer(*copies)

    def _with_gradients(self, answer: Any, trial: tuple) -> Any:
        """Return the result of an answer, under the name "", and its gradients."""
        watched = {
            name: part
            for name, part in zip(inspect.signature(self.solution).parameters, trial, strict=True)
            if name in self.gradients
        }
        for leaf in tree_leaves(watched):
            leaf.requires_grad_()
        torch.manual_seed(0)  # an answer that draws numbers of its own can then be recognised
        # Copies, because an answer may write into its arguments, but not into a leaf.
        value = answer(*tree_map(lambda x: x.clone() if isinstance(x, Tensor) else x, trial))
        if value is None or value is ...:
            return value
        if isinstance(value, Tensor) and value.requires_grad:
            value.backward(torch.randn(value.shape, generator=torch.Generator().manual_seed(0)))
        return {"": value} | {
            f"The gradient of {name}": torch.cat([_slope(leaf) for leaf in tree_leaves(part)])
            for name, part in watched.items()
        }

    def _compare(self, given: Any, expected: Any, name: str = "") -> str:
        if given is None or given is ...:
            return NOT_DONE
        if isinstance(expected, dict):
            faults = ((n, self._compare(given[n], part, n)) for n, part in expected.items())
            name, fault = next(((name, fault) for name, fault in faults if fault), ("", ""))
            if name.startswith("The gradient") and not torch.as_tensor(given[name]).any():
                return f"{name} is 0: something on the way is detached, or has no gradient."
            return f"{name}: {fault}" if name else fault
        if isinstance(expected, str):
            same = isinstance(given, str) and given.strip().lower() == expected
            if not same and len(expected) == 1 and not str(given).strip().isalpha():
                return "Expected one letter in quotes."
            return "" if same else f"{given!r} is not it."
        values, wanted = _array(given), _array(expected)
        if wanted is None or values is None:
            if isinstance(given, np.ndarray):
                return "Expected numbers, got an array of something else."
            return f"Expected {_kind(expected)}, got {type(given).__name__}."
        if isinstance(expected, Tensor) != isinstance(given, Tensor):
            return f"Expected {_kind(expected)}, got {_kind(given)}."
        return _other_shape(values, wanted) or self._other_values(
            given, expected, values, wanted, None if name else self.limits
        )

    def _other_values(
        self,
        given: Any,
        expected: Any,
        values: np.ndarray,
        wanted: np.ndarray,
        limits: tuple[float, float] | None,
    ) -> str:
        """Return what is wrong with values of the right shape, or an empty text."""
        if not np.isfinite(values).all():
            return "There are values that are not numbers (nan) or infinite."
        if limits and (values.min() < limits[0] or values.max() > limits[1]):
            return _outside(values, *limits)
        difference = _difference(given, expected)
        if difference > self.tolerance and not values.shape:
            # By how much would give the answer away.
            return f"The number that comes out is too {'large' if values > wanted else 'small'}."
        if difference > self.tolerance:
            return _what_differs(values, wanted, self.tolerance)
        if self.same_kind and given.dtype != expected.dtype:
            return f"The values are right, but of kind {given.dtype}: make them {expected.dtype}."
        return ""


def _slope(leaf: Tensor) -> Tensor:
    return torch.zeros(leaf.numel()) if leaf.grad is None else leaf.grad.flatten()


def _explained(error: Exception) -> str:
    """Return what an error message of PyTorch means that readers meet here, or an empty text."""
    if "does not require grad" in str(error):
        return ". The loss has no graph: it is detached, or was computed without gradients."
    return ""


def _what_differs(values: np.ndarray, wanted: np.ndarray, tolerance: float) -> str:
    """Return in which way an array differs from the expected one, but not by how much."""
    near = tolerance * np.abs(wanted).max()
    largest = np.unravel_index(np.abs(wanted).argmax(), wanted.shape)
    factor = values[largest] / wanted[largest] if near else 0.0
    if np.abs(values + wanted).max() <= near:
        return "The numbers are right, but all signs are wrong."
    if factor and np.abs(values - factor * wanted).max() <= near * abs(factor):
        return "The shape is right, but all values are off by the same factor."
    if np.ptp(values - wanted) <= near:
        return "The shape is right, but all values are off by the same amount."
    if np.abs(np.sort(values, axis=None) - np.sort(wanted, axis=None)).max() <= near:
        return "The right values, but in other places."
    wrong = np.abs(values - wanted) > near
    if wrong.all():
        return "The shape is right, but all values are wrong."
    first = ", ".join(str(index) for index in np.argwhere(wrong)[0])
    side = "large" if (values > wanted)[wrong][0] else "small"
    return (
        f"The shape is right, but {wrong.sum()} of {wrong.size} values are wrong. "
        f"The first one, at [{first}], is too {side}."
    )


def _outside(values: np.ndarray, low: float, high: float) -> str:
    """Return how far values go that leave their range."""
    if not values.shape:
        return f"The number should lie in [{low:g}, {high:g}], but it is {values:.4g}."
    return (
        f"Values should lie in [{low:g}, {high:g}], but they go from {values.min():.4g} "
        f"to {values.max():.4g}."
    )


@dataclass(frozen=True)
class Sheet:
    """The exercises of one notebook, with its number."""

    notebook: str
    exercises: tuple[Exercise, ...]

    def summary(self) -> None:
        """Print which exercises are solved, with how many hints."""
        for number, exercise in enumerate(self.exercises, start=1):
            state = "solved" if exercise.solved else "open"
            hints = f", {exercise.hints_shown} hints" if exercise.hints_shown else ""
            print(f"{number}. {exercise.title} ({exercise.level}): {state}{hints}")
        solved = sum(exercise.solved for exercise in self.exercises)
        print(f"{solved} of {len(self.exercises)} solved")

    def hand_in(self, student: str, seed: int = 0, folder: Path | str = ".") -> None:
        """Write what was solved into a file for the lecturer, and print its path and content.

        Args:
            student: your name, as on the lecturer's list.
            seed: the notebook's ``SEED``.
            folder: where the file goes.
        """
        results = [
            {"title": one.title, "level": one.level, "state": one.state, "hints": one.hints_shown}
            for one in self.exercises
        ]
        path = write_hand_in(student, seed, self.notebook, results, Path(folder))
        for number, one in enumerate(self.exercises, start=1):
            print(f"{number}. {one.title}: {one.state}, {one.hints_shown} hints")
        print(f"hand in this file: {path}")


def _other_shape(values: np.ndarray, wanted: np.ndarray) -> str:
    """Return how the shape of an answer differs from the expected one, or an empty text."""
    if values.shape == wanted.shape:
        return ""
    if not wanted.shape:
        return f"Expected a single number, got values of shape {values.shape}."
    order = " The axes are in another order." if _reordered(values.shape, wanted.shape) else ""
    return f"The shape should be {wanted.shape}, but it is {values.shape}.{order}"


def _reordered(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return sorted(shape) == sorted(wanted)


def _array(value: Any) -> np.ndarray | None:
    """Return numbers as an array of float64, or None where they are no numbers."""
    if isinstance(value, Tensor):
        return value.detach().cpu().double().numpy()
    if isinstance(value, bool | int | float | np.ndarray | np.generic):
        numbers = np.asarray(value)
        return numbers.astype(np.float64) if numbers.dtype.kind in "biuf" else None
    return None


def _difference(first: Any, second: Any) -> float:
    """Return the largest difference over the largest value; infinite if incomparable."""
    if isinstance(first, dict) and isinstance(second, dict):
        return max(_difference(first[name], part) for name, part in second.items())
    if isinstance(first, str) or isinstance(second, str):
        same = str(first).strip().lower() == str(second).strip().lower()
        return 0.0 if same else float("inf")
    one, other = _array(first), _array(second)
    if one is None or other is None or one.shape != other.shape:
        return float("inf")
    if not np.array_equal(np.isfinite(one), np.isfinite(other)):
        return float("inf")
    one, other = one[np.isfinite(one)], other[np.isfinite(other)]
    scale = max(float(np.abs(other).max(initial=0.0)), torch.finfo(torch.float32).tiny)
    return float(np.abs(one - other).max(initial=0.0)) / scale


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return "a tensor"
    if isinstance(value, np.ndarray) and value.ndim:
        return "an array"
    return "a text" if isinstance(value, str) else "a number"
