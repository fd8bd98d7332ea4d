"""The table that the model learns from. This file and `train.py` are yours: edit them first.

The table here is scikit-learn's breast cancer table: 569 tumours, each measured under a
microscope, each found benign or malignant. To bring your own, follow docs/make-it-yours.md;
nothing else in the repository knows these columns.
"""

from collections.abc import Callable

import pandas as pd

from .schema import Feature, Schema

# Ranges say what is plausible, and so what the server accepts: wider than the data, narrow
# enough to catch a wrong unit. Lengths are in micrometres.
SCHEMA = Schema(
    target="diagnosis",
    classes=("benign", "malignant"),  # leave out for a target that is a number
    features=(
        Feature("mean_radius", "mean distance from the centre to the edge", 1, 60),
        Feature("mean_texture", "standard deviation of the grey levels", 0, 80),
        Feature("mean_perimeter", "mean length of the edge", 5, 400),
        Feature("mean_area", "mean area", 10, 8000),
        Feature("mean_smoothness", "local variation of the radius", 0, 0.5),
        Feature("mean_compactness", "perimeter squared over area, less one", 0, 1),
        Feature("mean_concavity", "depth of the dents in the edge", 0, 1),
        Feature("mean_concave_points", "share of the edge that is dented", 0, 0.5),
        Feature("mean_symmetry", "difference between the two halves", 0, 1),
        Feature("mean_fractal_dimension", "raggedness of the edge", 0, 0.3),
    ),
)

# Parts of the table where the model must be good too, each a name and the rows it holds.
# The gate looks at every one: an average hides whom a model fails.
SLICES: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "small tumours": lambda table: table["mean_radius"] < 12,
    "medium tumours": lambda table: table["mean_radius"].between(12, 15),
    "large tumours": lambda table: table["mean_radius"] > 15,
}


def load() -> pd.DataFrame:
    """The whole table: a column for each feature and one for the target, no missing values."""
    from sklearn.datasets import load_breast_cancer  # only here: who needs SCHEMA does not wait

    bunch = load_breast_cancer(as_frame=True)
    table = pd.DataFrame(bunch.data).rename(columns=lambda name: name.replace(" ", "_"))
    table = table[SCHEMA.names]
    return table.assign(diagnosis=bunch.target.map({0: "malignant", 1: "benign"}))
