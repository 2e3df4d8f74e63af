/** Retention: who orders again, by the month or week of the first order, and how the shop moves over time. */
import type { FunctionComponent, JSX } from "preact";
import { get } from "../../api/client";
import { Choice } from "../../components/choice";
import { Empty, Problem, Waiting } from "../../components/notes";
import { useLast, useResource } from "../../data";
import { count, plural, share } from "../../format";
import { link, usePlace } from "../../router";
import { oneOf } from "../../values";
import { type Again, againAt, type By, type CohortTable, halves } from "./cohorts";
import { HeatMap } from "./heat-map";
import "./screen.css";
import { Trends } from "./trends";

const COHORTS = 12;
const COMPARED = 3;

const Screen: FunctionComponent<{ path: string[] }> = () => {
  const { query } = usePlace();
  const by: By = oneOf(query.get("by"), ["week"]) ?? "month";
  const table = useResource(`cohorts ${by}`, (signal) =>
    get("/api/retention", { by, cohorts: COHORTS }, undefined, signal),
  );
  const sentence = useLast(table.data && headline(table.data));
  if (sentence === undefined && !table.error) return <Waiting height={640} what="the cohorts" />;
  return (
    <>
      <header>
        <div>
          <h1>{sentence ?? "Retention"}</h1>
        </div>
      </header>
      <div class="stack">
        <section class="card">
          <header class="wraps">
            <h2>Who ordered again, by the {by} of the first order</h2>
            <Choice
              label="Cohorts"
              current={by}
              options={(["month", "week"] as const).map((key) => ({
                key,
                name: key === "month" ? "Months" : "Weeks",
                target: link(["retention"], { ...Object.fromEntries(query), by: key }),
              }))}
            />
          </header>
          {table.error && !table.data ? (
            <Problem error={table.error} what="the cohorts" onRetry={table.reload} />
          ) : null}
          {table.isLoading && !table.data ? <Waiting height={440} what="the cohorts" /> : null}
          {table.data ? <Cohorts table={table.data} /> : null}
        </section>
        <Trends query={query} />
      </div>
    </>
  );
};
export default Screen;

function Cohorts({ table }: { table: CohortTable }): JSX.Element {
  if (!table.cohorts.some((cohort) => cohort.customers)) {
    return (
      <Empty title={`Nobody ordered first in these ${table.cohorts.length} ${table.by}s.`}>
        Each {table.by} gets a row with the first orders in it. Import the shop’s history, or publish its
        orders.
      </Empty>
    );
  }
  return (
    <>
      {table.is_complete ? null : (
        <p class="muted">
          Not every stored customer is counted yet: after an upgrade that takes up to a day.
        </p>
      )}
      <HeatMap table={table} />
    </>
  );
}

/** One sentence: how many come back in the month after the first order, and whether that is better than before. */
function headline({ by, cohorts }: CohortTable): string {
  const [newest, before] = halves(cohorts, 1, COMPARED);
  const now = againAt(newest, 1);
  if (now === null) return `No ${by} after a first order is over yet, so retention is not known.`;
  const said = `${howMany(now)} ordered again in the ${by} after their first order`;
  const then = againAt(before, 1);
  if (then === null || before.length < newest.length) return `${said}.`;
  const change = Math.round(now.share * 100) - Math.round(then.share * 100);
  if (change === 0) return `${said}, the same share as in the ${before.length} ${by}s before.`;
  const points = `${Math.abs(change)} ${Math.abs(change) === 1 ? "point" : "points"}`;
  return `${said}, ${points} ${change > 0 ? "more" : "fewer"} than in the ${before.length} ${by}s before.`;
}

/** A share with the number of customers that it is of; a number alone where the share would be 0%. */
function howMany({ again, customers, share: part }: Again): string {
  const whole = plural(customers, "new customer");
  if (again === 0) return `None of ${whole}`;
  return Math.round(part * 100) === 0 ? `${count(again)} of ${whole}` : `${share(part)} of ${whole}`;
}
