/** Values of an address, which a person may have typed: each is what it should be, or undefined. */

export function numberOf(text: string | null | undefined): number | undefined {
  const value = text?.trim() ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : undefined;
}

/** A whole number from 0 on that is counted exactly: an id, a row. */
export function wholeOf(text: string | null | undefined): number | undefined {
  const value = numberOf(text);
  return value !== undefined && value >= 0 && Number.isSafeInteger(value) ? value : undefined;
}

export function instantOf(text: string | null | undefined): Date | undefined {
  const date = new Date(text ?? "");
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** One of the words that are known. */
export function oneOf<T extends string>(text: string | null | undefined, known: readonly T[]): T | undefined {
  return known.find((word) => word === text);
}
