// The rows of the board: put in place what comes, hide what was not asked for, sort on demand.
//
// Nothing moves under a hand that aims, and what stays the same in a row is not touched: focus,
// open questions and running requests survive. Only rows that can be seen keep their clocks.
const AIM_MS = 2000; // a pointer that moved over the rows this lately is about to press
const place = document.getElementById("board-rows");
const { tick } = window.tapeline;

export const rows = () => [...place.children];
export const shown = () => rows().filter((row) => !row.hidden);
export const asked = { show: place.dataset.show || "", text: "" };

// Clocks: one ticker, for what can be seen

const inSight = new Set();
const sight = new IntersectionObserver(
  (changes) => {
    for (const { target, isIntersecting } of changes) {
      if (!isIntersecting) inSight.delete(target);
      else if (inSight.add(target)) tick(target);
    }
  },
  { rootMargin: "100px" },
);
window.tapeline.tickOnly(() => [document.getElementById("board-status"), ...inSight]);

// Search, as calls/finding.py does it

export const finds = (text, haystack) => {
  const wanted = text.replaceAll("|", " ").toLowerCase().trim();
  if (/^[\d\s()+./-]*\d[\d\s()+./-]*$/.test(wanted)) {
    const digits = wanted.replace(/\D/g, "");
    return haystack.includes(digits.replace(/^0+/, "") || digits);
  }
  return wanted.split(/\s+/).every((word) => haystack.includes(word));
};

const isAsked = (row) =>
  (!asked.show || row.classList.contains(`in-${asked.show}`)) &&
  (!asked.text || finds(asked.text, row.dataset.find));

// One row takes over what another says

const isWired = (node) => [...(node.attributes || [])].some(({ name }) => name.startsWith("hx-"));
const OURS = { TR: ["hidden", "tabindex"], DETAILS: ["open"] }; // what the page itself sets

const morph = (old, fresh, made) => {
  if (old.isEqualNode(fresh)) return;
  const isAlike = old.nodeName === fresh.nodeName && old.id === fresh.id;
  if (!isAlike || isWired(old) || isWired(fresh)) {
    old.replaceWith(fresh);
    made.push(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.data = fresh.data;
    return;
  }
  if (old.dataset.since && old.dataset.since === fresh.dataset.since) return; // a running clock
  const ours = OURS[old.nodeName] || [];
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !ours.includes(name)) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (!ours.includes(name) && old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const [was, are] = [[...old.childNodes], [...fresh.childNodes]];
  are.forEach((node, at) => {
    if (was[at]) return morph(was[at], node, made);
    old.append(node);
    made.push(node);
  });
  for (const node of was.slice(are.length)) node.remove();
};

const take = (old, fresh) => {
  const focused = document.activeElement;
  const id = old.contains(focused) && focused.closest("[id]").id;
  const made = [];
  morph(old, fresh, made);
  for (const node of made) if (node.nodeType === Node.ELEMENT_NODE) htmx.process(node);
  if (inSight.has(old)) tick(old);
  if (id && document.activeElement !== focused) {
    const again = document.getElementById(id);
    (again?.querySelector("summary") || again || old).focus({ preventScroll: true });
  }
};

// Rows come, change and leave

const waiting = new Map(); // row id -> the row that will replace one under an open question
const leaving = new Set(); // row ids
const unsettled = new Set(); // rows to be shown or hidden
let aimedAt = -Infinity;
place.addEventListener("pointermove", () => (aimedAt = performance.now()));

const isAimed = () => performance.now() - aimedAt < AIM_MS;
const asks = (row) => row.querySelector("details.sure[open]") !== null;
const changes = new Set();

/** Call back, once per look of the stream, with the rows that changed: [[row, what it was]]. */
export const onChange = (tell) => changes.add(tell);

let told = [];
const tellSoon = (...change) => {
  if (!told.length) {
    requestAnimationFrame(() => {
      const now = told;
      told = [];
      for (const tell of changes) tell(now.filter(([row]) => row));
    });
  }
  told.push(change);
};

const stateOf = (row) => ({
  needs: row.classList.contains("in-problems"),
  words: row.querySelector(".call-rec")?.textContent.replace(/[\d:]+/g, "").trim(),
  line: row.querySelector(".call-line .line")?.textContent.trim(),
});

export const put = (fresh) => {
  leaving.delete(fresh.id);
  const old = document.getElementById(fresh.id);
  if (!old) return insert(fresh);
  if (Number(fresh.dataset.version) < Number(old.dataset.version)) return;
  if (asks(old)) return waiting.set(fresh.id, fresh); // what a finger is about to press stays
  const was = stateOf(old);
  take(old, fresh);
  if (old.hidden === isAsked(old)) unsettled.add(old);
  tellSoon(old, was);
};

const insert = (fresh) => {
  const order = Number(fresh.dataset.order);
  let before = place.lastElementChild; // urgent ones on top are in an order of their own
  while (before && Number(before.dataset.order) > order) before = before.previousElementSibling;
  fresh.hidden = !isAsked(fresh);
  if (before) before.after(fresh);
  else place.prepend(fresh);
  adopt(fresh);
  htmx.process(fresh);
  tellSoon(fresh, null);
};

const adopt = (row) => {
  sight.observe(row);
};

const remove = (id) => {
  waiting.delete(id);
  const row = document.getElementById(id);
  if (!row) return;
  if (row.contains(document.activeElement)) handOn(row);
  sight.unobserve(row);
  inSight.delete(row);
  unsettled.delete(row);
  row.remove();
  tellSoon(null);
};

/** Give the focus of a row that goes to its neighbour. */
const handOn = (row) => {
  const visible = shown();
  const at = visible.indexOf(row);
  (visible[at + 1] || visible[at - 1] || document.getElementById("main")).focus();
};

export const parse = (html) => {
  const template = document.createElement("template");
  template.innerHTML = html;
  return [...template.content.children].filter((row) => row.id);
};

export const whole = (html) => {
  const fresh = parse(html);
  const ids = new Set(fresh.map((row) => row.id));
  for (const old of rows()) if (!ids.has(old.id)) leaving.add(old.id);
  fresh.forEach(put);
  settle();
};

export const leave = (ids) => {
  for (const id of ids) leaving.add(id);
  settle();
};

/** Do what moves rows, unless a hand aims at them; return whether it was done. */
export const settle = () => {
  for (const [id, fresh] of waiting) {
    const old = document.getElementById(id);
    if (old && asks(old)) continue;
    waiting.delete(id);
    if (old) put(fresh);
  }
  if (isAimed()) return false;
  if (unsettled.size) tellSoon(null);
  leaving.forEach(remove);
  leaving.clear();
  for (const row of unsettled) {
    const isHeld = row.contains(document.activeElement) || asks(row);
    if (!isAsked(row) && isHeld) continue; // until its person has moved on
    row.hidden = !isAsked(row);
    unsettled.delete(row);
  }
  return true;
};

// Order and choice, when somebody asks for them

export const isUrgent = (row) => row.classList.contains("in-problems");

const compare = (one, other) =>
  one.dataset.rank - other.dataset.rank ||
  one.dataset.order - other.dataset.order ||
  (one.id < other.id ? -1 : 1);

export const sort = () => {
  const focused = document.activeElement;
  const sorted = rows().sort(compare);
  if (sorted.some((row, at) => row !== place.children[at])) {
    place.append(...sorted);
    if (place.contains(focused)) focused.focus({ preventScroll: true });
  }
};

export const choose = (show, text) => {
  Object.assign(asked, { show, text });
  unsettled.clear();
  for (const row of rows()) row.hidden = !isAsked(row);
  sort();
};

rows().forEach(adopt);
