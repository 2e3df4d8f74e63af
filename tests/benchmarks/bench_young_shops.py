"""How often the 90 % interval of a young shop holds the truth, on simulated shops of three kinds.

`SHOPS=400` simulates so many shops of each kind and size.
"""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Iterator
from time import process_time

from tests.benchmarks.frame import Bench, Row, Spread, one
from tests.support.purchase_shops import CUSTOMERS, KINDS, fit_shop

_SIMULATED = int(os.environ.get("SHOPS", "400"))


def measure(_: Bench) -> Iterator[Row]:
    """Yield how often the interval misses the truth, how wrong the middle is, and what a fit takes."""
    for kind in KINDS:
        for customers in CUSTOMERS:
            fits, taken = [], []
            for seed in range(_SIMULATED):
                begun = process_time()
                fits.append(fit_shop(seed, customers, kind))
                taken.append((process_time() - begun) * 1000)
            what = f"a young shop ({kind}) of {customers:,}"
            missed = 100 * (1 - statistics.fmean(fit.coverage for fit in fits))
            error = 100 * math.sqrt(statistics.fmean(fit.squared_error for fit in fits))
            yield Row(f"{what}: truth outside the 90 % interval", "%", one(missed))
            yield Row(f"{what}: error of the estimate", "points", one(error))
            yield Row(f"{what}: width of the interval", "points", Spread.of([100 * fit.width for fit in fits]))
            yield Row(f"{what}: simulated and fitted", "ms", Spread.of(taken))
