/** The files that were imported last, and what became of their lines. */
import type { JSX } from "preact";
import { get, type Answer } from "../../api/client";
import { Empty, Problem, Waiting } from "../../components/notes";
import { useResource } from "../../data";
import { ago, count, exactly } from "../../format";

type ImportRun = Answer<"/api/imports", "get">["imports"][number];

const COLUMNS: [keyof ImportRun, string][] = [
  ["lines", "Lines"],
  ["events", "New events"],
  ["repeated", "Known before"],
  ["rejected", "Not readable"],
  ["too_late", "Too old"],
  ["refused", "Refused"],
  ["customers", "Customers"],
];

const SHOWN = 20;

export function Imports(): JSX.Element {
  const imports = useResource(
    "imports",
    (signal) => get("/api/imports", { limit: SHOWN }, undefined, signal),
    {
      every: 30,
    },
  );
  const runs = imports.data?.imports;
  return (
    <section class="card">
      <header>
        <h2>Imported files</h2>
        {runs?.length === SHOWN ? <span class="muted small">the newest {SHOWN}</span> : null}
      </header>
      {imports.error && !runs ? (
        <Problem error={imports.error} what="the imports" onRetry={imports.reload} />
      ) : null}
      {imports.isLoading && !runs ? <Waiting height={120} what="the imports" /> : null}
      {runs && !runs.length ? (
        <Empty title="No file has been imported.">
          <code>make import FILE=orders.csv</code> brings a shop’s history; it shows here with what became of
          its lines.
        </Empty>
      ) : null}
      {runs?.length ? (
        <div class="wide" role="region" aria-label="Imported files" tabIndex={0}>
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">File</th>
                <th scope="col">When</th>
                {COLUMNS.map(([name, title]) => (
                  <th scope="col" key={name} class="number">
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {runs.map((run) => (
                <Row key={run.id} run={run} />
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
    </section>
  );
}

function Row({ run }: { run: ImportRun }): JSX.Element {
  return (
    <tr>
      <th scope="row">
        {run.file_name} <span class="muted small">{run.kind}</span>
      </th>
      <td title={exactly(run.started_at)}>{ago(run.started_at)}</td>
      {run.ended_at ? (
        COLUMNS.map(([name]) => (
          <td key={name} class="number">
            {count(run[name] as number | null)}
          </td>
        ))
      ) : (
        <td colSpan={COLUMNS.length} class="muted">
          runs, or was broken off
        </td>
      )}
    </tr>
  );
}
