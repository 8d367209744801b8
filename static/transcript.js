// The transcript: a word pressed is heard, the word being said is marked, and the list follows the
// player until the reader scrolls. Words have no elements of their own: where one is in the text of
// its row is found when it is needed, and marked with the CSS Custom Highlight API.
//
//   row.dataset.words "0+310 - 350+90"   per word of its text: start in ms after data-from, length
//
// Player: see player.js. Where a browser knows no highlights, only rows are marked.
import { store, stored } from "./kept.js";
import { register } from "./keys.js";

const FOLLOW = "tapeline-follow";
const LEAD_S = 0.3; // heard before a word
const MOST_MARKS = 2000;
const SCROLLS = ["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End"];

const marks = (name) => {
  if (!globalThis.Highlight || !CSS.highlights) return { show() {} };
  return {
    show(ranges) {
      if (ranges.length) CSS.highlights.set(name, new Highlight(...ranges));
      else CSS.highlights.delete(name);
    },
  };
};

const rangeOf = (node, from, to) => {
  const range = new Range();
  range.setStart(node, from);
  range.setEnd(node, to);
  return range;
};

const textOf = (row) => row.querySelector(".words")?.firstChild;

// Returns the words of a row: where each is in its text, and when it is said (null: not known).
const wordsOf = (row) => {
  const node = textOf(row);
  if (!node) return [];
  const from = Number(row.dataset.from);
  const times = (row.dataset.words || "").split(" ");
  return [...node.data.matchAll(/\S+/g)].map((match, at) => {
    const [start, length] = (times[at] || "-").split("+").map(Number);
    const isTimed = Number.isFinite(start) && Number.isFinite(length);
    return {
      first: match.index,
      last: match.index + match[0].length,
      from: isTimed ? from + start / 1000 : null,
      to: isTimed ? from + (start + length) / 1000 : null,
    };
  });
};

// Returns where in a text somebody pressed.
const caretAt = (x, y) => {
  if (document.caretPositionFromPoint) {
    const at = document.caretPositionFromPoint(x, y);
    return at && { node: at.offsetNode, offset: at.offset };
  }
  const at = document.caretRangeFromPoint?.(x, y);
  return at && { node: at.startContainer, offset: at.startOffset };
};

// What was searched for in the library: phrases in quotes, words; not what was to be left out.
const termsOf = (query) =>
  [...query.matchAll(/(-?)(?:"([^"]+)"|(\S+))/g)]
    .filter(([, minus]) => !minus)
    .map(([, , phrase, word]) => (phrase || word).replace(/[*"]/g, "").trim().toLowerCase())
    .filter(Boolean);

class RecordingTranscript extends HTMLElement {
  connectedCallback() {
    this.list = this.querySelector(".turns");
    this.input = this.querySelector("#said-find");
    this.count = this.querySelector("#said-count");
    this.now = this.querySelector("[data-back]");
    this.followButton = this.querySelector("[data-follow]");
    this.word = marks("tapeline-word");
    this.found = marks("tapeline-found");
    this.here = marks("tapeline-here");
    this.hits = [];
    this.at = -1;
    this.current = null;
    this.edited = ""; // id of the row whose form is, or was, open
    this.isAway = false; // the reader scrolled
    this.isFollowing = stored(FOLLOW) !== "off";
    this.querySelector(".said-tools").hidden = false;
    this.leaving = new AbortController();
    this.read();
    this.listen();
    this.registerKeys();
    this.setFollow(this.isFollowing);
    this.open();
  }

  disconnectedCallback() {
    this.leaving.abort();
    for (const each of [this.word, this.found, this.here]) each.show([]);
  }

  get player() {
    return document.getElementById("player");
  }

  // Rows with times, in the order of these.
  read() {
    this.rows = [...this.list.querySelectorAll(".turn")];
    this.timed = this.rows
      .filter((row) => row.dataset.from)
      .map((row) => ({ row, from: Number(row.dataset.from), to: Number(row.dataset.to) }))
      .sort((a, b) => a.from - b.from);
    this.current = null;
    if (!this.player) return;
    for (const button of this.list.querySelectorAll("button[data-at]")) button.disabled = false;
  }

  listen() {
    const { signal } = this.leaving;
    const on = (target, name, run) => target.addEventListener(name, run, { signal });
    on(document, "tapeline:time", (event) => this.mark(event.detail.seconds));
    on(this.list, "click", (event) => this.press(event));
    on(this.list, "wheel", () => this.leave());
    on(this.list, "touchmove", () => this.leave());
    on(this.list, "pointerdown", (event) => event.target === this.list && this.leave()); // its bar
    on(this.list, "keydown", (event) => SCROLLS.includes(event.key) && this.leave());
    on(this.now, "click", () => this.comeBack());
    on(this.followButton, "click", () => this.setFollow(!this.isFollowing));
    on(this.input, "input", () => this.find(this.input.value));
    on(this.input, "keydown", (event) => this.type(event));
    on(this.querySelector("[data-find]"), "submit", (event) => event.preventDefault());
    for (const button of this.querySelectorAll("[data-find-step]")) {
      on(button, "click", () => this.step(Number(button.dataset.findStep)));
    }
    on(this, "htmx:afterSettle", () => this.renew());
    on(document.body, "htmx:beforeRequest", (event) => {
      // what somebody types is not swapped away by a look at what is new
      const isLook = event.target.id === "transcript" && event.detail.requestConfig.verb === "get";
      if (isLook && this.querySelector(".correction")) event.preventDefault();
    });
  }

  registerKeys() {
    const here = () => document.querySelector("recording-transcript");
    register("Transcript", "/", "Find", () => here()?.input.select());
    register("Transcript", "t", "Follow the player, or not", () => {
      here()?.setFollow(!here().isFollowing);
    });
    register("Transcript", "Shift+ArrowLeft", "Previous turn", () => here()?.turn(-1));
    register("Transcript", "Shift+ArrowRight", "Next turn", () => here()?.turn(1));
  }

  // Opens where the address says: at a moment, and with the words that were searched for.
  open() {
    const asked = new URLSearchParams(location.search);
    const at = Number.parseFloat(asked.get("t") || "");
    const query = asked.get("q") || "";
    if (query && !/^[\d\s()+./-]+$/.test(query)) {
      this.input.value = query;
      this.find(query, { isQuiet: Number.isFinite(at) });
    }
    if (Number.isFinite(at)) this.mark(at, true);
  }

  renew() {
    this.read();
    if (this.input.value) this.find(this.input.value, { isQuiet: true, at: this.at });
    if (this.player) this.mark(this.player.time);
    const form = this.list.querySelector(".correction textarea");
    const row = document.getElementById(this.edited);
    if (form) form.focus();
    else row?.querySelector("a.correct")?.focus({ preventScroll: true });
    if (!form) this.edited = "";
  }

  // The word being said

  rowAt(seconds) {
    let low = 0;
    let high = this.timed.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.timed[middle].from <= seconds) low = middle + 1;
      else high = middle;
    }
    return this.timed[low - 1];
  }

  mark(seconds, isFirst = false) {
    const { row, to } = this.rowAt(seconds + 0.02) || {};
    if (row !== this.current) {
      this.current?.classList.remove("is-now");
      this.current?.removeAttribute("aria-current");
      this.current = row;
      this.words = row ? wordsOf(row) : [];
      row?.classList.add("is-now");
      row?.setAttribute("aria-current", "true");
      if (row && (isFirst || (this.isFollowing && !this.isAway && !this.isTyping))) this.show(row);
    }
    const said = seconds < to && this.words?.find((word) => word.from <= seconds && seconds < word.to);
    this.word.show(said ? [rangeOf(textOf(row), said.first, said.last)] : []);
  }

  get isTyping() {
    return this.querySelector(".correction") !== null;
  }

  // Scrolls the list and nothing else, so that the page stays where the reader has it.
  show(row, isFirst = true) {
    const top = row.getBoundingClientRect().top - this.list.getBoundingClientRect().top;
    const to = this.list.scrollTop + top - (this.list.clientHeight - row.offsetHeight) / 3;
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const isFar = Math.abs(to - this.list.scrollTop) > 2 * this.list.clientHeight;
    this.list.scrollTo({ top: to, behavior: isCalm || isFar ? "instant" : "smooth" });
    if (isFar && isFirst) requestAnimationFrame(() => this.show(row, false)); // rows got their heights
  }

  leave() {
    if (!this.current || !this.isFollowing) return;
    this.isAway = true;
    this.now.hidden = false;
  }

  comeBack() {
    this.isAway = false;
    this.now.hidden = true;
    if (this.current) this.show(this.current);
    this.list.focus({ preventScroll: true });
  }

  setFollow(isOn) {
    this.isFollowing = isOn;
    this.followButton.setAttribute("aria-pressed", String(isOn));
    store(FOLLOW, isOn ? "on" : "off");
    this.isAway = false;
    this.now.hidden = true;
    if (isOn && this.current) this.show(this.current);
  }

  // Pressing

  press(event) {
    const link = event.target.closest("a.correct");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      this.edited = link.closest(".turn").id;
      htmx.ajax("GET", link.href, { target: link.closest(".turn"), swap: "outerHTML" });
      return;
    }
    const words = event.target.closest(".words");
    if (words && getSelection().isCollapsed) this.hear(words.closest(".turn"), event);
  }

  hear(row, { clientX, clientY }) {
    if (!this.player || !row.dataset.from) return;
    const caret = caretAt(clientX, clientY);
    const isHere = caret && caret.node === textOf(row);
    const word = isHere && wordsOf(row).find(({ first, last }) => first <= caret.offset && caret.offset <= last);
    const from = word && word.from !== null ? word.from : Number(row.dataset.from);
    this.isAway = false;
    this.now.hidden = true;
    this.player.seek(Math.max(0, from - LEAD_S), true);
  }

  turn(by) {
    if (!this.player || !this.timed.length) return;
    const now = this.timed.findIndex(({ row }) => row === this.current);
    const to = this.timed[Math.min(Math.max(0, now + by), this.timed.length - 1)];
    this.player.seek(to.from);
    to.row.querySelector("button[data-at]")?.focus({ preventScroll: true });
    this.show(to.row);
  }

  // Finding

  find(text, { isQuiet = false, at = -1 } = {}) {
    this.hit?.row.classList.remove("is-found");
    const wanted = text.trim().toLowerCase().replace(/\s+/g, " ");
    this.hits = wanted ? this.search([wanted]) : [];
    if (wanted && !this.hits.length) this.hits = this.search(termsOf(text));
    this.found.show(this.hits.slice(0, MOST_MARKS).map(({ node, from, to }) => rangeOf(node, from, to)));
    this.here.show([]);
    this.at = Math.min(at, this.hits.length - 1);
    for (const button of this.querySelectorAll("[data-find-step]")) button.disabled = !this.hits.length;
    if (this.hits.length && !isQuiet) this.step(1);
    else this.tell(wanted);
  }

  search(terms) {
    const found = [];
    for (const row of this.rows) {
      const node = textOf(row);
      if (!node) continue;
      const text = node.data.toLowerCase();
      if (text.length !== node.data.length) continue; // letters that change their length
      const inRow = [];
      for (const term of terms) {
        for (let at = text.indexOf(term); at >= 0; at = text.indexOf(term, at + term.length)) {
          inRow.push({ row, node, from: at, to: at + term.length });
        }
      }
      found.push(...inRow.sort((a, b) => a.from - b.from));
    }
    return found;
  }

  step(by) {
    if (!this.hits.length) return;
    this.hit?.row.classList.remove("is-found");
    this.at = (this.at + by + this.hits.length) % this.hits.length;
    const { row, node, from, to } = this.hit;
    row.classList.add("is-found");
    this.here.show([rangeOf(node, from, to)]);
    if (this.current) this.leave();
    this.show(row);
    this.cue(row, from);
    this.tell(true);
  }

  get hit() {
    return this.hits[this.at];
  }

  // A player at rest goes along, so that play is heard from there; it never starts by itself.
  cue(row, from) {
    if (!this.player?.paused || !row.dataset.from) return;
    const word = wordsOf(row).find(({ last }) => from < last);
    const at = word && word.from !== null ? word.from : Number(row.dataset.from);
    this.player.seek(Math.max(0, at - LEAD_S));
  }

  tell(isAsked) {
    const { length } = this.hits;
    if (!isAsked) this.count.textContent = "";
    else if (!length) this.count.textContent = "not found";
    else this.count.textContent = this.at < 0 ? `${length} found` : `${this.at + 1} of ${length}`;
  }

  type(event) {
    if (event.key === "Enter") {
      event.preventDefault();
      this.step(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape") {
      event.preventDefault();
      this.input.value = "";
      this.find("");
      this.list.focus({ preventScroll: true });
    }
  }
}

customElements.define("recording-transcript", RecordingTranscript);
