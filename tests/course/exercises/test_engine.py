"""The checks of an exercise: what is right, what is wrong, and what the notebook goes on with."""

import importlib
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from oldphoto.course.exercises import notebook_00 as exercises_00
from oldphoto.course.exercises import notebook_08 as exercises_08
from oldphoto.course.exercises.engine import NOT_DONE, Exercise, Sheet, Verdict
from oldphoto.course.publishing.notebooks import CourseNotebook, all_notebooks


def exercise_notebooks() -> list[CourseNotebook]:
    """The notebooks with a sheet of exercises."""
    course = Path(exercises_00.__file__).parent
    return [one for one in all_notebooks() if (course / f"notebook_{one.number}.py").is_file()]


@pytest.mark.parametrize("notebook", exercise_notebooks(), ids=lambda one: one.number)
def test_the_summary_counts_the_exercises_in_the_order_of_the_notebook(notebook):
    module = importlib.import_module(f"oldphoto.course.exercises.notebook_{notebook.number}")
    code = "\n".join(cell.source for cell in notebook.node.cells if cell.cell_type == "code")
    names = {id(value): name for name, value in vars(module).items()}
    of_sheet = [names[id(exercise)] for exercise in module.sheet.exercises]
    assert re.findall(r"exercises\.(\w+)\.check\(", code) == of_sheet


def test_correct_but_different_code_is_right():
    def by_hand(scores, keep):
        weight = torch.exp(scores - scores.max(dim=1, keepdim=True).values) * keep
        return weight / weight.sum(dim=1, keepdim=True)

    assert exercises_08.masked_softmax.check(by_hand).right


def double():
    return Exercise(
        title="double",
        level="modify",
        solution=lambda x: 2 * x,
        trials=((torch.tensor([1.0, 2.0]),), (torch.tensor([0.5]),)),
        misconceptions={"This is the square.": lambda x: x**2},
        hints=("a", "b"),
        praise="Yes.",
        limits=(0.0, 4.0),
    )


def test_generic_messages_tell_what_is_wrong():
    check = double().check
    assert check(lambda x: 2 * x[:1]).message == "The shape should be (2,), but it is (1,)."
    assert "stops with ZeroDivisionError" in check(lambda x: 1 / 0).message
    assert "not numbers (nan)" in check(lambda x: x * float("nan")).message
    assert "in [0, 4], but they go from -4 to -2" in check(lambda x: -2 * x).message
    assert "off by the same amount" in check(lambda x: 2 * x - 0.1).message
    assert "off by the same factor" in check(lambda x: 1.5 * x[:1].expand_as(x) * x).message
    assert "in other places" in check(lambda x: 2 * x.flip(0)).message
    assert "all signs are wrong" in exercise_of(lambda x: 2 * x).check(lambda x: -2 * x).message
    one = exercise_of(lambda x: 2 * x).check(lambda x: np.array([2.0, 3.0])).message
    assert one.endswith("1 of 2 values are wrong. The first one, at [1], is too small.")
    assert check(lambda x: "no").message == "Expected a tensor, got str."
    assert check(lambda x: 2.0).message == "Expected a tensor, got a number."
    assert check(lambda x: x.numpy()).message == "Expected a tensor, got an array."


def test_a_single_number_out_of_range_is_called_one():
    mean = exercise_of(lambda x: float(x.mean()), limits=(0.0, 4.0))
    assert "The number should lie in [0, 4], but it is 23." in mean.check(lambda x: 23.0).message


def exercise_of(solution, **options):
    """An exercise with one trial and no typical wrong answers."""
    trials = ((np.array([1.0, 2.0]),),)
    return Exercise("a", "modify", solution, {}, ("a", "b"), "Yes.", trials=trials, **options)


def test_messages_about_arrays_and_numbers_name_what_came():
    check = exercise_of(lambda x: 2 * x).check
    assert check(lambda x: [2.0, 4.0]).message == "Expected an array, got list."
    texts = check(lambda x: np.array(["two", "four"]))
    assert texts.message == "Expected numbers, got an array of something else."
    assert check(lambda x: (x > 0).any()).message == "The shape should be (2,), but it is ()."
    check = exercise_of(lambda x: x.sum()).check
    assert check(lambda x: x).message == "Expected a single number, got values of shape (2,)."
    assert check(lambda x: 6.0).message == "The number that comes out is too large."


def test_an_answer_of_another_kind_is_right_unless_the_notebook_goes_on_with_it():
    to_bytes, to_float = (lambda x: x.astype(np.uint8)), (lambda x: x)
    assert exercise_of(to_bytes).check(to_float).right
    exercise = exercise_of(to_bytes, same_kind=True)
    assert exercise.check(to_float).message == (
        "The values are right, but of kind float64: make them uint8."
    )
    assert exercise.check(to_bytes).right


def slope_of(answer, x):
    """What is compared: a value and its slope."""
    x.requires_grad_()
    value = answer(x)
    if value is None:
        return None
    (slope,) = torch.autograd.grad(value.sum(), x) if value.requires_grad else (0 * x,)
    return {"The value": value, "The slope": slope}


def test_an_exercise_can_compare_more_than_a_result():
    exercise = Exercise(
        title="square",
        level="build",
        solution=lambda x: x**2,
        trials=((torch.tensor([1.0, 2.0]),), (torch.tensor([3.0]),)),
        observe=slope_of,
        misconceptions={"It is detached.": lambda x: x.detach() ** 2},
        hints=("a", "b"),
        praise="Yes.",
    )
    assert exercise.check(lambda x: x * x).right
    assert exercise.check(lambda x: None).message == NOT_DONE
    assert exercise.check(lambda x: (x**2).detach()).message == "It is detached."
    half = exercise.check(lambda x: x * x.detach()).message
    assert half == "The slope: The shape is right, but all values are off by the same factor."
    assert exercise.check(lambda x: x**3).message.startswith("The value: ")
    assert exercise.or_solution(None)(torch.tensor(3.0)) == 9


def mean_square():
    """An exercise whose result must have a gradient at its first argument, a list."""
    return Exercise(
        title="mean square",
        level="build",
        solution=lambda maps, scale: scale * sum(m.square().mean() for m in maps),
        trials=(([torch.ones(2), torch.ones(3)], 2.0), ([torch.full((2,), 3.0)], -0.5)),
        gradients=("maps",),
        limits=(-9.0, 12.0),  # of the value, not of the gradient
        misconceptions={},
        hints=("a", "b"),
        praise="Yes.",
    )


def test_a_result_that_is_detached_is_told_so_and_one_that_is_not_is_right():
    check = mean_square().check
    assert check(
        lambda maps, scale: scale * torch.stack([(m * m).mean() for m in maps]).sum()
    ).right
    assert check(lambda maps, scale: None).message == NOT_DONE
    for detached in (
        lambda maps, scale: scale * sum(m.detach().square().mean() for m in maps),
        lambda maps, scale: (scale * sum(m.square().mean() for m in maps)).detach(),
    ):
        assert check(detached).message.startswith("The gradient of maps is 0: something")
    halved = check(lambda maps, scale: scale * sum((m * m.detach()).mean() for m in maps)).message
    assert halved.startswith("The gradient of maps: ") and "same factor" in halved


def test_a_check_does_not_change_what_is_drawn_afterwards():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    mean_square().check(lambda maps, s: s * sum(torch.randn_like(m).mean() for m in maps))
    assert torch.rand(1) == expected


def test_an_answer_may_write_into_arguments_that_have_a_gradient():
    exercise = mean_square()
    assert exercise.check(lambda maps, s: s * sum(m.pow_(2).mean() for m in maps)).right
    assert exercise.check(lambda maps, s: s * sum(m.square().mean() for m in maps)).right


def test_a_number_is_told_what_is_wrong_in_all_trials():
    check = mean_square().check
    factor = check(lambda maps, s: 3 * s * sum(m.square().mean() for m in maps)).message
    assert factor.endswith("too large. It is off by the same factor in every trial.")
    sign = check(lambda maps, s: -s * sum(m.square().mean() for m in maps)).message
    assert sign.endswith("Only its sign is wrong.")


def test_a_letter_is_asked_for_where_something_else_came():
    exercise = Exercise("a", "investigate", "b", {}, ("a", "b"), "Yes.")
    assert (
        exercise.check("'b'").message
        == exercise.check(2).message
        == ("Expected one letter in quotes.")
    )


def test_a_step_without_a_graph_is_explained():
    step = mean_square().check(lambda maps, s: maps[0].detach().sum().backward())
    assert "does not require grad" in step.message and step.message.endswith("without gradients.")


def test_wrong_answer_that_is_right_at_the_first_trial_is_found_at_the_second():
    assert not double().check(lambda x: torch.tensor([2.0, 4.0])[: len(x)]).right
    assert double().check(lambda x: x**2).message == "This is the square."


def test_of_two_wrong_answers_that_meet_by_chance_the_one_that_agrees_more_often_is_named():
    exercise = double()
    meets_once = lambda x: torch.tensor([1.0, 4.0]) * x[0]  # noqa: E731
    exercise.misconceptions = {"By chance.": meets_once, **exercise.misconceptions}
    assert exercise.check(lambda x: x**2).message == "This is the square."
    assert exercise.check(meets_once).message == "By chance."


def test_an_answer_that_changes_an_array_does_not_spoil_the_trial():
    exercise = exercise_of(lambda x: 2 * x)

    def in_place(x):
        x *= 2
        return x

    assert exercise.check(in_place).right and exercise.check(lambda x: 2 * x).right
    assert exercise.trials[0][0].tolist() == [1.0, 2.0]


def test_an_answer_that_changes_its_input_does_not_spoil_the_trial():
    exercise = double()
    assert exercise.check(lambda x: x.mul_(2)).right
    assert exercise.check(lambda x: x * 2).right


def test_a_long_message_is_shown_in_lines_that_a_page_holds():
    message = "It is too long for a line. " * 10
    shown = repr(Verdict(False, message)).splitlines()
    assert len(shown) > 2 and max(map(len, shown)) <= 88
    assert " ".join(shown) == f"Not yet. {message}".strip()


def test_or_solution_lets_the_notebook_go_on(capsys):
    exercise = double()
    right = lambda x: x + x  # noqa: E731
    assert exercise.or_solution(right) is right
    assert capsys.readouterr().out == ""
    assert exercise.or_solution(None) is exercise.solution
    assert exercise.or_solution(lambda x: x) is exercise.solution
    assert "the package's own answer" in capsys.readouterr().out
    assert exercises_08.faulty_line.or_solution("a") == "b"
    assert exercises_08.faulty_line.or_solution(None) == "b"


def test_hints_come_one_after_the_other():
    exercise = double()
    assert [exercise.hint() for _ in range(3)] == [
        "Hint 1 of 2: a",
        "Hint 2 of 2: b",
        "Hint 2 of 2: b",
    ]


def test_summary_counts_what_is_solved(capsys):
    first, second = double(), double()
    first.check(lambda x: 2 * x)
    second.hint()
    Sheet("08", (first, second)).summary()
    assert capsys.readouterr().out == (
        "1. double (modify): solved\n2. double (modify): open, 1 hints\n1 of 2 solved\n"
    )


def test_solution_is_shown_from_its_one_source(capsys):
    exercises_08.faulty_line.show_solution()
    assert capsys.readouterr().out == "b\n"
    exercises_08.masked_softmax.show_solution()
    assert "masked_fill(validity == 0" in capsys.readouterr().out


def test_verdict_reads_as_a_sentence():
    exercise = double()
    assert repr(exercise.check(lambda x: 2 * x)) == "Right. Yes."
    assert repr(exercise.check(None)) == "Not done yet."
    assert repr(exercise.check(lambda x: x**2)) == "Not yet. This is the square."


def test_numbers_of_numpy_are_numbers():
    assert exercises_00.damaged_fraction.check(lambda mask: np.float64(mask.mean())).right
    assert exercises_00.damaged_fraction.check(lambda mask: float(mask.mean())).right
