/** What the page reads of a token, which only the service verifies. */
export interface Claims {
  iss?: string;
  aud?: string | string[];
  client_id?: string;
  nonce?: string;
  sub?: string;
  role?: string;
  exp?: number;
}

/** Returns what a token says, unverified; null for what is no token. */
export function claimsOf(token: string): Claims | null {
  try {
    const part = (token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)) as Claims;
  } catch {
    return null;
  }
}
