/** Records that could not be applied, each with why; whoever may has them tried again. */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, get, post, type Answer } from "../../api/client";
import { Choice } from "../../components/choice";
import { Empty, Problem, Waiting } from "../../components/notes";
import { say } from "../../components/toasts";
import { useList, type Resource } from "../../data";
import { ago, count, exactly, plural, timeOfDay } from "../../format";
import { link } from "../../router";
import { may } from "../../session";
import { oneOf } from "../../values";
import type { Ingestion } from "./screen";

type Letter = Answer<"/api/dead-letters", "get">["dead_letters"][number];

const PAGE = 20;

interface Found {
  page: Resource<Answer<"/api/dead-letters", "get">>;
  isAll: boolean;
  onMore: () => void;
}

/** Returns the records of the address: those that wait, or all. */
export function useDeadLetters(query: URLSearchParams): Found {
  const state = oneOf(query.get("letters"), ["all"]) ?? "waiting";
  const page = useList(
    `dead letters ${state}`,
    { list: "dead_letters", first: PAGE },
    (part, signal) => get("/api/dead-letters", { state, ...part }, undefined, signal),
    { every: 30 },
  );
  return { page, isAll: state === "all", onMore: page.more };
}

interface Props {
  counts: Ingestion["dead_letters"];
  letters: Found;
  query: URLSearchParams;
  onRedriven: () => void;
}

export function DeadLetters({ counts, letters, query, onRedriven }: Props): JSX.Element {
  const redriven = (): void => {
    letters.page.reload();
    onRedriven();
  };
  const { tried, started } = useTried(redriven);
  const to = (shown: string): string => link(["data"], { ...Object.fromEntries(query), letters: shown });
  return (
    <section class="card">
      <header class="wraps">
        <h2>
          Records that could not be applied
          {counts.last_hour ? <span class="muted"> · {count(counts.last_hour)} in the last hour</span> : null}
        </h2>
        <div class="row">
          <Choice
            label="Records"
            current={letters.isAll ? "all" : "waiting"}
            options={[
              { key: "waiting", name: "To be tried again", target: to("") },
              { key: "all", name: "All", target: to("all") },
            ]}
          />
          {may("admin") && counts.waiting ? <Redrive counts={counts} onStarted={started} /> : null}
        </div>
      </header>
      {tried ? <p role="status">{becameOf(tried, counts)}</p> : null}
      <Letters {...letters} />
    </section>
  );
}

function Letters({ page, isAll, onMore }: Found): JSX.Element {
  return (
    <>
      {page.error && !page.data ? (
        <Problem error={page.error} what="the records" onRetry={page.reload} />
      ) : null}
      {page.isLoading && !page.data ? <Waiting height={120} what="the records" /> : null}
      {page.data && !page.data.dead_letters.length ? (
        <Empty title={isAll ? "Every record could be applied." : "None waits to be tried again."}>
          A record that is no event is kept here with the reason, and the others go on.
        </Empty>
      ) : null}
      <ul class="letters">
        {page.data?.dead_letters.map((letter) => (
          <Row key={`${letter.topic} ${letter.partition} ${letter.offset}`} letter={letter} />
        ))}
      </ul>
      {page.data?.next_cursor ? (
        <button type="button" class="button plain" onClick={onMore}>
          Earlier
        </button>
      ) : null}
    </>
  );
}

/** What was tried again, and when, in milliseconds. */
interface Tried {
  records: number;
  isMore: boolean;
  at: number;
}

const LOOKS_MS = [1000, 3000, 6000];

/** Returns what was tried again last, and what tells of it; `look` is then called a few times. */
function useTried(look: () => void): { tried: Tried | null; started: (tried: Tried) => void } {
  const [tried, setTried] = useState<Tried | null>(null);
  const newest = useRef(look);
  newest.current = look;
  useEffect(() => {
    if (!tried) return;
    const timers = LOOKS_MS.map((wait) => setTimeout(() => newest.current(), wait));
    return () => timers.forEach(clearTimeout);
  }, [tried]);
  return { tried, started: setTried };
}

/** Says how many records were tried again, and what has become of them so far. */
function becameOf({ records, isMore, at }: Tried, counts: Ingestion["dead_letters"]): string {
  const sent = `${isMore ? "More than " : ""}${plural(records, "record")} ${records === 1 && !isMore ? "was" : "were"} tried again at ${timeOfDay(at)}`;
  const left = `${counts.waiting_is_lower_bound ? "more than " : ""}${count(counts.waiting)} could not be applied and ${counts.waiting === 1 ? "waits" : "wait"} here`;
  // Of more than are counted, how many were applied is not known.
  const applied = isMore ? "" : `${count(Math.max(0, records - counts.waiting))} applied so far, `;
  return `${sent}: ${applied}${left}.`;
}

interface RedriveProps {
  counts: Ingestion["dead_letters"];
  onStarted: (tried: Tried) => void;
}

function Redrive({ counts, onStarted }: RedriveProps): JSX.Element {
  const [isBusy, setBusy] = useState(false);
  const redrive = async (): Promise<void> => {
    setBusy(true);
    try {
      const { waiting, waiting_is_lower_bound: isMore } = await post("/api/dead-letters/redrive", {});
      onStarted({ records: waiting, isMore, at: Date.now() });
    } catch (error) {
      say(`They were not tried again. ${error instanceof ApiError ? error.message : String(error)}`);
    }
    setBusy(false);
  };
  return (
    <button type="button" class="button" disabled={isBusy} onClick={() => void redrive()}>
      Try {counts.waiting_is_lower_bound ? "all" : count(counts.waiting)} again
    </button>
  );
}

function Row({ letter }: { letter: Letter }): JSX.Element {
  const where = `${letter.topic}, partition ${letter.partition}, offset ${letter.offset}`;
  return (
    <li>
      <div class="reason">
        <span>{letter.reason}</span>
        <time class="muted small" dateTime={letter.failed_at} title={exactly(letter.failed_at)}>
          {ago(letter.failed_at)}
        </time>
      </div>
      <div class="muted small">
        {where}
        {letter.redriven_at ? ` · applied after all ${ago(letter.redriven_at)}` : ""}
        {letter.has_content ? "" : " · its content was deleted"}
      </div>
      {letter.value === null ? null : (
        <details>
          <summary>
            Content{letter.encoding === "base64" ? ", as base64" : ""}, {plural(letter.bytes ?? 0, "byte")}
          </summary>
          <pre tabIndex={0}>{letter.value}</pre>
          {letter.customer_id ? (
            <a class="text small" href={link(["customers", letter.customer_id])}>
              Customer {letter.customer_id}
            </a>
          ) : null}
        </details>
      )}
    </li>
  );
}
