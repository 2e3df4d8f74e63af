"""How often the 90 % interval of a young shop holds the truth, on simulated shops of three kinds: `make bench`.

`--shops 400` simulates so many shops of each kind and size.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time

from tests.support.purchase_shops import CUSTOMERS, KINDS, fit_shop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shops", type=int, default=400)
    shops = parser.parse_args().shops
    print(
        f"{'shop':<14}{'customers':>10}{'coverage':>10}{'error':>8}{'width':>8}{'ms a shop':>11}   ({shops} shops each)"
    )
    for kind in KINDS:
        for customers in CUSTOMERS:
            begun = time.monotonic()
            fits = [fit_shop(seed, customers, kind) for seed in range(shops)]
            took = (time.monotonic() - begun) / shops * 1000
            coverage = statistics.fmean(fit.coverage for fit in fits)
            error = math.sqrt(statistics.fmean(fit.squared_error for fit in fits))
            width = statistics.fmean(fit.width for fit in fits)
            print(f"{kind:<14}{customers:>10}{coverage:>10.3f}{error:>8.3f}{width:>8.3f}{took:>11.0f}", flush=True)


if __name__ == "__main__":
    main()
