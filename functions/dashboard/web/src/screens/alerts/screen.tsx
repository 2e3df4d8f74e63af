/** Alerts: an inbox of two panes, worked by keyboard, the same in every window that is open. */
import type { FunctionComponent, JSX, RefObject } from "preact";
import { useRef, useState } from "preact/hooks";
import { get, type Answer } from "../../api/client";
import type { Alert, AlertWork } from "../../api/types";
import { Empty, Problem, Waiting } from "../../components/notes";
import { useLast, useList, type Resource } from "../../data";
import { plural } from "../../format";
import { useKeys } from "../../keys";
import { go, link, usePlace } from "../../router";
import { may } from "../../session";
import { wholeOf } from "../../values";
import { BOXES, shownAt, type Box } from "./boxes";
import { AlertPane } from "./detail";
import { AlertList } from "./list";
import { AlertQuality } from "./quality";
import "./screen.css";
import { SNOOZES, workOn } from "./work";

const PAGE = 50;
// The number of none.
const NO_ALERT = 0;

const Screen: FunctionComponent<{ path: string[] }> = ({ path }) => {
  const { query: address } = usePlace();
  const { box, query } = shownAt(address);
  const page = useList(
    `alerts ${JSON.stringify(query)}`,
    { list: "alerts", first: PAGE },
    (part, signal) => get("/api/alerts", { ...query, ...part }, undefined, signal),
    { topics: ["alerts"] },
  );
  const alerts = page.data?.alerts ?? [];
  const current = path[0] === undefined ? null : (wholeOf(path[0]) ?? NO_ALERT);
  const inbox = useInbox(alerts, current, address, page.reload);
  const sentence = useLast(page.data && headline(box, page.data));
  if (sentence === undefined && !page.error) return <Waiting height={640} what="the alerts" />;
  return (
    <>
      <header>
        <div>
          <h1>{sentence ?? "Alerts"}</h1>
        </div>
      </header>
      <Boxes current={box} />
      <div class={`inbox${current === null ? "" : " reads"}`}>
        <div class="card list">
          {inbox.selected.size ? (
            <Batch alerts={inbox.chosen} onWork={inbox.work} onClear={inbox.clear} />
          ) : null}
          <AlertList
            key={box}
            alerts={alerts}
            current={current}
            selected={inbox.selected}
            maySelect={may("act")}
            linkTo={inbox.linkTo}
            onSelect={inbox.select}
          />
          <End page={page} box={box} onMore={page.more} />
        </div>
        <div class="stack">
          {current === null ? <Hint /> : <Reading id={current} address={address} inbox={inbox} />}
          <AlertQuality />
        </div>
      </div>
    </>
  );
};
export default Screen;

interface EndProps {
  page: Resource<Answer<"/api/alerts", "get">>;
  box: Box | null;
  onMore: () => void;
}

/** What stands below the list. */
function End({ page, box, onMore }: EndProps): JSX.Element | null {
  // Alerts that are known stay, and the banner says that they are not of now.
  if (page.error && (!page.data || page.error.status !== 0))
    return <Problem error={page.error} what="the alerts" onRetry={page.reload} />;
  if (!page.data) return <Waiting height={320} what="the alerts" />;
  if (!page.data.alerts.length) {
    return (
      <Empty title="Nothing here.">
        {box ? BOXES[box].empty : "No alert is counted there any more."}{" "}
        {box && may("act") ? BOXES[box].hint : null}
      </Empty>
    );
  }
  return page.data.next_cursor ? (
    <button type="button" class="button plain more" onClick={onMore}>
      Earlier
    </button>
  ) : null;
}

function Hint(): JSX.Element {
  return (
    <div class="card hint">
      <Empty title="Choose an alert.">
        With the keys j and k you go through them
        {may("act") ? ", with e you acknowledge, with r you resolve." : "."}
      </Empty>
    </div>
  );
}

function Reading({
  id,
  address,
  inbox,
}: {
  id: number;
  address: URLSearchParams;
  inbox: Inbox;
}): JSX.Element {
  return (
    <>
      <a class="muted to-list" href={link(["alerts"], Object.fromEntries(address))}>
        All alerts
      </a>
      <AlertPane key={id} id={id} note={inbox.note} onWork={inbox.work} />
    </>
  );
}

function headline(box: Box | null, { total, total_is_lower_bound }: Answer<"/api/alerts", "get">): string {
  const alerts = `${total_is_lower_bound ? "At least " : ""}${plural(total, "alert")}`;
  if (box === null) return `${alerts} counted there.`;
  if (box === "new") return total ? `${alerts} nobody has looked at yet.` : "Everything has been looked at.";
  const words = { mine: "for you to work on", work: "in work", snoozed: "put off", done: "dealt with" }[box];
  return `${alerts} ${words}.`;
}

function Boxes({ current }: { current: Box | null }): JSX.Element {
  return (
    <nav class="row boxes" aria-label="Boxes">
      {(Object.keys(BOXES) as Box[]).map((box) => (
        <a
          key={box}
          class="button plain"
          href={link(["alerts"], { box })}
          aria-current={box === current ? "page" : undefined}
        >
          {BOXES[box].name}
        </a>
      ))}
    </nav>
  );
}

interface Inbox {
  selected: ReadonlySet<number>;
  /** The selected alerts. */
  chosen: Alert[];
  note: RefObject<HTMLTextAreaElement | null>;
  linkTo: (alert: Alert) => string;
  select: (id: number) => void;
  clear: () => void;
  /** Returns whether something was done. */
  work: (alerts: Alert[], work: AlertWork, words: string) => Promise<boolean>;
}

/** Returns the selection and the work of an inbox, and listens to its keys. */
function useInbox(
  alerts: Alert[],
  current: number | null,
  address: URLSearchParams,
  reload: () => void,
): Inbox {
  const [selected, setSelected] = useState<ReadonlySet<number>>(new Set());
  const note = useRef<HTMLTextAreaElement>(null);
  const linkTo = (alert: Alert): string => link(["alerts", String(alert.id)], Object.fromEntries(address));
  const place = alerts.findIndex((alert) => alert.id === current);
  const select = (id: number): void =>
    setSelected(
      (before) => new Set(before.has(id) ? [...before].filter((one) => one !== id) : [...before, id]),
    );
  const chosen = alerts.filter((alert) => selected.has(alert.id));
  const work = async (on: Alert[], what: AlertWork, words: string): Promise<boolean> => {
    setSelected(new Set());
    // Whoever goes through the list is led to the next one.
    const next = alerts[place + 1] ?? alerts[place - 1];
    const leaves = what.status === "resolved" || what.status === "dismissed";
    const goOn = (): void => {
      if (leaves && next && on.some((alert) => alert.id === current)) go(linkTo(next));
    };
    // A reason that was typed stays in its field until it is stored.
    const waits = what.reason !== undefined;
    if (!waits) goOn();
    const isDone = await workOn(on, what, words, reload);
    if (isDone && waits) goOn();
    return isDone;
  };
  useInboxKeys({ alerts, place, chosen, note, linkTo, select, work });
  return { selected, chosen, note, linkTo, select, clear: () => setSelected(new Set()), work };
}

type KeyTargets = Pick<Inbox, "chosen" | "note" | "linkTo" | "select" | "work"> & {
  alerts: Alert[];
  place: number;
};

function useInboxKeys({ alerts, place, chosen, note, linkTo, select, work }: KeyTargets): void {
  const open = (index: number): void => {
    const alert = alerts[Math.max(0, Math.min(alerts.length - 1, index))];
    if (alert) go(linkTo(alert));
  };
  const here = alerts[place];
  const onThese = (what: AlertWork, words: string) => () => {
    const on = chosen.length ? chosen : here ? [here] : [];
    if (on.length && may("act")) void work(on, what, words);
  };
  useKeys({
    j: () => open(place + 1),
    k: () => open(place - 1),
    e: onThese({ status: "acknowledged" }, "acknowledged"),
    r: onThese({ status: "resolved" }, "resolved"),
    a: onThese({ assigned_to: "me" }, "taken on"),
    s: onThese({ snoozed_until: SNOOZES[0]?.until().toISOString() ?? null }, "put off until tomorrow"),
    x: () => {
      if (here && may("act")) select(here.id);
    },
    n: () => note.current?.focus(),
  });
}

interface BatchProps {
  alerts: Alert[];
  onWork: Inbox["work"];
  onClear: () => void;
}

function Batch({ alerts, onWork, onClear }: BatchProps): JSX.Element {
  return (
    <div class="row batch" role="region" aria-label="Selected alerts">
      <strong>{plural(alerts.length, "alert")}</strong>
      <button
        type="button"
        class="button"
        onClick={() => void onWork(alerts, { status: "acknowledged" }, "acknowledged")}
      >
        Acknowledge
      </button>
      <button
        type="button"
        class="button"
        onClick={() => void onWork(alerts, { status: "resolved" }, "resolved")}
      >
        Resolve
      </button>
      <button
        type="button"
        class="button"
        onClick={() => void onWork(alerts, { assigned_to: "me" }, "taken on")}
      >
        Take on
      </button>
      <button type="button" class="button plain" onClick={onClear}>
        Clear
      </button>
    </div>
  );
}
