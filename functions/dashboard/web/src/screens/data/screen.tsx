/** Data: what comes in, how fast, what could not be read, and what is unknown because the shop does not send it. */
import type { FunctionComponent } from "preact";
import { get, type Answer } from "../../api/client";
import { Problem, Waiting } from "../../components/notes";
import { useLast, useResource } from "../../data";
import { plural, timeOfDay } from "../../format";
import { usePlace } from "../../router";
import { Arriving } from "./arriving";
import { DeadLetters, useDeadLetters } from "./dead-letters";
import { Imports } from "./imports";
import "./screen.css";
import { Kinds, Unknown } from "./sources";

export type Ingestion = Answer<"/api/ingestion", "get">;

const LATE_SECONDS = 60;
const MINUTES = 60;

const Screen: FunctionComponent<{ path: string[] }> = () => {
  const { query } = usePlace();
  const ingestion = useResource(
    "ingestion",
    (signal) => get("/api/ingestion", undefined, undefined, signal),
    { every: 10 },
  );
  const data = ingestion.data;
  const letters = useDeadLetters(query);
  const isShown = useLast(data && (letters.page.data || letters.page.error) ? true : undefined);
  return (
    <>
      <header>
        <div>
          <h1>{data && isShown ? headline(data) : "Data"}</h1>
        </div>
      </header>
      {ingestion.error && !data ? (
        <Problem error={ingestion.error} what="what comes in" onRetry={ingestion.reload} />
      ) : null}
      {!isShown && !ingestion.error ? <Waiting height={640} what="what comes in" /> : null}
      {data && isShown ? (
        <div class="stack">
          <Arriving data={data} query={query} />
          <DeadLetters
            counts={data.dead_letters}
            letters={letters}
            query={query}
            onRedriven={ingestion.reload}
          />
          <div class="data-sources">
            <Kinds data={data} />
            <Unknown data={data} />
          </div>
          <Imports />
        </div>
      ) : null}
    </>
  );
};
export default Screen;

/** What matters most, in a sentence: events that wait, records that could not be read, or how many come. */
function headline(data: Ingestion): string {
  // What is counted for less than an hour is all in the list below, with the minute that runs.
  const isYoung = data.per_minute.length < MINUTES;
  const hour = isYoung
    ? data.kinds.reduce((sum, kind) => sum + kind.last_24_hours, 0)
    : data.per_minute.reduce((sum, minute) => sum + minute.events, 0);
  if ((data.behind_seconds ?? 0) >= LATE_SECONDS) {
    return `${plural(data.waiting ?? 0, "event")} wait${data.waiting === 1 ? "s" : ""} to be counted, the oldest for ${plural(Math.round((data.behind_seconds ?? 0) / 60), "minute")}.`;
  }
  const { waiting, waiting_is_lower_bound: isMore } = data.dead_letters;
  const broken = waiting
    ? ` ${isMore ? "More than " : ""}${plural(waiting, "record")} could not be applied.`
    : "";
  const since = sinceWhen(data.per_minute);
  if (!hour)
    return `${since ? `No event has come ${since}.` : "Events have been counted for less than two minutes."}${broken}`;
  const lag = data.behind_seconds === null ? "" : "; the newest are counted within seconds";
  return `${plural(hour, "event")} came ${since || "just now"}${lag}.${broken}`;
}

/** The time that the minutes span; empty where they are too few to say anything. */
function sinceWhen([first, ...others]: Ingestion["per_minute"]): string {
  if (!first || !others.length) return "";
  return others.length + 1 < MINUTES ? `since ${timeOfDay(first.start)}` : "in the last hour";
}
