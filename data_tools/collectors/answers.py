"""Read the JSON answers of the archives: fields may be missing, and text may come as a list."""

from typing import Any

import jmespath


def texts(value: Any) -> list[str]:
    """Return all texts of a field that may be missing, one text, or a nested list of texts.

    >>> texts(["a", ["b", None], {"c": 1}, 3])
    ['a', 'b', '3']
    """
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return [str(value)] if str(value).strip() else []
    if isinstance(value, list):
        return [text for part in value for text in texts(part)]
    return []


def first_text(*values: Any) -> str:
    """Return the first text in the fields, or an empty text.

    >>> first_text(None, [], ["x", "y"])
    'x'
    """
    return next(iter(texts(list(values))), "")


def whole(value: Any, otherwise: int = 0) -> int:
    """Return a whole number that may be written as text.

    >>> whole("250"), whole(None, otherwise=1)
    (250, 1)
    """
    try:
        return int(value)
    except (TypeError, ValueError):
        return otherwise


def error_of(payload: Any) -> str:
    """Return the error message inside an answer with status 200, or an empty text.

    >>> error_of({"stat": "fail", "message": "Invalid API Key"})
    'Invalid API Key'
    """
    if not isinstance(payload, dict):
        return "the answer is not a JSON object"
    error = payload.get("error") or payload.get("errors")
    if error:
        details = jmespath.search("[error, errors, error.[info, message, code]]", payload)
        return first_text(details) or str(error)
    if payload.get("stat") == "fail" or payload.get("success") is False:
        return first_text(payload.get("message")) or "the service refused the request"
    return ""
