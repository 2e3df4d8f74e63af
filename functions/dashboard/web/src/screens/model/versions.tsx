/** The versions as a log: what each was compared with, since when it served, and who may make another one serve. */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ApiError, post, type Answer } from "../../api/client";
import { Dialog } from "../../components/dialog";
import { say } from "../../components/toasts";
import { exactly } from "../../format";
import { link } from "../../router";
import { may } from "../../session";

export type Versions = Answer<"/api/models", "get">;
type Version = Versions["versions"][number];

interface Props {
  models: Versions;
  shown: string | undefined;
  onChanged: () => void;
}

export function VersionLog({ models, shown, onChanged }: Props): JSX.Element {
  const { refused, rollsBack, setRefused, setRollsBack, promote, rollBack } = useChanges(onChanged);
  return (
    <section class="card">
      <header>
        <h2>What changed?</h2>
        {may("admin") && models.history.length > 1 ? (
          <button type="button" class="button" onClick={() => setRollsBack(true)}>
            Roll back
          </button>
        ) : null}
      </header>
      <ol class="versions">
        {models.versions.map((version) => (
          <Row
            key={version.version}
            version={version}
            isShown={version.version === shown}
            served={models.history.find((change) => change.version === version.version)}
            onPromote={() => void promote(version.version)}
          />
        ))}
      </ol>
      {refused ? (
        <Ask
          title="The gate says no"
          words={refused.words}
          action="Let it serve all the same"
          isNeeded
          onDone={(reason) => void promote(refused.version, reason)}
          onClose={() => setRefused(null)}
        />
      ) : null}
      {rollsBack ? (
        <Ask
          title="Roll back"
          words="The version before serves again, for every function, within a minute."
          action="Roll back"
          onDone={(reason) => void rollBack(reason)}
          onClose={() => setRollsBack(false)}
        />
      ) : null}
    </section>
  );
}

interface Changes {
  /** The version that the gate does not let serve, and its words. */
  refused: { version: string; words: string } | null;
  rollsBack: boolean;
  setRefused: (refused: null) => void;
  setRollsBack: (rollsBack: boolean) => void;
  promote: (version: string, reason?: string) => Promise<void>;
  rollBack: (reason: string) => Promise<void>;
}

/** Returns what may be done with versions; `onChanged` is called after each. */
function useChanges(onChanged: () => void): Changes {
  const [refused, setRefused] = useState<Changes["refused"]>(null);
  const [rollsBack, setRollsBack] = useState(false);
  const promote = async (version: string, reason?: string): Promise<void> => {
    try {
      await post("/api/models/{version}/promote", reason ? { force: true, reason } : {}, { version });
      setRefused(null);
      say(`Version ${version} serves from now on.`);
    } catch (error) {
      const words = error instanceof ApiError ? error.message : String(error);
      if (error instanceof ApiError && error.status === 409 && !reason) setRefused({ version, words });
      else say(`It does not serve. ${words}`);
    }
    onChanged();
  };
  const rollBack = async (reason: string): Promise<void> => {
    setRollsBack(false);
    try {
      const { current } = await post("/api/models/rollback", reason ? { reason } : {});
      say(`Version ${current} serves again.`);
    } catch (error) {
      say(`Nothing was changed. ${error instanceof ApiError ? error.message : String(error)}`);
    }
    onChanged();
  };
  return { refused, rollsBack, setRefused, setRollsBack, promote, rollBack };
}

interface RowProps {
  version: Version;
  isShown: boolean;
  served: Versions["history"][number] | undefined;
  onPromote: () => void;
}

function Row({ version, isShown, served, onPromote }: RowProps): JSX.Element {
  const { version: name, role, gate } = version;
  return (
    <li class={isShown ? "shown" : ""}>
      <div class="row between">
        <a class="text" href={link(["model", name])} aria-current={isShown ? "true" : undefined}>
          {name}
        </a>
        <span class="row">
          {role ? <span class="chip role">{role === "current" ? "Serves" : "Challenger"}</span> : null}
          {may("admin") && role !== "current" ? (
            <button type="button" class="button" onClick={onPromote}>
              Promote<span class="hidden"> version {name}</span>
            </button>
          ) : null}
        </span>
      </div>
      <div class="muted small">{history(version, served)}</div>
      {gate ? (
        <details>
          <summary>{gate.passed ? "The gate passed it" : "The gate did not pass it"}</summary>
          <ul class="muted small">
            {gate.reasons.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
        </details>
      ) : null}
    </li>
  );
}

/** Where a version comes from, and since when it served. */
function history(version: Version, served: RowProps["served"]): string {
  const parts = [
    version.trained_at ? `Learned ${exactly(version.trained_at)}` : "When it learned is not known",
    version.kind === "purchase_process" ? "rhythm of orders alone" : "",
    version.source === "sample" ? "from a simulated shop" : "",
  ];
  if (served?.at) {
    const why = [served.reason ?? "", served.forced ? "although its gate did not pass" : ""].filter(Boolean);
    parts.push(
      `served from ${exactly(served.at)}${served.by ? `, by ${served.by}` : ""}${why.length ? `: ${why.join(", ")}` : ""}`,
    );
  }
  return parts.filter(Boolean).join(" · ");
}

interface AskProps {
  title: string;
  words: string;
  action: string;
  /** Whether a reason has to be given. */
  isNeeded?: boolean;
  onDone: (reason: string) => void;
  onClose: () => void;
}

function Ask({ title, words, action, isNeeded = false, onDone, onClose }: AskProps): JSX.Element {
  const [reason, setReason] = useState("");
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        class="stack ask"
        onSubmit={(event) => {
          event.preventDefault();
          onDone(reason.trim());
        }}
      >
        <p>{words}</p>
        <label class="labelled">
          Why, in words{isNeeded ? "" : ", if you like"}
          <input
            class="field"
            value={reason}
            maxLength={200}
            required={isNeeded}
            onInput={(event) => setReason(event.currentTarget.value)}
          />
        </label>
        <button type="submit" class="button main" disabled={isNeeded && !reason.trim()}>
          {action}
        </button>
      </form>
    </Dialog>
  );
}
