// The keys of a page. Every module registers its own, `?` lists them all, and one switch turns
// them off (WCAG 2.1.4). Import it as "./keys.js", so that there is one list.
//
//   register("Play", ["Space", "k"], "Play or pause", (event) => player.toggle());
//
// A key is what KeyboardEvent.key says, letters in lower case, "Space" for the blank, with
// "Shift+" in front where that matters. An action that returns false leaves the key alone.
const SETTING = "tapeline-keys";
const NAMES = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓" };
const TYPING = "input, textarea, select, [contenteditable]:not([contenteditable=false])";
const BETWEEN_MS = 1500; // two keys of one action
const MOST_LISTED = 4; // keys of one action; more are a row of keys
const PRESSABLE = "button, a[href], summary, [role=button]";

const groups = new Map(); // group -> [{ keys, label }]
const actions = new Map(); // key -> run

export function register(group, key, label, run) {
  const keys = [key].flat();
  for (const each of keys) actions.set(each, run);
  const rows = (groups.get(group) || []).filter((row) => row.label !== label);
  groups.set(group, [...rows, { keys, label }]);
}

const isOff = () => {
  try {
    return localStorage.getItem(SETTING) === "off";
  } catch {
    return false; // storage is switched off
  }
};

const nameOf = (event) => {
  const { key, shiftKey } = event;
  if (key === " ") return "Space";
  const isCharacter = key.length === 1;
  const isLetter = isCharacter && key.toLowerCase() !== key.toUpperCase();
  const name = isLetter ? key.toLowerCase() : key;
  return shiftKey && (isLetter || !isCharacter) ? `Shift+${name}` : name;
};

let begun = ""; // the first key of two
let forget = 0;

const begins = (name) => [...actions.keys()].some((key) => key.startsWith(`${name} `));

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || isOff()) return;
  const { target } = event;
  if (!(target instanceof Element) || target.closest(TYPING) || target.closest("dialog")) return;
  const name = nameOf(event);
  if ((name === "Space" || name === "Enter") && target.closest(PRESSABLE)) return;
  const run = actions.get(begun + name);
  const isFirst = !begun && begins(name);
  clearTimeout(forget);
  begun = isFirst ? `${name} ` : "";
  if (isFirst) forget = setTimeout(() => (begun = ""), BETWEEN_MS);
  else if (run && run(event) !== false) event.preventDefault();
});

// Help

let dialog;

const element = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};

const shown = (key) => {
  const parts = key.split("+").filter(Boolean);
  const names = parts.length ? parts : [key];
  return names.map((name) => NAMES[name] || (name.length === 1 ? name.toUpperCase() : name)).join("+");
};

const kbd = (key) => element("kbd", { textContent: key.split(" ").filter(Boolean).map(shown).join(" ") });

const listed = (keys) =>
  keys.length > MOST_LISTED
    ? [kbd(keys[0]), " to ", kbd(keys.at(-1))]
    : keys.flatMap((key, at) => [at ? " or " : "", kbd(key)]);

const list = ([group, rows]) =>
  element(
    "section",
    {},
    element("h3", { textContent: group }),
    element(
      "dl",
      {},
      ...rows.flatMap(({ keys, label }) => [
        element("dt", {}, ...listed(keys)),
        element("dd", { textContent: label }),
      ]),
    ),
  );

const setting = () => {
  const box = element("input", { type: "checkbox", className: "form-check-input", checked: !isOff() });
  box.addEventListener("change", () => {
    try {
      localStorage.setItem(SETTING, box.checked ? "on" : "off");
    } catch {
      box.checked = true; // storage is switched off: so it cannot be kept
    }
  });
  return element("label", { className: "form-check" }, box, " Keys act without Ctrl or Alt, in this browser");
};

export function openHelp() {
  if (!dialog) {
    dialog = element("dialog", { id: "keys-help", className: "keys-help" });
    dialog.setAttribute("aria-labelledby", "keys-help-title");
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog) dialog.close(); // the backdrop
    });
    document.body.append(dialog);
  }
  const close = element("button", { type: "button", className: "btn btn-primary", textContent: "Close" });
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(
    element("h2", { id: "keys-help-title", textContent: "Keys" }),
    element("div", { className: "keys-groups" }, ...[...groups].map(list)),
    setting(),
    element("div", { className: "actions" }, close),
  );
  if (!dialog.open) dialog.showModal();
  close.focus();
}

register("Help", "?", "Show this list", openHelp);

for (const link of document.querySelectorAll("[data-go]")) {
  register("Go to", `g ${link.dataset.go}`, link.textContent, () => link.click());
}
