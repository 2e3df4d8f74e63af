/** A large figure with its name. It is as large as there is room for: no digit is ever cut off. */
import type { ComponentChildren, JSX } from "preact";
import { UNKNOWN } from "../format";

interface Props {
  name: string;
  value: string;
  /** All digits, where the value is in short. */
  exact?: string | undefined;
  note: string;
  /** What stands beside the value. */
  children?: ComponentChildren;
}

export function Figure({ name, value, exact, note, children }: Props): JSX.Element {
  return (
    <>
      <h2 class="label">{name}</h2>
      <div class="value" style={{ "--letters": value.length }} title={exact}>
        <span class={value === UNKNOWN ? "unknown" : ""}>{value}</span>
        {children}
      </div>
      <div class="muted small">{[exact, note].filter(Boolean).join(", ")}</div>
    </>
  );
}
