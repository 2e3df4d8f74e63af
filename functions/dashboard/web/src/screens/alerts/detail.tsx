/** One alert: what it says, what can be done, and what was done. */
import type { JSX, RefObject } from "preact";
import { get } from "../../api/client";
import type { Alert, AlertAction, AlertDetail, AlertWork } from "../../api/types";
import { useKeptText } from "../../components/draft";
import { Empty, Problem, Waiting } from "../../components/notes";
import { Risk } from "../../components/risk";
import { useResource } from "../../data";
import { ago, day, exactly, percent } from "../../format";
import { link } from "../../router";
import { may } from "../../session";
import { alertWords, sentence } from "../../words";
import { SNOOZES } from "./work";

interface Props {
  id: number;
  note: RefObject<HTMLTextAreaElement | null>;
  /** Returns whether something was done. */
  onWork: (alerts: Alert[], work: AlertWork, words: string) => Promise<boolean>;
}

export function AlertPane({ id, note, onWork }: Props): JSX.Element {
  const detail = useResource(`alert ${id}`, (signal) => get("/api/alerts/{id}", undefined, { id }, signal), {
    topics: ["alerts"],
  });
  const alert = detail.data;
  if (!alert) {
    if (detail.error?.status === 404) return <Empty title="There is no such alert." />;
    return detail.error ? (
      <Problem error={detail.error} what="the alert" onRetry={detail.reload} />
    ) : (
      <Waiting height={320} what="the alert" />
    );
  }
  return (
    <article class="card alert-pane" aria-label={alert.title}>
      <header>
        <div>
          <h2 class="large">{alert.title}</h2>
          <p class="muted">
            {alertWords(alert.alert_type)} ·{" "}
            <span title={exactly(alert.created_at)}>{ago(alert.created_at)}</span> · {standing(alert)}
          </p>
        </div>
      </header>
      <p>{alert.message}</p>
      {alert.reason ? <p>{alert.reason}</p> : null}
      <RiskOfThen alert={alert} />
      {may("act") ? <Actions alert={alert} note={note} onWork={onWork} /> : null}
      <Log actions={alert.actions} />
    </article>
  );
}

function standing(alert: Alert): string {
  const who = alert.assigned_to ? `, ${alert.assigned_to} works on it` : "";
  const until =
    alert.snoozed_until && Date.parse(alert.snoozed_until) > Date.now()
      ? `, put off until ${day(alert.snoozed_until)}`
      : "";
  return `${sentence(alert.status).toLowerCase()}${who}${until}`;
}

function RiskOfThen({ alert }: { alert: AlertDetail }): JSX.Element {
  const { risk_score: risk, previous_risk_score: before } = alert;
  return (
    <p class="row of-customer">
      <a class="text" href={link(["customers", alert.customer_id])}>
        {alert.customer_name || alert.customer_id}
      </a>
      {/* The message of a risk that has risen says it already. */}
      {alert.alert_type === "churn_risk" ? null : risk !== null ? (
        <span class="muted">
          risk {before !== null ? `from ${percent(before)} to ` : ""}
          {percent(risk)} at the time
        </span>
      ) : (
        <Risk level={null} />
      )}
    </p>
  );
}

function Actions({ alert, note, onWork }: { alert: AlertDetail } & Omit<Props, "id">): JSX.Element {
  const isClosed = alert.status === "resolved" || alert.status === "dismissed";
  const act = (work: AlertWork, words: string) => () => void onWork([alert], work, words);
  const isSnoozed = alert.snoozed_until !== null && Date.parse(alert.snoozed_until) > Date.now();
  return (
    <>
      <div class="row">
        {alert.status === "new" ? (
          <button type="button" class="button" onClick={act({ status: "acknowledged" }, "acknowledged")}>
            Acknowledge <kbd>e</kbd>
          </button>
        ) : null}
        {isClosed ? (
          <button type="button" class="button" onClick={act({ status: "new" }, "opened again")}>
            Open again
          </button>
        ) : (
          <button type="button" class="button main" onClick={act({ status: "resolved" }, "resolved")}>
            Resolve <kbd>r</kbd>
          </button>
        )}
        {alert.assigned_to ? (
          <button type="button" class="button" onClick={act({ assigned_to: null }, "given back")}>
            Give back
          </button>
        ) : (
          <button type="button" class="button" onClick={act({ assigned_to: "me" }, "taken on")}>
            Take on <kbd>a</kbd>
          </button>
        )}
        {isClosed ? null : isSnoozed ? (
          <button type="button" class="button" onClick={act({ snoozed_until: null }, "back in the list")}>
            Show again
          </button>
        ) : (
          <Later
            onChoose={(until, name) =>
              void onWork([alert], { snoozed_until: until.toISOString() }, `put off ${name}`)
            }
          />
        )}
      </div>
      <Writing alert={alert} note={note} isClosed={isClosed} onWork={onWork} />
    </>
  );
}

function Later({ onChoose }: { onChoose: (until: Date, name: string) => void }): JSX.Element {
  return (
    <select
      class="field later"
      aria-label="Put off"
      value=""
      onChange={(event) => {
        const snooze = SNOOZES[Number(event.currentTarget.value)];
        event.currentTarget.value = "";
        if (snooze) onChoose(snooze.until(), snooze.name);
      }}
    >
      <option value="">Put off …</option>
      {SNOOZES.map((snooze, index) => (
        <option key={snooze.name} value={index}>
          {sentence(snooze.name)}
        </option>
      ))}
    </select>
  );
}

interface WritingProps extends Omit<Props, "id"> {
  alert: AlertDetail;
  isClosed: boolean;
}

function Writing({ alert, note, isClosed, onWork }: WritingProps): JSX.Element {
  const [text, setText] = useKeptText(`alert ${alert.id}`);
  const write = async (work: AlertWork, words: string): Promise<void> => {
    if (text.trim() && (await onWork([alert], work, words))) setText("");
  };
  return (
    <form
      class="writing"
      onSubmit={(event) => {
        event.preventDefault();
        void write({ note: text.trim() }, "has your note");
      }}
    >
      <label class="labelled">
        Note, or why you dismiss it
        <textarea
          ref={note}
          class="field"
          maxLength={500}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <div class="row">
        <button type="submit" class="button" disabled={!text.trim()}>
          Save note
        </button>
        {isClosed ? null : (
          <button
            type="button"
            class="button plain"
            disabled={!text.trim()}
            onClick={() => void write({ status: "dismissed", reason: text.trim() }, "dismissed")}
          >
            Dismiss for this reason
          </button>
        )}
      </div>
    </form>
  );
}

function Log({ actions }: { actions: AlertAction[] }): JSX.Element | null {
  if (!actions.length) return null;
  return (
    <ol class="log">
      {actions.map((action) => (
        <li key={action.change}>
          <div class="row between">
            <span>
              <strong>{action.by}</strong> {deed(action)}
            </span>
            <time class="muted small" title={exactly(action.at)}>
              {ago(action.at)}
            </time>
          </div>
          {action.note ? <p class="said">{action.note}</p> : null}
        </li>
      ))}
    </ol>
  );
}

function deed({ changed, note }: AlertAction): string {
  const deeds: string[] = [];
  if (changed.status === "new") deeds.push("opened it again");
  else if (changed.status)
    deeds.push(`${sentence(changed.status).toLowerCase()}${changed.status === "in_progress" ? "" : " it"}`);
  if (changed.reason) deeds.push(`because: ${changed.reason}`);
  if (changed.assigned_to) deeds.push(`gave it to ${changed.assigned_to}`);
  if (changed.assigned_to === null) deeds.push("gave it back");
  if (changed.snoozed_until) deeds.push(`put it off until ${day(changed.snoozed_until)}`);
  if (changed.snoozed_until === null) deeds.push("put it back in the list");
  return deeds.join(", ") || (note ? "noted" : "");
}
