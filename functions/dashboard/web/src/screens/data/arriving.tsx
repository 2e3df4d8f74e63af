/** How many events come, how many wait, and for how long. */
import type { JSX } from "preact";
import { Choice } from "../../components/choice";
import { LineChart } from "../../components/line-chart";
import { Empty } from "../../components/notes";
import { ago, count, exactly, plural, UNKNOWN } from "../../format";
import { link } from "../../router";
import { oneOf } from "../../values";
import type { Ingestion } from "./screen";

const HEIGHT = 180;

export function Arriving({ data, query }: { data: Ingestion; query: URLSearchParams }): JSX.Element {
  const isByHour = oneOf(query.get("step"), ["hour"]) === "hour";
  const counts = isByHour ? data.per_hour : data.per_minute;
  const to = (step: string): string => link(["data"], { ...Object.fromEntries(query), step });
  return (
    <section class="card">
      <header class="wraps">
        <h2>Events that were applied</h2>
        <Choice
          label="Each point"
          current={isByHour ? "hour" : "minute"}
          options={[
            { key: "minute", name: "Minutes", target: to("") },
            { key: "hour", name: "Hours", target: to("hour") },
          ]}
        />
      </header>
      <div class="arriving">
        {counts.length > 1 ? (
          <LineChart
            times={counts.map((part) => Date.parse(part.start) / 1000)}
            lines={[{ name: "Events", values: counts.map((part) => part.events), color: "--accent" }]}
            height={HEIGHT}
            caption={`Events applied in each ${isByHour ? "hour" : "minute"}`}
            show={count}
          />
        ) : (
          <Empty title="Nothing to draw yet.">
            {data.counted_since
              ? `Events are counted since ${exactly(data.counted_since)}; the line begins with the second full ${isByHour ? "hour" : "minute"}.`
              : "Events are counted once the database is up to date."}
          </Empty>
        )}
        <Lag data={data} />
      </div>
    </section>
  );
}

function Lag({ data }: { data: Ingestion }): JSX.Element {
  return (
    <dl class="lag">
      <dt>Waiting</dt>
      <dd>{data.waiting === null ? UNKNOWN : plural(data.waiting, "event")}</dd>
      <dt>Behind</dt>
      <dd>{behind(data.behind_seconds)}</dd>
      <dt>Last applied</dt>
      <dd title={data.last_applied ? exactly(data.last_applied) : undefined}>
        {data.last_applied ? ago(data.last_applied) : "never"}
      </dd>
      {data.cause ? (
        <>
          <dt>What stands in the way</dt>
          <dd>{data.cause}</dd>
        </>
      ) : null}
    </dl>
  );
}

function behind(seconds: number | null): string {
  if (seconds === null) return UNKNOWN;
  if (seconds < 1) return "not at all";
  return seconds < 90 ? plural(Math.round(seconds), "second") : plural(Math.round(seconds / 60), "minute");
}
