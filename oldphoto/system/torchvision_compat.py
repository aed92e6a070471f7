"""Let torchvision load beside a torch that was built without its compiled operators.

A torchvision wheel that was built for CUDA does not find its compiled library beside a CPU build of
torch. It then stops at ``import torchvision`` with "operator torchvision::nms does not exist",
because two of its Python files register a shape rule for operators that nobody declared.
Declaring the signatures of these two operators first is enough: models, transforms, datasets and
utils never call them. Import this module before torchvision; where torchvision loads by itself, it
changes nothing.
"""

import importlib

import torch

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
# A torch.library.Library takes its declarations away when it is deleted, so it is kept here.
_declared: list[torch.library.Library] = []


def _import_with_schemas() -> None:
    """Import torchvision; only when it fails for want of an operator, declare them and retry."""
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        library = torch.library.Library("torchvision", "FRAGMENT")
        for schema in _SCHEMAS.values():
            library.define(schema)
        _declared.append(library)
        importlib.import_module("torchvision")


def was_needed() -> bool:
    """Return whether operators had to be declared, because torchvision did not load by itself."""
    return bool(_declared)


_import_with_schemas()
