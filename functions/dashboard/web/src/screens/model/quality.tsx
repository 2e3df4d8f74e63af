/** Is it right, whom does it find, what moves it: a version's report, and what came of its predictions. */
import type { JSX } from "preact";
import type { Answer } from "../../api/client";
import { LineChart } from "../../components/line-chart";
import { Empty } from "../../components/notes";
import { count, plural, points, share, UNKNOWN } from "../../format";
import { FEATURE_WORDS, type FeatureName } from "../../words";
import { Curve, Intervals, Levels } from "./plots";
import { COMPARED, type Effect, type Report, SLICES, type Slice } from "./report";

export type Detail = Answer<"/api/models/{version}", "get">;

export function IsItRight({ report, detail }: { report: Report; detail: Detail }): JSX.Element {
  return (
    <section class="card">
      <header>
        <h2>Is it right?</h2>
      </header>
      <div class="pair">
        {report.reliability?.length ? (
          <Curve
            says="Predicted risk against the share who left, by tenths of the customers"
            x="predicted risk"
            y="Share who left, of customers with about that risk; on the dashed line every prediction is right"
            points={report.reliability.map(({ predicted, observed, count: size }) => ({
              x: predicted,
              y: observed,
              text: `${plural(size, "customer")} with ${share(predicted)} on average: ${share(observed)} left`,
            }))}
          />
        ) : (
          <NoReport report={report} />
        )}
        <Weeks weeks={detail.quality} />
      </div>
    </section>
  );
}

function NoReport({ report }: { report: Report }): JSX.Element {
  return (
    <Empty title="No curve for this version.">
      {report.why
        ? `It knows the rhythm of orders alone: ${report.why}.`
        : "It was trained without the search that draws one. The next training draws it."}
    </Empty>
  );
}

/** By week: how often it was expected to be right, and how often it was. */
function Weeks({ weeks }: { weeks: Detail["quality"] }): JSX.Element {
  const served = weeks.filter((week) => week.role === "served").toReversed();
  if (served.length < 2) {
    return (
      <Empty title="No outcomes by week yet.">
        Each night the predictions of the past weeks are judged; what came of one is known when its horizon is
        over.
      </Empty>
    );
  }
  return (
    <div>
      <div class="muted small lead">
        Predicted right, by week: expected (dashed), and what became true. Right is a risk above 50% of
        somebody who left, or below it of somebody who stayed
      </div>
      <LineChart
        times={served.map((week) => Date.parse(week.week) / 1000)}
        lines={[
          {
            name: "Expected",
            values: served.map((week) => week.expected.accuracy ?? null),
            color: "--muted",
            isPale: true,
          },
          {
            name: "Became true",
            values: served.map((week) => week.realised?.accuracy ?? null),
            color: "--accent",
          },
        ]}
        height={200}
        top={1}
        caption="Share of customers who were predicted right, by week"
        show={share}
      />
    </div>
  );
}

export function WhomItFinds({ report }: { report: Report }): JSX.Element | null {
  const { deciles } = report;
  const models = Object.keys(COMPARED).flatMap((name) => {
    const [low, high] = report.intervals?.[name]?.auc ?? [null, null];
    const value = (report[name] as Report["forest"])?.auc ?? null;
    if (low === null || high === null || value === null) return [];
    return [{ name: COMPARED[name] ?? name, value, low, high, isOwn: name === "forest" }];
  });
  if (!deciles?.length) return null;
  const third = deciles[2]?.capture ?? null;
  return (
    <section class="card">
      <header>
        <h2>
          Whom does it find?
          <span class="muted">
            {" "}
            · {third === null ? UNKNOWN : share(third)} of those who leave are among the riskiest 30%
          </span>
        </h2>
      </header>
      <div class="pair">
        <Curve
          says="Share of all leavers found, by share of customers reached"
          x="customers reached, the riskiest first"
          y="Share of all who left that are among them; the dashed line is chance"
          points={[
            { x: 0, y: 0, text: "nobody reached" },
            ...deciles.map(({ share: reached, capture, lift }) => ({
              x: reached,
              y: capture ?? 0,
              text: `${share(reached)} reached: ${share(capture)} of those who left, ${lift?.toFixed(1) ?? UNKNOWN} times chance`,
            })),
          ]}
        />
        {models.length ? (
          <div>
            <div class="muted small lead">
              Pairs of customers in the right order, with what chance may add; 0.5 is chance
            </div>
            <Intervals rows={models} />
          </div>
        ) : null}
      </div>
      {report.slices ? <Slices slices={report.slices} /> : null}
    </section>
  );
}

function Slices({ slices }: { slices: Record<string, Slice> }): JSX.Element {
  return (
    <div class="wide" role="region" aria-label="Parts of the customers" tabIndex={0}>
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">Part of the customers</th>
            <th scope="col" class="number">
              Customers
            </th>
            <th scope="col" class="number">
              Left
            </th>
            <th scope="col" class="number">
              Right order
            </th>
            <th scope="col" class="number">
              Off by
            </th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(slices).map(([name, slice]) => (
            <tr key={name}>
              <th scope="row">{SLICES[name] ?? name}</th>
              <td class="number">{count(slice.customers)}</td>
              <td class="number">{share(slice.churned)}</td>
              <td class="number">{slice.figures?.auc?.toFixed(2) ?? UNKNOWN}</td>
              <td class="number">
                {slice.figures?.ece === undefined || slice.figures.ece === null
                  ? UNKNOWN
                  : plural(Math.round(slice.figures.ece * 100), "point")}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function WhatMovesIt({ effects }: { effects: Effect[] }): JSX.Element {
  const shown = effects.filter((effect) => effect.importance > 0);
  const most = Math.max(0.001, ...shown.map((effect) => effect.importance));
  return (
    <section class="card">
      <header>
        <h2>What moves it?</h2>
      </header>
      <ul class="effects">
        {shown.map(({ feature, importance, curve }) => (
          <li key={feature}>
            <span>{FEATURE_WORDS[feature as FeatureName]}</span>
            <span class="track" aria-hidden="true">
              <i style={{ width: `${(importance / most) * 100}%` }} />
            </span>
            <span class="number">{(importance * 100).toFixed(1)}</span>
            <Levels
              points={curve.map((level) => level.points)}
              says={curve
                .map(
                  (level) =>
                    `${level.value === null ? UNKNOWN : level.value.toFixed(1)}: ${points(level.points)}`,
                )
                .join("; ")}
            />
          </li>
        ))}
      </ul>
      <p class="muted small">
        Points of risk that a feature moves on average. At the right its effect from the lowest to the highest
        value: up raises the risk, down lowers it.
      </p>
    </section>
  );
}
