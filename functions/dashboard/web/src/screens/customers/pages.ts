/** The pages of a list, one after the other as the reader comes to them. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, get } from "../../api/client";
import type { CustomersQuery } from "../../api/types";
import { session } from "../../session";
import { Store } from "../../store";
import { FIELDS, type Listed } from "./columns";

export interface Pages {
  customers: Listed[];
  total: number | null;
  isLowerBound: boolean;
  hasMore: boolean;
  isLoading: boolean;
  error: ApiError | null;
  /** When its beginning was asked for, in milliseconds; null before the first answer. */
  askedAt: number | null;
  more: () => void;
  /** Asks again for what could not be had, after what is known. */
  retry: () => void;
}

type State = Omit<Pages, "more" | "retry" | "hasMore"> & { cursor: string | null };

const PAGE = 100;
const LARGEST_PAGE = 500;
const NOTHING: State = {
  customers: [],
  total: null,
  isLowerBound: false,
  isLoading: true,
  error: null,
  askedAt: null,
  cursor: null,
};
const SHOWN_AT_LEAST = 20;
// A filter that few meet has short pages: so many are asked for before the reader is asked.
const PAGES_IN_A_ROW = 5;
// The list of before, for whoever comes back: it is shown until the same is asked anew.
let kept: { key: string; state: State } | null = null;
/** The customers that are selected by their ids, also while one of them is looked at. */
export const selection = new Store<ReadonlyMap<string, Listed>>(new Map());
/** The address of the list that was shown last, with the place in it. */
export const listAt = new Store("#/customers?status=current");
// What one person has read and chosen is not the next one's.
session.follow(() => {
  kept = null;
  selection.set(new Map());
  listAt.set("#/customers?status=current");
});

/** Asks for a list from its beginning, at least down to the row `from`; a list of before is shown meanwhile. */
export function useCustomers(query: CustomersQuery, from: number): Pages {
  const key = JSON.stringify(query);
  const [state, setState] = useState<State>(kept?.key === key ? kept.state : NOTHING);
  const running = useRef<AbortController | null>(null);
  // What is shown while the list is asked for anew; null once it was.
  const before = useRef<State | null>(null);

  /** Asks for what comes after `known`. */
  const ask = async (known: State): Promise<void> => {
    running.current?.abort();
    const control = new AbortController();
    running.current = control;
    const old = before.current;
    setState({ ...(old ?? known), isLoading: true, error: null });
    let after = known;
    const wanted = old ? old.customers.length : Math.max(from, known.customers.length) + SHOWN_AT_LEAST;
    try {
      for (let page = 0; old || page < PAGES_IN_A_ROW; page++) {
        const missing = wanted - after.customers.length;
        after = await next(query, after, Math.min(LARGEST_PAGE, Math.max(PAGE, missing)), control.signal);
        if (after.cursor === null || after.customers.length >= wanted) break;
      }
      before.current = null;
      kept = { key, state: after };
      setState(after);
    } catch (error) {
      if (!control.signal.aborted)
        setState({ ...(old ?? after), isLoading: false, error: asApiError(error) });
    }
  };

  useEffect(() => {
    before.current = kept?.key === key ? kept.state : null;
    void ask(NOTHING);
    return () => running.current?.abort();
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the key is the query
  }, [key]);

  return {
    ...state,
    hasMore: state.cursor !== null,
    more: () => {
      if (state.cursor !== null && !state.isLoading && !state.error) void ask(state);
    },
    retry: () => void ask(before.current ? NOTHING : state),
  };
}

async function next(query: CustomersQuery, known: State, limit: number, signal: AbortSignal): Promise<State> {
  const askedAt = Date.now();
  const place = known.cursor === null ? {} : { cursor: known.cursor };
  const page = await get(
    "/api/customers",
    { ...query, ...place, limit, fields: [...FIELDS] },
    undefined,
    signal,
  );
  return {
    // With the fields that were asked for.
    customers: [...known.customers, ...(page.customers as Listed[])],
    askedAt: known.askedAt ?? askedAt,
    total: page.total,
    isLowerBound: page.total_is_lower_bound,
    cursor: page.next_cursor,
    isLoading: false,
    error: null,
  };
}

function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(0, String(error));
}
