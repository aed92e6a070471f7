"""Let torchvision load beside a torch that was built without its compiled operators.

A torchvision wheel that was built for CUDA does not find its compiled library beside a CPU build of
torch. It then stops at ``import torchvision`` with "operator torchvision::nms does not exist",
because two of its Python files register a shape rule for operators that were not declared. It is
enough to declare these two operators first, since models, transforms, datasets and utils never
call them. Import this module before torchvision; where torchvision loads without help, nothing is
changed.
"""

import importlib

import torch

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
# Deleting a torch.library.Library removes its declarations, so it is kept here.
_declared: list[torch.library.Library] = []


def _import_with_schemas() -> None:
    """Import torchvision; if an operator is missing, declare both operators and try again."""
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
    """Return whether operators had to be declared to import torchvision."""
    return bool(_declared)


_import_with_schemas()
