/** What cohorts come to: shares over several of them, from those whose months or weeks are over. */
import type { Answer } from "../../api/client";
import { LANGUAGE } from "../../format";

export type CohortTable = Answer<"/api/retention", "get">;
export type Cohort = CohortTable["cohorts"][number];
export type By = CohortTable["by"];

/** How many customers there were, how many of them ordered again, and which share that is. */
export interface Again {
  customers: number;
  again: number;
  share: number;
}

/** Who ordered again at an age, of all cohorts for which that is over; null without any. */
export function againAt(cohorts: Cohort[], age: number): Again | null {
  let [customers, again] = [0, 0];
  for (const cohort of cohorts) {
    const reached = cohort.ages[age];
    if (!cohort.is_complete || !reached?.is_complete || reached.customers === null) continue;
    customers += cohort.customers;
    again += reached.customers;
  }
  return customers ? { customers, again, share: again / customers } : null;
}

/** The newest cohorts that are over at an age, and as many before them. */
export function halves(cohorts: Cohort[], age: number, size: number): [Cohort[], Cohort[]] {
  const known = cohorts.filter(
    (cohort) => cohort.is_complete && cohort.ages[age]?.is_complete && cohort.customers,
  );
  return [known.slice(-size), known.slice(-2 * size, -size)];
}

const MONTH = new Intl.DateTimeFormat(LANGUAGE, { month: "short", year: "numeric", timeZone: "UTC" });
const WEEK = new Intl.DateTimeFormat(LANGUAGE, { day: "numeric", month: "short", timeZone: "UTC" });

/** The name of a month or week by its first day (UTC). */
export function cohortName(by: By, firstDay: string): string {
  return (by === "month" ? MONTH : WEEK).format(new Date(firstDay));
}
