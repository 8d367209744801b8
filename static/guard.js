// Watched pauses: counts down on the server's clock, turns to a warning by itself, says so once.
// Opening a choice of reasons puts the first one under the Enter key.
(() => {
  const TICK_MS = 250;

  const region = (politeness) => {
    const made = document.createElement("div");
    made.className = "visually-hidden";
    made.setAttribute("aria-live", politeness);
    made.setAttribute("role", politeness === "assertive" ? "alert" : "status");
    document.body.append(made);
    return made;
  };
  const polite = region("polite");
  const loud = region("assertive");

  const loadedWith = Number(document.body.dataset.now) - Date.now();
  const now = () => window.tapelineClock?.now() ?? Date.now() + loadedWith;

  const clock = (ms) => {
    const seconds = Math.ceil(Math.abs(ms) / 1000); // the last second counts whole
    const two = (number) => String(number).padStart(2, "0");
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor(seconds / 60) % 60;
    const end = two(seconds % 60);
    return hours ? `${hours}:${two(minutes)}:${end}` : `${minutes}:${end}`;
  };

  // What has been said, so that a row that is drawn again does not say it again

  const said = new Set();
  const sayOnce = (key, where, text) => {
    if (said.has(key)) return;
    said.add(key);
    where.textContent = text;
  };

  const LOOKS = ["is-watching", "is-warning", "is-up"];
  const wear = (element, look) => {
    if (!element || element.classList.contains(look) || element.classList.contains("is-escalated")) return;
    element.classList.remove(...LOOKS);
    element.classList.add(look);
  };

  const show = (guard) => {
    const { deadline, warn, who, id } = { ...guard.dataset, id: guard.id };
    if (!deadline) return; // it is over, and was late
    const left = Number(deadline) - now();
    const key = `${id} ${deadline}`;
    if (guard.classList.contains("is-escalated")) {
      sayOnce(`${key} escalated`, loud, `${who}: the recording is still paused. ${guard.textContent.trim()}`);
      return;
    }
    const look = left <= 0 ? "is-up" : now() >= Number(warn) ? "is-warning" : "is-watching";
    wear(guard, look);
    if (look === "is-warning") {
      sayOnce(key, polite, `${who}: the recording resumes in ${Math.ceil(left / 1000)} seconds.`);
    } else if (look === "is-up") {
      const state = guard.querySelector(".guard-state");
      const text = "Time is up: the desk resumes the recording.";
      if (state.textContent !== text) state.textContent = text;
    }
  };

  const tick = () => {
    for (const until of document.querySelectorAll("[data-until]")) {
      const left = Number(until.dataset.until) - now();
      const text = left > 0 ? clock(left) : `${clock(left)} over`;
      if (until.textContent !== text) until.textContent = text;
      const look = left <= 0 ? "is-up" : null;
      if (look) wear(until.closest(".until"), look);
    }
    for (const guard of document.querySelectorAll(".guard")) {
      show(guard);
      if (guard.classList.contains("is-warning")) {
        for (const until of document.querySelectorAll(`[data-until="${guard.dataset.deadline}"]`)) {
          wear(until.closest(".until"), "is-warning");
        }
      }
    }
  };

  document.addEventListener(
    "toggle",
    ({ target }) => {
      if (!target.matches?.("details.reasons")) return;
      if (target.open) target.querySelector(".reasons-list button").focus();
      else if (target.contains(document.activeElement)) target.querySelector("summary").focus();
    },
    true,
  );

  setInterval(() => document.hidden || tick(), TICK_MS);
  tick();
})();
