/** What stands above the list: the search, the filters as parts of a sentence, and the order. */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { useDraft } from "../../components/draft";
import { Icon } from "../../components/icons";
import { place, replace } from "../../router";
import { FilterForm } from "./filter-form";
import { Segments } from "./segments";
import { changed, chipsOf, SORTS } from "./filters";

export function FilterBar({ address }: { address: URLSearchParams }): JSX.Element {
  const [isOpen, setOpen] = useState(false);
  // Of the address as it is when something is set, which may be later than what is shown.
  const set = (values: Partial<Record<string, string>>): void => replace(changed(place.value.query, values));
  return (
    <div class="row bar-of-filters">
      <Search address={address} onSearch={(search) => set({ search })} />
      <button type="button" class="button" onClick={() => setOpen(true)}>
        <Icon name="filter" />
        Filter
      </button>
      {chipsOf(address)
        .filter((chip) => chip.names[0] !== "search")
        .map((chip) => (
          <span class="chip" key={chip.names[0]}>
            {chip.text}
            <button
              type="button"
              aria-label={`Without: ${chip.text}`}
              onClick={() => set(Object.fromEntries(chip.names.map((name) => [name, ""])))}
            >
              ×
            </button>
          </span>
        ))}
      <Segments address={address} />
      <label class="sort">
        <span class="muted">by</span>
        <select
          class="field"
          aria-label="Sorted by"
          value={address.get("sort") ?? "value_at_risk"}
          onChange={(event) => set({ sort: event.currentTarget.value, order: "" })}
        >
          {Object.entries(SORTS).map(([code, name]) => (
            <option key={code} value={code}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {isOpen ? <FilterForm address={address} onChange={set} onClose={() => setOpen(false)} /> : null}
    </div>
  );
}

/** Searches as one types. */
function Search({
  address,
  onSearch,
}: {
  address: URLSearchParams;
  onSearch: (words: string) => void;
}): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  const typing = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => {
    if (address.get("focus") === "search") field.current?.focus();
  }, [address]);
  const { text, type, send } = useDraft(address.get("search") ?? "", onSearch);
  const typed = (words: string): void => {
    type(words);
    clearTimeout(typing.current);
    typing.current = setTimeout(() => send(words), 150);
  };
  return (
    <label class="search">
      <Icon name="search" />
      <span class="hidden">Search by name, e-mail or id</span>
      <input
        ref={field}
        class="field"
        type="search"
        placeholder="Name, e-mail or id"
        value={text}
        onInput={(event) => typed(event.currentTarget.value)}
      />
    </label>
  );
}
