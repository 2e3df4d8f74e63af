/** Training: how far a run is, while it runs, and how the newest one ended. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ApiError, post } from "../../api/client";
import { say } from "../../components/toasts";
import { ago } from "../../format";
import { may } from "../../session";
import type { Versions } from "./versions";

type Run = NonNullable<Versions["latest_run"]>;

export function isUnderWay(run: Run | null | undefined): boolean {
  return run?.state === "queued" || run?.state === "running";
}

export function TrainButton({
  run,
  onStarted,
}: {
  run: Run | null;
  onStarted: () => void;
}): JSX.Element | null {
  const [isBusy, setBusy] = useState(false);
  if (!may("admin")) return null;
  const train = async (): Promise<void> => {
    setBusy(true);
    try {
      await post("/api/models/train", {});
    } catch (error) {
      say(`Training did not begin. ${error instanceof ApiError ? error.message : String(error)}`);
    }
    setBusy(false);
    onStarted();
  };
  return (
    <button
      type="button"
      class="button main"
      disabled={isBusy || isUnderWay(run)}
      onClick={() => void train()}
    >
      {isUnderWay(run) ? "Training …" : "Train a new version"}
    </button>
  );
}

export function RunState({ run }: { run: Run | null }): JSX.Element | null {
  if (!run) return null;
  return (
    <section class={`card run ${run.state}`} role="status">
      <strong>{TITLES[run.state]}</strong>
      <span>{words(run)}</span>
      <span class="muted small">
        asked for by {run.requested_by} {ago(run.requested_at)}
      </span>
    </section>
  );
}

const TITLES: Record<Run["state"], string> = {
  queued: "A training run waits to begin.",
  running: "A new version is being trained.",
  succeeded: "The newest training made a version.",
  refused: "The newest training made no version.",
  failed: "The newest training failed; the version of before serves on.",
};

function words(run: Run): string {
  if (run.state === "running") return run.progress ? `Now: ${run.progress}.` : "It begins.";
  if (run.state === "succeeded")
    return run.promoted
      ? `Version ${run.version ?? ""} was promoted.`
      : `Version ${run.version ?? ""} does not serve: ${run.reason ?? "nobody has decided yet"}`;
  return run.reason ?? "";
}
