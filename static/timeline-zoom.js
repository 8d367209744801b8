// Zoom: the waveform and all that is on it are drawn wider than the window they scroll in. The
// window follows the sound as long as the sound is in it; somebody who scrolls away is left alone.
const MOST = 32;
const WIDEST_PX = 24_000; // a waveform is drawn on canvases, which cost memory
const FINER_FROM = 2;
const FINE_PIXELS = 64_000;

export class Zoom {
  constructor(timeline) {
    this.timeline = timeline;
    this.player = timeline.player;
    this.area = timeline.area;
    this.window = this.area.parentElement;
    this.level = 1;
    this.wasInside = true;
    for (const button of this.player.querySelectorAll("[data-zoom]")) {
      button.addEventListener("click", () => this.change(Number(button.dataset.zoom)));
    }
    this.player.addEventListener("tapeline:time", ({ detail }) => this.follow(detail.seconds));
    this.show();
  }

  change(times) {
    this.level = Math.min(this.most(), Math.max(1, this.level * times));
    this.area.style.width = `${100 * this.level}%`;
    this.centre(this.player.time);
    if (this.level >= FINER_FROM) this.timeline.refine(FINE_PIXELS);
    this.show();
  }

  show() {
    for (const button of this.player.querySelectorAll("[data-zoom]")) {
      button.disabled = Number(button.dataset.zoom) < 1 ? this.level <= 1 : this.level >= this.most();
    }
  }

  most() {
    return Math.min(MOST, Math.max(1, WIDEST_PX / this.window.clientWidth));
  }

  placeOf(seconds) {
    return (this.area.clientWidth * seconds) / (this.player.duration || 1);
  }

  centre(seconds) {
    this.window.scrollLeft = this.placeOf(seconds) - this.window.clientWidth / 2;
    this.wasInside = true;
  }

  follow(seconds) {
    if (this.level <= 1) return;
    const at = this.placeOf(seconds) - this.window.scrollLeft;
    const isInside = at >= 0 && at <= this.window.clientWidth;
    if (!isInside && this.wasInside) this.centre(seconds);
    else this.wasInside = isInside;
  }
}
