/** Who is signed in. The token lives in this tab's `sessionStorage` alone. */
import { say } from "./components/toasts";
import { decoded, replace } from "./router";
import { TOKEN } from "./storage";
import { Store } from "./store";

export type Role = "read" | "predict" | "act" | "admin";
export interface Session {
  token: string;
  subject: string;
  role: Role;
}

const ROLES: Role[] = ["read", "predict", "act", "admin"];

/** Null while nobody is signed in. */
export const session = new Store<Session | null>(null);
/** What the sign-in page says first. */
export const farewell = new Store("");

/** Returns whether the one who is signed in may do what needs a role. */
export function may(role: Role): boolean {
  return session.value !== null && ROLES.indexOf(session.value.role) >= ROLES.indexOf(role);
}

/** Begins a session. Throws an Error whose text says what is wrong with the token. */
export function beginSession(token: string): void {
  const begun = read(token.trim());
  sessionStorage.setItem(TOKEN, begun.token);
  farewell.set("");
  session.set(begun);
}

export function endSession(message: string): void {
  sessionStorage.removeItem(TOKEN);
  farewell.set(message);
  session.set(null);
}

/** Signs in with the code of the address (`#code=…`) or the token of before; says nothing if there is none. */
export async function resumeSession(): Promise<void> {
  if (await signInByAddress()) return;
  const kept = sessionStorage.getItem(TOKEN);
  if (kept) {
    try {
      beginSession(kept);
    } catch {
      sessionStorage.removeItem(TOKEN);
    }
  }
}

// An address that signs in may also be opened in a tab that shows the page already.
window.addEventListener("hashchange", () => void signInByAddress());

/** Takes the code out of the address and signs in with it; returns whether there was one. */
async function signInByAddress(): Promise<boolean> {
  const code = /^#code=(.+)$/.exec(location.hash)?.[1];
  if (!code) return false;
  replace("#/");
  await exchange(decoded(code));
  return true;
}

async function exchange(code: string): Promise<void> {
  try {
    const answer = await fetch(new URL("api/session", document.baseURI), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ code }),
    });
    const body = (await answer.json()) as { token?: string; detail?: string };
    if (!answer.ok || !body.token) throw new Error(body.detail);
    beginSession(body.token);
  } catch (error) {
    const reason = error instanceof Error && error.message ? error.message : "The service cannot be reached.";
    // Whoever is signed in stays so.
    if (session.value) say(reason);
    else endSession(reason);
  }
}

function read(token: string): Session {
  let claims: { sub?: string; role?: string; exp?: number };
  try {
    const part = (token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0));
    claims = JSON.parse(new TextDecoder().decode(bytes)) as typeof claims;
  } catch {
    throw new Error("This is not a token. A token has three parts with dots between them.");
  }
  const role = ROLES.find((known) => known === claims.role);
  if (!role) throw new Error("This token has no role that can look at the dashboard.");
  if (claims.exp !== undefined && claims.exp * 1000 < Date.now()) throw new Error("This token has expired.");
  return { token, subject: claims.sub ?? "", role };
}
