"""What is told of a trained version: its report, as JSON and as a page, its model card, and its gate."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from functools import lru_cache
from html.parser import HTMLParser

import numpy as np
import pytest

from churn.domain.features import FEATURE_NAMES
from churn.ml.arrays import Floats
from churn.ml.loading import LearnedModel
from churn.ml.metrics import MEASURES
from churn.training import InUse, Plan, TrainedModel, Window, report_html, train, train_or_begin
from churn.training.promotion_gate import gate
from churn.training.report_html import FIGURES, MODELS, day
from infra.tools.model_card import model_card
from tests.support.forests import small_model
from tests.training.test_pipeline import NOW, histories_of, in_use, shop

BESIDE = ("twelve", "alone", "recency", "logistic", "boosting", "purchases")


@lru_cache
def trained() -> TrainedModel[LearnedModel]:
    return train(histories_of(shop()[:800]), now=NOW, plan=Plan(trees=12), service_version="1.2.3")


def test_every_model_has_every_figure_with_an_interval_around_it() -> None:
    report = trained().report
    assert MEASURES.keys() == FIGURES.keys()
    for model in ("forest", *BESIDE):
        for figure in MEASURES:
            low, high = report["intervals"][model][figure]
            assert low <= report[model][figure] <= high or figure == "ece"
    assert report["differences"].keys() == set(BESIDE)


def test_the_page_tells_the_money_that_was_expected_and_spent() -> None:
    money, page = trained().report["money"], report_html(trained().report)
    assert "Money to come" in page
    assert f"{money['spend']['expected']:,.0f}</td>" in page
    assert f"{money['spend']['real']:,.0f}</td>" in page
    assert f"{money['deciles'][0]['real']:,.0f}" in page


def test_the_search_is_told_and_the_best_that_was_tried_is_taken() -> None:
    search, shape = trained().report["search"], trained().report["forest_shape"]
    best = min(search["tried"], key=lambda one: one["log_loss"])
    assert search["chosen"].items() <= best.items()
    assert shape["customers_a_leaf"] == search["chosen"]["customers_a_leaf"] >= 20
    assert "newest window learned from" in search["by"]


def test_the_report_is_json_and_tells_windows_data_and_code() -> None:
    report = trained().report
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert [window["role"] for window in report["windows"]] == ["learned"] * 4 + ["held out"]
    assert report["windows"][-1]["customers"] == report["customers"]
    assert report["data"]["customers"] == 800
    assert len(report["data"]["fingerprint"]) == 64
    assert report["code"]["service_version"] == "1.2.3"
    assert {"python", "numpy", "scikit-learn"} <= report["code"].keys()
    assert report["version"] == trained().model.version


def test_slices_curves_and_effects_are_those_of_the_held_out_customers() -> None:
    report, window = trained().report, trained().held_out
    assert window is not None
    assert report["slices"]["one_time"]["customers"] == int((window.of("total_orders") == 1).sum())
    both = report["slices"]["one_time"]["customers"] + report["slices"]["repeat"]["customers"]
    assert both == report["customers"]
    assert sum(point["count"] for point in report["reliability"]) == report["customers"]
    assert report["deciles"][-1]["capture"] == 1
    assert {effect["feature"] for effect in report["effects"]} == set(FEATURE_NAMES)
    assert report["effects"][0]["importance"] >= report["effects"][-1]["importance"]
    importance = trained().model.metadata["importance"]
    assert importance == {effect["feature"]: effect["importance"] for effect in report["effects"]}


def test_drift_has_something_to_compare_with() -> None:
    reference = trained().model.metadata["reference"]
    assert reference["columns"].keys() == set(FEATURE_NAMES)
    assert reference["customers"] == trained().report["customers"]


def test_a_second_version_tells_what_changed() -> None:
    plan = Plan(trees=4, horizon_days=60, search=False)
    again = train(histories_of(shop()[:700]), now=NOW, plan=plan, current=in_use(trained()))
    change = " ".join(again.report["change"])
    assert "Looks 60 days ahead instead of 90." in change
    assert change.count("Learned from ") == 1
    assert " snapshots instead of " in change
    assert "The model in use looks 90 days ahead, this one 60." in again.report["gate"]["reasons"]
    assert again.report["current"].keys() == MEASURES.keys()


def test_the_page_is_whole_and_asks_for_nothing_from_elsewhere() -> None:
    page = report_html(trained().report)
    parser = _Tags()
    parser.feed(page)
    assert not parser.open
    assert {"svg", "polyline", "table"} <= parser.seen
    assert not {"script", "link", "img", "iframe"} & parser.seen
    assert "http" not in page
    assert all(MODELS[name] in page for name in ("forest", *BESIDE))
    assert f"{trained().report['forest']['auc']:.3f}" in page


def test_the_page_has_days_instead_of_instants_and_plots_that_shrink() -> None:
    report, page = trained().report, report_html(trained().report)
    assert re.findall(r"\d{4}-\d\d-\d\dT\d\d:", page) == []
    assert f"from {day(report['windows'][-1]['cut_off'])}" in page
    assert day("2011-09-01T00:00:00Z") == "1 September 2011"
    assert 'name="viewport"' in page
    assert re.findall(r'<svg[^>]* width="', page) == []
    # No figure is promised that is not there.
    quick = train(histories_of(shop()[:700]), now=NOW, plan=Plan(trees=4, search=False)).report
    assert "95 % intervals" in page
    assert "95 % intervals" not in report_html(quick)


def test_a_quick_training_has_a_page_too_and_what_is_written_into_it_is_escaped() -> None:
    quick = train(histories_of(shop()[:700]), now=NOW, plan=Plan(trees=4, search=False)).report
    page = report_html({**quick, "version": "<b>&"})
    assert "<b>&" not in page
    assert "&lt;b&gt;&amp;" in page


def test_a_shop_too_young_for_a_forest_has_a_page_that_says_why() -> None:
    young = [
        (name, [event for event in events if event.timestamp > NOW - timedelta(days=400)])
        for name, events in (histories_of(shop()[:60]))
    ]
    first = train_or_begin(young, now=NOW, plan=Plan(search=False), current=None)
    page = report_html(first.report)
    assert "There is no forest yet: there are" in page
    told = re.search(
        r"order every ([\d,]+) days on average \(alpha / r\), and after each order (\d+)% of them leave", page
    )
    assert told is not None
    process = first.report["purchase_process"]
    assert float(told[1].replace(",", "")) == pytest.approx(process["alpha"] / process["r"], abs=0.5)
    assert float(told[2]) == pytest.approx(100 * process["a"] / (process["a"] + process["b"]), abs=0.5)
    assert first.held_out is None


def test_the_model_card_states_the_facts() -> None:
    held_out = trained().held_out
    assert held_out is not None
    card = model_card(trained().report, held_out)
    report = trained().report
    assert report["version"] in card
    assert f"{report['forest']['auc']:.3f} (" in card
    assert "90 days" in card
    assert "180 days" in card
    assert all(f"`{name}`" in card for name in FEATURE_NAMES)


def test_the_gate_fails_what_is_worse_beyond_the_interval_only() -> None:
    random = np.random.default_rng(2)
    truth = random.random(3000)
    window = Window(np.zeros((3000, len(FEATURE_NAMES))), random.random(3000) < truth)
    new = small_model().with_metadata(source="history", horizon_days=90)
    served = small_model(2).with_metadata(source="history", horizon_days=90)
    current = InUse(served, served)
    slightly = np.array((truth + 0.001) / 1.002, dtype=np.float64)
    much: Floats = np.minimum(np.maximum(truth + random.normal(0, 0.4, 3000), 0.001), 0.999)
    assert gate(slightly, new, current, truth, window)["passed"]
    assert gate(truth, new, current, much, window)["passed"]
    worse = gate(much, new, current, truth, window)
    assert not worse["passed"]
    assert worse["compared_with"] == served.version
    assert all("worse" in reason for reason in worse["reasons"])


@pytest.mark.parametrize(
    ("metadata", "says"),
    [({"source": "sample"}, "simulated shop"), ({"horizon_days": 30}, "30 days ahead, this one 90")],
)
def test_a_model_of_a_simulated_shop_or_another_horizon_is_no_measure(metadata: dict[str, object], says: str) -> None:
    window = Window(np.zeros((400, len(FEATURE_NAMES))), np.arange(400) % 2 == 0)
    good: Floats = np.where(window.churned, 0.9, 0.1)
    bad: Floats = 1 - good
    new = small_model().with_metadata(source="history", horizon_days=90)
    other = new.with_metadata(**metadata)
    verdict = gate(bad, new, InUse(other, other), good, window)
    assert verdict["passed"]
    assert says in verdict["reasons"][0]


class _Tags(HTMLParser):
    """Which elements there are, and which were not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 (the parser's own name)
        self.seen.add(tag)
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: object) -> None:  # noqa: ARG002
        self.seen.add(tag)
