// The player: a waveform, steps, speed and keys around a plain <audio controls>, which works alone.
// The waveform is drawn from the server's peaks; no browser decodes a file to draw it.
const SPEED = "tapeline-speed";
const HEADER = 24;

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

const clock = (seconds) => {
  const whole = Math.max(0, Math.floor(seconds || 0));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
};

class RecordingPlayer extends HTMLElement {
  connectedCallback() {
    this.audio = this.querySelector("audio");
    this.wave = this.querySelector(".wave-canvas");
    this.speed = this.querySelector("[data-speed]");
    this.duration = Number(this.dataset.duration);
    this.querySelector(".player-tools").hidden = false;
    for (const event of ["timeupdate", "seeking", "ended"]) {
      this.audio.addEventListener(event, () => this.tell());
    }
    this.audio.addEventListener("error", () =>
      this.complain("The file could not be played. Reload the page, or ask who runs the desk."),
    );
    this.addEventListener("click", (event) => this.press(event.target));
    this.wave.addEventListener("keydown", (event) => this.key(event));
    this.speed.addEventListener("change", () => this.setSpeed(this.speed.value));
    document.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-at]");
      if (button) this.seek(Number(button.dataset.at), true);
    });
    for (const button of document.querySelectorAll("button[data-at]")) button.disabled = false;
    document.querySelector("[data-lines]")?.removeAttribute("hidden");
    this.restoreSpeed();
    this.tell();
    if (this.dataset.peaks) this.draw().catch(() => {}); // without a waveform it plays all the same
  }

  async draw() {
    const [{ default: WaveSurfer }, answer] = await Promise.all([
      import(this.dataset.wavesurfer),
      fetch(this.dataset.peaks),
    ]);
    if (!answer.ok) return;
    const peaks = readPeaks(await answer.arrayBuffer());
    const style = getComputedStyle(this);
    const look = (side) => ({
      waveColor: style.getPropertyValue(`--wave-${side}`),
      progressColor: style.getPropertyValue(`--played-${side}`),
    });
    this.querySelector(".wave").hidden = false;
    this.surfer = WaveSurfer.create({
      container: this.wave,
      media: this.audio,
      peaks,
      duration: this.duration,
      cspNonce: this.dataset.nonce,
      height: 44,
      normalize: true,
      maxPeak: Math.max(0.05, ...peaks.map((channel) => channel.reduce((a, b) => Math.max(a, b), 0))),
      splitChannels: peaks.map((_, channel) => look(channel ? "b" : "a")),
      cursorColor: style.getPropertyValue("--cursor"),
      dragToSeek: true,
    });
    this.surfer.on("timeupdate", () => this.tell());
    this.replaceControls();
  }

  // With the waveform to seek in, the browser's own bar would be a second one.
  replaceControls() {
    const play = this.querySelector("[data-play]");
    const volume = this.querySelector("[data-volume]");
    this.audio.removeAttribute("controls");
    play.hidden = volume.hidden = false;
    play.addEventListener("click", () => this.toggle());
    for (const event of ["play", "pause"]) {
      this.audio.addEventListener(event, () => {
        play.textContent = this.audio.paused ? "Play" : "Pause";
      });
    }
    volume.addEventListener("input", (event) => {
      this.audio.volume = Number(event.target.value);
    });
  }

  get time() {
    return this.audio.currentTime;
  }

  get paused() {
    return this.audio.paused;
  }

  tell() {
    const at = this.audio.currentTime;
    const detail = { seconds: at };
    this.dispatchEvent(new CustomEvent("tapeline:time", { bubbles: true, detail }));
    this.querySelector("[data-clock]").textContent = `${clock(at)} / ${clock(this.duration)}`;
    this.wave.setAttribute("aria-valuenow", Math.floor(at));
    this.wave.setAttribute("aria-valuetext", `${clock(at)} of ${clock(this.duration)}`);
  }

  press(target) {
    const step = target.closest("[data-step]");
    if (step) this.seek(this.audio.currentTime + Number(step.dataset.step));
  }

  toggle() {
    if (!this.audio.paused) this.audio.pause();
    else this.audio.play().catch(() => {}); // the error event says what went wrong
  }

  seek(seconds, andPlay = false) {
    const to = Math.min(Math.max(0, seconds), this.duration);
    if (this.surfer) this.surfer.setTime(to);
    else this.audio.currentTime = to;
    if (andPlay && this.audio.paused) this.toggle();
    this.tell();
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const at = this.audio.currentTime;
    const seconds = { ArrowLeft: at - 5, ArrowDown: at - 5, ArrowRight: at + 5, ArrowUp: at + 5,
      j: at - 10, l: at + 10, Home: 0, End: this.duration };
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key in seconds) this.seek(seconds[key]);
    else if (/^[0-9]$/.test(key)) this.seek((this.duration * Number(key)) / 10);
    else if (key === " " || key === "k") this.toggle();
    else if (key === "<" || key === ">") this.changeSpeed(key === ">" ? 1 : -1);
    else return;
    event.preventDefault();
  }

  changeSpeed(by) {
    const to = this.speed.options[this.speed.selectedIndex + by];
    if (to) this.setSpeed(to.value);
  }

  setSpeed(value) {
    this.speed.value = value;
    this.audio.playbackRate = this.audio.defaultPlaybackRate = Number(value);
    try {
      localStorage.setItem(SPEED, value);
    } catch {} // storage is switched off
  }

  restoreSpeed() {
    try {
      const value = localStorage.getItem(SPEED);
      if ([...this.speed.options].some((option) => option.value === value)) this.setSpeed(value);
    } catch {} // storage is switched off
  }

  complain(text) {
    const trouble = this.querySelector(".trouble");
    trouble.textContent = text;
    trouble.hidden = false;
  }
}

customElements.define("recording-player", RecordingPlayer);
