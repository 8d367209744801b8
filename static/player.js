// The player: everything around a plain <audio>, which plays alone where there is no script.
//
// For others on the page: player.time, .duration, .paused, .seek(seconds, andPlay), .toggle(),
// .span ([from, to] of the loop, or null), .setPins([{id, start, end, label}]). Events that bubble
// from it: tapeline:time {seconds} (ten a second while it plays), tapeline:playing,
// tapeline:paused, tapeline:span, tapeline:pin {id}. Every button[data-at] on the page seeks.
import { Channels } from "./player-channels.js";
import { keepPlace, takeTurns, startAt } from "./player-memory.js";
import { openHelp } from "./keys.js";
import { store, stored } from "./kept.js";
import { registerKeys } from "./player-keys.js";
import { Timeline, clock } from "./timeline.js";

const SPEED = "tapeline-speed";
const SKIP = "tapeline-skip";
const RENEW_MS = 10_000; // sooner, a second fault is no old link
const TELL_MS = 100;
const BUSY_MS = 150; // sooner, a sign of waiting only flickers
const LOOP_LEAST_S = 0.2;
const SKIP_AFTER_S = 0.3; // of a silence is heard, so that nobody thinks the sound broke
const SKIP_UNTIL_S = 0.2; // before the next word

const say = (text, level) =>
  document.dispatchEvent(new CustomEvent("tapeline:done", { detail: { text, level } }));

class RecordingPlayer extends HTMLElement {
  connectedCallback() {
    if (this.audio) return;
    this.audio = this.querySelector("audio");
    this.find = (name) => this.querySelector(`[data-${name}]`);
    this.audio.preservesPitch = true;
    this.audio.removeAttribute("controls");
    this.timeline = new Timeline(this);
    this.channels = new Channels(this);
    this.loopFrom = null;
    this.loop = null;
    this.listen();
    this.wire();
    registerKeys(this);
    this.restore();
    startAt(this);
    keepPlace(this);
    takeTurns(this);
    this.timeline.draw();
    this.tell();
  }

  // For others

  get time() {
    return this.audio.currentTime;
  }

  get duration() {
    return Number(this.dataset.duration) || this.audio.duration || 0;
  }

  get paused() {
    return this.audio.paused;
  }

  get span() {
    return this.loop;
  }

  set span(value) {
    const [from, to] = value ? [...value].map((at) => this.within(at)).sort((a, b) => a - b) : [];
    this.loop = value && to - from >= LOOP_LEAST_S ? [from, to] : null;
    this.loopFrom = this.loop ? from : null;
    this.timeline.showLoop(this.loopFrom, this.loop);
    this.showLoop();
    this.emit("span", { span: this.loop });
  }

  seek(seconds, andPlay = false) {
    const to = this.within(seconds);
    this.timeline.moveTo(to);
    if (andPlay && this.paused) this.play();
    this.tell();
  }

  toggle() {
    if (this.paused) this.play();
    else this.audio.pause();
  }

  setPins(pins) {
    this.timeline.setPins(pins);
  }

  // Sound

  within(seconds) {
    return Math.min(Math.max(0, Number(seconds) || 0), this.duration);
  }

  play() {
    this.channels.wake();
    this.complain("");
    if (this.audio.error) this.reload();
    this.audio.play().catch((error) => {
      if (error.name === "NotAllowedError") {
        this.complain("This browser wants a click on Play before it makes a sound.");
      } // else the error event says what went wrong
    });
  }

  reload() {
    const at = this.time || this.lastTime || 0;
    this.audio.load();
    this.audio.currentTime = at;
  }

  listen() {
    const { audio } = this;
    for (const event of ["timeupdate", "seeking", "seeked", "durationchange"]) {
      audio.addEventListener(event, () => this.watch());
    }
    audio.addEventListener("play", () => this.showPlaying());
    audio.addEventListener("pause", () => this.showPlaying());
    audio.addEventListener("ended", () => this.showEnd());
    audio.addEventListener("error", () => this.renew() || this.explain());
    for (const event of ["waiting", "stalled"]) audio.addEventListener(event, () => this.wait(true));
    for (const event of ["playing", "pause", "error", "seeked"]) {
      audio.addEventListener(event, () => this.wait(false));
    }
    const frame = (now) => {
      if (this.paused) return;
      if (now - (this.toldAt || 0) >= TELL_MS) this.watch();
      requestAnimationFrame(frame);
    };
    audio.addEventListener("playing", () => requestAnimationFrame(frame));
  }

  watch() {
    if (!this.paused && !this.audio.seeking) this.jump();
    this.tell();
  }

  // The loop goes back to its start; silence is left out. A seek beyond the loop leaves it.
  jump() {
    const at = this.time;
    if (this.loop && at >= this.loop[1] && at < this.loop[1] + 1) {
      this.seek(this.loop[0]);
    } else if (this.find("skip").checked) {
      const silence = this.timeline.silenceAt(at, SKIP_AFTER_S, SKIP_UNTIL_S + SKIP_AFTER_S);
      if (silence) this.seek(silence[1] - SKIP_UNTIL_S);
    }
  }

  tell() {
    this.toldAt = performance.now();
    const at = this.time;
    if (at) this.lastTime = at;
    const text = clock(at);
    if (text !== this.told) {
      this.told = text;
      this.find("clock").textContent = text;
      this.timeline.slider.setAttribute("aria-valuenow", Math.floor(at));
      this.timeline.slider.setAttribute("aria-valuetext", `${text} of ${clock(this.duration)}`);
    }
    this.emit("time", { seconds: at });
  }

  emit(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(`tapeline:${name}`, { bubbles: true, detail }));
  }

  // What is shown

  showPlaying() {
    const play = this.find("play");
    play.textContent = this.paused ? "Play" : "Pause";
    this.classList.toggle("is-playing", !this.paused);
    if (!this.paused) {
      this.find("resume")?.remove();
      this.find("next")?.setAttribute("hidden", "");
      this.describe();
    }
    this.emit(this.paused ? "paused" : "playing");
  }

  // Headsets and lock screens
  describe() {
    if (!navigator.mediaSession || navigator.mediaSession.metadata) return;
    navigator.mediaSession.metadata = new MediaMetadata({ title: document.title });
    navigator.mediaSession.setActionHandler("seekbackward", () => this.seek(this.time - 5));
    navigator.mediaSession.setActionHandler("seekforward", () => this.seek(this.time + 5));
  }

  showEnd() {
    this.find("next")?.removeAttribute("hidden");
  }

  wait(isBusy) {
    clearTimeout(this.busy);
    if (!isBusy) this.find("clock").classList.remove("is-pending");
    else this.busy = setTimeout(() => this.find("clock").classList.add("is-pending"), BUSY_MS);
  }

  complain(text) {
    const trouble = this.querySelector(".trouble");
    if (trouble.textContent !== text) trouble.textContent = text;
    trouble.hidden = !text;
  }

  // An audio element does not say why: the server does.
  // A link into a bucket lives for minutes; the desk gives another one when it is asked again.
  renew() {
    const now = Date.now();
    if (!this.lastTime || now - (this.renewedAt || 0) < RENEW_MS) return false;
    this.renewedAt = now;
    const [at, wasPlaying] = [this.lastTime, !this.paused];
    this.audio.load();
    this.audio.currentTime = at;
    if (wasPlaying) this.audio.play().catch(() => {}); // the error event says what went wrong
    return true;
  }

  async explain() {
    const place = `It stopped at ${clock(this.lastTime || 0)}.`;
    let text = `${place} The desk does not answer: check the connection, then press Play.`;
    try {
      const answer = await fetch(this.audio.currentSrc, { method: "HEAD" });
      if (answer.redirected) text = `${place} You are signed out. Reload this page to sign in.`;
      else if (answer.status === 404) text = "The file is not here any more. Reload this page to see why.";
      else if (answer.status === 403) text = "You may not listen to this recording any more.";
      else if (answer.ok) text = `${place} Press Play to go on; if that does not help, download the file.`;
      else text = `${place} The desk answered ${answer.status}. Try again in a minute.`;
    } catch {} // no answer at all
    this.complain(text);
  }

  // Controls

  wire() {
    const press = {
      play: () => this.toggle(),
      "loop-from": () => this.setLoopFrom(),
      "loop-to": () => this.setLoopTo(),
      "loop-clear": () => (this.span = null),
      link: () => this.copyLink(),
      keys: openHelp,
    };
    for (const [name, run] of Object.entries(press)) this.find(name)?.addEventListener("click", run);
    for (const step of this.querySelectorAll("[data-step]")) {
      step.addEventListener("click", () => this.seek(this.time + Number(step.dataset.step)));
    }
    this.find("speed").addEventListener("change", () => this.setSpeed(this.find("speed").value));
    this.find("skip").addEventListener("change", () => this.setSkip(this.find("skip").checked));
    this.find("volume").addEventListener("input", (event) => {
      this.audio.volume = Number(event.target.value);
    });
    document.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-at]");
      if (button && document.contains(this)) this.seek(button.dataset.at, true);
    });
    const enable = () => {
      for (const button of document.querySelectorAll("button[data-at][disabled]")) button.disabled = false;
      document.querySelector("[data-lines]")?.removeAttribute("hidden");
    };
    document.addEventListener("htmx:afterSwap", enable);
    enable();
  }

  restore() {
    const speed = stored(SPEED);
    if ([...this.find("speed").options].some(({ value }) => value === speed)) this.setSpeed(speed);
    this.find("skip").checked = stored(SKIP) === "on";
  }

  setSpeed(value) {
    this.find("speed").value = value;
    this.audio.playbackRate = this.audio.defaultPlaybackRate = Number(value);
    store(SPEED, value);
  }

  changeSpeed(by) {
    const speed = this.find("speed");
    const to = speed.options[speed.selectedIndex + by];
    if (!to) return;
    this.setSpeed(to.value);
    say(`Speed ${to.textContent}`);
  }

  setSkip(isOn, aloud = false) {
    this.find("skip").checked = isOn;
    store(SKIP, isOn ? "on" : "off");
    if (aloud) say(isOn ? "Silence is skipped." : "Silence is played.");
  }

  nextMark() {
    const mark = this.timeline.markAfter(this.time);
    if (!mark) return say("Nothing more happens in this recording.");
    this.seek(mark.start);
    this.timeline.tellMark(mark);
  }

  setLoopFrom() {
    this.span = null;
    this.loopFrom = this.time;
    this.timeline.showLoop(this.loopFrom, null);
    this.showLoop();
  }

  setLoopTo() {
    const from = this.loopFrom ?? 0;
    if (Math.abs(this.time - from) < LOOP_LEAST_S) {
      return say("The loop would be empty: set its end somewhere else.", "warning");
    }
    this.span = [from, this.time];
  }

  showLoop() {
    const text = this.loop ? `${clock(this.loop[0])} to ${clock(this.loop[1])}` : "";
    this.find("loop-told").textContent = text || (this.loopFrom === null ? "" : `from ${clock(this.loopFrom)}`);
    this.find("loop-clear").disabled = this.loopFrom === null;
  }

  async copyLink() {
    const link = new URL(location.pathname, location.href);
    link.searchParams.set("t", this.time.toFixed(1));
    const field = this.find("link-text");
    field.value = link.href;
    try {
      await navigator.clipboard.writeText(link.href);
      say(`A link to ${clock(this.time)} is copied.`);
    } catch {
      field.hidden = false; // no HTTPS, or the browser asks nobody
      field.select();
    }
  }
}

customElements.define("recording-player", RecordingPlayer);
