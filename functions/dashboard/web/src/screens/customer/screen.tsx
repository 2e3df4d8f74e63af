import type { JSX } from "preact";
export function CustomerScreen({ id }: { id: string }): JSX.Element {
  return <h1>{id}</h1>;
}
