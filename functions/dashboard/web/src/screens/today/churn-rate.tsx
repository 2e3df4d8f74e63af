/** The churn rate of 90 days, with that of the 90 days before as a pale line behind it. */
import type { JSX } from "preact";
import type { Trend } from "../../api/types";
import { LineChart, type Line } from "../../components/line-chart";
import { Empty } from "../../components/notes";

const DAYS = 90;
const HEIGHT = 200;

export function ChurnRate({ trends }: { trends: Trend[] }): JSX.Element {
  const now = trends.slice(-DAYS);
  const before = trends.slice(-2 * DAYS, -DAYS);
  const known = now.filter((trend) => trend.churn_rate !== null);
  const lines: Line[] = [
    { name: "Now", values: now.map((trend) => trend.churn_rate), color: "--accent" },
    {
      name: "90 days earlier",
      values: now.map((_, index) => before[index + before.length - now.length]?.churn_rate ?? null),
      color: "--muted",
      isPale: true,
    },
  ];
  return (
    <section class="card">
      <header>
        <h2>Customers who left within 30 days, in per cent</h2>
        <span class="muted small">dashed: 90 days earlier</span>
      </header>
      {known.length < 2 ? (
        <Empty title="Not known yet.">The line begins when customers have been here for 30 days.</Empty>
      ) : (
        <LineChart
          times={now.map((trend) => Date.parse(trend.date) / 1000)}
          lines={lines}
          height={HEIGHT}
          caption="Churn rate by day, and that of 90 days earlier"
          show={(value) => `${value.toFixed(1)}%`}
        />
      )}
    </section>
  );
}
