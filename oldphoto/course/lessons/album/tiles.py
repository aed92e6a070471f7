"""Compute the tiles of a scan for a memory limit, without restoring it."""

from dataclasses import dataclass

from oldphoto.checks import InputError
from oldphoto.inference.memory_plan import FIXED_BYTES, PHOTO_BYTES, WorkingMemory, plan_tiling
from oldphoto.inference.tiling import Tiling, tile_places
from oldphoto.networks.restoration import RestorationNetwork
from oldphoto.system.memory import GIB


@dataclass(frozen=True)
class TilePlan:
    """The tiles of a photo for a memory budget.

    Attributes:
        size: height and width of the photo, multiples of what the network needs.
        with_mask: whether a scratch mask comes with it.
        budget: bytes that restoring may add to the loaded network.
        whole_bytes: bytes needed in one piece.
        taken_bytes: bytes needed with these tiles; 0 if not even tiles fit.
        tiling: None if the photo fits in one piece, or not at all.
        refusal: a sentence if not even tiles fit, else "".
    """

    size: tuple[int, int]
    with_mask: bool
    budget: int
    whole_bytes: int
    taken_bytes: int
    tiling: Tiling | None = None
    refusal: str = ""

    @property
    def places(self) -> list[tuple[slice, slice]]:
        """Rows and columns of each tile, in reading order; the whole photo if there is one."""
        if self.refusal:
            return []
        whole = Tiling(self.size, margin=0, ramp=1)
        return list(tile_places(self.size, self.tiling or whole))

    @property
    def grid(self) -> tuple[int, int]:
        """Number of rows and columns of tiles; (0, 0) if not even tiles fit."""
        return len({rows.start for rows, _ in self.places}), len(
            {columns.start for _, columns in self.places}
        )

    @property
    def work(self) -> float:
        """Computed pixels as a multiple of the photo's; pixels in overlaps are computed twice."""
        height, width = self.tiling.tile if self.tiling else self.size
        return len(self.places) * height * width / (self.size[0] * self.size[1])


def make_plan(
    network: RestorationNetwork,
    memory: WorkingMemory,
    size: tuple[int, int],
    with_mask: bool,
    budget: int,
) -> TilePlan:
    """Return the tiles of a photo of a given size for a budget in bytes."""
    height, width = (side + -side % network.size_multiple for side in size)
    whole = memory.predict_bytes(height, width, with_mask)
    plan = (height, width), with_mask, budget, whole
    try:
        tiling = plan_tiling(network, memory, (1, 3, height, width), with_mask, budget)
    except InputError as error:
        return TilePlan(*plan, taken_bytes=0, refusal=str(error))
    if tiling is None:
        return TilePlan(*plan, taken_bytes=whole)
    tile = tiling.tile[0] * tiling.tile[1] * memory.bytes_per_pixel(with_mask)
    return TilePlan(*plan, FIXED_BYTES + PHOTO_BYTES * height * width + tile, tiling)


def plan_words(plan: TilePlan) -> str:
    """Return a sentence on the needed memory, the budget and the tiles."""
    height, width = plan.size
    mask = "with" if plan.with_mask else "without"
    needs = (
        f"{width} x {height} pixels {mask} a mask take {plan.whole_bytes / GIB:.2f} GiB in one "
        f"piece; {plan.budget / GIB:.2f} GiB are allowed. "
    )
    if plan.refusal:
        return needs + f"Refused: {plan.refusal}."
    if plan.tiling is None:
        return needs + "One piece fits."
    (rows, columns), (tile_height, tile_width) = plan.grid, plan.tiling.tile
    return needs + (
        f"{rows} x {columns} tiles of {tile_width} x {tile_height} take "
        f"{plan.taken_bytes / GIB:.2f} GiB. Neighbours share {plan.tiling.overlap} pixels, so "
        f"{plan.work:.1f} times as many pixels are computed."
    )
