/** The form that gives a segment its name. */
import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import { ApiError } from "../../api/client";

interface Props {
  name: string;
  action: string;
  /** Returns what keeps the name from being stored; an empty text if it is stored. May throw ApiError. */
  onSave: (name: string) => Promise<string>;
  hint?: string;
  /** What stands beside the button. */
  children?: ComponentChildren;
}

export function NameForm({ name, action, onSave, hint, children }: Props): JSX.Element {
  const [typed, setTyped] = useState(name);
  const [problem, setProblem] = useState("");
  const save = async (): Promise<void> => setProblem(await onSave(typed.trim()).catch(reasonOf));
  return (
    <form
      class="stack naming"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <label class="labelled">
        Name
        <input
          class="field"
          required
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
      </label>
      {problem ? <p role="alert">{problem}</p> : null}
      {hint ? <p class="muted small">{hint}</p> : null}
      <div class="row">
        <button type="submit" class="button main">
          {action}
        </button>
        {children}
      </div>
    </form>
  );
}

/** Returns why the service did not do it. Throws what is none of its answers. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof ApiError)) throw error;
  return error.fields.map((field) => field.message).join(" ") || error.message;
}
