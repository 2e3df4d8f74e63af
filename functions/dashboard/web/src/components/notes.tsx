/** What stands in the place of data: while it is waited for, when there is none, when it could not be had. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { ApiError } from "../api/client";
import { live } from "../live";
import { useStore } from "../store";

/** Returns whether `milliseconds` have passed since the component was shown. */
export function useLate(milliseconds: number): boolean {
  const [isLate, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), milliseconds);
    return () => clearTimeout(timer);
  }, [milliseconds]);
  return isLate;
}

/** Reserves the room of what is coming; it moves after 300 ms and has a word after a second. */
export function Waiting({ height, what }: { height: number; what: string }): JSX.Element {
  const isMoving = useLate(300);
  const isLate = useLate(1000);
  return (
    <div class={`waiting${isMoving ? " late" : ""}`} style={{ height: `${height}px` }} role="status">
      {isLate ? `Asking for ${what} …` : ""}
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }): JSX.Element {
  return (
    <div class="note">
      <strong>{title}</strong>
      {children ? <div>{children}</div> : null}
    </div>
  );
}

/** What fills a page that shows customers, in a shop that has none. */
export function NoCustomers(): JSX.Element {
  return (
    <Empty title="The shop’s events and history will fill this page.">
      Publish events to the topic, hand them in at <code>POST /api/events</code>, or import what you have:{" "}
      <code>make import FILE=orders.csv</code>.
    </Empty>
  );
}

interface ProblemProps {
  error: ApiError;
  /** What could not be had: "the customers". */
  what: string;
  onRetry: () => void;
}

const RETRY_MS = 10_000;

/** What happened, what was kept, what to do. What may be answered later is asked again every ten seconds. */
export function Problem({ error, what, onRetry }: ProblemProps): JSX.Element {
  const retry = useRef(onRetry);
  retry.current = onRetry;
  useEffect(() => {
    if (!error.isTemporary) return;
    const timer = setInterval(() => retry.current(), RETRY_MS);
    return () => clearInterval(timer);
  }, [error.isTemporary]);
  // That the service cannot be reached stands above every screen.
  const isTold = useStore(live).state === "offline" && error.status === 0;
  return (
    <div class="note problem" role="alert">
      <strong>We could not get {what}.</strong>
      <span>
        {isTold ? "" : error.message}{" "}
        {error.isTemporary ? "Nothing is lost; it is asked again by itself." : ""}
      </span>
      {error.isTemporary ? (
        <button type="button" class="button" onClick={onRetry}>
          Try again
        </button>
      ) : null}
    </div>
  );
}
