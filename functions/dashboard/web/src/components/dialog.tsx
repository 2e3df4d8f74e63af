/** A dialog in front of the page, or a drawer at its side. Escape and a click beside it close it. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

interface Props {
  title: string;
  isDrawer?: boolean;
  onClose: () => void;
  children: ComponentChildren;
}

export function Dialog({ title, isDrawer = false, onClose, children }: Props): JSX.Element {
  const element = useRef<HTMLDialogElement>(null);
  useEffect(() => element.current?.showModal(), []);
  return (
    <dialog
      ref={element}
      class={isDrawer ? "drawer" : ""}
      aria-label={title}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === element.current) element.current?.close();
      }}
    >
      <div class="row between">
        <h2>{title}</h2>
        <button type="button" class="button plain" onClick={() => element.current?.close()}>
          Close
        </button>
      </div>
      {children}
    </dialog>
  );
}
