/** Short messages at the bottom, with an "Undo" of five seconds. */
import type { JSX } from "preact";
import { useKeys } from "../keys";
import { Store, useStore } from "../store";

interface Toast {
  id: number;
  text: string;
  undo?: () => void;
}

const SECONDS = 5;
const toasts = new Store<Toast[]>([]);
let next = 1;

export function say(text: string, undo?: () => void): void {
  const id = next++;
  toasts.set([...toasts.value.slice(-2), undo ? { id, text, undo } : { id, text }]);
  setTimeout(() => close(id), SECONDS * 1000);
}

function close(id: number): void {
  toasts.set(toasts.value.filter((toast) => toast.id !== id));
}

function takeBack(toast: Toast): void {
  toast.undo?.();
  close(toast.id);
}

export function Toasts(): JSX.Element {
  useKeys({
    u: () => {
      const newest = toasts.value.findLast((toast) => toast.undo);
      if (newest) takeBack(newest);
    },
  });
  return (
    <div class="toasts" role="status" aria-live="polite">
      {useStore(toasts).map((toast) => (
        <div class="toast fades-in" key={toast.id}>
          <span>{toast.text}</span>
          {toast.undo ? (
            <button type="button" onClick={() => takeBack(toast)}>
              Undo <kbd>u</kbd>
            </button>
          ) : null}
        </div>
      ))}
    </div>
  );
}
