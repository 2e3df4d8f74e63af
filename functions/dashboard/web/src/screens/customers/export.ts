/** Customers as a file. */
import { address, send } from "../../api/client";
import type { CustomersQuery } from "../../api/types";
import type { Listed } from "./columns";

/** Saves the whole list, part by part, with its filters and order; tells how many lines it has so far. */
export async function exportList(query: CustomersQuery, onLines: (lines: number) => void): Promise<void> {
  const parts: string[] = [];
  let target: string | null = address("/api/customers.csv", {}, query);
  let lines = 0;
  while (target !== null) {
    const part: Response = await send("get", target);
    const text = await part.text();
    parts.push(text);
    lines += text.split("\r\n").length - 1;
    onLines(lines);
    target = following(part.headers.get("Link"));
  }
  save(parts.join(""), "customers.csv");
}

function following(header: string | null): string | null {
  const found = /<([^>]+)>;\s*rel="?next"?/.exec(header ?? "");
  return found?.[1] ? found[1].replace(/^\//, "") : null;
}

/** Copies the e-mail addresses of customers; returns how many they are. */
export async function copyAddresses(customers: Listed[]): Promise<number> {
  const addresses = customers.flatMap((customer) => customer.email ?? []);
  await navigator.clipboard.writeText(addresses.join("\n"));
  return addresses.length;
}

function save(text: string, name: string): void {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  anchor.download = name;
  anchor.click();
  URL.revokeObjectURL(anchor.href);
}
