/** The cohorts as a table whose cells are the darker, the more customers ordered again. */
import type { JSX } from "preact";
import { count, plural, share } from "../../format";
import { placeOf } from "../../router";
import { type By, type Cohort, type CohortTable, againAt, cohortName } from "./cohorts";

export function HeatMap({ table }: { table: CohortTable }): JSX.Element {
  const { by } = table;
  const first = table.cohorts.findIndex((cohort) => cohort.customers);
  const cohorts = table.cohorts.slice(first);
  const ages = cohorts.map((_, age) => age);
  const shares = cohorts.flatMap((cohort) => cohort.ages.flatMap((age) => age.share ?? []));
  const range: Range = { least: Math.min(...shares), most: Math.max(...shares) };
  return (
    <>
      <div class="heat-map" role="region" aria-label="Cohorts" tabIndex={0}>
        <table>
          <thead>
            <tr>
              <th scope="col">First order</th>
              <th scope="col" class="number">
                Customers
              </th>
              {ages.map((age) => (
                <th scope="col" key={age} class="number">
                  {age === 0 ? `Same ${by}` : `+${age}`}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {cohorts.map((cohort) => (
              <Row key={cohort.first_day} by={by} cohort={cohort} ages={ages} range={range} />
            ))}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row" colSpan={2}>
                All that are over
              </th>
              {ages.map((age) => {
                const all = againAt(cohorts, age);
                return (
                  <td
                    key={age}
                    class="number"
                    title={all ? `${count(all.again)} of ${count(all.customers)}` : undefined}
                  >
                    {all === null ? <span class="hidden">not known</span> : share(all.share)}
                  </td>
                );
              })}
            </tr>
          </tfoot>
        </table>
      </div>
      <p class="muted small key">
        <span class="cell running" aria-hidden="true" /> This {by} is not over, so the number still grows.
        Orders of one day count as one; days begin at midnight UTC.
      </p>
    </>
  );
}

/** The least and the largest share of a table, between which the colours are spread. */
interface Range {
  least: number;
  most: number;
}

const [PALEST, DARKEST] = [4, 50];

function heat(share: number, { least, most }: Range): number {
  return Math.round(PALEST + ((share - least) / (most - least || 1)) * (DARKEST - PALEST));
}

interface RowProps {
  by: By;
  cohort: Cohort;
  ages: number[];
  range: Range;
}

function Row({ by, cohort, ages, range }: RowProps): JSX.Element {
  return (
    <tr>
      <th scope="row">{cohortName(by, cohort.first_day)}</th>
      <td class="number">
        {cohort.customers ? <a href={placeOf(cohort.link)}>{count(cohort.customers)}</a> : count(0)}
      </td>
      {ages.map((age) => {
        const reached = cohort.ages[age];
        if (!reached || reached.share === null) return <td key={age} />;
        const isOver = reached.is_complete && cohort.is_complete;
        const name = cohortName(by, reached.first_day);
        const says = `${count(reached.customers)} of ${plural(cohort.customers, "customer")} ordered again in ${by === "week" ? "the week of " : ""}${name}${isOver ? "" : ", so far"}`;
        return (
          <td
            key={age}
            class={`number cell${isOver ? "" : " running"}`}
            title={says}
            style={{ "--heat": `${heat(reached.share, range)}%` }}
          >
            {reached.link ? (
              <a href={placeOf(reached.link)} aria-label={`${share(reached.share)}: ${says}`}>
                {share(reached.share)}
              </a>
            ) : (
              share(reached.share)
            )}
            {isOver ? null : <span class="hidden"> so far</span>}
          </td>
        );
      })}
    </tr>
  );
}
