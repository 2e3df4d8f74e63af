"""A report as one HTML page: tables and plots (SVG), without scripts or external resources."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

FIGURES = {
    "auc": ("ROC AUC", "pairs of customers in the right order; 0.5 is chance"),
    "pr_auc": ("PR AUC", "mean precision; the base rate is chance"),
    "brier": ("Brier score", "mean squared error of the probabilities; less is better"),
    "brier_skill": ("Brier skill", "share by which it is better than the base rate for everybody"),
    "log_loss": ("log loss", "less is better"),
    "ece": ("ECE", "how far probabilities lie from what happened, on average"),
    "top_decile_lift": ("top-decile lift", "churners among the riskiest tenth, as a multiple of the base rate"),
    "profit": ("expected maximum profit", "of a campaign, a customer, in units of currency (EMPC)"),
    "accuracy": ("accuracy", "on the right side of 0.5"),
}
"""The name and the explanation of each figure of `churn.ml.metrics`."""

MODELS = {
    "forest": "this model",
    "twelve": "this model, told the 12 features alone",
    "alone": "its forest alone",
    "recency": "days since the last order alone",
    "logistic": "logistic regression",
    "boosting": "gradient boosting",
    "purchases": "BG/NBD, without labels",
    "current": "the model in use",
}
"""The names of the models of a report."""

FORMS = {
    "refitted": "fitted again to all windows, with the purchase process of {day}",
    "brought_up_to_now": "with the purchase process of {day}",
}
"""The forms of a tested model that know more than it does, by their names in `freshness`."""

PARTS = {"forest": "forest", "logistic": "logistic regression", "purchases": "purchase process (BG/NBD)"}
"""The names of the parts of a blend."""

SLICES = {
    "one_time": "customers of one order",
    "repeat": "customers of several orders",
    "new": "customers known for less than 30 days",
    "high_value": "the tenth who spent most",
}

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; } small, .quiet { color: #5b6675; }
table { border-collapse: collapse; width: 100%; } th, td { padding: .3rem .6rem; border-bottom: 1px solid #dde3ea; }
th { text-align: left; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.plots { display: flex; flex-wrap: wrap; gap: 1.5rem; } figure { margin: 0; }
svg text { font-size: 11px; fill: #3c4858; }
.passed { color: #17703a; } .failed { color: #a8261d; }
"""
_SIDE, _EDGE = 280, 42
_INK, _FAINT, _OTHER = "#2458a6", "#c4ccd6", "#c2622d"


def report_html(report: Mapping[str, Any]) -> str:
    """Return the page of a report of `train` or `train_or_begin`, without the parts that the report does not have."""
    if "forest" in report:
        parts = [
            _head(report),
            _comparison(report),
            _plots(report) if report.get("deciles") else "",
            _slices(report["slices"]) if report.get("slices") else "",
            _money(report["money"]) if report.get("money") else "",
            _effects(report["effects"]) if report.get("effects") else "",
            _training(report),
        ]
    else:
        parts = [_purchases(report)]
    title = f"Churn model {escape(str(report['version']))}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _purchases(report: Mapping[str, Any]) -> str:
    """Return the page of a shop that is too young for a forest."""
    if report["source"] == "prior":
        fit = "The purchase process (BG/NBD) as it is usual for shops, without any customer of this one, made at"
    else:
        fit = f"The purchase process (BG/NBD) of {report['customers']:,} customers, fitted at"
    fitted = [[escape(name), f"{value:.4g}"] for name, value in report["purchase_process"].items()]
    return (
        f"<p>{fit} "
        f"{escape(report['trained_at'])}. There is no forest yet: {escape(report['why'])}.</p>"
        + _list(report["gate"]["reasons"])
        + _table(["parameter", ""], fitted)
    )


def _head(report: Mapping[str, Any]) -> str:
    gate, definition = report["gate"], report["definition"]
    verdict = "passed" if gate["passed"] else "failed"
    reasons = [
        f'<p class="{verdict}">The gate {"is passed" if gate["passed"] else "is not passed"}.</p>',
        _list(gate["reasons"]),
        f"<h2>What is other than in the version in use</h2>{_list(report['change'])}" if report["change"] else "",
    ]
    return (
        f"<p>Churn: no order in the {definition['horizon_days']} days to come. Asked of customers who ordered in the "
        f"last {definition['lookback_days']} days. Trained at {escape(report['trained_at'])}, on "
        f"{'a simulated shop' if report['source'] == 'sample' else "the shop's own history"}: "
        f"{report['data']['customers']:,} customers, {report['data']['events']:,} events.</p>" + "".join(reasons)
    )


def _comparison(report: Mapping[str, Any]) -> str:
    shown = [name for name in MODELS if name in report]
    rows = []
    for figure, (name, says) in FIGURES.items():
        cells = [_figure(report, model, figure) for model in shown]
        rows.append([f"{name}<br><small>{says}</small>", *cells])
    weights = report.get("weights")
    parts = ", ".join(f"{PARTS[name]} {weight:.0%}" for name, weight in weights.items()) if weights else ""
    return (
        f"<h2>On the newest window, which it has not seen</h2><p>{report['customers']:,} customers, of whom "
        f"{report['churned']:.1%} churned. Below each figure its 95 % interval, of a bootstrap by customer.</p>"
        + (f"<p>This model is the weighted mean of three: {parts}.</p>" if parts else "")
        + _freshness(report.get("freshness"))
        + _table(["", *(MODELS[name] for name in shown)], rows)
        + _intervals(report, shown)
    )


def _freshness(freshness: Mapping[str, Any] | None) -> str:
    """Return which model the figures are of, and how near to it the forms are that know more."""
    if freshness is None:
        return ""
    day, tested = escape(freshness["as_of"][:10]), freshness.get("tested_version")
    whose = f"The figures are those of the tested model{f', version {escape(tested)}' if tested else ''}."
    tried = "".join(
        f" {FORMS[one['form']].format(day=day).capitalize()}, its mean probability on this window moves by "
        f"{one['mean_difference']:+.3f} and the rank correlation with the tested model is "
        f"{one['rank_correlation']:.3f}: that is {'near enough' if one['served'] else 'too far'} to serve."
        for one in freshness["tried"]
    )
    served = "the tested model" if freshness["served"] == "as_tested" else FORMS[freshness["served"]].format(day=day)
    return f"<p>{whose}{tried} What serves: {served}.</p>"


def _intervals(report: Mapping[str, Any], shown: Sequence[str]) -> str:
    """Return plots of the ROC AUC and Brier score of all models, with their intervals."""
    if "intervals" not in report:
        return ""
    figures = []
    for figure in ("auc", "brier"):
        spans = {name: report["intervals"][name][figure] for name in shown}
        low, high = min(span[0] for span in spans.values()), max(span[1] for span in spans.values())
        scale = (2 * _SIDE - 240) / ((high - low) or 1)
        marks = []
        for number, (name, span) in enumerate(spans.items()):
            y, left, right = 16 + 22 * number, 220 + (span[0] - low) * scale, 220 + (span[1] - low) * scale
            x = 220 + (report[name][figure] - low) * scale
            colour = _INK if name == "forest" else _OTHER
            marks.append(
                f'<text x="0" y="{y + 4}">{MODELS[name]}</text>'
                f'<line x1="{left:.1f}" x2="{right:.1f}" y1="{y}" y2="{y}" '
                f'stroke="{colour}" stroke-width="2"/><circle cx="{x:.1f}" cy="{y}" r="4" fill="{colour}"/>'
            )
        figures.append(_figure_of(FIGURES[figure][0], "".join(marks), 2 * _SIDE, 22 * len(spans) + 12))
    return f'<div class="plots">{"".join(figures)}</div>'


def _plots(report: Mapping[str, Any]) -> str:
    curve, deciles = report["reliability"], report["deciles"]
    captured = [(0.0, 0.0), *((point["share"], point["capture"]) for point in deciles)]
    most = max(point["lift"] for point in deciles)
    lifts = [(point["share"] - 0.1, 0.1, point["lift"] / (most * 1.05)) for point in deciles]
    return (
        '<h2>Are the probabilities true, and whom do they find?</h2><div class="plots">'
        + _chart(
            "Reliability", "predicted", "observed",
            _path([(0, 0), (1, 1)], _FAINT)
            + _path([(point["predicted"], point["observed"]) for point in curve], _INK, dots=True),
        )
        + _chart(
            "Capture", "share of customers reached", "share of churners among them",
            _path([(0, 0), (1, 1)], _FAINT) + _path(captured, _INK, dots=True),
        )
        + _chart(
            f"Lift, up to {most:.2f}", "share of customers reached", "",
            _bars(lifts), labels=("0", "1", f"{most * 1.05:.1f}"),
        )
        + "</div>"
    )  # fmt: skip


def _slices(slices: Mapping[str, Any]) -> str:
    rows = []
    for name, part in slices.items():
        if "figures" not in part:
            rows.append([SLICES[name], f"{part['customers']:,}", "too few, or all of one kind", "", "", ""])
            continue
        cells = [_with_interval(part["figures"][key], part["intervals"][key]) for key in ("auc", "brier", "ece")]
        rows.append([SLICES[name], f"{part['customers']:,}", f"{part['churned']:.1%}", *cells])
    return "<h2>Parts of the customers</h2>" + _table(
        ["who", "customers", "churned", "ROC AUC", "Brier score", "ECE"], rows
    )


def _money(money: Mapping[str, Any]) -> str:
    """Return the expected spend of the window held out beside what was spent, and beside the spend so far per day."""
    if money["spend"] is None:
        orders = money["orders"]
        return (
            f"<h2>Orders to come</h2><p>Of {money['customers']:,} customers orders were expected on "
            f"{orders['expected']:,.0f} days; they came on {orders['real']:,.0f}. What orders are worth is not known: "
            "the shop does not tell it.</p>"
        )
    most = max(max(tenth.values()) for tenth in money["deciles"]) or 1
    rows = []
    for number, tenth in enumerate(money["deciles"], 1):
        bars = "".join(
            f'<rect y="{7 * place}" width="{160 * tenth[key] / most:.1f}" height="6" fill="{colour}"/>'
            for place, (key, colour) in enumerate((("expected", _INK), ("real", _OTHER)))
        )
        figures = (f"{tenth[key]:,.0f}" for key in ("expected", "real", "rate"))
        rows.append([f"{number}", f'<svg width="160" height="14">{bars}</svg>', *figures])
    spend, rate, orders = money["spend"], money["rate"], money["orders"]
    off, off_rate = (one["expected"] / one["real"] - 1 if one["real"] else 0.0 for one in (spend, rate))
    covered = "" if money["covered"] is None else f" {money['covered']:.0%} of them spent an amount in their interval."
    return (
        f"<h2>Money to come</h2><p>{money['customers']:,} customers were expected to spend {spend['expected']:,.0f}. "
        f"They spent {spend['real']:,.0f}: the expectation was {off:+.0%} off. Orders came on {orders['real']:,.0f} "
        f"days; {orders['expected']:,.0f} were expected. By the rate of their lives so far they would have spent "
        f"{rate['expected']:,.0f} ({off_rate:+.0%}). For one customer the expectation is {spend['mean_error']:,.2f} "
        f"off on average, and that rate {rate['mean_error']:,.2f}.{covered}</p>"
        "<p>Tenths of the customers, the most promising first: expected in blue, spent in "
        "orange.</p>" + _table(["tenth", "", "expected", "spent", "rate of life"], rows)
    )


def _effects(effects: Sequence[Mapping[str, Any]]) -> str:
    most = max(effect["importance"] for effect in effects) or 1
    rows = []
    for effect in effects:
        if not effect["importance"]:
            continue
        width = 160 * effect["importance"] / most
        bar = f'<svg width="160" height="12"><rect width="{width:.1f}" height="12" fill="{_INK}"/></svg>'
        levels = [
            f"{'not known' if point['value'] is None else f'{point["value"]:,.1f}'}: {100 * point['points']:+.1f}"
            for point in effect["curve"]
        ]
        rows.append([escape(effect["feature"]), bar, f"{100 * effect['importance']:.1f}", "; ".join(levels)])
    return (
        "<h2>What the features do</h2><p>Mean absolute contribution (TreeSHAP), in points of probability; then the "
        "mean contribution at each level of the feature.</p>" + _table(["feature", "", "points", "level: points"], rows)
    )


def _training(report: Mapping[str, Any]) -> str:
    windows = [
        [escape(window["cut_off"]), window["role"], f"{window['customers']:,}", f"{window['churned']:.1%}"]
        for window in report["windows"]
    ]
    searched = ""
    if report.get("search"):
        search = report["search"]
        tried = [
            [
                f"{shape['customers_a_leaf']}",
                f"{shape['share_of_columns']:.0%}",
                f"{shape['auc']:.4f}",
                f"{shape['log_loss']:.4f}",
                "chosen" if all(shape[key] == value for key, value in search["chosen"].items()) else "",
            ]
            for shape in search["tried"]
        ]
        searched = f"<h2>The search</h2><p>Judged {escape(search['by'])}.</p>" + _table(
            ["customers a leaf, at least", "columns a split looks at", "ROC AUC", "log loss", ""], tried
        )
    constant = f"<p>Not asked, because they do not vary: {escape(', '.join(report['constant']))}.</p>"
    code = ", ".join(f"{name} {version}" for name, version in report["code"].items() if version)
    return (
        "<h2>Windows</h2>" + _table(["from", "", "customers", "churned"], windows)
        + (constant if report["constant"] else "") + searched
        + f'<p class="quiet">{escape(code)}; data {escape(report["data"]["fingerprint"])}</p>'
    )  # fmt: skip


def _figure(report: Mapping[str, Any], model: str, figure: str) -> str:
    interval = report.get("intervals", {}).get(model, {}).get(figure)
    return _with_interval(report[model][figure], interval)


def _with_interval(value: float | None, interval: Sequence[float | None] | None) -> str:
    if value is None:
        return "not known"
    if interval is None or None in interval:
        return f"{value:.3f}"
    return f"{value:.3f}<br><small>{interval[0]:.3f} … {interval[1]:.3f}</small>"


def _list(sentences: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(sentence)}</li>' for sentence in sentences)}</ul>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        others = "".join(f'<{tag} class="number">{cell}</{tag}>' for cell in cells[1:])
        return f"<tr><{tag}>{cells[0]}</{tag}>{others}</tr>"

    return f"<table>{line(head, 'th')}{''.join(line(row, 'td') for row in rows)}</table>"


def _chart(title: str, across: str, up: str, content: str, labels: Sequence[str] = ("0", "1", "1")) -> str:
    """Return a square plot of 0 to 1 in both directions; `labels` stand at the origin and at both ends."""
    axes = (
        f'<path d="M{_EDGE} {_EDGE / 2} V{_SIDE - _EDGE} H{_SIDE - _EDGE / 2}" fill="none" stroke="#5b6675"/>'
        f'<text x="{_EDGE - 12}" y="{_SIDE - _EDGE + 14}">{labels[0]}</text>'
        f'<text x="{_SIDE - _EDGE / 2 - 6}" y="{_SIDE - _EDGE + 14}">{labels[1]}</text>'
        f'<text x="{_EDGE - 22}" y="{_EDGE / 2 + 4}">{labels[2]}</text>'
        f'<text x="{_SIDE / 2}" y="{_SIDE - 10}" text-anchor="middle">{across}</text>'
        f'<text transform="translate(12 {_SIDE / 2}) rotate(-90)" text-anchor="middle">{up}</text>'
    )
    return _figure_of(title, axes + content, _SIDE, _SIDE)


def _figure_of(title: str, content: str, width: int, height: int) -> str:
    return (
        f'<figure><figcaption>{title}</figcaption><svg role="img" aria-label="{title}" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}">{content}</svg></figure>'
    )


def _at(x: float, y: float) -> tuple[float, float]:
    inner = _SIDE - 1.5 * _EDGE
    return _EDGE + x * inner, _SIDE - _EDGE - y * inner


def _path(points: Sequence[tuple[float, float]], colour: str, *, dots: bool = False) -> str:
    places = [_at(x, y) for x, y in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    circles = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places] if dots else []
    return f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>' + "".join(circles)


def _bars(bars: Iterable[tuple[float, float, float]]) -> str:
    """Return bars, each given by its left edge, width and height."""
    drawn = []
    for left, wide, high in bars:
        (x, y), (right, bottom) = _at(left, high), _at(left + wide, 0)
        drawn.append(
            f'<rect x="{x + 1:.1f}" y="{y:.1f}" width="{right - x - 2:.1f}" height="{bottom - y:.1f}" fill="{_INK}"/>'
        )
    return "".join(drawn)
