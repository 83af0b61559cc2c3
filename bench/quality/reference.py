#!/usr/bin/env python3
"""Costs of scikit-learn's clusterings of the rows in a file.

The file holds the rows' unit vectors as little-endian float64: x, y, z of the first row, of the
second, and so on. Prints one JSON object: for KMeans (n_init=10) and MiniBatchKMeans (all defaults)
the sum over the rows of the squared distance to the nearest center.
"""

import argparse
import json
import platform
import sys
import warnings

import numpy
import sklearn
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning

BLOCK = 65_536


def cost(rows, centers):
    """Of any centers, by differences: no square is expanded, so that nothing cancels."""
    parts = []
    for start in range(0, len(rows), BLOCK):
        block = rows[start : start + BLOCK]
        nearest = numpy.full(len(block), numpy.inf)
        for center in centers:
            numpy.minimum(nearest, ((block - center) ** 2).sum(axis=1), out=nearest)
        parts.append(float(nearest.sum()))
    return sum(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--k", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    given = parser.parse_args()
    rows = numpy.fromfile(given.file, dtype="<f8").reshape(-1, 3)
    # Fewer distinct rows than clusters: it says so and finds them all.
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    full = KMeans(n_clusters=given.k, n_init=10, random_state=given.seed).fit(rows)
    small = MiniBatchKMeans(n_clusters=given.k, random_state=given.seed).fit(rows)
    json.dump(
        {
            "rows": len(rows),
            "kMeans": cost(rows, full.cluster_centers_),
            "miniBatch": cost(rows, small.cluster_centers_),
            "versions": {
                "python": platform.python_version(),
                "numpy": numpy.__version__,
                "scikit-learn": sklearn.__version__,
            },
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
