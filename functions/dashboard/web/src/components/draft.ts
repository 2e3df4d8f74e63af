/** A field whose text takes effect later than it is typed: what was typed stays when the page is drawn meanwhile. */
import { useEffect, useRef, useState } from "preact/hooks";

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
