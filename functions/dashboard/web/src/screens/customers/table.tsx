/** The list itself. Of a long one only the rows near the window exist; on a phone each row is a card. */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { CustomersQuery, CustomerSort } from "../../api/types";
import { useKeys } from "../../keys";
import { go, link } from "../../router";
import { useStore } from "../../store";
import { CARD, chosen, COLUMNS, PHONE, type Column, type Listed } from "./columns";

interface Props {
  customers: Listed[];
  total: number | null;
  query: CustomersQuery;
  selected: ReadonlyMap<string, Listed>;
  /** The row to begin with. */
  from: number;
  onSelect: (customers: Listed[], isSelected: boolean) => void;
  onSort: (sort: CustomerSort) => void;
  onRow: (row: number) => void;
  onEnd: () => void;
}

const ROW_PX = 44;
const CARD_PX = 104;
const CARD_LINE_PX = 24;
const MARGIN_ROWS = 15;

export function CustomerTable(props: Props): JSX.Element {
  const { customers, query, selected } = props;
  const ids = useStore(chosen);
  const columns = COLUMNS.filter((column) => column.id === "name" || ids.includes(column.id));
  const table = useRef<HTMLTableSectionElement>(null);
  const lines = columns.filter((column) => !CARD.includes(column.id)).length;
  const height = PHONE.matches ? CARD_PX + lines * CARD_LINE_PX : ROW_PX;
  const shown = useWindow(table, customers.length, height, props);
  const current = useCurrentRow(table, props, shown.height);
  const all = customers.length > 0 && customers.every((customer) => selected.has(customer.customer_id));
  const frame = useRef<HTMLDivElement>(null);
  const isWide = useIsWide(frame);
  return (
    <div ref={frame} class={isWide ? "wide" : ""} style={{ "--card": `${height}px` }}>
      <table class="customers" aria-rowcount={props.total ?? -1}>
        <caption class="hidden">Customers</caption>
        <thead>
          <tr>
            <th class="pick">
              <input
                type="checkbox"
                aria-label="Select all that are shown"
                checked={all}
                onChange={() => props.onSelect(customers, !all)}
              />
            </th>
            {columns.map((column) => (
              <Head key={column.id} column={column} query={query} onSort={props.onSort} />
            ))}
          </tr>
        </thead>
        <tbody ref={table}>
          <Space rows={shown.first} height={shown.height} />
          {customers.slice(shown.first, shown.end).map((customer, index) => (
            <Row
              key={customer.customer_id}
              customer={customer}
              columns={columns}
              isCurrent={shown.first + index === current}
              isSelected={selected.has(customer.customer_id)}
              onSelect={props.onSelect}
            />
          ))}
          <Space rows={Math.max(0, customers.length - shown.end)} height={shown.height} />
        </tbody>
      </table>
    </div>
  );
}

/**
 * Returns whether the table in a frame is wider than the frame, which then scrolls sideways.
 *
 * In such a frame the head would stick to it alone, so it is told how far the window has gone past the frame.
 */
function useIsWide(frame: { current: HTMLElement | null }): boolean {
  const [isWide, setWide] = useState(false);
  useEffect(() => {
    const around = frame.current;
    const table = around?.firstElementChild;
    if (!around || !table) return;
    const observer = new ResizeObserver(() =>
      setWide(table.getBoundingClientRect().width > around.clientWidth + 1),
    );
    observer.observe(around);
    observer.observe(table);
    const follow = (): void =>
      around.style.setProperty("--passed", `${Math.max(0, -around.getBoundingClientRect().top)}px`);
    follow();
    window.addEventListener("scroll", follow, { passive: true });
    return () => {
      observer.disconnect();
      window.removeEventListener("scroll", follow);
    };
  }, [frame]);
  return isWide;
}

/** Returns the row that `j` and `k` move, which `Enter` opens and `x` selects. */
function useCurrentRow(
  body: { current: HTMLElement | null },
  { customers, selected, onSelect }: Props,
  height: number,
): number {
  const [current, setCurrent] = useState(-1);
  const here = customers[current];
  const id = here?.customer_id;
  const move = (step: number): void => {
    const next = Math.min(customers.length - 1, Math.max(0, current + step));
    setCurrent(next);
    bringIntoView(body.current, next, height);
  };
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    Enter: () => {
      if (id) go(link(["customers", id]));
    },
    x: () => {
      if (here) onSelect([here], !selected.has(here.customer_id));
    },
  });
  return current;
}

function Space({ rows, height }: { rows: number; height: number }): JSX.Element | null {
  return rows ? <tr class="space" aria-hidden="true" style={{ height: `${rows * height}px` }} /> : null;
}

interface HeadProps {
  column: Column;
  query: CustomersQuery;
  onSort: (sort: CustomerSort) => void;
}

function Head({ column, query, onSort }: HeadProps): JSX.Element {
  const { sort } = column;
  const isSorted = sort !== undefined && query.sort === sort;
  const direction = isSorted ? (query.order === "asc" ? "ascending" : "descending") : undefined;
  return (
    <th class={column.isNumber ? "number" : ""} scope="col" aria-sort={direction}>
      {sort ? (
        <button type="button" onClick={() => onSort(sort)}>
          {column.name}
          <span class="arrow" aria-hidden="true">
            {direction === "ascending" ? "↑" : direction === "descending" ? "↓" : ""}
          </span>
        </button>
      ) : (
        column.name
      )}
    </th>
  );
}

interface RowProps {
  customer: Listed;
  columns: Column[];
  isCurrent: boolean;
  isSelected: boolean;
  onSelect: (customers: Listed[], isSelected: boolean) => void;
}

function Row({ customer, columns, isCurrent, isSelected, onSelect }: RowProps): JSX.Element {
  const id = customer.customer_id;
  const target = link(["customers", id]);
  const open = (event: MouseEvent): void => {
    if (!(event.target as HTMLElement).closest("a, input, label")) go(target);
  };
  return (
    <tr class={`${isCurrent ? "current" : ""}${isSelected ? " selected" : ""}`} onClick={open}>
      <td class="pick">
        <label>
          <input
            type="checkbox"
            aria-label={`Select ${customer.name ?? id}`}
            checked={isSelected}
            onChange={() => onSelect([customer], !isSelected)}
          />
        </label>
      </td>
      {columns.map((column) => (
        <td
          key={column.id}
          class={`col-${column.id}${column.isNumber ? " number" : ""}${CARD.includes(column.id) ? "" : " line"}`}
          data-name={column.name}
        >
          {column.id === "name" ? (
            <a href={target} title={id}>
              {column.show(customer)}
            </a>
          ) : (
            column.show(customer)
          )}
        </td>
      ))}
    </tr>
  );
}

function bringIntoView(body: HTMLElement | null, row: number, height: number): void {
  if (!body) return;
  const top = body.getBoundingClientRect().top + row * height;
  if (top < 100) window.scrollBy(0, top - 100);
  else if (top + height > window.innerHeight - 80) window.scrollBy(0, top + height - window.innerHeight + 80);
}

interface Shown {
  first: number;
  end: number;
  height: number;
}

/** Returns which rows are to exist; tells which row is the first to be seen, and when the end is near. */
function useWindow(
  body: { current: HTMLElement | null },
  rows: number,
  height: number,
  { from, onRow, onEnd }: Props,
): Shown {
  const [first, setFirst] = useState(from);
  const calls = useRef({ onRow, onEnd });
  calls.current = { onRow, onEnd };
  const [visible, setVisible] = useState(() => Math.ceil(window.innerHeight / height));
  useEffect(() => {
    let frame = 0;
    const look = (): void => {
      frame = 0;
      const visible = Math.ceil(window.innerHeight / height);
      const top = body.current?.getBoundingClientRect().top ?? 0;
      const row = Math.min(Math.max(0, rows - 1), Math.max(0, Math.floor(-top / height)));
      setFirst(row);
      setVisible(visible);
      calls.current.onRow(row);
      if (row + visible + MARGIN_ROWS >= rows) calls.current.onEnd();
    };
    const scrolled = (): void => {
      frame ||= requestAnimationFrame(look);
    };
    look();
    window.addEventListener("scroll", scrolled, { passive: true });
    window.addEventListener("resize", scrolled);
    return () => {
      cancelAnimationFrame(frame);
      window.removeEventListener("scroll", scrolled);
      window.removeEventListener("resize", scrolled);
    };
  }, [body, rows, height]);
  useEffect(() => {
    // Whoever comes back, or opens an address with a row, stands where they stood.
    if (from > 0 && body.current)
      window.scrollTo(0, scrollY + body.current.getBoundingClientRect().top + from * height);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- once, when the list is shown
  }, []);
  return {
    first: Math.max(0, first - MARGIN_ROWS),
    end: Math.min(rows, first + visible + MARGIN_ROWS),
    height,
  };
}
