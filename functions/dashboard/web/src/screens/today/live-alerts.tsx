/** The newest alerts, as they come. */
import type { JSX } from "preact";
import { get } from "../../api/client";
import { Empty, Problem, Waiting } from "../../components/notes";
import { RiskShape } from "../../components/risk";
import { useResource } from "../../data";
import { ago, exactly } from "../../format";
import { link } from "../../router";
import { PRIORITY_LEVELS, sentence } from "../../words";

const SHOWN = 10;

export function LiveAlerts(): JSX.Element {
  const page = useResource(
    "newest alerts",
    (signal) => get("/api/alerts", { limit: SHOWN }, undefined, signal),
    {
      topics: ["alerts"],
    },
  );
  return (
    <section class="card live-alerts">
      <header>
        <h2>Newest alerts</h2>
        <a class="text" href="#/alerts">
          All
        </a>
      </header>
      {page.error && !page.data ? (
        <Problem error={page.error} what="the alerts" onRetry={page.reload} />
      ) : null}
      {page.isLoading && !page.data ? <Waiting height={420} what="the alerts" /> : null}
      {page.data && !page.data.alerts.length ? (
        <Empty title="No alerts.">One appears here within a second of the event that raises it.</Empty>
      ) : null}
      <ul>
        {page.data?.alerts.map((alert) => (
          <li key={alert.id} class="fades-in">
            <a href={link(["alerts", String(alert.id)])}>
              <span class={`risk ${PRIORITY_LEVELS[alert.priority]}`}>
                <RiskShape level={PRIORITY_LEVELS[alert.priority]} />
                <span class="hidden">{sentence(alert.priority)}: </span>
              </span>
              <span class="title">{alert.title}</span>
              <time class="muted small" dateTime={alert.created_at} title={exactly(alert.created_at)}>
                {ago(alert.created_at)}
              </time>
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
}
