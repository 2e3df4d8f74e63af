/** Today: what is at stake, what is new, and how far to trust it. */
import type { FunctionComponent, JSX } from "preact";
import { get } from "../../api/client";
import type { Stats } from "../../api/types";
import { NoCustomers, Problem, Waiting } from "../../components/notes";
import { useResource } from "../../data";
import { count, money, plural } from "../../format";
import { useStats } from "../../stats";
import { ChurnRate } from "./churn-rate";
import { Distribution } from "./distribution";
import { Figures } from "./figures";
import { LiveAlerts } from "./live-alerts";
import "./screen.css";
import { Standing } from "./standing";

const Screen: FunctionComponent<{ path: string[] }> = () => {
  const stats = useStats({ topics: ["alerts", "model"], every: 30 });
  const trends = useResource("trends", (signal) =>
    get("/api/dashboard/trends", { period: "1y", granularity: "day" }, undefined, signal),
  );
  const figures = stats.data;
  if (!figures) {
    return stats.error ? (
      <Problem error={stats.error} what="the figures" onRetry={stats.reload} />
    ) : (
      <Waiting height={640} what="the figures" />
    );
  }
  if (figures.total_customers === 0) return <EmptyShop />;
  return (
    <>
      <header>
        <div>
          <h1>{headline(figures)}</h1>
        </div>
      </header>
      <div class="stack">
        <Figures stats={figures} trends={trends.data?.trends} isWithout={trends.error !== undefined} />
        <div class="today">
          <div class="stack">
            <Distribution stats={figures} />
            {trends.data ? <ChurnRate trends={trends.data.trends} /> : null}
            {trends.error && !trends.data ? (
              <Problem error={trends.error} what="the trend" onRetry={trends.reload} />
            ) : null}
            {trends.isLoading && !trends.data ? <Waiting height={267} what="the trend" /> : null}
            <Standing stats={figures} />
          </div>
          <LiveAlerts />
        </div>
      </div>
    </>
  );
};
export default Screen;

function headline(stats: Stats): string {
  const { low, medium, high, critical } = stats.risk_distribution;
  const current = low + medium + high + critical;
  if (current === 0) return "No current customer has been scored yet.";
  const leaving = stats.high_risk_customers;
  const who = `${count(leaving)} of ${plural(current, "current customer")} ${leaving === 1 ? "is" : "are"} likely to leave`;
  const risk = stats.revenue_at_risk;
  return risk === null ? `${who}.` : `${who}; ${money(risk)} of what all would spend is at risk.`;
}

function EmptyShop(): JSX.Element {
  return (
    <>
      <header>
        <div>
          <h1>No customers yet.</h1>
        </div>
      </header>
      <div class="card">
        <NoCustomers />
      </div>
    </>
  );
}
