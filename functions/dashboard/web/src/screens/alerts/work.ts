/** What is done with alerts: at once, and taken back by "Undo" for five seconds. */
import { ApiError, patch } from "../../api/client";
import type { Alert, AlertWork } from "../../api/types";
import { say } from "../../components/toasts";
import { plural } from "../../format";

/** Does the same with alerts, and says so; `done` is called after it, and after it was taken back. */
export async function workOn(
  alerts: Alert[],
  work: AlertWork,
  words: string,
  done: () => void,
): Promise<void> {
  const subject = alerts.length === 1 ? "Alert" : plural(alerts.length, "alert");
  try {
    const answer = await patch("/api/alerts", { ...work, ids: alerts.map((alert) => alert.id) });
    const refused = answer.results.filter((result) => result.outcome === "refused");
    const undo = work.note === undefined ? () => void takeBack(alerts, work).then(done) : undefined;
    if (refused.length < alerts.length) say(`${subject} ${words}.`, undo);
    const first = refused[0];
    if (first)
      say(
        `${plural(refused.length, "alert")} stayed as before: ${first.error ?? "somebody has changed them"}.`,
      );
  } catch (error) {
    say(`That was not done. ${error instanceof ApiError ? error.message : String(error)}`);
  }
  done();
}

/** Makes alerts as they were; those that had been closed go back by way of `new`. */
async function takeBack(alerts: Alert[], work: AlertWork): Promise<void> {
  try {
    for (const alert of alerts) {
      const id = { id: alert.id };
      if (work.status === "resolved" || work.status === "dismissed")
        await patch("/api/alerts/{id}", { status: "new" }, id);
      const before: AlertWork = {
        ...(work.status !== undefined && alert.status !== "new" ? { status: alert.status } : {}),
        ...(work.status === "acknowledged" && alert.status === "new" ? { status: "new" } : {}),
        ...(work.assigned_to !== undefined ? { assigned_to: alert.assigned_to } : {}),
        ...(work.snoozed_until !== undefined ? { snoozed_until: alert.snoozed_until } : {}),
      };
      if (Object.keys(before).length) await patch("/api/alerts/{id}", before, id);
    }
  } catch (error) {
    say(`It could not be taken back. ${error instanceof ApiError ? error.message : String(error)}`);
  }
}

export interface Snooze {
  name: string;
  until: () => Date;
}

const MORNING = 9;

function morning(daysAhead: number): Date {
  const date = new Date();
  date.setDate(date.getDate() + daysAhead);
  date.setHours(MORNING, 0, 0, 0);
  return date;
}

export const SNOOZES: Snooze[] = [
  { name: "until tomorrow", until: () => morning(1) },
  { name: "for 3 days", until: () => morning(3) },
  { name: "for a week", until: () => morning(7) },
];
