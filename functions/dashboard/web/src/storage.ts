/** What the browser keeps, by its names. */
/** In `sessionStorage`: the token of who is signed in. */
export const TOKEN = "churn-token";
/** In `sessionStorage`: what must be known when an issuer sends the reader back. */
export const SIGNING_IN = "churn-signing-in";
/** In `sessionStorage`: how the names of texts begin that were typed and not sent. */
export const DRAFT = "churn-draft";
/** In `localStorage`: the theme that the reader has chosen. */
export const THEME = "churn-theme";
