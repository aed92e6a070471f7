"""The README's table of the paper's equations, each with links to the lines that compute it.

Such a line carries a comment with ``eq. 5`` in it. As long as an equation has no comment, the table
links to the functions that the equation cards name.
"""

import inspect
import re
from pathlib import Path

from oldphoto.course.publishing.equations import PAPER_EQUATIONS, find_code

MARK = re.compile(r"\beq\. (\d+)")
CODE = ("networks", "training")  # the folders that are searched, besides losses.py

FORMULAS = {
    "1": ("restoration", r"r_{R \to Y} = G_Y(T(E_R(r)))"),
    "2": (
        "loss of a VAE",
        r"\mathcal{L}_{VAE}(r) = KL(E(z \mid r), N(0, I)) + \alpha \lVert G(z) - r \rVert_1"
        r" + \mathcal{L}_{GAN}(r)",
    ),
    "3": ("latent discriminator", r"\mathcal{L}_{latent} = E_x[D(z_x)^2] + E_r[(1 - D(z_r))^2]"),
    "4": (
        "stage 1",
        r"\min_{E, G} \max_D \mathcal{L}_{VAE}(r) + \mathcal{L}_{VAE}(x) + \mathcal{L}_{latent}",
    ),
    "5": (
        "loss of the mapping",
        r"\mathcal{L}_T = \lambda_1 \lVert T(z_x) - z_y \rVert_1 + \mathcal{L}_{GAN}"
        r" + \lambda_2 \mathcal{L}_{FM}",
    ),
    "6": (
        "feature matching, of D and VGG",
        r"\mathcal{L}_{FM} = \sum_i \frac{1}{n_i} \lVert \phi_i(\hat{y}) - \phi_i(y) \rVert_1",
    ),
    "7": ("attention to sound positions", r"s_{ij} = (1 - m_j) f_{ij} / \sum_k (1 - m_k) f_{ik}"),
    "8": ("similarity", r"f_{ij} = \exp(\theta(F_i)^T \phi(F_j))"),
    "9": ("partial non-local output", r"O_i = \nu(\sum_j s_{ij} \mu(F_j))"),
    "10": ("fusion", r"F_{fuse} = (1 - m) \odot \rho_l(F) + m \odot \rho_g(O)"),
}


def marked_lines(package: Path) -> dict[str, dict[str, list[int]]]:
    """Return for each equation the lines of each file whose comment names it."""
    found: dict[str, dict[str, list[int]]] = {}
    files = [path for name in CODE for path in sorted((package / name).glob("*.py"))]
    for path in [package / "losses.py", *files]:
        name = path.relative_to(package.parent).as_posix()
        for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            for number in set(MARK.findall(text.partition("#")[2])):
                found.setdefault(number, {}).setdefault(name, []).append(line)
    return found


def defined_lines(number: str, package: Path) -> dict[str, list[int]]:
    """Return where the functions of an equation are defined, from the equation cards."""
    found: dict[str, list[int]] = {}
    for equation in PAPER_EQUATIONS:
        for reference in equation.code if number in equation.number.split(", ") else ():
            code = inspect.unwrap(find_code(reference))  # type: ignore[arg-type]
            path = Path(inspect.getsourcefile(code) or "").relative_to(package.parent)
            found.setdefault(path.as_posix(), []).append(inspect.getsourcelines(code)[1])
    return found


def equation_table(package: Path) -> str:
    """Return the table as Markdown, with links that start at the folder above the package."""
    marks = marked_lines(package)
    rows = ["| no. | equation | what it is | lines |", "|---|---|---|---|"]
    for number, (what, formula) in FORMULAS.items():
        places = marks.get(number) or defined_lines(number, package)
        links = "; ".join(
            f"`{file.partition('/')[2]}` " + ", ".join(f"[{n}]({file}#L{n})" for n in lines)
            for file, lines in places.items()
        )
        rows.append(f"| {number} | $`{formula}`$ | {what} | {links} |")
    return "\n".join(rows)
