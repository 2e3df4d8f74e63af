/** A choice among a few: links that stand in the address, so that what is chosen can be sent to others. */
import type { JSX } from "preact";

interface Props {
  /** What is chosen: "Period". */
  label: string;
  options: { key: string; name: string; target: string }[];
  current: string;
}

export function Choice({ label, options, current }: Props): JSX.Element {
  return (
    <nav class="choice" aria-label={label}>
      {options.map(({ key, name, target }) => (
        <a key={key} href={target} aria-current={key === current ? "true" : undefined}>
          {name}
        </a>
      ))}
    </nav>
  );
}
