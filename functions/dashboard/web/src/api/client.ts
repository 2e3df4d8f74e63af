/** The typed client of the REST API. Types come from the OpenAPI document; addresses are relative to the page's. */
import { judgeToken, session } from "../session";
import type { paths } from "./schema";

type Method = "get" | "post" | "patch" | "delete";
type Json<T> = T extends { content: { "application/json": infer Body } } ? Body : never;
type Success<R> = R extends { 200: infer A }
  ? A
  : R extends { 202: infer A }
    ? A
    : R extends { 201: infer A }
      ? A
      : never;
type PathsWith<M extends Method> = {
  [P in keyof paths]: paths[P] extends Record<M, { responses: unknown }> ? P : never;
}[keyof paths];
type Operation<P extends keyof paths, M extends Method> = paths[P] extends Record<M, infer O> ? O : never;
export type Answer<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { responses: infer R } ? Json<Success<R>> : never;
export type Query<P extends keyof paths> =
  Operation<P, "get"> extends { parameters: { query?: infer Q } } ? Q : never;
type Body<P extends keyof paths, M extends Method> =
  Operation<P, M> extends { requestBody?: infer B } ? Json<NonNullable<B>> : never;
type Names = Record<string, string | number>;
type Values = Record<string, string | number | boolean | string[] | undefined>;

interface Problem {
  detail?: string;
  errors?: { field: string; message: string }[];
}

/** The status of what was not changed, as somebody else has changed it since it was read. */
export const OUTDATED = 412;

/** An answer that is none of success. `status` 0: there was no answer at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly fields: { field: string; message: string }[] = [],
  ) {
    super(message);
  }

  /** Whether somebody has changed the same thing since it was read. */
  get isOutdated(): boolean {
    return this.status === OUTDATED;
  }

  /** Whether the service could not be reached, or not work: the same question may be answered later. */
  get isTemporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** What became of a question: the service `works`; it `fails` (5xx, or no answer for long); it is `away`. */
export type Contact = "works" | "fails" | "away";
type Listener = (contact: Contact, question: string) => void;

/** When the service answered last as it should, in milliseconds; null before. */
export let lastAnswerAt: number | null = null;

// The gateway gives up after 29 seconds.
const LONG_MS = 20_000;
const listeners = new Set<Listener>();

/** Calls `listener` with what becomes of each request; the question is its method and path. */
export function onContact(listener: Listener): void {
  listeners.add(listener);
}

/** Returns the address of a route: `{name}`s filled in, lists joined by commas, what is undefined left out. */
export function address(path: string, names: Names = {}, query: object = {}): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => segment(String(names[name])));
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query as Values)) {
    if (value !== undefined) parameters.set(name, Array.isArray(value) ? value.join(",") : String(value));
  }
  const text = parameters.toString();
  return filled.replace(/^\//, "") + (text ? `?${text}` : "");
}

/** Returns an id as a part of an address. Throws ApiError for those that browsers read as a folder, however written. */
function segment(id: string): string {
  if (id === "." || id === "..")
    throw new ApiError(400, `A browser cannot ask for the id “${id}”. The list shows what is known.`);
  return encodeURIComponent(id);
}

interface Sent {
  body?: unknown;
  signal?: AbortSignal | undefined;
  /** The version that is changed: the service refuses (412) if it is another one by now. */
  version?: number | undefined;
}

/** Sends a request with the session's token. Throws ApiError; a token that is no longer valid ends the session. */
export async function send(
  method: Method,
  target: string,
  { body, signal, version }: Sent = {},
): Promise<Response> {
  const token = session.value?.token;
  const response = await reach(method, target, {
    headers: {
      Accept: "application/json",
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(version === undefined ? {} : { "If-Match": `"${version}"` }),
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
    },
    body: body === undefined ? null : JSON.stringify(body),
    signal: signal ?? null,
  });
  if (response.ok) {
    // The health is told to anybody.
    if (target !== "health") judgeToken(token, true);
    return response;
  }
  const problem = (await response.json().catch(() => ({}))) as Problem;
  if (response.status === 401) judgeToken(token, false);
  throw new ApiError(response.status, problem.detail ?? "The service could not do that.", problem.errors);
}

/** Returns the answer to a request, and tells what became of it. Throws ApiError if there is none. */
async function reach(method: Method, target: string, request: RequestInit): Promise<Response> {
  const question = `${method} ${target.split("?")[0] ?? ""}`;
  const isLong = setTimeout(() => tell("fails", question), LONG_MS);
  try {
    const response = await fetch(new URL(target, document.baseURI), {
      ...request,
      method: method.toUpperCase(),
    });
    tell(response.status < 500 ? "works" : "fails", question);
    return response;
  } catch (error) {
    if (request.signal?.aborted) throw error;
    tell("away", question);
    throw new ApiError(0, "The service cannot be reached.");
  } finally {
    clearTimeout(isLong);
  }
}

function tell(contact: Contact, question: string): void {
  if (contact === "works") lastAnswerAt = Date.now();
  listeners.forEach((listener) => listener(contact, question));
}

export async function get<P extends PathsWith<"get">>(
  path: P,
  query?: Query<P>,
  names?: Names,
  signal?: AbortSignal,
): Promise<Answer<P, "get">> {
  const response = await send("get", address(path, names, query ?? {}), { signal });
  return (await response.json()) as Answer<P, "get">;
}

export async function post<P extends PathsWith<"post">>(
  path: P,
  body: Body<P, "post">,
  names?: Names,
  signal?: AbortSignal,
): Promise<Answer<P, "post">> {
  const response = await send("post", address(path, names), { body, signal });
  return (await response.json()) as Answer<P, "post">;
}

export async function patch<P extends PathsWith<"patch">>(
  path: P,
  body: Body<P, "patch">,
  names?: Names,
  version?: number,
): Promise<Answer<P, "patch">> {
  const response = await send("patch", address(path, names), { body, version });
  return (await response.json()) as Answer<P, "patch">;
}

/** Deletes what has an address. */
export async function remove(path: PathsWith<"delete">, names: Names, version?: number): Promise<void> {
  await send("delete", address(path, names), { version });
}
