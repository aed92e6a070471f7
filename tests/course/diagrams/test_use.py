"""Drawings on training and on use are true to the package and to their notebooks."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from oldphoto.config import STAGES
from oldphoto.course.diagrams import training as diagrams_training
from oldphoto.course.diagrams import use as diagrams_use
from oldphoto.course.publishing.notebooks import all_notebooks
from oldphoto.evaluation.comparison_table import PAPER
from oldphoto.weights.store import MAPPINGS

SPACE = "{http://www.w3.org/2000/svg}"
# Notebook to its drawing.
DRAWINGS = {
    "10": diagrams_training.training_stages(),
    "12": diagrams_use.six_methods(),
    "13": diagrams_use.user_study(),
    "14": diagrams_use.sampling_and_record(),
    "15": diagrams_use.own_photo(),
}
NOTEBOOKS = {n.number: n for n in all_notebooks(Path(__file__).parents[3] / "notebooks")}


def labels(svg: str) -> list[str]:
    return [text.text for text in ElementTree.fromstring(svg).iter(f"{SPACE}text")]


def test_training_has_all_stages_in_order_and_one_frozen_pair():
    shown = labels(DRAWINGS["10"])
    stages = [label.split(": ")[1] for label in shown if re.match(r"\d: ", label)]
    assert tuple(stages) == STAGES
    assert shown.count("trained") == 4 and shown.count("frozen") == 1
    assert shown.index("frozen") == shown.index("both VAEs") + 1


def test_all_methods_stand_once_and_ours_twice():
    shown = labels(DRAWINGS["12"])
    methods = {name for name in PAPER if name != "Input" and not name.startswith("ours")}
    for name in methods | {"Classical", "CycleGAN"}:
        assert shown.count(name) == 1, name
    assert shown.count("ours") == 2
    told = [shown[place + 1] for place, label in enumerate(shown) if label == "m"]
    assert told == ["Classical", "DIP", "Sequential", "ours"]


def test_methods_stand_in_the_columns_that_the_notebook_tells():
    root = ElementTree.fromstring(DRAWINGS["12"])
    border = int(re.search(r"M(\d+) 10L", DRAWINGS["12"]).group(1))
    x_of = {text.text: int(text.get("x")) for text in root.iter(f"{SPACE}text")}
    assert all(x_of[name] < border for name in ("Attention", "Pix2Pix", "CycleGAN"))
    assert all(x_of[name] > border for name in ("Classical", "DIP", "Sequential"))


def test_what_the_rater_must_not_see_is_in_the_panel():
    root = ElementTree.fromstring(DRAWINGS["13"])
    panel = next(r for r in root.iter(f"{SPACE}rect") if r.get("fill") == "#f6f6f6")
    right = int(panel.get("x")) + int(panel.get("width"))
    bottom = int(panel.get("y")) + int(panel.get("height"))
    places = {t.text: (int(t.get("x")), int(t.get("y"))) for t in root.iter(f"{SPACE}text")}
    inside = {label for label, (x, y) in places.items() if x < right and y < bottom}
    assert {"old photos r", "mask m", "methods", "6 x 6 pictures", "shuffle"} <= inside
    assert not inside & {"A B C D E F", "a rater", "C A B F E D", "count"}


def test_the_record_is_in_the_first_file_and_not_in_the_copy():
    shown = labels(DRAWINGS["14"])
    assert shown[shown.index("photo.png") + 1] == "pixels + record"
    assert shown[shown.index("copy.png") + 1] == "pixels alone"


def test_settings_of_ones_own_photo_are_those_of_the_package():
    shown = labels(DRAWINGS["15"])
    assert {f'"{variant}"' for variant in MAPPINGS} <= set(shown)
    assert {'"none"', '"auto"', '"small"'} <= set(shown)
    questions = [label for label in shown if label.endswith("?")]
    parameters = NOTEBOOKS["15"].parameters()
    assert [q[:-1] for q in questions[1:]] == [name for name in ("MASK", "WEIGHTS", "VARIANT")]
    assert all(question[:-1] in parameters for question in questions[1:])
