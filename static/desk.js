// What every page does beyond links and forms: clocks, dialogs, asking back, press ids, theme, copy.
// The live stream (live.js) and htmx bring new HTML; window.tapeline puts it in place.
(() => {
  const offset = Number(document.body.dataset.now) - Date.now();
  const now = () => window.tapelineClock?.now() ?? Date.now() + offset; // the server's; the stream keeps it
  const announce = document.getElementById("announce");
  const dialog = document.getElementById("dialog");
  const dialogBody = document.getElementById("dialog-body");
  const SURE_MS = 5000;

  // Clocks

  const duration = (ms) => {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    const two = (number) => String(number).padStart(2, "0");
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor(seconds / 60) % 60;
    const end = two(seconds % 60);
    return hours ? `${hours}:${two(minutes)}:${end}` : `${minutes}:${end}`;
  };

  const tick = (root = document) => {
    for (const clock of root.querySelectorAll("[data-since]")) {
      const text = duration(now() - Number(clock.dataset.since));
      if (clock.textContent !== text) clock.textContent = text;
    }
  };

  // New HTML in old places: focus and what stood open survive

  const remember = (root) => ({
    open: [...root.querySelectorAll("details[open][id]")].map((details) => details.id),
    focus: root.contains(document.activeElement) && document.activeElement.closest("[id]")?.id,
  });

  const restore = ({ open, focus }) => {
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (!focus) return;
    const place = document.getElementById(focus);
    (place?.querySelector("summary") || place)?.focus({ preventScroll: true });
  };

  const changed = (keys) => {
    for (const element of document.querySelectorAll("[data-conversation]")) {
      if (keys.includes(element.dataset.conversation)) htmx.trigger(element, "tapeline:changed");
    }
  };

  let ticking = () => [document];
  const tickOnly = (roots) => (ticking = roots);

  window.tapeline = { changed, tick, tickOnly };

  // What was just done, said once

  let silence;
  const say = (text, level = "info") => {
    if (dialog.open) return sayInDialog(text); // the rest of the page is under it
    announce.textContent = text;
    announce.className = `is-${level}`;
    clearTimeout(silence);
    silence = setTimeout(() => (announce.textContent = ""), level === "info" ? 4000 : 12000);
  };

  const sayInDialog = (text) => {
    const note = dialogBody.querySelector(".fault") || document.createElement("div");
    note.className = "fault alert alert-danger";
    note.setAttribute("role", "alert");
    note.textContent = text;
    dialogBody.prepend(note);
  };

  document.addEventListener("tapeline:done", (event) => {
    if (dialog.open) dialog.close();
    say(event.detail.text, event.detail.level);
  });

  // htmx

  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.verb === "get") return;
    const sure = event.detail.elt.closest("details.sure[open]");
    if (sure) {
      sure.open = false; // answered: an open question holds back the row's updates
      sure.querySelector("summary").focus();
    }
    event.detail.parameters.request_id = crypto.randomUUID
      ? crypto.randomUUID()
      : `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`; // no HTTPS
  });

  let kept;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { shouldSwap, serverResponse, xhr } = event.detail;
    if (!shouldSwap) return;
    const aim = xhr.getResponseHeader("Desk-Target");
    const target = aim ? document.querySelector(aim) : event.detail.target;
    event.detail.target = target;
    if (!target) {
      event.detail.shouldSwap = false; // the row is gone by now
      return;
    }
    if (target.matches("#board-rows > tr")) {
      event.detail.shouldSwap = false; // the stream may have been quicker
      const template = document.createElement("template");
      template.innerHTML = serverResponse;
      const fresh = template.content.querySelector("tr");
      if (fresh) window.tapeline.board.put(fresh);
    } else if (target !== dialogBody) {
      kept = remember(target);
    }
  });

  document.addEventListener("htmx:afterSwap", (event) => {
    const { target, xhr } = event.detail;
    if (target === dialogBody && xhr.getResponseHeader("Desk-Target")) {
      if (!dialog.open) dialog.showModal();
      dialogBody.querySelector("[aria-invalid], [data-focus]")?.focus();
    } else if (kept) {
      restore(kept);
      kept = undefined;
    }
    count();
    tick(target);
  });

  const FAULTS = {
    403: "Not allowed. If you signed in again in another tab, reload this page.",
    404: "This call is not known any more.",
    429: "Too many requests: wait a moment.",
  };
  document.addEventListener("htmx:responseError", (event) => {
    const { status } = event.detail.xhr;
    say(FAULTS[status] || `The desk could not do that (${status}). Look before you try again.`, "error");
  });
  for (const name of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, () => {
      say("The desk did not answer. It may have been done: look before you try again.", "error");
    });
  }

  // Dialogs

  dialog.addEventListener("close", () => dialogBody.replaceChildren());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // the backdrop
    if (event.target.closest("[data-close]")) {
      event.preventDefault();
      dialog.close();
    }
  });

  // Asking back in place: one question at a time, for five seconds

  document.addEventListener(
    "toggle",
    (event) => {
      const sure = event.target;
      if (!sure.matches("details.sure") || !sure.open) return;
      for (const other of document.querySelectorAll("details.sure[open]")) {
        if (other !== sure) other.open = false;
      }
      const { id } = sure;
      const staysMs = Number(sure.dataset.stays) || SURE_MS; // a choice takes longer than a yes
      setTimeout(() => document.getElementById(id)?.removeAttribute("open"), staysMs);
    },
    true,
  );
  document.addEventListener("keydown", (event) => {
    const sure = event.key === "Escape" && event.target.closest("details.sure[open]");
    if (!sure) return;
    sure.open = false;
    sure.querySelector("summary").focus();
  });

  // A button that cannot be pressed says why, also without a pointer to hover with

  document.addEventListener("click", (event) => {
    const why = event.target.closest("button[aria-disabled=true]")?.title;
    if (why) say(why, "warning");
  });

  // Characters left

  const count = () => {
    for (const area of document.querySelectorAll("textarea[maxlength]")) {
      const left = area.parentElement.querySelector(".count");
      if (left) left.textContent = `${area.value.length} of ${area.maxLength} characters`;
    }
  };
  document.addEventListener("input", count);

  // Theme: the system's, light, dark

  const theme = document.getElementById("theme");
  const THEMES = { "": "Auto", light: "Light", dark: "Dark" };
  const chosen = () => localStorage.getItem("tapeline-theme") || "";
  const label = () => {
    theme.textContent = `◐ ${THEMES[chosen()]}`;
    theme.title = `Colours: ${THEMES[chosen()]}. Press for the next.`;
  };
  try {
    label();
    theme.hidden = false;
  } catch {
    // storage is switched off: the system's colours it is
  }
  theme.addEventListener("click", () => {
    const names = Object.keys(THEMES);
    localStorage.setItem("tapeline-theme", names[(names.indexOf(chosen()) + 1) % names.length]);
    dispatchEvent(new Event("tapeline:theme"));
    label();
  });

  // Copy

  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = !navigator.clipboard;
  }
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    say("Copied.");
  });

  setInterval(() => ticking().forEach((root) => tick(root)), 1000);
  tick();
  count();
})();
