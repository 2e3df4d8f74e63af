/** Model: is it right, whom does it find, what moves it, what changed. */
import type { FunctionComponent, JSX } from "preact";
import { get } from "../../api/client";
import { Empty, Problem, Waiting } from "../../components/notes";
import { type Resource, useResource } from "../../data";
import { ago, share } from "../../format";
import { Challenger, Drift } from "./drift";
import { type Detail, IsItRight, WhatMovesIt, WhomItFinds } from "./quality";
import { readReport, type Report } from "./report";
import "./screen.css";
import { isUnderWay, RunState, TrainButton } from "./training";
import { VersionLog, type Versions } from "./versions";

const SHOWN = 20;
const [OFTEN, SELDOM] = [2, 30];

const Screen: FunctionComponent<{ path: string[] }> = ({ path }) => {
  const models = useModels();
  if (models.data)
    return <Shown models={models.data} name={shownName(path[0], models.data)} onChanged={models.reload} />;
  return models.error ? (
    <Problem error={models.error} what="the versions" onRetry={models.reload} />
  ) : (
    <Waiting height={640} what="the versions" />
  );
};
export default Screen;

/** The version of the address, else that which serves, else the newest. */
function shownName(asked: string | undefined, models: Versions): string | undefined {
  return asked ?? models.current ?? models.versions[0]?.version;
}

interface ShownProps {
  models: Versions;
  name: string | undefined;
  onChanged: () => void;
}

function Shown({ models, name, onChanged }: ShownProps): JSX.Element {
  const detail = useResource(
    name ? `model ${name}` : null,
    (signal) => get("/api/models/{version}", undefined, { version: name ?? "" }, signal),
    { topics: ["model"] },
  );
  const version = detail.data?.version;
  const report = useResource(version ? `report ${version}` : null, (signal) =>
    readReport(version ?? "", signal),
  );
  const isWaiting = !detail.error && !report.error && (!detail.data || !report.data);
  if (name && isWaiting) return <Waiting height={640} what="this version" />;
  return (
    <>
      <header>
        <div>
          <h1>{headline(models, name, detail.data)}</h1>
        </div>
        <TrainButton run={models.latest_run} onStarted={onChanged} />
      </header>
      <div class="stack">
        <RunState run={models.latest_run} />
        {name ? null : <NoVersion />}
        {detail.error && !detail.data ? (
          <Problem error={detail.error} what="this version" onRetry={detail.reload} />
        ) : null}
        {detail.data ? <About detail={detail.data} report={report} models={models} /> : null}
        {models.versions.length ? <VersionLog models={models} shown={name} onChanged={onChanged} /> : null}
      </div>
    </>
  );
}

function NoVersion(): JSX.Element {
  return (
    <div class="card">
      <Empty title="No version has been trained.">
        Training needs some months of orders; a younger shop is served by the rhythm of its orders. Until then
        no risk is known, and events are stored all the same.
      </Empty>
    </div>
  );
}

/** The versions; asked for every other second while one is being trained. */
function useModels() {
  const load = (signal: AbortSignal): Promise<Versions> =>
    get("/api/models", { limit: SHOWN }, undefined, signal);
  const models = useResource("versions", load, { topics: ["model"], every: SELDOM });
  const running = useResource(isUnderWay(models.data?.latest_run) ? "versions while training" : null, load, {
    every: OFTEN,
  });
  // The newer answer counts: when the run has ended, the slower question takes over.
  const data = isUnderWay(models.data?.latest_run) ? (running.data ?? models.data) : models.data;
  return { ...models, data };
}

interface AboutProps {
  detail: Detail;
  report: Resource<Report>;
  models: Versions;
}

function About({ detail, report: { data: report, error, reload }, models }: AboutProps): JSX.Element {
  return (
    <>
      {error && !report ? <Problem error={error} what="its report" onRetry={reload} /> : null}
      {report ? (
        <>
          <IsItRight report={report} detail={detail} />
          <WhomItFinds report={report} />
        </>
      ) : null}
      <div class="pair top">
        {report?.effects ? <WhatMovesIt effects={report.effects} /> : null}
        <Drift drift={detail.drift} />
      </div>
      <Challenger name={models.challenger} comparisons={detail.comparisons} />
    </>
  );
}

/** How far to trust it, in a sentence: by what became true, or by its test while nothing is known. */
function headline(models: Versions, name: string | undefined, detail: Detail | undefined): string {
  if (!name) return "No model serves yet, so no risk is known.";
  if (!detail) return "Model";
  const subject = name === models.current ? "The model" : "This version";
  const realised = detail.quality.find(
    (week) => week.role === "served" && typeof week.realised?.accuracy === "number",
  );
  const outdated = detail.is_outdated ? " It knows older features than the service: train it anew." : "";
  if (realised)
    return `${subject} was right about ${share(realised.realised?.accuracy)} of the customers in the newest week that is over.${outdated}`;
  const figures = detail.metrics.forest as { accuracy?: number } | undefined;
  const learned = detail.trained_at ? ` It learned ${ago(detail.trained_at)}.` : "";
  if (figures?.accuracy === undefined)
    return `${subject} knows the rhythm of orders alone, for the shop is young.${learned}${outdated}`;
  return `${subject} was right about ${share(figures.accuracy)} of the customers in its test; what came of its predictions is not known yet.${learned}${outdated}`;
}
