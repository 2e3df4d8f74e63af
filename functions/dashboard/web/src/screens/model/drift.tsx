/** What is other than when the version learned, and the version that is scored beside it. */
import type { JSX } from "preact";
import { Empty } from "../../components/notes";
import { count, day, plural, share } from "../../format";
import { FEATURE_WORDS, sentence } from "../../words";
import type { Detail } from "./quality";

const VERDICTS: Record<string, string> = {
  stable: "as before",
  shifted: "has shifted",
  drifted: "has drifted",
  turned_missing: "has stopped coming",
  turned_constant: "no longer varies",
};

export function Drift({ drift }: { drift: Detail["drift"] }): JSX.Element {
  const columns = drift.toSorted((one, other) => other.psi - one.psi);
  const first = columns[0];
  const moved = columns.filter((column) => column.verdict !== "stable");
  return (
    <section class="card">
      <header>
        <h2>Are customers still like those it learned from?</h2>
        {first ? (
          <span class="muted small">
            {plural(first.customers, "customer")}, {day(first.day)}
          </span>
        ) : null}
      </header>
      {first ? (
        <>
          <p>
            {moved.length
              ? `${moved.length} of ${plural(columns.length, "feature")} ${moved.length === 1 ? "is no longer as it was" : "are no longer as they were"}.`
              : "Yes: nothing has moved beyond chance."}
          </p>
          <ul class="drift">
            {columns.map((column) => (
              <li key={column.column} class={column.verdict === "stable" ? "" : "moved"}>
                <span>{column.column === "score" ? "The risk itself" : featureWords(column.column)}</span>
                <span class="track" aria-hidden="true">
                  <i style={{ width: `${Math.min(1, column.psi / 0.5) * 100}%` }} />
                </span>
                <span class="number">{column.psi.toFixed(2)}</span>
                <span>
                  {VERDICTS[column.verdict] ?? column.verdict}
                  {column.missing > column.missing_before + 0.01 ? (
                    <span class="muted small">
                      {" "}
                      · unknown for {share(column.missing)}, was {share(column.missing_before)}
                    </span>
                  ) : null}
                </span>
              </li>
            ))}
          </ul>
          <p class="muted small">
            Population stability index: below 0.10 little has changed, from 0.25 on much.
          </p>
        </>
      ) : (
        <Empty title="Not compared yet.">
          Each night the newest day’s customers are compared with those that the version was tested on.
        </Empty>
      )}
    </section>
  );
}

function featureWords(column: string): string {
  return (FEATURE_WORDS as Partial<Record<string, string>>)[column] ?? sentence(column);
}

const OUTCOMES = {
  challenger_better: "The challenger is better.",
  champion_better: "The version that serves is better.",
  undecided: "Neither is better beyond chance.",
};

export function Challenger({
  name,
  comparisons,
}: {
  name: string | null;
  comparisons: Detail["comparisons"];
}): JSX.Element {
  const newest = comparisons.at(-1);
  return (
    <section class="card">
      <header>
        <h2>Is another version better?</h2>
      </header>
      {newest ? (
        <>
          <p>
            {OUTCOMES[newest.verdict]} On the same {plural(newest.customers, "customer")}, of whom{" "}
            {count(newest.churned)} left, from {day(newest.first_week)} to {day(newest.last_week)}.
          </p>
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">Version</th>
                <th scope="col" class="number">
                  Predicted right
                </th>
                <th scope="col" class="number">
                  Right order
                </th>
              </tr>
            </thead>
            <tbody>
              {(
                [
                  [newest.champion, newest.champion_figures, "serves"],
                  [newest.challenger, newest.challenger_figures, "challenger"],
                ] as const
              ).map(([version, figures, role]) => (
                <tr key={version}>
                  <th scope="row">
                    {version} <span class="muted small">{role}</span>
                  </th>
                  <td class="number">{share(figures.accuracy)}</td>
                  <td class="number">{figures.auc?.toFixed(2) ?? "not known"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      ) : (
        <Empty title={name ? `Version ${name} is scored beside it.` : "No version is scored beside it."}>
          {name
            ? "They are compared when what came of the same customers is known."
            : "A challenger’s predictions are stored and judged, and raise no alerts."}
        </Empty>
      )}
    </section>
  );
}
