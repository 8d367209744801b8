// Where to start, where somebody stopped, and whose turn it is when several tabs could play.
const SAVE_MS = 15_000;
const MOVED_S = 1; // less is not worth a row
const TIME = /^(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:\.\d+)?)$/;

const seconds = (text) => {
  const [, hours = 0, minutes = 0, rest] = TIME.exec(text) || [];
  return rest === undefined ? null : hours * 3600 + minutes * 60 + Number(rest);
};

// ?t=754.2, ?t=12:34 or #t=12:34, paused: nobody wants a page that speaks up by itself.
export function startAt(player) {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const text = new URLSearchParams(location.search).get("t") ?? fragment.get("t");
  if (text === null) return;
  const at = seconds(text.trim());
  if (at === null) {
    player.complain(`t is “${text.slice(0, 40)}”, which is no time like 754.2 or 12:34, so it starts at the beginning.`);
  } else if (at > player.duration) {
    player.complain(`The link leads to ${text}, after the end of this recording.`);
  } else {
    player.seek(at);
  }
}

// Tells the desk now and then where this person is; the last time when the page is left.
export function keepPlace(player) {
  const form = player.querySelector("form[data-place]");
  if (!form) return;
  let saved = null;
  const save = () => {
    const at = player.time;
    if (saved === null || Math.abs(at - saved) < MOVED_S) return;
    saved = at;
    const body = new FormData(form);
    body.set("at_ms", Math.round(at * 1000));
    // a lost place is no reason to disturb anybody
    fetch(form.action, { method: "POST", body, keepalive: true, redirect: "error" }).catch(() => {});
  };
  player.addEventListener("tapeline:playing", () => (saved ??= -MOVED_S));
  player.addEventListener("tapeline:paused", save);
  addEventListener("pagehide", save);
  document.addEventListener("visibilitychange", () => document.hidden && save());
  setInterval(() => player.paused || save(), SAVE_MS);
}

// One source at a time: whoever starts last is heard.
export function takeTurns(player) {
  if (!window.BroadcastChannel) return;
  const turns = new BroadcastChannel("tapeline-player");
  player.addEventListener("tapeline:playing", () => turns.postMessage("mine"));
  turns.addEventListener("message", () => {
    if (player.paused) return;
    player.audio.pause();
    player.complain("Paused, because another tab plays.");
  });
}
