"""Read what the archives' services answer: fields that may be missing, lists of one, errors."""

from collections.abc import Iterable
from typing import Any


def texts(value: Any) -> list[str]:
    """Return every text of a field that may be missing, one text, or a list of texts."""
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return [str(value)] if str(value).strip() else []
    if isinstance(value, list):
        return [text for part in value for text in texts(part)]
    return []


def first_text(*values: Any) -> str:
    """Return the first text found in the fields, or an empty text."""
    return next((text for value in values for text in texts(value)), "")


def mapping(value: Any) -> dict[str, Any]:
    """Return value where it is an object, else an empty one, so that ``.get`` goes on."""
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> Iterable[dict[str, Any]]:
    """Return the objects of a list; other entries are left out."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def whole(value: Any, otherwise: int = 0) -> int:
    """Return a count that the service may have written as text."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return otherwise


def error_of(payload: Any) -> str:
    """Return what a service says went wrong in an answer of status 200, or an empty text."""
    if not isinstance(payload, dict):
        return "the answer is not a JSON object"
    error = payload.get("error") or payload.get("errors")
    if isinstance(error, dict):
        return first_text(error.get("info"), error.get("message"), error.get("code"), str(error))
    if error:
        return first_text(error, str(error))
    if payload.get("stat") == "fail" or payload.get("success") is False:
        return first_text(payload.get("message"), "the service refused the request")
    return ""
