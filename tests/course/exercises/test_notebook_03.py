"""Exercises of notebook 03: their solutions are what the package computes."""

import cv2
import numpy as np

from data_tools.collectors.licences import classify
from data_tools.hashes import near_pairs
from data_tools.measures import colour_measures
from data_tools.split import split_of
from oldphoto.course.exercises import notebook_03 as exercises
from oldphoto.samples import sample_path, sample_photo
from oldphoto.system.files import sha256_of


def test_the_rule_agrees_with_the_packages_classifier():
    by_rule = exercises.allowed.solution(exercises.ADDRESSES)
    assert by_rule.tolist() == [classify(a) is not None for a in exercises.ADDRESSES]


def test_the_distance_is_the_one_that_near_duplicates_are_found_with():
    hashes = ["f0c3a59966781e07", "f0c3a59966781e0f", "70c3a59966780e1b", "0123456789abcdef"]
    for most in (0, 1, 5, 7):
        near = {
            (i, j)
            for i in range(4)
            for j in range(i + 1, 4)
            if exercises.distance.solution(hashes[i], hashes[j]) <= most
        }
        assert set(near_pairs(hashes, most)) == near


def test_the_package_measures_no_more_spread_than_the_formula():
    """It takes off the mean colour of each brightness; the formula takes off one mean."""
    for name in ("melons", "college"):
        pixels = sample_photo(name)
        lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        formula = exercises.spread.solution(lab[..., 1], lab[..., 2])
        assert 0 < colour_measures(pixels)[0] <= formula


def test_the_place_decides_the_packages_split():
    for name in ("melons", "college", "cat", "coffee", "rocket"):
        path = sample_path(name)
        place = exercises.place.solution(path.name, path.read_bytes())
        wanted = "test" if place < 20 else "validation" if place < 50 else "train"
        assert split_of(sha256_of(path), validation=30, test=20) == wanted
