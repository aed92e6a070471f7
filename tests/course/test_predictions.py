"""Predictions: kept, shown again beside the result, and readable without a person or a kernel."""

import nbformat
import pytest

from oldphoto.checks import InputError
from oldphoto.course.predictions import NONE, WIDGET_VIEW, Predictions
from oldphoto.course.publishing.clean import replace_widgets


@pytest.fixture
def asked():
    predictions = Predictions()
    predictions.choose("norm", "Which loses its colour?", "with", "without <norm>")
    predictions.number("psnr", "How many dB?", within=1)
    return predictions


def widget(predictions, name):
    return predictions._asked[name].widget


def test_without_a_person_nothing_was_predicted_and_the_notebook_goes_on(asked):
    table = asked.table(norm="without <norm>", psnr=31.44).data
    assert table.count(NONE) == 2 and "31.4" in table and "without &lt;norm&gt;" in table
    assert "Predict, and run this cell again." in table


def test_right_and_wrong_predictions_are_counted(asked):
    widget(asked, "norm").value = "with"
    widget(asked, "psnr").value = " 31,0 "  # a comma is common in many countries
    table = asked.table(norm="without <norm>", psnr=31.9).data
    assert "<td>with</td><td>without &lt;norm&gt;</td><td>no</td>" in table
    assert "<td>31</td><td>31.9</td><td>yes</td>" in table and "1 of 2 right." in table
    assert "<td>no</td>" in asked.table(norm="with", psnr=32.1).data


def test_a_cell_that_runs_again_keeps_the_answer_unless_the_question_changed(asked):
    widget(asked, "norm").value = "with"
    asked.choose("norm", "Which loses its colour?", "with", "without <norm>")
    assert widget(asked, "norm").value == "with"
    asked.choose("norm", "Which?", "a", "b")
    assert widget(asked, "norm").value is None


def test_a_page_without_a_kernel_shows_the_question(asked):
    data = asked.choose("last", "Up or down?", "up", "down")._repr_mimebundle_()
    assert data[WIDGET_VIEW]["model_id"]
    output = nbformat.v4.new_output("execute_result", data=data)
    node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(outputs=[output])])
    replace_widgets(node)
    stored = node.cells[0].outputs[0].data
    assert set(stored) == {"text/html", "text/plain"}
    assert "Your prediction: Up or down? (up / down)" in stored["text/html"]


def test_wrong_use_is_told(asked):
    with pytest.raises(InputError, match="two answers or more"):
        asked.choose("one", "Which?", "only")
    with pytest.raises(InputError, match=r"each prediction, got \['psnr'\] alone"):
        asked.table(norm="with")
    with pytest.raises(InputError, match="the result for norm"):
        asked.table(norm="neither", psnr=1)
    widget(asked, "psnr").value = "many"
    with pytest.raises(InputError, match="expected a number, got 'many'"):
        asked.table(norm="with", psnr=1)
