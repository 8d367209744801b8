// The waveform and what happened on it, from the server's peaks and facts: no browser decodes a
// file to draw it. Without a waveform the marks are drawn all the same, and the sound plays.
import { Zoom } from "./timeline-zoom.js";

const HEADER = 24;
const SVG = "http://www.w3.org/2000/svg";
const JUST_TOLD_S = 0.5;
const LEAST_SHARE = 0.2; // percent; a narrower mark could not be seen

export const clock = (seconds) => {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
};

// Reads audiowaveform's format: per pixel and channel the lowest and the highest sample, 8 bit.
function readPeaks(buffer) {
  const pixels = new DataView(buffer).getUint32(16, true);
  const channels = new DataView(buffer).getInt32(20, true);
  const values = new Int8Array(buffer, HEADER);
  return Array.from({ length: channels }, (_, channel) =>
    Float32Array.from({ length: pixels }, (_, pixel) => {
      const at = 2 * (pixel * channels + channel);
      return Math.max(-values[at], values[at + 1]) / 128;
    }),
  );
}

export class Timeline {
  constructor(player) {
    this.player = player;
    this.slider = player.querySelector(".wave-canvas");
    this.area = player.querySelector(".wave-area");
    this.told = player.querySelector("[data-mark-told]");
    this.marks = [];
    this.silences = [];
    this.wireSlider();
    this.wireHover();
    this.zoom = new Zoom(this);
  }

  draw() {
    const { peaks, timeline } = this.player.dataset;
    if (peaks) this.drawWave(peaks).catch(() => this.failed());
    else this.failed();
    this.drawFacts(timeline).catch(() => {}); // the list below has the same facts
  }

  failed() {
    this.area.classList.remove("is-loading");
    this.area.classList.add("has-no-wave");
  }

  async drawWave(url) {
    const { wavesurfer, nonce } = this.player.dataset;
    const [{ default: WaveSurfer }, peaks] = await Promise.all([import(wavesurfer), this.peaks(url)]);
    const loudest = peaks.map((channel) => channel.reduce((a, b) => Math.max(a, b), 0));
    const surfer = WaveSurfer.create({
      container: this.slider,
      media: this.player.audio,
      peaks,
      duration: this.player.duration,
      cspNonce: nonce,
      height: peaks.length > 1 ? 44 : 88,
      normalize: true,
      maxPeak: Math.max(0.05, ...loudest),
      dragToSeek: true,
      ...this.colours(peaks.length),
    });
    surfer.once("ready", () => this.show(surfer, peaks.length)); // until then it knows no length
  }

  // The peaks of each channel, in the order in which they are drawn.
  async peaks(url) {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(answer.status);
    const channels = readPeaks(await answer.arrayBuffer());
    const places = this.player.dataset.order.split(" ").map(Number).filter((channel) => channels[channel]);
    return places.length === channels.length ? places.map((channel) => channels[channel]) : channels;
  }

  // A finer waveform, once somebody looks closer; without it the coarse one stays.
  async refine(pixels) {
    if (this.isFine || !this.surfer) return;
    this.isFine = true;
    try {
      const peaks = await this.peaks(`${this.player.dataset.peaks}?pixels=${pixels}`);
      this.surfer.setOptions({ peaks, duration: this.player.duration });
    } catch {
      this.isFine = false;
    }
  }

  show(surfer, count) {
    this.surfer = surfer;
    if (this.player.paused) surfer.setTime(this.player.time);
    surfer.on("interaction", () => this.player.tell());
    this.area.classList.remove("is-loading");
    new MutationObserver(() => surfer.setOptions(this.colours(count))).observe(
      document.documentElement,
      { attributeFilter: ["data-bs-theme"] },
    );
  }

  colours(count) {
    const style = getComputedStyle(this.player);
    const look = (_, channel) => ({
      waveColor: style.getPropertyValue(`--wave-${channel ? "b" : "a"}`),
      progressColor: style.getPropertyValue(`--played-${channel ? "b" : "a"}`),
    });
    return {
      splitChannels: Array.from({ length: count }, look),
      cursorColor: style.getPropertyValue("--cursor"),
      cursorWidth: 2,
    };
  }

  moveTo(seconds) {
    if (this.surfer) this.surfer.setTime(seconds); // moves the sound as well
    else this.player.audio.currentTime = seconds;
  }

  // As every slider: arrows either way, and pages
  wireSlider() {
    const steps = { ArrowUp: 5, ArrowDown: -5, PageUp: 60, PageDown: -60 };
    this.slider.addEventListener("keydown", (event) => {
      const step = steps[event.key];
      if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
      this.player.seek(this.player.time + step);
      event.preventDefault();
    });
    this.slider.addEventListener("click", (event) => {
      if (!this.surfer) this.player.seek(this.timeAt(event)); // the waveform does it itself
    });
  }

  timeAt(event) {
    const { left, width } = this.slider.getBoundingClientRect();
    return ((event.clientX - left) / width) * this.player.duration;
  }

  wireHover() {
    const hover = this.area.querySelector(".wave-hover");
    this.area.addEventListener("pointermove", (event) => {
      const at = this.timeAt(event);
      hover.hidden = event.pointerType === "touch" || at < 0 || at > this.player.duration;
      hover.textContent = clock(at);
      hover.style.left = `${this.share(at)}%`;
    });
    this.area.addEventListener("pointerleave", () => (hover.hidden = true));
  }

  // Facts

  async drawFacts(url) {
    const answer = await fetch(url);
    if (!answer.ok) return;
    const facts = await answer.json();
    this.marks = facts.marks;
    this.silences = facts.silences;
    const strip = this.area.querySelector(".wave-strip");
    strip.setAttribute("viewBox", `0 0 ${this.player.duration} 1`);
    strip.replaceChildren(this.path("is-silence", facts.silences), this.path("is-overlap", facts.overlaps));
    this.area.querySelector(".wave-marks").replaceChildren(...facts.marks.map((mark) => this.markOf(mark)));
    this.player.classList.add("has-facts");
  }

  // All spans of a kind are one shape: an hour may have hundreds.
  path(name, spans) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("class", name);
    path.setAttribute("d", spans.map(([from, to]) => `M${from} 0H${to}V1H${from}Z`).join(""));
    return path;
  }

  share(seconds) {
    return (100 * seconds) / (this.player.duration || 1);
  }

  place(element, from, to) {
    element.style.left = `${this.share(from)}%`;
    if (to !== null) element.style.width = `${Math.max(LEAST_SHARE, this.share(to - from))}%`;
    return element;
  }

  markOf(mark) {
    const element = document.createElement("button");
    element.type = "button";
    element.tabIndex = -1; // the list of events below is for keys and screen readers
    element.className = `mark is-${mark.kind}${mark.end === null ? " is-moment" : ""}`;
    element.title = this.textOf(mark);
    element.addEventListener("click", () => {
      this.player.seek(mark.start);
      this.tellMark(mark);
    });
    return this.place(element, mark.start, mark.end);
  }

  textOf(mark) {
    const when = `${mark.approximate ? "≈ " : ""}${clock(mark.start)}`;
    const lasted = mark.lasted === null ? "" : ` · ${clock(mark.lasted)}`;
    return `${when} · ${mark.title}${lasted}${mark.detail ? ` · ${mark.detail}` : ""}`;
  }

  tellMark(mark) {
    this.lastTold = mark;
    this.told.textContent = this.textOf(mark);
  }

  // Marks may be so close that a moment later is past several: so the next of the last one told.
  markAfter(seconds) {
    const last = this.lastTold;
    if (last && Math.abs(seconds - last.start) < JUST_TOLD_S) {
      return this.marks[this.marks.indexOf(last) + 1];
    }
    return this.marks.find((mark) => mark.start >= seconds && mark !== last);
  }

  silenceAt(seconds, after, before) {
    return this.silences.find(([from, to]) => seconds >= from + after && seconds < to - before);
  }

  showLoop(from, span) {
    const loop = this.area.querySelector(".wave-loop");
    loop.hidden = from === null;
    loop.classList.toggle("is-open", !span);
    if (from !== null) this.place(loop, from, span ? span[1] : from);
  }

  setPins(pins) {
    const made = pins.map((pin) => {
      const element = document.createElement("button");
      element.type = "button";
      element.tabIndex = -1; // each is a note in the list of notes as well
      element.className = "pin";
      element.title = `${clock(pin.start)} · ${pin.label}`;
      element.addEventListener("click", () => {
        this.player.seek(pin.start);
        this.player.emit("pin", { id: pin.id });
      });
      return this.place(element, pin.start, pin.end ?? null);
    });
    this.area.querySelector(".wave-pins").replaceChildren(...made);
  }
}
