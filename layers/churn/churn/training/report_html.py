"""A report as one HTML page of sentences and plots (SVG), without scripts or external resources."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from churn.domain.features import BY_NAME
from churn.training.report_plots import (
    FAINT,
    INK,
    OTHER,
    bars,
    chart,
    dots,
    folded,
    path,
    plots,
    signed_bars,
    table,
)

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
    "twelve": "this model, told 12 features alone",
    "alone": "its forest alone",
    "unmoved": "this model, at the level that it learned",
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

_FEATURES = {
    "total_orders": "orders so far",
    "total_spent": "money spent so far",
    "avg_order_value": "value of an average order",
    "days_since_last_order": "days since the last order",
    "support_tickets": "support tickets of 90 days",
    "product_returns": "returned orders of 90 days",
    "email_engagement": "share of the e-mails of 90 days that were opened",
    "login_frequency": "log-ins of 30 days",
    "payment_failures": "failed payments of 90 days",
    "discount_usage": "share of the orders with a discount",
    "loyalty_points": "loyalty points",
    "account_age_days": "days since the customer was first known",
}
_PLOTTED = ("auc", "brier", "ece")
_FEWEST_POINTS = 0.0005
"""Features that move the probability by less on average are named, and not drawn."""

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 1.5rem auto; padding: 0 1rem; color: #1c2430; }
h1, h2 { line-height: 1.2; } h1 { font-size: 1.5rem; } h2 { margin-top: 2.5rem; font-size: 1.25rem; }
h1 { overflow-wrap: anywhere; } small, .quiet { color: #5b6675; } .quiet { overflow-wrap: anywhere; font-size: .85rem; }
table { border-collapse: collapse; width: 100%; } th, td { padding: .3rem .6rem; border-bottom: 1px solid #dde3ea; }
th { text-align: left; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; } details { margin: 1rem 0; } summary { cursor: pointer; color: #2458a6; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(18rem, 100%), 1fr)); gap: 1.5rem 2.5rem; }
figure { margin: 0; } figcaption { font-weight: 600; margin-bottom: .4rem; }
figcaption small { display: block; font-weight: 400; }
svg { display: block; width: 100%; max-width: 26rem; height: auto; } svg text { font-size: 12px; fill: #1c2430; }
svg text.label { font-size: 11px; } svg text.small, svg tspan.small { font-size: 10px; fill: #5b6675; }
.key { display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem; vertical-align: -.05rem; }
.passed { color: #17703a; } .failed { color: #a8261d; }
"""


def report_html(report: Mapping[str, Any]) -> str:
    """Return the page of a report of `train` or `train_or_begin`, without the parts that the report does not have."""
    if "forest" in report:
        parts = [
            _head(report),
            _comparison(report),
            _freshness(report.get("freshness")),
            _truth(report) if report.get("deciles") else "",
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
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>Churn model of {day(report['trained_at'])}</h1>\n"
        f'<p class="quiet">Version {escape(str(report["version"]))}</p>\n' + "\n".join(parts) + "\n</body></html>\n"
    )


def day(instant: str) -> str:
    """Return the day of an instant (ISO 8601) as people write it: 10 September 2011."""
    at = datetime.fromisoformat(instant)
    return f"{at.day} {at:%B %Y}"


def _purchases(report: Mapping[str, Any]) -> str:
    """Return the page of a shop that is too young for a forest."""
    made = escape(day(report["trained_at"]))
    if report["source"] == "prior":
        fit = f"This is the purchase process (BG/NBD) as it is usual for shops, made on {made}. It knows no customer of"
        fit += " this shop."
    else:
        fit = f"This is the purchase process (BG/NBD) of {report['customers']:,} customers, fitted on {made}."
    expected = report.get("expected_churn")
    leaving = (
        "" if expected is None else f" It expects that {expected:.0%} of the customers order nothing in the horizon."
    )
    process = report["purchase_process"]
    fitted = [[escape(name), f"{value:.4g}"] for name, value in process.items()]
    gap, leave = process["alpha"] / process["r"], process["a"] / (process["a"] + process["b"])
    meaning = (
        f"While they stay, customers order every {gap:,.0f} days on average (alpha / r), and after each order "
        f"{leave:.0%} of them leave for good (a / (a + b)). The smaller r is, the more customers differ in how often "
        "they order; the smaller a + b is, the more they differ in how soon they leave."
    )
    return (
        f"<p>{fit}{leaving} There is no forest yet: {escape(report['why'])}.</p>"
        + _list(report["gate"]["reasons"])
        + folded("The parameters of the process", f"<p>{meaning}</p>" + table(["parameter", ""], fitted))
    )


def _head(report: Mapping[str, Any]) -> str:
    gate, definition, data = report["gate"], report["definition"], report["data"]
    verdict = "passed" if gate["passed"] else "failed"
    of = "a simulated shop" if report["source"] == "sample" else "the shop's own history"
    change = f"<h2>What is other than in the version in use</h2>{_list(report['change'])}" if report["change"] else ""
    return (
        f"<p>The model says how likely it is that a customer orders nothing in the next {definition['horizon_days']} "
        f"days. It is asked of customers who ordered in the last {definition['lookback_days']} days.</p>"
        f"<p>It was trained on {day(report['trained_at'])}, on {of}: {data['customers']:,} customers and "
        f"{data['events']:,} events, with orders from {day(data['first'])} to {day(data['last'])}.</p>"
        f'<p class="{verdict}">The gate {"is passed" if gate["passed"] else "is not passed"}.</p>'
        f"{_list(gate['reasons'])}{change}"
    )


def _comparison(report: Mapping[str, Any]) -> str:
    """Return the model's figures beside those of others: the three that matter most as plots, all of them folded."""
    shown = [name for name in MODELS if name in report]
    drawn = [
        dots(
            FIGURES[figure][0],
            FIGURES[figure][1],
            [
                (
                    MODELS[name],
                    report[name][figure],
                    _interval(report, name, figure),
                    INK if name == "forest" else OTHER,
                )
                for name in shown
            ],
        )
        for figure in _PLOTTED
    ]
    rows = [
        [f"{name}<br><small>{says}</small>", *(_figure(report, model, figure) for model in shown)]
        for figure, (name, says) in FIGURES.items()
    ]
    tested, weights = report["windows"][-1], report.get("weights")
    parts = ", ".join(f"{PARTS[name]} {weight:.0%}" for name, weight in weights.items()) if weights else ""
    intervals = " Lines are 95 % intervals, of a bootstrap by customer." if "intervals" in report else ""
    return (
        f"<h2>How good it is</h2><p>It was tested on the window from {day(tested['cut_off'])}, which it had not seen: "
        f"{report['customers']:,} customers, of whom {report['churned']:.0%} left.{intervals}</p>"
        + (f"<p>It is the weighted mean of three models: {parts}.{window_level(report)}</p>" if parts else "")
        + plots(*drawn)
        + folded("All figures", table(["", *(MODELS[name] for name in shown)], rows))
    )


def window_level(report: Mapping[str, Any]) -> str:
    """Return whether the level of the coming window moves the probabilities, and what the windows before it say."""
    level = report.get("level") or {}
    if "by_a_quarter" in level:
        how = (
            "a quarter of the learned customers weighs the three"
            if level["by_a_quarter"]
            else "the three weigh the same"
        )
        return f" No window before the tested one could be judged: {how}, and the level is as it learned."
    if "moved" not in level:
        return ""
    judged = f"{level['windows']} window{'s' if level['windows'] != 1 else ''} before the tested one"
    scores = f"a mean Brier score of {level['moved']:.5f} instead of {level['as_learned']:.5f}"
    kept = "so the same number is added to everybody's logit" if level["is_moved"] else "so the level is as it learned"
    newer = " (the newer, the more it counts)" if level["windows"] > 1 else ""
    return f" At the level that the purchase process expects, {judged} had {scores}{newer}, {kept}."


def _freshness(freshness: Mapping[str, Any] | None) -> str:
    """Return which model the figures are of, and how near to it the forms are that know more."""
    if freshness is None:
        return ""
    until, tested = escape(day(freshness["as_of"])), freshness.get("tested_version")
    whose = f"The figures are those of the tested model{f', version {escape(tested)}' if tested else ''}."
    tried = _list(
        f"{_form(one['form'], until)}: on this window its mean probability moves by "
        f"{100 * one['mean_difference']:+.1f} points, and it puts the customers in nearly the same order (rank "
        f"correlation {one['rank_correlation']:.3f}). That is {'near enough' if one['served'] else 'too far'} to serve."
        for one in freshness["tried"]
    )
    served = "As tested" if freshness["served"] == "as_tested" else _form(freshness["served"], until)
    return f"<h2>What serves</h2><p>{whose} What serves: {served[0].lower()}{served[1:]}.</p>{tried}"


def _form(name: str, until: str) -> str:
    form = FORMS[name].format(day=until)
    return form[0].upper() + form[1:]


def _truth(report: Mapping[str, Any]) -> str:
    curve, deciles = report["reliability"], report["deciles"]
    captured = [(0.0, 0.0), *((point["share"], point["capture"]) for point in deciles)]
    fair = path([(0, 0), (1, 1)], FAINT)
    reliability = [(point["predicted"], point["observed"]) for point in curve]
    lifts = [(f"{point['share']:.0%}", f"{point['lift']:.2f}", [(point["lift"], INK)]) for point in deciles]
    return (
        "<h2>Are the probabilities true, and whom do they find?</h2><p>On the grey line of the first plot, as many "
        "left as the model said. On that of the second, it finds no more of them than chance.</p>"
        + plots(
            chart("Said and happened", "probability", "share who left", fair + path(reliability, INK, with_dots=True)),
            chart(
                "Found, the riskiest first", "share of customers asked", "share of leavers found",
                fair + path(captured, INK, with_dots=True),
            ),
            bars("Lift", "how many times as many leave as among all, the riskiest customers first", lifts),
        )
    )  # fmt: skip


def _slices(slices: Mapping[str, Any]) -> str:
    told = {SLICES[name]: part for name, part in slices.items() if "figures" in part}
    few = [f"{SLICES[name]} ({part['customers']:,})" for name, part in slices.items() if "figures" not in part]
    drawn = [
        dots(
            FIGURES[figure][0],
            FIGURES[figure][1],
            [(who, part["figures"][figure], part["intervals"][figure], INK) for who, part in told.items()],
        )
        for figure in _PLOTTED
    ]
    counted = [[who, f"{part['customers']:,}", f"{part['churned']:.0%}"] for who, part in told.items()]
    untold = f"<p>Too few, or all of one kind: {escape(', '.join(few))}.</p>" if few else ""
    return "<h2>Parts of the customers</h2>" + table(["who", "customers", "left"], counted) + untold + plots(*drawn)


def _money(money: Mapping[str, Any]) -> str:
    """Return the orders and the spend that were expected of the held-out window, beside what came."""
    orders, spend, rate = money["orders"], money["spend"], money["rate"]
    came = (
        f"From {money['customers']:,} customers, orders were expected on {orders['expected']:,.0f} days. They came on "
        f"{orders['real']:,.0f}."
    )
    if spend is None:
        return f"<h2>Orders to come</h2><p>{came} What orders are worth is not known: the shop does not tell it.</p>"
    rows = [
        [name, f"{one['expected']:,.0f}", _off(one), f"{one['mean_error']:,.2f}"]
        for name, one in (("expected", spend), ("rate of life", rate))
    ]
    rows.append(["spent", f"{spend['real']:,.0f}", "", ""])
    tenths = [
        (
            ("who should spend most" if number == 0 else "who should spend least") if number in {0, 9} else "",
            f"{tenth['expected']:,.0f} / {tenth['real']:,.0f}",
            [(tenth["expected"], INK), (tenth["real"], OTHER)],
        )
        for number, tenth in enumerate(money["deciles"])
    ]
    covered = "" if money["covered"] is None else f" {money['covered']:.0%} spent an amount within their interval."
    return (
        f"<h2>Money to come</h2><p>{came}{covered}</p>"
        + table(["", "in all", "off", "off, each"], rows)
        + "<p>The last column is how far the sum of one customer lies off, on average. The rate of life is what they "
        "spent so far, a day.</p>" + f'<p><span class="key" style="background:{INK}"></span> expected &nbsp; '
        f'<span class="key" style="background:{OTHER}"></span> spent</p>'
        + plots(bars("By tenths of the customers", "expected / spent", tenths))
    )


def _off(sums: Mapping[str, float]) -> str:
    return f"{sums['expected'] / sums['real'] - 1:+.0%}" if sums["real"] else ""


def _effects(effects: Sequence[Mapping[str, Any]]) -> str:
    """Return how much each feature moves the probability, and in which direction at which of its values."""
    moving = [effect for effect in effects if effect["importance"] >= _FEWEST_POINTS]
    strength = bars(
        "How much they move the probability",
        "mean contribution without its sign, in points",
        [(_FEATURES[one["feature"]], f"{100 * one['importance']:.1f}", [(one["importance"], INK)]) for one in moving],
    )
    curves = [
        signed_bars(
            _FEATURES[effect["feature"]],
            "points that the probability moves, by its value"
            + ("; ? is unknown" if any(point["value"] is None for point in effect["curve"]) else ""),
            [(_level(effect["feature"], point["value"]), 100 * point["points"]) for point in effect["curve"]],
        )
        for effect in moving
    ]
    return f"<h2>What the features do</h2>{plots(strength)}{plots(*curves)}"


def _level(feature: str, value: float | None) -> str:
    if value is None:
        return "?"
    if BY_NAME[feature].maximum == 1:
        return f"{value:.0%}"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}".removesuffix(".0")


def _training(report: Mapping[str, Any]) -> str:
    windows = bars(
        "Share who left, by window",
        "each window begins on its day and lasts as long as the model looks ahead",
        [
            (
                f"from {day(window['cut_off'])}, {window['role']}",
                f"{window['churned']:.0%} of {window['customers']:,}",
                [(window["churned"], INK if window["role"] == "learned" else OTHER)],
            )
            for window in report["windows"]
        ],
    )
    names = {"service_version": "this service", "python": "Python", "numpy": "NumPy"}
    code = ", ".join(f"{names.get(name, name)} {version}" for name, version in report["code"].items() if version)
    unused = ", ".join(_FEATURES[name] for name in report["constant"] if name in _FEATURES)
    asked = f"<p>Not asked, because they are unknown or the same for all: {escape(unused)}.</p>" if unused else ""
    fingerprint = escape(report["data"]["fingerprint"])
    return (
        f"<h2>What it learned from</h2>{plots(windows)}{asked}{_search(report.get('search'))}"
        f'<p class="quiet">Made with {escape(code)}. Fingerprint of the data: {fingerprint}</p>'
    )


def _search(search: Mapping[str, Any] | None) -> str:
    if not search:
        return ""
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
    heads = ["customers a leaf, at least", "columns a split looks at", "ROC AUC", "log loss", ""]
    return folded(
        f"The {len(tried)} shapes of the forest that were tried",
        f"<p>Judged {escape(search['by'])}.</p>{table(heads, tried)}",
    )


def _interval(report: Mapping[str, Any], model: str, figure: str) -> Sequence[float | None] | None:
    interval: Sequence[float | None] | None = report.get("intervals", {}).get(model, {}).get(figure)
    return interval


def _figure(report: Mapping[str, Any], model: str, figure: str) -> str:
    value, interval = report[model][figure], _interval(report, model, figure)
    if value is None:
        return "not known"
    if interval is None or None in interval:
        return f"{value:.3f}"
    return f"{value:.3f}<br><small>{interval[0]:.3f} … {interval[1]:.3f}</small>"


def _list(sentences: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(sentence)}</li>' for sentence in sentences)}</ul>"
