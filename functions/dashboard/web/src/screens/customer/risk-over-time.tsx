/** How the risk has moved, with the events that moved it. */
import type { JSX } from "preact";
import { get } from "../../api/client";
import { LineChart, type Mark } from "../../components/line-chart";
import { Empty, Problem, Waiting } from "../../components/notes";
import { useResource } from "../../data";
import { ago, percent, plural, inPoints, points } from "../../format";
import { eventWords, FEATURE_WORDS, type FeatureName } from "../../words";

const HEIGHT = 220;
// Room for the chart, and for what the newest score has changed in two lines below it; it stays where there is less.
const ROOM = HEIGHT + 48;
const POINTS = 200;
const MARKED: Record<string, string> = {
  order_placed: "--lowers",
  order_cancelled: "--raises",
  order_returned: "--raises",
  payment_failed: "--raises",
  support_ticket_created: "--raises",
};

export function RiskOverTime({ id }: { id: string }): JSX.Element {
  const history = useResource(
    `risk ${id}`,
    (signal) =>
      get("/api/customers/{customer_id}/predictions", { limit: POINTS }, { customer_id: id }, signal),
    { topics: ["predictions"], every: 60 },
  );
  const events = useResource(`events ${id}`, (signal) =>
    get("/api/customers/{customer_id}/events", { limit: POINTS }, { customer_id: id }, signal),
  );
  const known = [...(history.data?.predictions ?? [])].reverse();
  const newest = known.at(-1);
  return (
    <section class="card">
      <header>
        <h2>Risk over time</h2>
        <span class="muted small">{howMany(known.length, history.data?.next_cursor)}</span>
      </header>
      <div class="risk-over-time" style={{ minHeight: `${ROOM}px` }}>
        {history.error ? <Problem error={history.error} what="the scores" onRetry={history.reload} /> : null}
        {history.isLoading && !history.data ? <Waiting height={ROOM} what="the scores" /> : null}
        {history.data && known.length < 2 ? (
          <Empty
            title={
              newest
                ? `One score so far, ${ago(newest.as_of)}: ${percent(newest.churn_probability)}.`
                : "Not scored yet."
            }
          >
            The line begins with the second score. Each event brings one, and silent customers are scored
            every day, those who have lapsed every month.
          </Empty>
        ) : null}
        {known.length > 1 ? (
          <>
            <LineChart
              times={known.map((point) => Date.parse(point.as_of) / 1000)}
              lines={[
                {
                  name: "Risk",
                  values: known.map((point) => point.churn_probability),
                  color: "--accent",
                  isStepped: true,
                },
              ]}
              marks={marks(events.data?.events ?? [])}
              height={HEIGHT}
              caption="Risk of leaving over time"
              show={(value) => `${Math.round(value * 100)}%`}
              top={1}
            />
            <LastChange change={newest?.change ?? null} />
          </>
        ) : null}
      </div>
    </section>
  );
}

function howMany(scores: number, next: string | null | undefined): string {
  if (scores < 2) return "";
  return `${next ? "the newest " : ""}${plural(scores, "score")}`;
}

function marks(events: { event_type: string; timestamp: string }[]): Mark[] {
  return events.flatMap((event) => {
    const color = MARKED[event.event_type];
    return color
      ? [{ at: Date.parse(event.timestamp) / 1000, text: eventWords(event.event_type), color }]
      : [];
  });
}

interface Change {
  change: number;
  model_changed: boolean;
  drivers: { feature: string; effect: number }[] | null;
}

function LastChange({ change }: { change: Change | null }): JSX.Element | null {
  const strongest = change?.drivers?.[0];
  if (!change) return null;
  if (points(change.change) === "0")
    return <p class="muted small">The newest score is as high as the one before.</p>;
  const cause = change.model_changed
    ? " Another version of the model made it."
    : strongest
      ? ` Most of it comes from: ${FEATURE_WORDS[strongest.feature as FeatureName].toLowerCase()} (${points(strongest.effect)}).`
      : "";
  return (
    <p class="muted small">
      The newest score: {inPoints(change.change)}.{cause}
    </p>
  );
}
