/** Live alerts over a plain WebSocket; `churn-socket.js` explains its use. */
export interface ChurnSocketOptions {
  /** Id of the newest alert that is known already. */
  since?: number | null;
  /** Milliseconds between pings. */
  pingEvery?: number;
  /** Milliseconds in which an answer to a ping must come. */
  pongWithin?: number;
  /** Milliseconds before the first try to connect anew; doubled at each. */
  firstDelay?: number;
  /** Milliseconds between two tries at most. */
  longestDelay?: number;
  WebSocket?: typeof WebSocket;
}

export class ChurnSocket {
  constructor(url: string, fetchTicket: () => string | Promise<string>, options?: ChurnSocketOptions);
  /** Id of the newest alert seen; null before the first. */
  get lastAlert(): number | null;
  /** The largest number of a change of an alert that was seen; null before the first. */
  get lastChange(): number | null;
  on(name: string, listener: (data: unknown) => void): this;
  off(name: string, listener?: (data: unknown) => void): this;
  emit(name: string, data?: object): this;
  close(): void;
}
