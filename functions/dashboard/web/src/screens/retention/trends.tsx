/** Four figures over time, each with the period before as a pale line behind it. */
import type { JSX } from "preact";
import { get } from "../../api/client";
import type { Trend } from "../../api/types";
import { Choice } from "../../components/choice";
import { LineChart } from "../../components/line-chart";
import { Empty, Problem, Waiting } from "../../components/notes";
import { useResource } from "../../data";
import { count, timeOfDay, UNKNOWN } from "../../format";
import { link } from "../../router";
import { oneOf } from "../../values";

type Granularity = "hour" | "day" | "week" | "month";
type Period = "7d" | "30d" | "90d" | "1y";

/** `asked`: the period of the question; it reaches back far enough for the one before, where the service does. */
const PERIODS: Record<Period, { name: string; days: number; asked: Period; steps: Granularity[] }> = {
  "7d": { name: "7 days", days: 7, asked: "30d", steps: ["hour", "day"] },
  "30d": { name: "30 days", days: 30, asked: "90d", steps: ["day", "week"] },
  "90d": { name: "90 days", days: 90, asked: "1y", steps: ["week", "day"] },
  "1y": { name: "A year", days: 365, asked: "1y", steps: ["week", "month"] },
};
const STEPS: Record<Granularity, string> = { hour: "Hours", day: "Days", week: "Weeks", month: "Months" };
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const HEIGHT = 140;

interface Figure {
  name: string;
  of: (trend: Trend) => number | null;
  /** Whether the points of a period are added up; else the newest one tells. */
  isSum: boolean;
  show: (value: number) => string;
  /** The list that shows whom it is about, and what the link says; none where the list would count others. */
  opens?: (since: string) => { target: string; text: string };
}

const FIGURES: Figure[] = [
  {
    name: "Customers who left within 30 days",
    of: (trend) => trend.churn_rate,
    isSum: false,
    show: (value) => `${value.toFixed(1)}%`,
    opens: () => ({
      target: link(["customers"], { lapsed_since: new Date(Date.now() - 30 * DAY_MS).toISOString() }),
      text: "Who left",
    }),
  },
  {
    name: "Likely to leave",
    of: (trend) => trend.high_risk_customers,
    isSum: false,
    show: count,
    opens: () => ({
      target: link(["customers"], { status: "current", risk_level: "high,critical" }),
      text: "Who they are now",
    }),
  },
  {
    name: "New customers",
    of: (trend) => trend.new_customers,
    isSum: true,
    show: count,
  },
  {
    name: "Customers who lapsed",
    of: (trend) => trend.churned_customers,
    isSum: true,
    show: count,
    opens: (since) => ({
      target: link(["customers"], { lapsed_since: since }),
      text: "Who is still away",
    }),
  },
];

export function Trends({ query }: { query: URLSearchParams }): JSX.Element {
  const period = oneOf(query.get("period"), Object.keys(PERIODS) as Period[]) ?? "90d";
  const { asked, steps, days } = PERIODS[period];
  const step = oneOf(query.get("step"), steps) ?? steps[0] ?? "day";
  const trends = useResource(`trends ${asked} ${step}`, (signal) =>
    get("/api/dashboard/trends", { period: asked, granularity: step }, undefined, signal),
  );
  const to = (values: Record<string, string>): string =>
    link(["retention"], { ...Object.fromEntries(query), ...values });
  return (
    <section class="stack" aria-label="Over time">
      <header class="row between">
        <h2>Over time</h2>
        <div class="row">
          <Choice
            label="Period"
            current={period}
            options={(Object.keys(PERIODS) as Period[]).map((key) => ({
              key,
              name: PERIODS[key].name,
              target: to({ period: key, step: "" }),
            }))}
          />
          <Choice
            label="Each point"
            current={step}
            options={steps.map((key) => ({ key, name: STEPS[key], target: to({ step: key }) }))}
          />
        </div>
      </header>
      {trends.error && !trends.data ? (
        <Problem error={trends.error} what="the trends" onRetry={trends.reload} />
      ) : null}
      {trends.isLoading && !trends.data ? <Waiting height={480} what="the trends" /> : null}
      {trends.data ? <Charts trends={trends.data.trends} days={days} name={PERIODS[period].name} /> : null}
    </section>
  );
}

function Charts({ trends, days, name }: { trends: Trend[]; days: number; name: string }): JSX.Element {
  const last = Date.parse(trends.at(-1)?.date ?? "");
  const age = (trend: Trend): number => (last - Date.parse(trend.date)) / DAY_MS;
  const now = trends.filter((trend) => age(trend) < days);
  const before = trends.filter((trend) => age(trend) >= days && age(trend) < 2 * days).slice(-now.length);
  return (
    <>
      <div class="trend-charts">
        {FIGURES.map((figure) => (
          <Chart key={figure.name} figure={figure} now={now} before={before} />
        ))}
      </div>
      <p class="muted small">
        {before.length < now.length
          ? "Figures reach back a year, so there is no whole period before to compare with."
          : `The dashed line is the period before: ${name.toLowerCase()} earlier.`}{" "}
        New and lapsed customers of the newest point count, but it is not drawn before it is over.
      </p>
    </>
  );
}

function Chart({ figure, now, before }: { figure: Figure; now: Trend[]; before: Trend[] }): JSX.Element {
  const values = now.map(figure.of);
  const hasBefore = before.length === now.length;
  const earlier = hasBefore ? before.map(figure.of) : now.map(() => null);
  const opens = figure.opens?.(now[0]?.date ?? new Date().toISOString());
  const current = total(values, figure.isSum);
  // A count of a span that is not over would look like a fall.
  const drawn = figure.isSum ? [...values.slice(0, -1), null] : values;
  return (
    <div class="card trend">
      <h3>{figure.name}</h3>
      <div class="row between">
        <strong class={current === null ? "muted" : "value"}>
          {current === null ? UNKNOWN : figure.show(current)}
        </strong>
        {current === null || figure.isSum ? null : (
          <span class="muted small" title="It is counted once an hour">
            at {timeOfDay(Math.floor(Date.now() / HOUR_MS) * HOUR_MS)}
          </span>
        )}
        {opens ? (
          <a class="text small" href={opens.target}>
            {opens.text}
            <span class="hidden">: {figure.name}</span>
          </a>
        ) : null}
      </div>
      <div class="muted small">{compared(current, total(earlier, figure.isSum), figure)}</div>
      {values.filter((value) => value !== null).length < 2 ? (
        <Empty title="No line yet.">It begins with the second point at which the service has counted.</Empty>
      ) : (
        <LineChart
          times={now.map((trend) => Date.parse(trend.date) / 1000)}
          lines={[
            { name: "Period before", values: earlier, color: "--muted", isPale: true },
            { name: "Now", values: drawn, color: "--accent" },
          ]}
          height={HEIGHT}
          caption={`${figure.name}, and in the period before`}
          show={figure.show}
        />
      )}
    </div>
  );
}

/** The sum of what is known, or the newest point; null where nothing is known. */
function total(values: (number | null)[], isSum: boolean): number | null {
  const known = values.filter((value) => value !== null);
  if (!known.length) return null;
  return isSum ? known.reduce((sum, value) => sum + value, 0) : (values.at(-1) ?? null);
}

function compared(now: number | null, then: number | null, { show, isSum }: Figure): string {
  if (now === null) return "known once the service has run for long enough";
  if (then === null) return "nothing to compare with";
  return `${show(then)} ${isSum ? "in the period before" : "when the period before ended"}`;
}
