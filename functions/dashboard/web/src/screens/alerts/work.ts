/** What is done with alerts: at once, and taken back by "Undo" for five seconds. */
import { ApiError, OUTDATED, patch } from "../../api/client";
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
 * An alert is left as it is if somebody has changed it since it was read. Returns whether something was done.
 */
export function workOn(alerts: Alert[], work: AlertWork, words: string, done: () => void): Promise<boolean> {
  return inTurn(async () => {
    try {
      const { changed, refused } = await changeAll(alerts, work);
      const undo = (): void => void inTurn(() => takeBack(changed, work)).then(done);
      if (refused.length < alerts.length)
        say(
          `${subjectOf(alerts.length - refused.length)} ${words}.`,
          work.note === undefined ? undo : undefined,
        );
      if (refused[0]) say(`${subjectOf(refused.length)} stayed as before. ${refused[0]}`);
      return refused.length < alerts.length;
    } catch (error) {
      say(`That was not done. ${reason(error)}`);
      return false;
    } finally {
      done();
    }
  });
}

function subjectOf(alerts: number): string {
  return alerts === 1 ? "Alert" : plural(alerts, "alert");
}

/** Changes alerts; returns those that have changed, and why others stayed. Throws ApiError. */
async function changeAll(alerts: Alert[], work: AlertWork): Promise<{ changed: Alert[]; refused: string[] }> {
  const [only, ...others] = alerts;
  if (only && !others.length) {
    await change(only, work);
    return { changed: alerts, refused: [] };
  }
  const versions = work.note === undefined ? { versions: alerts.map(versionOf) } : {};
  const { results } = await patch("/api/alerts", {
    ...work,
    ids: alerts.map((alert) => alert.id),
    ...versions,
  });
  const changed = new Set<number>();
  for (const { alert, outcome } of results) {
    if (!alert || outcome !== "changed") continue;
    changed.add(alert.id);
    made.set(alert.id, alert.change);
  }
  return {
    changed: alerts.filter((alert) => changed.has(alert.id)),
    refused: results.flatMap(({ outcome, code, error }) =>
      outcome !== "refused" ? [] : [code === OUTDATED ? "Somebody else was faster." : (error ?? "")],
    ),
  };
}

/** The newest version that this window knows of an alert. */
function versionOf(alert: Alert): number {
  return Math.max(alert.change, made.get(alert.id) ?? 0);
}

/** Changes an alert of the version that is known. Throws ApiError, also if that is not the newest. */
async function change(alert: Alert, work: AlertWork): Promise<void> {
  // A note takes nothing from what others did, so it is written whatever the version.
  const version = work.note === undefined ? versionOf(alert) : undefined;
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
