/** Answers to a question that changes faster than it is answered: one at a time is asked, the newest next. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "./api/client";

interface Newest<T> {
  /** The newest answer; null before the first. */
  answer: T | null;
  /** Why the newest question had no answer; null if it had one. */
  error: ApiError | null;
}

/** Asks `question` now, or once the one before is answered; what was asked in between is passed over. */
export function useNewest<T>(question: string, ask: (question: string) => Promise<T>): Newest<T> {
  const [state, setState] = useState<Newest<T>>({ answer: null, error: null });
  const work = useRef({ wanted: question, isAsking: false, isShown: true, ask });
  work.current.ask = ask;
  useEffect(() => {
    const { current } = work;
    current.isShown = true;
    return () => {
      current.isShown = false;
    };
  }, []);
  useEffect(() => {
    const { current } = work;
    current.wanted = question;
    if (current.isAsking) return;
    const next = async (): Promise<void> => {
      current.isAsking = true;
      let asked: string;
      do {
        asked = current.wanted;
        const found = await answerTo(current.ask(asked));
        if (current.isShown) setState((before) => ({ answer: before.answer, error: null, ...found }));
      } while (current.isShown && current.wanted !== asked);
      current.isAsking = false;
    };
    void next();
  }, [question]);
  return state;
}

async function answerTo<T>(asked: Promise<T>): Promise<Partial<Newest<T>>> {
  try {
    return { answer: await asked };
  } catch (error) {
    return { error: error instanceof ApiError ? error : new ApiError(0, String(error)) };
  }
}
