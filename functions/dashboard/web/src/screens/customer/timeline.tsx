/** What happened with a customer, the newest first: events, scores, alerts and what people did with these. */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, get, type Answer } from "../../api/client";
import { Empty, Problem, Waiting } from "../../components/notes";
import { onTopic } from "../../live";
import { ago, day, exactly, money, percent, inPoints } from "../../format";
import { link } from "../../router";
import { alertWords, eventWords, sentence } from "../../words";

type Page = Answer<"/api/customers/{customer_id}/timeline", "get">;
type Item = Page["items"][number];
type Kind = Item["kind"];

const KINDS: [Kind, string][] = [
  ["note", "Notes"],
  ["event", "Events"],
  ["prediction", "Scores"],
  ["alert", "Alerts"],
  ["action", "Actions"],
];
const PAGE = 30;
const LARGEST_PAGE = 500;

export function TimelineCard({ id, changes }: { id: string; changes: number }): JSX.Element {
  const [kinds, setKinds] = useState<Kind[]>(["note", "event", "alert", "action"]);
  const pages = useTimeline(id, kinds, changes);
  const toggle = (kind: Kind): void =>
    setKinds((before) => (before.includes(kind) ? before.filter((one) => one !== kind) : [...before, kind]));
  return (
    <section class="card timeline">
      <header>
        <h2>Timeline</h2>
      </header>
      <div class="row kinds" role="group" aria-label="What the timeline shows">
        {KINDS.map(([kind, name]) => (
          <button
            key={kind}
            type="button"
            class="button plain"
            aria-pressed={kinds.includes(kind)}
            onClick={() => toggle(kind)}
          >
            {name}
          </button>
        ))}
      </div>
      <ol>
        {pages.items.map((item, index) => (
          <Entry key={`${item.kind} ${item.at} ${index}`} item={item} />
        ))}
      </ol>
      {pages.error ? <Problem error={pages.error} what="the timeline" onRetry={pages.more} /> : null}
      {pages.isLoading && !pages.items.length ? <Waiting height={280} what="the timeline" /> : null}
      {!pages.isLoading && !pages.error && !pages.items.length ? (
        <Empty title="Nothing is known.">Each event that the shop sends of this customer appears here.</Empty>
      ) : null}
      {pages.cursor ? (
        <button type="button" class="button plain" onClick={pages.more} disabled={pages.isLoading}>
          Earlier
        </button>
      ) : null}
    </section>
  );
}

interface Timeline {
  items: Item[];
  cursor: string | null;
  isLoading: boolean;
  error: ApiError | null;
  more: () => void;
}

/** `changes`: asked anew when this number is another. */
function useTimeline(id: string, kinds: Kind[], changes: number): Timeline {
  const [state, setState] = useState<Omit<Timeline, "more">>({
    items: [],
    cursor: null,
    isLoading: true,
    error: null,
  });
  const chosen = kinds.length ? kinds : KINDS.map(([kind]) => kind);
  const key = chosen.join();
  const shown = useRef(0);
  shown.current = state.items.length;
  const ask = (cursor: string | null, before: Item[], signal?: AbortSignal): void => {
    setState({ items: before, cursor, isLoading: true, error: null });
    const place = cursor === null ? {} : { cursor };
    get(
      "/api/customers/{customer_id}/timeline",
      { kind: chosen, limit: PAGE, ...place },
      { customer_id: id },
      signal,
    )
      .then((page) =>
        setState({
          items: [...before, ...page.items],
          cursor: page.next_cursor,
          isLoading: false,
          error: null,
        }),
      )
      .catch((error: unknown) => {
        if (signal?.aborted) return;
        const known = error instanceof ApiError ? error : new ApiError(0, String(error));
        setState({ items: before, cursor, isLoading: false, error: known });
      });
  };
  /** Asks for what is shown anew; until the answer, and without one, it stays. */
  const renew = (signal: AbortSignal): void => {
    const limit = Math.min(LARGEST_PAGE, Math.max(PAGE, shown.current));
    get("/api/customers/{customer_id}/timeline", { kind: chosen, limit }, { customer_id: id }, signal)
      .then((page) =>
        // Who has gone on to earlier ones meanwhile, or has more than a page, keeps them.
        setState((now) =>
          now.isLoading || now.items.length > limit
            ? now
            : { items: page.items, cursor: page.next_cursor, isLoading: false, error: null },
        ),
      )
      .catch(() => undefined);
  };
  useEffect(() => {
    const control = new AbortController();
    ask(null, [], control.signal);
    const end = onTopic(["alerts"], () => renew(control.signal));
    return () => {
      control.abort();
      end();
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the key says what is asked for
  }, [id, key, changes]);
  return { ...state, more: () => ask(state.cursor, state.items) };
}

function Entry({ item }: { item: Item }): JSX.Element {
  return (
    <li class={item.kind}>
      <span>{words(item)}</span>
      <time class="muted small" dateTime={item.at} title={exactly(item.at)}>
        {Date.now() - Date.parse(item.at) < 86_400_000 ? ago(item.at) : day(item.at)}
      </time>
    </li>
  );
}

function words(item: Item): JSX.Element {
  switch (item.kind) {
    case "note":
      return (
        <>
          {item.note.by} noted: <span class="muted">{item.note.note}</span>
        </>
      );
    case "event":
      return (
        <>
          {eventWords(item.event.event_type)} <span class="muted">{details(item.event.event_data)}</span>
        </>
      );
    case "prediction":
      return (
        <>
          Risk {percent(item.prediction.churn_probability)}{" "}
          <span class="muted">{item.prediction.change ? inPoints(item.prediction.change.change) : ""}</span>
        </>
      );
    case "alert":
      return (
        <a class="text" href={link(["alerts", String(item.alert.id)])}>
          Alert: {alertWords(item.alert.alert_type).toLowerCase()}
        </a>
      );
    case "action":
      return (
        <>
          {item.action.by} {done(item.action.changed)} <span class="muted">{item.action.note}</span>
        </>
      );
  }
}

function done(changed: {
  status?: string;
  assigned_to?: string | null;
  snoozed_until?: string | null;
}): string {
  if (changed.status) return `set the alert to ${sentence(changed.status).toLowerCase()}`;
  if (changed.assigned_to) return `gave the alert to ${changed.assigned_to}`;
  if (changed.assigned_to === null) return "gave the alert back";
  if (changed.snoozed_until) return `put the alert off until ${day(changed.snoozed_until)}`;
  if (changed.snoozed_until === null) return "put the alert back in the list";
  return "noted:";
}

function details(data: Record<string, unknown>): string {
  const {
    order_value: value,
    failure_reason: failure,
    reason,
    subject,
    category,
    campaign_id: campaign,
  } = data;
  if (typeof value === "number") return money(value);
  const text = [failure, reason, subject, category, campaign].find((one) => typeof one === "string");
  return typeof text === "string" ? sentence(text).toLowerCase() : "";
}
