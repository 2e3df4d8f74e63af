/** What a screen asks the API for: kept while it is asked anew, and asked anew when something has changed. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "./api/client";
import { live, onTopic, type Topic } from "./live";
import { useStore } from "./store";

export interface Resource<T> {
  /** The newest answer; undefined before the first. */
  data: T | undefined;
  /** Why the newest question had no answer; undefined if it had one. */
  error: ApiError | undefined;
  isLoading: boolean;
  reload: () => void;
}

export interface Options {
  /** Asked anew when the socket tells something about these. */
  topics?: Topic[];
  /** Seconds between two questions while there is a socket; without one it is asked every 10 seconds. */
  every?: number;
  /** An answer of the last so many seconds, to whoever asked, is new enough to begin with. */
  newEnough?: number;
}

const POLL_SECONDS = 10;
const kept = new Map<string, unknown>();
const asked = new Map<string, { at: number; answer: Promise<unknown> }>();

/** Forgets all answers: another person signs in. */
export function forget(): void {
  kept.clear();
  asked.clear();
}

/** Asks, unless the same was asked less than so many seconds ago: then that answer is waited for. */
function askedOnce<T>(key: string, seconds: number, load: () => Promise<T>): Promise<T> {
  const before = asked.get(key);
  if (before && Date.now() - before.at < seconds * 1000) return before.answer as Promise<T>;
  const question = { at: Date.now(), answer: load() };
  asked.set(key, question);
  question.answer.catch(() => {
    if (asked.get(key) === question) asked.delete(key);
  });
  return question.answer;
}

/** Asks for what `key` stands for; `key` null asks for nothing. */
export function useResource<T>(
  key: string | null,
  load: (signal: AbortSignal) => Promise<T>,
  { topics = [], every, newEnough }: Options = {},
): Resource<T> {
  const [state, setState] = useState<{ key: string | null; data?: T; error?: ApiError }>({ key: null });
  const [turn, setTurn] = useState(0);
  const question = useRef(load);
  question.current = load;
  const reload = (): void => setTurn((number) => number + 1);
  const isAsking = useRef(false);

  useEffect(() => {
    if (key === null) return;
    const control = new AbortController();
    isAsking.current = true;
    // What several wait for is not given up when one of them goes.
    const answer =
      newEnough === undefined
        ? question.current(control.signal)
        : askedOnce(key, turn ? 0 : newEnough, () => question.current(new AbortController().signal));
    answer
      .then((data) => {
        if (control.signal.aborted) return;
        kept.set(key, data);
        setState({ key, data });
      })
      .catch((error: unknown) => {
        if (control.signal.aborted) return;
        const known = error instanceof ApiError ? error : new ApiError(0, String(error));
        setState((before) => ({
          key,
          error: known,
          ...(before.key === key ? { data: before.data } : {}),
        }));
      })
      .finally(() => {
        if (!control.signal.aborted) isAsking.current = false;
      });
    return () => control.abort();
  }, [key, turn, newEnough]);

  const isLive = useStore(live).state === "live";
  const isPolled =
    topics.length > 0 || every !== undefined || (state.key === key && state.error?.isTemporary);
  const seconds = isLive ? every : isPolled ? POLL_SECONDS : undefined;
  useEffect(() => {
    if (seconds === undefined) return;
    const timer = setInterval(() => {
      // A slow answer is waited for.
      if (!document.hidden && !isAsking.current) reload();
    }, seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds]);

  const names = topics.join();
  useEffect(() => onTopic(names.split(",") as Topic[], reload), [names]);

  const own = state.key === key ? state : undefined;
  const data = own?.data ?? (key === null ? undefined : (kept.get(key) as T | undefined));
  return { data, error: own?.error, isLoading: key !== null && own === undefined, reload };
}

// Of a page of the API.
const ROWS_AT_MOST = 500;

type PageOf<N extends string> = { next_cursor: string | null } & Record<N, unknown[]>;
type Part = { limit: number; cursor?: string };

/** Asks for the first rows of a list, in as many pages as that takes; returns them as one page. */
async function upTo<N extends string, P extends PageOf<N>>(
  list: N,
  rows: number,
  ask: (part: Part) => Promise<P>,
): Promise<P> {
  let found: unknown[] = [];
  let cursor: string | null = null;
  for (;;) {
    const limit = Math.min(ROWS_AT_MOST, rows - found.length);
    const page: P = await ask(cursor === null ? { limit } : { limit, cursor });
    found = [...found, ...page[list]];
    cursor = page.next_cursor;
    if (cursor === null || found.length >= rows) return { ...page, [list]: found };
  }
}

/** Asks for a list whose rows have the name `list`: `first` of them, and with each `more` twice as many. */
export function useList<N extends string, P extends PageOf<N>>(
  key: string,
  { list, first }: { list: N; first: number },
  ask: (part: Part, signal: AbortSignal) => Promise<P>,
  options: Options,
): Resource<P> & { more: () => void } {
  const [wanted, setWanted] = useState({ key, rows: first });
  const rows = wanted.key === key ? wanted.rows : first;
  const page = useResource(
    `${key} ${rows}`,
    (signal) => upTo(list, rows, (part) => ask(part, signal)),
    options,
  );
  // What is listed stays while more is asked for.
  const last = useRef<{ key: string; data: P | undefined }>({ key, data: page.data });
  if (page.data || last.current.key !== key) last.current = { key, data: page.data };
  return { ...page, data: last.current.data, more: () => setWanted({ key, rows: rows * 2 }) };
}

/** Returns what was known last, while the next is not known yet. */
export function useLast<T>(value: T | undefined): T | undefined {
  const last = useRef(value);
  if (value !== undefined) last.current = value;
  return last.current;
}
