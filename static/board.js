// The board beyond its rows: tiles, search and view, keys, and what a screen reader is told.
import { register } from "./keys.js";
import { asked, choose, isUrgent, leave, onChange, parse, put, rows, settle, shown, sort, whole } from "./rows.js";

const NEWS_MS = 3000; // what happened within is said together
const TYPED_MS = 150;
const find = (id) => document.getElementById(id);
const [place, board, text, status] = ["board-rows", "board", "find-text", "board-status"].map(find);
document.documentElement.classList.add("is-scripted");
document.documentElement.classList.toggle("can-copy", Boolean(navigator.clipboard));

// What the stream brings

let news = null; // the newest notices

const settleAll = () => {
  if (!settle() || news === null) return;
  status.innerHTML = news;
  htmx.process(status);
  window.tapeline.tick(status);
  news = null;
};

const count = (numbers) => {
  for (const [name, number] of Object.entries(numbers)) {
    for (const at of document.querySelectorAll(`[data-count=${name}]`)) {
      at.textContent = number;
      at.closest(".tile")?.classList.toggle("has-some", number > 0);
    }
  }
};

window.tapeline.board = {
  put,
  settle: settleAll,
  on: {
    board: whole,
    rows: (html) => parse(html).forEach(put),
    gone: (ids) => leave(JSON.parse(ids)),
    counts: (numbers) => count(JSON.parse(numbers)),
    status: (html) => {
      news = html;
      settleAll();
    },
  },
};

// How many are shown, and whether what needs a person is on top

const tally = () => {
  const [all, visible] = [rows(), shown()];
  const isNarrowed = Boolean(asked.show || asked.text);
  find("shown-count").textContent = visible.length;
  find("all-count").textContent = all.length;
  find("showing").hidden = !isNarrowed;
  find("nothing").hidden = !(isNarrowed && !visible.length && all.length);
  find("empty").hidden = all.length > 0;
  board.classList.toggle("is-empty", !visible.length);
  const urgent = visible.filter(isUrgent).length;
  const isMixed = visible.slice(0, urgent).some((row) => !isUrgent(row));
  find("sort-needs").textContent = isMixed ? `${urgent} need${urgent === 1 ? "s" : ""} you: ` : "";
  find("sort").classList.toggle("is-wanted", isMixed);
};

// Choosing rows: the address says what is chosen

const read = () => {
  const given = new URLSearchParams(location.search);
  const show = given.get("show") || "";
  return { show: show === "live" ? "" : show, text: (given.get("q") || "").trim() };
};

const apply = ({ show, text: typed }) => {
  choose(show, typed);
  for (const tile of document.querySelectorAll("#tiles .tile")) {
    if (tile.dataset.show === show) tile.setAttribute("aria-current", "true");
    else tile.removeAttribute("aria-current");
    tile.href = address({ show: tile.dataset.show, text: typed });
  }
  find("sort").href = address({ show, text: typed });
  const back = document.querySelector("#view [name=next]");
  if (back) back.value = address({ show, text: typed });
  if (document.activeElement !== text) text.value = typed;
  tally();
  rove();
};

const address = ({ show, text: typed }) => {
  const given = new URLSearchParams();
  if (show) given.set("show", show);
  if (typed) given.set("q", typed);
  return `${location.pathname}${given.size ? `?${given}` : ""}`;
};

const go = (wanted, how = "pushState") => {
  if (address(wanted) !== location.pathname + location.search) history[how](null, "", address(wanted));
  apply(wanted);
};

const isPlain = (event) => !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);

document.addEventListener("click", (event) => {
  const link = event.target.closest("#tiles .tile, #sort, #show-all, #nothing a");
  if (!link || !isPlain(event)) return;
  event.preventDefault();
  if (link.matches(".tile")) go({ show: link.dataset.show, text: asked.text });
  else if (link.id === "sort") apply(asked);
  else {
    text.value = "";
    go({ show: "", text: "" });
  }
});

let typing;
text.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => go({ show: asked.show, text: text.value.trim() }, "replaceState"), TYPED_MS);
});
find("find").addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typing);
  go({ show: asked.show, text: text.value.trim() });
  (shown()[0] || text).focus();
});
text.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !text.value) current()?.focus();
});
addEventListener("popstate", () => apply(read()));

// The view: at once here, and kept at the desk by the form itself

find("view").addEventListener("change", ({ currentTarget }) => {
  const form = new FormData(currentTarget.querySelector("form"));
  const columns = form.getAll("column");
  for (const { value } of currentTarget.querySelectorAll("[name=density]")) {
    board.classList.toggle(`is-${value}`, value === form.get("density"));
  }
  for (const { value } of currentTarget.querySelectorAll("[name=column]")) {
    board.classList.toggle(`no-${value}`, !columns.includes(value));
  }
});
document.addEventListener("click", ({ target }) => {
  if (!target.closest("#view")) find("view").open = false;
});
find("view").addEventListener("keydown", ({ key, currentTarget }) => {
  if (key !== "Escape") return;
  currentTarget.open = false;
  currentTarget.querySelector("summary").focus();
});

// One row can be reached by Tab; the arrows go on from there

let last = "";
const current = () => {
  const row = find(last);
  return row && !row.hidden ? row : shown()[0];
};

const rove = () => {
  const row = current();
  for (const other of place.querySelectorAll("tr[tabindex='0']")) {
    if (other !== row) other.tabIndex = -1;
  }
  if (row) row.tabIndex = 0;
};

place.addEventListener("focusin", ({ target }) => {
  last = target.closest("tr")?.id || "";
  rove();
});

const rowOf = ({ target }) => target.closest("#board-rows > tr");

const move = (by, isEager) => (event) => {
  const from = rowOf(event);
  if (!from && !isEager) return false; // the arrows scroll the page
  const visible = shown();
  const to = from ? visible[visible.indexOf(from) + by] : current();
  to?.focus();
  to?.scrollIntoView({ block: "nearest" });
};

const press = (slot) => (event) => {
  const row = rowOf(event) || find(last);
  const control = row?.querySelector(`.call-act .slot-${slot}`);
  if (!control) return false;
  if (!control.matches("details")) return control.click();
  control.open = true;
  (control.querySelector("button:not([hidden]), input, select") || control).focus();
};

const more = (event) => {
  const details = (rowOf(event) || find(last))?.querySelector(".call-more > details");
  if (!details) return false;
  details.open = !details.open;
  details.querySelector("summary").focus();
};

const enter = (event) => {
  if (event.target !== rowOf(event)) return false;
  event.target.querySelector("a.call-name").click();
};

register("Rows", "j", "Next row", move(1, true));
register("Rows", "k", "Row before", move(-1, true));
register("Rows", "ArrowDown", "Next row, from a row", move(1));
register("Rows", "ArrowUp", "Row before, from a row", move(-1));
register("Rows", "Enter", "Open the call", enter);
register("Rows", ".", "More of the call", more);
register("The call of the row", "r", "Record, or stop (asks back)", press("record"));
register("The call of the row", "p", "Pause or resume", press("pause"));
register("The call of the row", "s", "Say", press("say"));
register("Board", "/", "Find a number or name", () => text.focus());
register("Board", "o", "Sort: what needs you first", () => apply(asked));

// What changed, for ears: what newly needs a person, and the row that has the focus

let needed = 0;
const said = new Map(); // row id -> words
let speaking = 0;

const tell = () => {
  speaking = 0;
  const parts = [...said.values()];
  if (needed) parts.unshift(`${needed} call${needed === 1 ? " needs" : "s need"} you`);
  find("board-news").textContent = parts.join(". ");
  needed = 0;
  said.clear();
};

onChange((changed) => {
  tally();
  rove();
  for (const [row, was] of changed) {
    if (isUrgent(row) && !was?.needs) needed += 1;
    if (was && row.contains(document.activeElement)) hear(row, was);
  }
  if ((needed || said.size) && !speaking) speaking = setTimeout(tell, NEWS_MS);
});

const hear = (row, was) => {
  const line = row.querySelector(".call-line .line")?.textContent.trim();
  const recording = row.querySelector(".call-rec")?.textContent.replace(/[\d:]+/g, "").trim();
  const parts = [line !== was.line && line, recording !== was.words && `recording ${recording}`];
  const words = parts.filter(Boolean).join(", ");
  if (words) said.set(row.id, `${row.querySelector(".call-name").textContent}: ${words}`);
};

count(
  Object.fromEntries(
    [...document.querySelectorAll("#tiles [data-count]")].map((at) => [at.dataset.count, Number(at.textContent)]),
  ),
);
apply(read());
