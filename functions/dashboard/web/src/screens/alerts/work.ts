/** What is done with alerts: at once, and taken back by "Undo" for five seconds. */
import { ApiError, patch } from "../../api/client";
import type { Alert, AlertWork } from "../../api/types";
import { say } from "../../components/toasts";
import { plural } from "../../format";

/** The newest versions that this window has made. A list is asked for after a change, so it may show an older one. */
const made = new Map<number, number>();
let turn: Promise<unknown> = Promise.resolve();

/** Waits for what was begun before: what follows is of the version that it has made. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const result = turn.then(work);
  turn = result;
  return result;
}

/**
 * Does the same with alerts, and says so; `done` is called after it, and after it was taken back.
 *
 * One alert is left as it is if somebody has changed it since it was read. Returns whether something was done.
 */
export function workOn(alerts: Alert[], work: AlertWork, words: string, done: () => void): Promise<boolean> {
  const subject = alerts.length === 1 ? "Alert" : plural(alerts.length, "alert");
  const undo =
    work.note === undefined ? () => void inTurn(() => takeBack(alerts, work)).then(done) : undefined;
  return inTurn(async () => {
    try {
      const refused = await changeAll(alerts, work);
      if (refused.length < alerts.length) say(`${subject} ${words}.`, undo);
      if (refused[0]) say(`${plural(refused.length, "alert")} stayed as before: ${refused[0]}`);
      return refused.length < alerts.length;
    } catch (error) {
      say(`That was not done. ${reason(error)}`);
      return false;
    } finally {
      done();
    }
  });
}

/** Changes alerts; returns why those that stayed did. Throws ApiError. */
async function changeAll(alerts: Alert[], work: AlertWork): Promise<string[]> {
  const [only, ...others] = alerts;
  if (only && !others.length) {
    await change(only, work);
    return [];
  }
  const { results } = await patch("/api/alerts", { ...work, ids: alerts.map((alert) => alert.id) });
  for (const { alert } of results) if (alert) made.set(alert.id, alert.change);
  return results.flatMap((result) =>
    result.outcome === "refused" ? [result.error ?? "somebody has changed them."] : [],
  );
}

/** Changes an alert of the version that is known. Throws ApiError, also if that is not the newest. */
async function change(alert: Alert, work: AlertWork): Promise<void> {
  // A note takes nothing from what others did, so it is written whatever the version.
  const version = work.note === undefined ? Math.max(alert.change, made.get(alert.id) ?? 0) : undefined;
  const changed = await patch("/api/alerts/{id}", work, { id: alert.id }, version);
  made.set(changed.id, changed.change);
}

/** Makes alerts as they were; those that had been closed go back by way of `new`. */
async function takeBack(alerts: Alert[], work: AlertWork): Promise<void> {
  try {
    for (const alert of alerts) {
      if (work.status === "resolved" || work.status === "dismissed") await change(alert, { status: "new" });
      const before: AlertWork = {
        ...(work.status !== undefined && alert.status !== "new" ? { status: alert.status } : {}),
        ...(work.status === "acknowledged" && alert.status === "new" ? { status: "new" } : {}),
        ...(work.assigned_to !== undefined ? { assigned_to: alert.assigned_to } : {}),
        ...(work.snoozed_until !== undefined ? { snoozed_until: alert.snoozed_until } : {}),
      };
      if (Object.keys(before).length) await change(alert, before);
    }
  } catch (error) {
    say(`It could not be taken back. ${reason(error)}`);
  }
}

function reason(error: unknown): string {
  if (!(error instanceof ApiError)) return String(error);
  return error.isOutdated ? "The alert has changed meanwhile." : error.message;
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
