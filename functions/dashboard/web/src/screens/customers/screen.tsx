/** Customers: whom to look at first, and who they are. Without a filter it begins with those whose value is at risk. */
import type { FunctionComponent, JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { CustomerSort, CustomersQuery, Stats } from "../../api/types";
import { Dialog } from "../../components/dialog";
import { Icon } from "../../components/icons";
import { Empty, NoCustomers, Problem, Waiting } from "../../components/notes";
import { say } from "../../components/toasts";
import { useLast, type Resource } from "../../data";
import { ago, count, money, plural } from "../../format";
import { replace, usePlace } from "../../router";
import { useStats } from "../../stats";
import { useStore } from "../../store";
import { wholeOf } from "../../values";
import { CustomerScreen } from "../customer/screen";
import { chosen, COLUMNS, toggleColumn, type Listed } from "./columns";
import { copyAddresses, exportList } from "./export";
import { FilterBar } from "./filter-bar";
import { changed, FILTER_NAMES, queryOf } from "./filters";
import { listAt, selection, useCustomers, type Pages } from "./pages";
import "./screen.css";
import { CustomerTable } from "./table";

const Screen: FunctionComponent<{ path: string[] }> = ({ path }) =>
  path[0] === undefined ? <CustomerList /> : <CustomerScreen key={path[0]} id={path[0]} />;
export default Screen;

function CustomerList(): JSX.Element {
  const { query: address } = usePlace();
  useEffect(() => listAt.set(location.hash), [address]);
  const query = useMemo(() => queryOf(address), [address]);
  const from = useFirstRow(address, JSON.stringify(query));
  const pages = useCustomers(query, from);
  const selected = useStore(selection);
  const listed = pages.customers.filter((one) => selected.has(one.customer_id));
  // Those that the filters take out of the list stay selected, as they were when they were last seen.
  const chosenCustomers = [...new Map([...selected, ...keyed(listed)]).values()];
  const select = (customers: Listed[], isSelected: boolean): void => {
    const after = new Map(selection.value);
    keyed(customers).forEach(([id, one]) => (isSelected ? after.set(id, one) : after.delete(id)));
    selection.set(after);
  };
  const sort = (by: CustomerSort): void =>
    replace(
      changed(address, { sort: by, order: query.sort === by && query.order === "desc" ? "asc" : "desc" }),
    );
  const keepRow = useKeptRow();
  const stats = useStats({ every: 60 });
  const sentence = useLast(sentenceOf(address, pages, stats));
  // What stands below a sentence of several lines would move when it comes.
  if (sentence === undefined && !pages.error) return <Waiting height={640} what="the customers" />;
  return (
    <>
      <header>
        <div>
          <h1>{sentence ?? "Customers"}</h1>
          <p class="muted small">{pages.askedAt === null ? "\u00a0" : `Read ${ago(pages.askedAt)}`}</p>
        </div>
        <Tools query={query} />
      </header>
      <FilterBar address={address} />
      {chosenCustomers.length ? (
        <Bulk
          customers={chosenCustomers}
          hidden={pages.isLoading ? 0 : chosenCustomers.length - listed.length}
          onClear={() => selection.set(new Map())}
        />
      ) : null}
      <div class="card list">
        {pages.total !== null ? (
          <CustomerTable
            key={JSON.stringify(query)}
            customers={pages.customers}
            total={pages.total}
            query={query}
            selected={selected}
            from={from}
            onSelect={select}
            onSort={sort}
            onRow={keepRow}
            onEnd={pages.more}
          />
        ) : null}
        <End pages={pages} isEmptyShop={stats.data?.total_customers === 0} />
      </div>
    </>
  );
}

/** Returns the row to begin a list with: that of the address with which this list was opened. */
function useFirstRow(address: URLSearchParams, key: string): number {
  const opened = useRef({ key: "", row: 0 });
  if (opened.current.key !== key) opened.current = { key, row: wholeOf(address.get("row")) ?? 0 };
  return opened.current.row;
}

function keyed(customers: Listed[]): [string, Listed][] {
  return customers.map((one) => [one.customer_id, one]);
}

/** Returns what keeps the first row that is seen in the address. */
function useKeptRow(): (row: number) => void {
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  return (row) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      const parameters = new URLSearchParams(location.hash.split("?")[1] ?? "");
      if (row > 0) parameters.set("row", String(row));
      else parameters.delete("row");
      const text = parameters.toString().replace(/%2C/g, ",");
      history.replaceState(null, "", `#/customers${text ? `?${text}` : ""}`);
      listAt.set(location.hash);
    }, 250);
  };
}

/** Says what the list holds, in a sentence; undefined while it is not known. */
function sentenceOf(address: URLSearchParams, pages: Pages, stats: Resource<Stats>): string | undefined {
  const filters = FILTER_NAMES.filter((name) => address.get(name));
  if (pages.total === 0 && stats.data?.total_customers === 0) return "No customers yet.";
  if (filters.length === 1 && address.get("status") === "current" && !stats.error && pages.total !== 0) {
    if (!stats.data) return undefined;
    const { revenue_at_risk: risk, high_risk_customers: high } = stats.data;
    const leaving = `${plural(high, "customer")} ${high === 1 ? "is" : "are"} likely to leave.`;
    return risk === null
      ? leaving
      : `${money(risk)} of what your customers would spend is at risk; ${leaving}`;
  }
  return pages.total === null ? undefined : numberOf(pages, pages.total, filters.length > 0);
}

/** Says how many customers there are: of those who are too many to count, that there are more than are listed. */
function numberOf({ isLowerBound, customers }: Pages, total: number, isFiltered: boolean): string {
  const isMore = isLowerBound && total > customers.length && customers.length > 0;
  const known = isMore ? customers.length : total;
  const number = `${isMore ? "More than " : isLowerBound ? "At least " : ""}${plural(known, "customer")}`;
  return isFiltered ? `${number} match${known === 1 && !isMore ? "es" : ""}.` : `${number} in all.`;
}

function Tools({ query }: { query: CustomersQuery }): JSX.Element {
  const [choosesColumns, setChoosesColumns] = useState(false);
  const [lines, setLines] = useState<number | null>(null);
  const ids = useStore(chosen);
  const save = (): void => {
    setLines(0);
    exportList(query, setLines)
      .catch((error: unknown) =>
        say(`The file could not be made. ${error instanceof Error ? error.message : ""}`),
      )
      .finally(() => setLines(null));
  };
  return (
    <div class="row">
      <button type="button" class="button" onClick={() => setChoosesColumns(true)}>
        <Icon name="columns" />
        Columns
      </button>
      <button type="button" class="button" onClick={save} disabled={lines !== null}>
        <Icon name="download" />
        {lines === null ? "Export" : `${count(lines)} lines …`}
      </button>
      {choosesColumns ? (
        <Dialog title="Columns" onClose={() => setChoosesColumns(false)}>
          <div class="column-list">
            {COLUMNS.filter((column) => column.id !== "name").map((column) => (
              <label class="check" key={column.id}>
                <input
                  type="checkbox"
                  checked={ids.includes(column.id)}
                  onChange={() => toggleColumn(column.id)}
                />
                {column.name}
              </label>
            ))}
          </div>
        </Dialog>
      ) : null}
    </div>
  );
}

/** Says how much of what customers would spend is at risk, and of how many that is not known. */
function atRisk(customers: Listed[]): string {
  const known = customers.flatMap((customer) => customer.value_at_risk ?? []);
  if (!known.length) return "value at risk not known";
  const said = `${money(known.reduce((sum, value) => sum + value, 0))} at risk`;
  const others = customers.length - known.length;
  return others ? `${said}; not known of ${count(others)}` : said;
}

interface BulkProps {
  customers: Listed[];
  /** How many of them the filters have taken out of the list. */
  hidden: number;
  onClear: () => void;
}

function Bulk({ customers, hidden, onClear }: BulkProps): JSX.Element {
  const copy = (): void => {
    copyAddresses(customers)
      .then((copied) => say(`${plural(copied, "e-mail address", "e-mail addresses")} copied.`))
      .catch(() => say("The browser did not let the page copy."));
  };
  return (
    <div class="card bulk" role="region" aria-label="Selected customers">
      <strong>
        {plural(customers.length, "customer")} selected
        {hidden ? `, ${count(hidden)} of them not in this list` : ""}
      </strong>
      <span class="muted">{atRisk(customers)}</span>
      <button type="button" class="button" onClick={copy}>
        Copy e-mail addresses
      </button>
      <button type="button" class="button plain" onClick={onClear}>
        Clear
      </button>
    </div>
  );
}

function End({ pages, isEmptyShop }: { pages: Pages; isEmptyShop: boolean }): JSX.Element | null {
  if (pages.error) return <Problem error={pages.error} what="the customers" onRetry={pages.retry} />;
  if (pages.isLoading) return <Waiting height={pages.customers.length ? 44 : 480} what="the customers" />;
  if (pages.customers.length === 0 && isEmptyShop) return <NoCustomers />;
  if (pages.customers.length === 0) {
    return (
      <Empty title={pages.hasMore ? "None found so far." : "No customer matches."}>
        {pages.hasMore ? (
          <button type="button" class="button" onClick={pages.more}>
            Go on looking
          </button>
        ) : (
          "Take a filter away to see more."
        )}
      </Empty>
    );
  }
  return pages.hasMore ? (
    <div class="row end">
      <button type="button" class="button plain" onClick={pages.more}>
        More
      </button>
    </div>
  ) : null;
}
