// The notes beside the player: their pins, their keys, and what others write meanwhile.
// Every note is a form that works without this; htmx swaps the whole section after each press.
import { register } from "./keys.js";

const LOOK_MS = 15_000;
const TYPED = "textarea, input:not([type=hidden]), select";

const section = () => document.getElementById("notes");
const player = () => document.querySelector("recording-player");

// Times

const clock = (seconds) => {
  const tenths = Math.floor(Math.max(0, seconds) * 10); // down, so that it is never past the end
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60, tenths % 600];
  const end = two(Math.floor(rest / 10)) + (rest % 10 ? `.${rest % 10}` : "");
  return hours ? `${hours}:${two(minutes)}:${end}` : `${minutes}:${end}`;
};

const whole = (seconds) => clock(Math.floor(seconds));

const moment = () => clock(player()?.time ?? 0);
const loop = () => {
  const span = player()?.span;
  return span ? span.map(clock).join("-") : "";
};

const showMoment = () => {
  const tools = section()?.querySelector(".moment-tools");
  if (!tools || typeof player()?.time !== "number") return;
  tools.hidden = false;
  const now = whole(player().time);
  const place = tools.querySelector("[data-now]");
  if (place.textContent !== now) place.textContent = now;
  const span = player().span;
  tools.querySelector("[data-moment=loop]").hidden = !span;
  if (span) tools.querySelector("[data-loop]").textContent = span.map(whole).join("–");
};

// Pins

const showPins = () => {
  const shown = [...(section()?.querySelectorAll("[data-pin]") ?? [])];
  player()?.setPins?.(
    shown.map(({ dataset }) => ({
      id: dataset.pin,
      start: Number(dataset.start),
      end: dataset.end ? Number(dataset.end) : null,
      label: dataset.label,
    })),
  );
  if (!player()) return;
  for (const button of section()?.querySelectorAll("button[data-at]") ?? []) button.disabled = false;
};

const focusOn = (element) => {
  if (!element) return;
  element.scrollIntoView({ block: "nearest" });
  element.focus({ preventScroll: true });
};

document.addEventListener(
  "tapeline:pin",
  (event) => focusOn(document.getElementById(`comment-${event.detail.id}`)),
  true, // also where it does not bubble
);

// What is half written survives every swap

const submitted = (form, field, request) =>
  request?.elt === form ? request.parameters?.[field.name] ?? request.formData?.get(field.name) : undefined;

const asServed = (field) => {
  if (field.tagName !== "SELECT") return field.defaultValue;
  const chosen = [...field.options].find((option) => option.defaultSelected) || field.options[0];
  return chosen?.value;
};

const drafts = (request) => {
  const kept = [];
  for (const form of section().querySelectorAll("form")) {
    const fields = [...form.querySelectorAll(TYPED)].filter((field) => field.id);
    const isChanged = (field) => field.value !== (submitted(form, field, request) ?? asServed(field));
    if (!fields.some(isChanged)) continue;
    // with its hidden fields: the id of a press that may have arrived must stay the same
    const hidden = request?.elt === form ? [] : [...form.querySelectorAll("input[type=hidden][id]")];
    for (const { id, value } of [...fields, ...hidden]) kept.push({ id, value });
  }
  const { activeElement: active } = document;
  if (active?.matches(TYPED) && section().contains(active) && kept.some(({ id }) => id === active.id)) {
    kept.focus = { id: active.id, start: active.selectionStart, end: active.selectionEnd };
  }
  return kept;
};

const restore = (kept) => {
  for (const { id, value } of kept) {
    const field = document.getElementById(id);
    if (!field) continue;
    field.value = value;
    field.closest("details")?.setAttribute("open", "");
    field.dispatchEvent(new Event("input", { bubbles: true })); // the counter of characters
  }
  const place = kept.focus && document.getElementById(kept.focus.id);
  if (!place) return false;
  place.focus({ preventScroll: true });
  if (kept.focus.start !== null) place.setSelectionRange?.(kept.focus.start, kept.focus.end);
  return true;
};

let kept;
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const aim = detail.xhr.getResponseHeader("Desk-Target");
  if (aim !== "#notes" || !detail.shouldSwap || !section()) return;
  kept = drafts(detail.requestConfig);
  kept.asked = detail.requestConfig.elt.closest("#notes details")?.id;
});

document.addEventListener("htmx:afterSwap", () => {
  if (!kept) return;
  const [old, fresh] = [kept, section()];
  kept = undefined;
  const wrong = fresh.querySelector("[aria-invalid]");
  const done = document.getElementById(fresh.dataset.focusOn || "");
  if (done && old.asked) document.getElementById(old.asked)?.removeAttribute("open");
  if (!restore(old)) {
    if (wrong || done) focusOn(wrong || done);
    else if (document.activeElement === document.body) fresh.querySelector("h2").focus();
  }
  showPins();
  showMoment();
});

// What others wrote, unless somebody is typing

const isBusy = () =>
  document.hidden ||
  section().querySelector(".htmx-request, details.sure[open]") ||
  (section().contains(document.activeElement) && document.activeElement.matches(TYPED));

const look = () => {
  const notes = section();
  if (!notes || isBusy()) return;
  const { look: address, version } = notes.dataset;
  const seen = `${address.includes("?") ? "&" : "?"}seen=${encodeURIComponent(version)}`;
  htmx.ajax("GET", address + seen, { source: notes, target: "#announce" });
};

setInterval(look, LOOK_MS);
document.addEventListener("visibilitychange", () => document.hidden || look());

// Buttons and keys

document.addEventListener("click", (event) => {
  const which = event.target.closest("#notes [data-moment]")?.dataset.moment;
  if (!which) return;
  document.getElementById("comment-at").value = which === "loop" ? loop() : moment();
  document.getElementById("comment-text").focus();
});

const comment = () => {
  const text = document.getElementById("comment-text");
  if (!text) return;
  if (!text.value.trim()) document.getElementById("comment-at").value = moment();
  focusOn(text);
};

const flag = () => {
  const ask = document.getElementById("flag-ask");
  if (ask) ask.open = true;
  focusOn(document.getElementById(ask ? "flag-kind" : "turn-flag"));
};

const review = () => document.querySelector("#notes [data-review]")?.requestSubmit();

if (section()) {
  register("Notes", "c", "Comment at this moment", comment);
  register("Notes", "f", "Flag, or go to the flag", flag);
  register("Notes", "r", "Mark as reviewed, or take it back", review);
}

for (const event of ["tapeline:time", "tapeline:span"]) document.addEventListener(event, showMoment);
customElements.whenDefined("recording-player").then(() => {
  showPins();
  showMoment();
});
