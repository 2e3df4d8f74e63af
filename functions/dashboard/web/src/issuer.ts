/**
 * Signing in at an OIDC issuer: authorization code with PKCE (RFC 7636), without a secret.
 *
 * What must be known when the issuer sends the reader back is kept in this tab's `sessionStorage` meanwhile; the token
 * itself is in memory alone.
 */
import { replace } from "./router";
import { SIGNING_IN } from "./storage";
import { claimsOf } from "./token";

interface Settings {
  issuer: string;
  client: string;
  audience: string;
}
interface Begun {
  state: string;
  nonce: string;
  verifier: string;
  /** Where the reader was. */
  place: string;
}
interface Endpoints {
  issuer: string;
  authorization_endpoint: string;
  token_endpoint: string;
}

/** Null where nobody can sign in at an issuer. */
export const issuer: Settings | null = settings();

function settings(): Settings | null {
  const said = document.querySelector<HTMLMetaElement>('meta[name="churn-issuer"]')?.content;
  return said ? (JSON.parse(said) as Settings) : null;
}

/** Leaves the page for the issuer's. Throws an Error whose text says why that cannot be done. */
export async function leaveForIssuer(to: Settings): Promise<void> {
  const { authorization_endpoint } = await endpoints(to);
  const begun: Begun = { state: chance(), nonce: chance(), verifier: chance(), place: location.hash };
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(begun.verifier));
  const address = new URL(authorization_endpoint);
  const asked = {
    response_type: "code",
    client_id: to.client,
    redirect_uri: here(),
    scope: "openid",
    state: begun.state,
    nonce: begun.nonce,
    code_challenge: base64url(new Uint8Array(digest)),
    code_challenge_method: "S256",
    // Issuers that serve several APIs are told which; for the client itself there is nothing to tell.
    ...(to.audience === to.client ? {} : { audience: to.audience }),
  };
  for (const [name, value] of Object.entries(asked)) address.searchParams.set(name, value);
  sessionStorage.setItem(SIGNING_IN, JSON.stringify(begun));
  location.assign(address.href);
}

/**
 * Returns the token with which the issuer has sent the reader back, whose place is restored; null if it has not.
 * Throws an Error whose text says what went wrong.
 */
export async function returnFromIssuer(): Promise<string | null> {
  const said = new URLSearchParams(location.search);
  const kept = sessionStorage.getItem(SIGNING_IN);
  if (!issuer || !(said.has("code") || said.has("error"))) return null;
  sessionStorage.removeItem(SIGNING_IN);
  const begun = kept ? (JSON.parse(kept) as Begun) : null;
  // The code leaves the address and the history, and the place of the reader comes back.
  replace(`${here()}${begun?.place ?? ""}`);
  if (!begun || said.get("state") !== begun.state)
    throw new Error("This sign-in was not begun in this tab. Sign in once more.");
  const refusal = said.get("error");
  if (refusal) throw new Error(`The issuer has refused: ${said.get("error_description") ?? refusal}`);
  return exchange(issuer, said.get("code") ?? "", begun);
}

async function exchange(to: Settings, code: string, begun: Begun): Promise<string> {
  const { token_endpoint } = await endpoints(to);
  const answer = await asked(token_endpoint, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code",
      code,
      redirect_uri: here(),
      client_id: to.client,
      code_verifier: begun.verifier,
    }),
  });
  const given = (await answer.json().catch(() => ({}))) as Record<string, string | undefined>;
  if (!answer.ok)
    throw new Error(
      `The issuer gave no token: ${given.error_description ?? given.error ?? String(answer.status)}`,
    );
  const told = claimsOf(given.id_token ?? "");
  if (told?.iss !== to.issuer || told.nonce !== begun.nonce || !names(told.aud, to.client))
    throw new Error("The issuer's answer is not of this sign-in. Sign in once more.");
  // Some issuers give access tokens that only they can read, and some ID tokens that are for the page alone.
  const token = [given.access_token, given.id_token].find((one) => {
    const of = claimsOf(one ?? "");
    return of !== null && (names(of.aud, to.audience) || of.client_id === to.audience);
  });
  if (!token) throw new Error("The issuer gave no token for this service: its audience is another.");
  return token;
}

async function endpoints(to: Settings): Promise<Endpoints> {
  const answer = await asked(`${to.issuer.replace(/\/$/, "")}/.well-known/openid-configuration`, {});
  const told = (await answer.json().catch(() => ({}))) as Partial<Endpoints>;
  if (!answer.ok || told.issuer !== to.issuer || !told.authorization_endpoint || !told.token_endpoint)
    throw new Error("The issuer does not say how to sign in there.");
  return told as Endpoints;
}

async function asked(address: string, request: RequestInit): Promise<Response> {
  try {
    return await fetch(address, { ...request, credentials: "omit" });
  } catch {
    throw new Error("The issuer cannot be reached.");
  }
}

/** Returns the address of the page, without what stands behind it. */
function here(): string {
  return new URL("./", document.baseURI).href;
}

function names(audience: string | string[] | undefined, wanted: string): boolean {
  return [audience].flat().includes(wanted);
}

function chance(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(32)));
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");
}
