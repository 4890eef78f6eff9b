// Answers on their way to the server: kept until the server says it has them, also over a reload.

const WAITS = [1, 2, 4, 8, 15];

export class Queue {
  // base: the server's milliseconds when the page was made; sequence numbers go on from there, so that a newer page,
  // on whatever device, counts as newer, and the device's own clock does not matter.
  constructor({ attempt, url, token, base, onChange, onNote }) {
    Object.assign(this, { attempt, url, token, onChange, onNote });
    this.base = base;
    this.last = base;
    this.born = performance.now();
    this.pending = new Map();
    this.tries = 0;
    this.running = false;
    this.ended = false;
    this.key = `kopir-online-test-${attempt}`;
  }

  restore() {
    for (const [question, seq, value] of this.#read()) {
      this.pending.set(question, { seq, value });
      this.last = Math.max(this.last, seq);
    }
    if (this.pending.size) this.pump();
    return [...this.pending].map(([question, entry]) => [question, entry.value]);
  }

  put(question, value) {
    if (this.ended) return;
    const now = this.base + Math.floor(performance.now() - this.born);
    this.last = Math.max(this.last + 1, now);
    this.pending.set(question, { seq: this.last, value });
    this.#write();
    this.pump();
  }

  list() {
    return [...this.pending].map(([question, entry]) => [question, entry.seq, entry.value]);
  }

  forget() {
    this.pending.clear();
    this.#write();
  }

  async pump() {
    if (this.running || this.ended) return;
    this.running = true;
    clearTimeout(this.timer);
    while (this.pending.size && !this.ended) {
      const [question, entry] = this.pending.entries().next().value;
      if (this.tries === 0) this.onChange("saving");
      if (!(await this.#send(question, entry))) break;
    }
    this.running = false;
    if (this.pending.size && !this.ended) {
      this.timer = setTimeout(() => this.pump(), 1000 * WAITS[Math.min(this.tries, WAITS.length) - 1]);
    }
  }

  // When the page is being left there is no time to wait for answers; sending twice does no harm.
  flush() {
    for (const [question, entry] of this.pending) this.#post(question, entry, true).catch(() => {});
  }

  async #send(question, entry) {
    let response;
    let answer = null;
    try {
      response = await this.#post(question, entry, false);
      if (response.status < 500 && response.status !== 429) answer = await response.json().catch(() => ({}));
    } catch {
      answer = null;
    }
    if (answer === null) {
      this.tries += 1;
      this.onChange("unsaved");
      return false;
    }
    this.tries = 0;
    return this.#settle(question, entry, response.status, answer);
  }

  #settle(question, entry, status, answer) {
    if (answer.saved === true || status === 400 || answer.state === "stale") {
      if (this.pending.get(question) === entry) this.pending.delete(question);
      this.last = Math.max(this.last, answer.seq || 0);
      this.#write();
      this.onNote(question, answer.saved ? answer.note || "" : answer.message || "");
      this.onChange(answer.saved ? "saved" : "refused", answer);
      return true;
    }
    this.ended = true;
    if (status === 409) this.forget();
    this.onChange(status === 409 ? "closed" : "lost", answer);
    return false;
  }

  #post(question, entry, keepalive) {
    const headers = { "Content-Type": "application/json", Accept: "application/json" };
    const token = this.token();
    if (token) headers["X-Kopir-Token"] = token;
    const body = JSON.stringify({ attempt: this.attempt, question, seq: entry.seq, value: entry.value });
    const signal = keepalive ? undefined : AbortSignal.timeout(10000);
    return fetch(this.url, { method: "POST", headers, body, keepalive, signal, credentials: "same-origin" });
  }

  #read() {
    try {
      return JSON.parse(localStorage.getItem(this.key)) || [];
    } catch {
      return [];
    }
  }

  // A browser may refuse storage inside a frame; then the answers wait in memory, and leaving the page asks first.
  #write() {
    try {
      if (this.pending.size) localStorage.setItem(this.key, JSON.stringify(this.list()));
      else localStorage.removeItem(this.key);
    } catch {
      this.memoryOnly = true;
    }
  }
}
