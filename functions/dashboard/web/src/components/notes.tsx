/** What stands in the place of data: while it is waited for, when there is none, when it could not be had. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { ApiError } from "../api/client";

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

interface ProblemProps {
  error: ApiError;
  /** What could not be had: "the customers". */
  what: string;
  onRetry: () => void;
}

/** What happened, what was kept, what to do. */
export function Problem({ error, what, onRetry }: ProblemProps): JSX.Element {
  return (
    <div class="note problem" role="alert">
      <strong>We could not get {what}.</strong>
      <span>
        {error.message} {error.isTemporary ? "Nothing is lost; it is asked again by itself." : ""}
      </span>
      {error.isTemporary ? (
        <button type="button" class="button" onClick={onRetry}>
          Try again
        </button>
      ) : null}
    </div>
  );
}
