/**
 * Live alerts in a browser: `.on(name, fn)` and `.emit(name, data)` over a plain WebSocket.
 *
 *   <script src="churn-socket.js"></script>       or   import { ChurnSocket } from "./churn-socket.mjs";   then
 *   const socket = new ChurnSocket("wss://…", () => fetchTicket());
 *   socket.on("churn_alert", (alert) => show(alert));
 *   socket.emit("subscribe_alerts", { min_priority: "high" });
 *   socket.emit("subscribe_predictions", { min_risk: 0.6 });
 *
 * It pings, connects anew when the connection ends, subscribes again to what it was subscribed to, and resumes after
 * the newest alert that it has seen. A subscription that the server cannot make now, or does not answer, is asked for again. No alert and no raise of one is delivered twice, though the server may
 * send it again. Besides the server's events there are "open" and "close" of each connection. What people did with alerts
 * while there was none is in GET /api/alerts?changes_since= with `lastChange` of the time before.
 */
(function (root) {
  "use strict";

  // A raise is sent again within seconds, or not at all.
  const MOST_RAISES = 1000;

  class ChurnSocket {
    /**
     * @param {string} url  Address of the WebSocket API.
     * @param {() => string | Promise<string>} fetchTicket  Gives a fresh ticket of POST /api/alerts/ticket.
     * @param {object} [options]
     * @param {number | null} [options.since]  Id of the newest alert that is known already.
     * @param {number} [options.pingEvery]  Milliseconds between pings.
     * @param {number} [options.pongWithin]  Milliseconds in which an answer to a ping must come.
     * @param {number} [options.firstDelay]  Milliseconds before the first try to connect anew; doubled at each.
     * @param {number} [options.longestDelay]  Milliseconds between two tries at most.
     * @param {typeof WebSocket} [options.WebSocket]
     */
    constructor(url, fetchTicket, options = {}) {
      this._url = url;
      this._fetchTicket = fetchTicket;
      this._options = {
        since: null,
        pingEvery: 240000,
        pongWithin: 20000,
        firstDelay: 500,
        longestDelay: 30000,
        WebSocket: root.WebSocket,
        ...options,
      };
      this._listeners = new Map();
      this._waiting = [];
      this._subscription = null;
      this._predictions = null;
      this._lastAlert = this._options.since;
      this._lastChange = null;
      // When alerts were raised last, by their ids.
      this._raises = new Map();
      this._tries = 0;
      // The subscriptions that were asked for and not confirmed, and how often the server could not make them.
      this._unconfirmed = new Set();
      this._refusals = 0;
      this._closed = false;
      this._connect();
    }

    /** Id of the newest alert seen, to be kept and given as `since` the next time; null before the first. */
    get lastAlert() {
      return this._lastAlert;
    }

    /** The largest number of a change of an alert that was seen, for `changes_since`; null before the first. */
    get lastChange() {
      return this._lastChange;
    }

    /** Calls `listener` with the data of each event of that name. */
    on(name, listener) {
      if (!this._listeners.has(name)) this._listeners.set(name, new Set());
      this._listeners.get(name).add(listener);
      return this;
    }

    /** Ends what `on` began; without a listener, for all of that name. */
    off(name, listener) {
      if (listener === undefined) this._listeners.delete(name);
      else this._listeners.get(name)?.delete(listener);
      return this;
    }

    /** Sends an event, now or as soon as there is a connection. A subscription holds for later connections too. */
    emit(name, data = {}) {
      if (name === "subscribe_alerts") {
        this._subscription = { ...data };
        if (this._isOpen()) this._subscribe();
        return this;
      }
      if (name === "subscribe_predictions" || name === "unsubscribe_predictions") {
        this._predictions = name === "subscribe_predictions" ? { ...data } : null;
        // A connection to come is told of what holds then.
        if (!this._isOpen()) return this;
        if (this._predictions) {
          this._subscribeToPredictions();
          return this;
        }
        this._confirmed("predictions");
      }
      if (this._isOpen()) this._send(name, data);
      else this._waiting.push([name, data]);
      return this;
    }

    /** Ends the connection for good. */
    close() {
      this._closed = true;
      clearTimeout(this._retry);
      this._settle();
      this._socket?.close();
    }

    async _connect() {
      let ticket;
      try {
        ticket = await this._fetchTicket();
      } catch (error) {
        this._deliver("close", { reason: String(error) });
        this._connectLater();
        return;
      }
      if (this._closed) return;
      const address = new URL(this._url);
      address.searchParams.set("ticket", ticket);
      const socket = new this._options.WebSocket(address.href);
      this._socket = socket;
      socket.onopen = () => this._opened();
      socket.onmessage = (frame) => {
        if (socket === this._socket) this._received(frame.data);
      };
      socket.onclose = (end) => {
        if (socket === this._socket) this._ended(end);
      };
    }

    _opened() {
      this._pinging = setInterval(() => this._ping(), this._options.pingEvery);
      this._subscribeAgain();
      for (const [name, data] of this._waiting.splice(0)) this._send(name, data);
      this._deliver("open", {});
    }

    _ended(end) {
      clearInterval(this._pinging);
      clearTimeout(this._overdue);
      this._settle();
      this._socket = null;
      this._deliver("close", { code: end.code, reason: end.reason });
      this._connectLater();
    }

    _connectLater() {
      if (this._closed) return;
      this._retry = setTimeout(() => this._connect(), this._pause(this._tries++));
    }

    /** Milliseconds before another try, after so many. */
    _pause(tries) {
      const { firstDelay, longestDelay } = this._options;
      const longest = Math.min(longestDelay, firstDelay * 2 ** tries);
      // Spread over half of the time, so that the clients of a server that comes back do not come all at once.
      return longest * (0.5 + Math.random() / 2);
    }

    _received(text) {
      let message;
      try {
        message = JSON.parse(text);
      } catch {
        return;
      }
      this._tries = 0;
      clearTimeout(this._overdue);
      const { event, data = {} } = message;
      if ((event === "churn_alert" || event === "alert_updated") && data.change > (this._lastChange ?? -1)) {
        this._lastChange = data.change;
      }
      if (event === "churn_alert") {
        // Ids rise in the order in which alerts are sent.
        const isKnown = this._lastAlert !== null && data.id <= this._lastAlert;
        const isNewRaise = data.raised && this._isNewRaise(data);
        if (isKnown && !isNewRaise) return;
        if (!isKnown) this._lastAlert = data.id;
      } else if (event === "subscribed") {
        if (this._lastAlert === null && data.cursor !== undefined) this._lastAlert = data.cursor;
        this._confirmed(data.predictions === undefined ? "alerts" : "predictions");
      } else if (event === "error") {
        this._refused(data.code);
      }
      if (typeof event === "string") this._deliver(event, data);
    }

    _isNewRaise({ id, raised_at: at }) {
      if (at !== undefined && this._raises.get(id) === at) return false;
      this._raises.delete(id);
      this._raises.set(id, at);
      if (this._raises.size > MOST_RAISES) this._raises.delete(this._raises.keys().next().value);
      return true;
    }

    _subscribeAgain() {
      if (this._subscription) this._subscribe();
      if (this._predictions) this._subscribeToPredictions();
    }

    _subscribe() {
      const resume = this._lastAlert === null ? {} : { since: this._lastAlert };
      this._send("subscribe_alerts", { ...this._subscription, ...resume });
      this._expect("alerts");
    }

    _subscribeToPredictions() {
      this._send("subscribe_predictions", this._predictions);
      this._expect("predictions");
    }

    /** Waits for the confirmation of a subscription. */
    _expect(subscription) {
      this._unconfirmed.add(subscription);
      clearTimeout(this._unanswered);
      this._unanswered = this._giveUpLater("no answer to a subscription");
    }

    _confirmed(subscription) {
      this._unconfirmed.delete(subscription);
      if (this._unconfirmed.size === 0) this._settle();
    }

    /** Ends the wait for confirmations. */
    _settle() {
      this._unconfirmed.clear();
      this._refusals = 0;
      clearTimeout(this._unanswered);
      clearTimeout(this._resubscribing);
    }

    /** Subscribes again where that was lost, or could not be done now; what is wrong in itself is left. */
    _refused(code) {
      if (code === 409) return this._subscribeAgain();
      if (this._unconfirmed.size === 0) return;
      if (code !== 429 && !(code >= 500)) return this._settle();
      clearTimeout(this._unanswered);
      clearTimeout(this._resubscribing);
      this._resubscribing = setTimeout(() => this._isOpen() && this._subscribeAgain(), this._pause(this._refusals++));
    }

    _ping() {
      if (!this._isOpen()) return;
      this._send("ping", {});
      clearTimeout(this._overdue);
      this._overdue = this._giveUpLater("no answer to a ping");
    }

    /** Ends the connection if nobody stops the timer: one that died without a word would take minutes to close. */
    _giveUpLater(reason) {
      const socket = this._socket;
      return setTimeout(() => {
        socket.close();
        if (socket === this._socket) this._ended({ code: 1006, reason });
      }, this._options.pongWithin);
    }

    _isOpen() {
      return this._socket?.readyState === 1;
    }

    _send(event, data) {
      this._socket.send(JSON.stringify({ event, data }));
    }

    _deliver(name, data) {
      for (const listener of [...(this._listeners.get(name) ?? [])]) {
        try {
          listener(data);
        } catch (error) {
          // One listener's mistake keeps no alert from the others.
          console.error(error);
        }
      }
    }
  }

  root.ChurnSocket = ChurnSocket;
  if (typeof module === "object" && module.exports) module.exports = { ChurnSocket };
})(globalThis);
