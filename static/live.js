// The live stream: keeps the board (or a call's page) true, and says when it no longer is.
// dashboard/live.py lists the events; board.js puts rows in place.
(() => {
  const place = document.querySelector("[data-live-url]");
  if (!place) return;

  const QUIET_MS = 10_000; // without a sign of life: say so
  const LOST_MS = 30_000; // then nobody may act on what is shown
  const DEAD_MS = 15_000; // an open connection that says nothing: make another
  const BACKOFF_MS = [1000, 2000, 4000, 8000, 15_000];

  const isBoard = place.id === "board-rows";
  const freshness = document.getElementById("freshness");
  const clockZone = document.body.dataset.zone || undefined; // else the browser's
  const url = new URL(place.dataset.liveUrl, location.href);
  if (!isBoard) url.search = new URLSearchParams({ conversation: place.dataset.conversation || "" });

  // The server's clock

  const loadedAt = Number(document.body.dataset.now) || Date.now();
  const clock = { offset: loadedAt - Date.now(), now: () => Date.now() + clock.offset };
  window.tapelineClock = clock;
  const time = (ms) =>
    new Date(ms).toLocaleTimeString("en-GB", { hour12: false, timeZone: clockZone });

  // Events

  let version = Number(place.dataset.version) || null;

  const on = {
    ...window.tapeline.board?.on, // board.js puts rows in place
    clock: (ms) => {
      clock.offset = Number(ms) - Date.now();
    },
    changed: (number) => {
      if (Number(number) === version) return;
      version = Number(number);
      window.tapeline.changed([place.dataset.conversation]);
      const detail = { key: place.dataset.conversation, version };
      document.body.dispatchEvent(new CustomEvent("tapeline:changed", { detail }));
    },
  };

  // The connection

  let source = null;
  let tries = 0;
  let retry = 0;
  let heardAt = Date.now(); // any sign of life
  let trueAt = Date.now(); // what is shown was true; the page was when it was made
  let isLive = false; // the page itself is only as of its making
  let isCut = false; // the desk lives, its database does not
  let isOver = false;

  const close = () => {
    clearTimeout(retry);
    source?.close();
    source = null;
  };

  const open = () => {
    close();
    heardAt = Date.now();
    source = new EventSource(url);
    for (const [name, apply] of Object.entries(on)) {
      source.addEventListener(name, (event) => {
        heardAt = trueAt = Date.now();
        tries = 0;
        isLive = true;
        isCut = false;
        apply(event.data);
        show();
      });
    }
    source.addEventListener("stale", () => {
      heardAt = Date.now();
      isCut = true;
      show();
    });
    source.addEventListener("bye", leave);
    source.onerror = failed;
  };

  // The browser itself comes back after a lost connection, but not after a refusal: that is ours.
  const failed = () => {
    if (source?.readyState !== EventSource.CLOSED) return;
    close();
    fetch(url, { method: "HEAD", cache: "no-store", redirect: "manual" })
      .then((answer) => (answer.status === 401 ? leave() : again()))
      .catch(again);
  };

  const again = () => {
    const most = BACKOFF_MS[Math.min(tries++, BACKOFF_MS.length - 1)];
    clearTimeout(retry);
    retry = setTimeout(() => source || visit(), most * (0.5 + Math.random() / 2)); // not all at once
  };

  const leave = () => {
    close();
    isOver = true; // the page asks to sign in, or shows what the new role may see
    show();
  };

  // What is shown

  const say = (text, isLost) => {
    if (!freshness || freshness.textContent === text) return; // a live region: say it once
    freshness.textContent = text;
    freshness.classList.toggle("is-lost", isLost);
  };

  const show = () => {
    const now = Date.now();
    const age = now - trueAt;
    const controls = document.getElementById("controls"); // a call's page swaps it
    const isLost = isOver || age >= LOST_MS;
    if (controls && controls.disabled !== isLost) controls.disabled = isLost;
    const last = `last update ${time(trueAt + clock.offset)}`;
    if (isOver) say("Your sign-in or your role changed: this page will reload.", true);
    else if (age < QUIET_MS) isLive && say("Live", false);
    else if (isLost) say(`Controls are off: no live updates. Reconnecting… ${last}`, true);
    else say(isCut ? `The desk cannot read its data, ${last}` : `Reconnecting… ${last}`, true);
  };

  const everySecond = () => {
    if (isOver) {
      // Not under a dialog, where something is being typed; and never in a tight circle.
      const mayReload = !document.querySelector("dialog[open]") && performance.now() > QUIET_MS;
      if (mayReload) location.reload();
      return;
    }
    window.tapeline.board?.settle();
    if (document.hidden) return;
    if (source && Date.now() - heardAt >= DEAD_MS) open();
    show();
  };

  const visit = () => {
    if (isOver) return;
    if (document.hidden) close();
    else open();
  };

  document.addEventListener("visibilitychange", visit);
  addEventListener("pageshow", (event) => event.persisted && visit());
  addEventListener("pagehide", close);
  addEventListener("online", visit);
  setInterval(everySecond, 1000);
  visit();
})();
