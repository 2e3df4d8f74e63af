/** A field whose text takes effect later than it is typed: what was typed stays when the page is drawn meanwhile. */
import { useEffect, useRef, useState } from "preact/hooks";
import { session } from "../session";
import { DRAFT } from "../storage";

interface Draft {
  text: string;
  type: (text: string) => void;
  send: (text: string) => void;
}

/** Returns the text of a field. `given`: what is in effect; where that changes by something else, the field shows it. */
export function useDraft(given: string, onSend: (text: string) => void): Draft {
  const [text, type] = useState(given);
  const sent = useRef(given);
  useEffect(() => {
    if (given !== sent.current) {
      sent.current = given;
      type(given);
    }
  }, [given]);
  const send = (words: string): void => {
    sent.current = words;
    onSend(words);
  };
  return { text, type, send };
}

/** Returns a text that this tab keeps until it is emptied, and what changes it. `what`: what it is about. */
export function useKeptText(what: string): [string, (text: string) => void] {
  // Another person who signs in meets none of it.
  const name = `${DRAFT} ${session.value?.subject ?? ""} ${what}`;
  const [text, setText] = useState(() => sessionStorage.getItem(name) ?? "");
  const keep = (words: string): void => {
    setText(words);
    if (words) sessionStorage.setItem(name, words);
    else sessionStorage.removeItem(name);
  };
  return [text, keep];
}

/** Forgets all texts that were not sent: somebody leaves. */
export function forgetKeptTexts(): void {
  for (const name of Object.keys(sessionStorage)) {
    if (name.startsWith(`${DRAFT} `)) sessionStorage.removeItem(name);
  }
}
